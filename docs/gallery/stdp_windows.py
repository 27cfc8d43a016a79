"""Spike-timing-dependent plasticity: the change of a weight by pairs of spikes."""

import numpy as np

import brainfn as bf

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"


def change(rule, lags, periods, pairs=1, weight=0.5):
    """By how much `weight` changes for each pair, for each lag and period (ms) of the pairs."""
    lags, periods = np.broadcast_arrays(lags, periods)
    n = len(lags)
    arrive = 100.0 + periods * np.arange(pairs)[:, None]
    spikes = {"pre": arrive, "teacher": arrive + lags - 1.0}
    populations = {
        name: bf.input.SpikeTimes(n, times.ravel().round(1), np.tile(np.arange(n), pairs))
        for name, times in spikes.items()
    }
    # The teacher makes its neuron spike at once; the plastic synapse is too weak to matter.
    populations["post"] = bf.neuron.LIF(n, refractory=1.0, surrogate=None)
    parts = {"synapse": bf.synapse.Instant(), "output": bf.synapse.Current()}
    one = bf.connect.OneToOne()
    net = bf.Network(
        populations,
        {
            "taught": bf.Projection("teacher", "post", one, weight=3e4, delay=1.0, **parts),
            "plastic": bf.Projection("pre", "post", one, weight=weight, plasticity=rule, **parts),
        },
    )
    end = round(float(arrive.max() + 150.0), 1)
    run = bf.simulate(net, duration=end, dt=0.1, record=bf.record.nothing)
    return (np.asarray(run.state.model_state.weights["plastic"]) - weight) / pairs


def window(ax, rule, lags, shade, weight=0.5, label=None):
    dw = change(rule, lags, 1000.0, weight=weight)
    for side in (lags < 0, lags > 0):
        ax.plot(lags[side], dw[side], color=shade, label=label)
        label = None


def main(short=False):
    lags = np.linspace(-60.0, 60.0, 4 if short else 50)
    figure = bf.plot.new_figure(10.0, 2.8)
    axes = figure.subplots(1, 4)
    window(axes[0], bf.plasticity.STDP(), lags, BLUE)
    axes[0].set_title("additive", loc="left", fontsize="medium")
    soft = bf.plasticity.STDP(mu_plus=1.0, mu_minus=1.0)
    for weight, shade in ((0.2, BLUE), (0.8, ORANGE)):
        window(axes[1], soft, lags, shade, weight, f"w = {weight}")
    axes[1].set_title("soft bounds", loc="left", fontsize="medium")
    axes[1].legend(frameon=False, fontsize="small")
    window(axes[2], bf.plasticity.InhibitorySTDP(eta=0.01), lags, BLUE)
    axes[2].set_title("inhibitory", loc="left", fontsize="medium")
    rates = np.linspace(2.0, 50.0, 3 if short else 13)
    for lag, shade in ((10.0, BLUE), (-10.0, ORANGE)):
        dw = change(bf.plasticity.TripletSTDP(), lag, 1000 / rates, pairs=3 if short else 20)
        axes[3].plot(rates, dw, color=shade, label=f"{lag:+.0f} ms")
    axes[3].set_title("triplets", loc="left", fontsize="medium")
    axes[3].legend(frameon=False, fontsize="small")
    for ax in axes:
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_xlabel("post - pre (ms)" if ax is not axes[3] else "rate of the pairs (Hz)")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("change per pair")
    return figure
