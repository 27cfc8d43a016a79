"""A depressing synapse is a low-pass filter of rates, a facilitating one a band-pass filter."""

import numpy as np

import brainfn as bf

KINDS = {
    "depressing": {"U": 0.5, "tau_facilitation": 20.0, "tau_recovery": 800.0},
    "facilitating": {"U": 0.05, "tau_facilitation": 800.0, "tau_recovery": 100.0},
}


def psps(train, kind, duration):
    """The potential of a neuron that receives the train, shape (time,)."""
    net = bf.Network(
        {
            "in": train,
            "cell": bf.neuron.LIF(train.size, v_rest=-65.0, v_init=-65.0, v_threshold=0.0),
        },
        [
            bf.Projection(
                "in",
                "cell",
                bf.connect.OneToOne(),
                weight=150.0,
                release=bf.synapse.TsodyksMarkram(**KINDS[kind]),
                synapse=bf.synapse.Exponential(3.0),
                output=bf.synapse.Current(),
            )
        ],
    )
    run = bf.simulate(net, duration=duration, dt=0.1, record=lambda s, _: s["cell"].v)
    return run.ts, np.asarray(run.outputs) + 65.0


def main(short=False):
    figure = bf.plot.new_figure(10.0, 2.8)
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.2])
    # Eight spikes at 20 Hz, and one half a second later.
    times = np.append(20.0 + 50.0 * np.arange(8), 870.0)
    train = bf.input.SpikeTimes(1, times, np.zeros(len(times), int))
    for ax, kind, shade in zip(axes, KINDS, ("#0072B2", "#D55E00"), strict=False):
        ts, v = psps(train, kind, 950.0)
        ax.plot(ts, v[:, 0], color=shade)
        ax.set_title(kind, loc="left", fontsize="medium")
        ax.set(xlabel="time (ms)", ylabel="PSP (mV)")
    # The mean potential in the steady state, for regular trains of many rates: in the limit of
    # high rates what is lost and what recovers balance, and it no longer depends on the rate.
    rates = np.geomspace(8.0 if short else 1.0, 100.0, 4 if short else 24)
    duration = 1000.0 if short else 4000.0
    spikes = [np.arange(5.0, duration, 1000 / rate) for rate in rates]
    which = np.repeat(np.arange(len(rates)), [len(x) for x in spikes])
    trains = bf.input.SpikeTimes(len(rates), np.concatenate(spikes).round(1), which)
    for kind, shade in zip(KINDS, ("#0072B2", "#D55E00"), strict=True):
        _, v = psps(trains, kind, duration)
        # Whole periods, from a spike in the middle to the last one.
        edges = [np.rint(np.array([x[len(x) // 2], x[-1]]) / 0.1).astype(int) for x in spikes]
        efficacy = np.array([v[a:b, i].mean() for i, (a, b) in enumerate(edges)]) / rates
        axes[2].semilogx(rates, efficacy / efficacy.max(), color=shade, label=kind)
    axes[2].set_title("steady state", loc="left", fontsize="medium")
    axes[2].set(xlabel="presynaptic rate (Hz)", ylabel="effect per spike (rel.)", ylim=(0, 1.05))
    axes[2].legend(frameon=False)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure
