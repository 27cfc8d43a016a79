"""Windows of spike-timing-dependent plasticity: the change of a weight by pairs of spikes."""

import numpy as np

import brainfn as bf

STDP = bf.plasticity.STDP
RULES = {
    "additive": STDP(A_plus=0.01, A_minus=0.0105),
    "soft bounds": STDP(A_plus=0.02, A_minus=0.021, mu_plus=1.0, mu_minus=1.0),
    "triplets, 1 Hz": bf.plasticity.TripletSTDP(),
    "triplets, 40 Hz": bf.plasticity.TripletSTDP(),
    "inhibitory": bf.plasticity.InhibitorySTDP(eta=0.01),
}


def change(rule, lags, period, pairs):
    """By how much the weight 0.5 changes through pairs of spikes, for each lag in ms."""
    n = len(lags)
    arrive = 100.0 + period * np.arange(pairs)[:, None] + 0 * lags
    spikes = {"pre": arrive, "teacher": arrive + lags - 1.0}
    populations = {
        name: bf.input.SpikeTimes(n, times.ravel().round(1), np.tile(np.arange(n), pairs))
        for name, times in spikes.items()
    }
    # The teacher makes its neuron spike at once; the plastic synapse itself is too weak to matter.
    populations["post"] = bf.neuron.LIF(n, refractory=1.0, surrogate=None)
    one = {"synapse": bf.synapse.Instant(), "output": bf.synapse.Current()}
    net = bf.Network(
        populations,
        {
            "taught": bf.Projection(
                "teacher", "post", bf.connect.OneToOne(), weight=3e4, delay=1.0, **one
            ),
            "plastic": bf.Projection(
                "pre",
                "post",
                bf.connect.OneToOne(),
                weight=0.5,
                plasticity=rule,
                **one,
            ),
        },
    )
    end = arrive.max() + 150.0
    run = bf.simulate(net, duration=round(end, 1), dt=0.1, record=bf.record.nothing)
    return np.asarray(run.state.model_state.weights["plastic"]) - 0.5


def main(short=False):
    lags = np.linspace(-60.0, 60.0, 5 if short else 49).round(1) + 0.05
    figure = bf.plot.new_figure(11.0, 2.6)
    for ax, (name, rule) in zip(figure.subplots(1, len(RULES)), RULES.items(), strict=True):
        period = 25.0 if name.endswith("40 Hz") else 1000.0
        pairs = (
            1
            if not name.startswith("triplets")
            else 5
            if name.endswith("40 Hz") and not short
            else 2
        )
        dw = change(rule, lags, period, pairs) / pairs
        ax.axhline(0, color="#8A8A8A", linewidth=0.8)
        ax.axvline(0, color="#8A8A8A", linewidth=0.8)
        for side in (lags < 0, lags > 0):
            ax.plot(lags[side], dw[side], color="#0072B2")
        ax.set_title(name, loc="left", fontsize="medium")
        ax.set_xlabel("post - pre (ms)")
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("change per pair")
    return figure
