"""Twenty firing patterns of Izhikevich's neurons, all in one population."""

import jax.numpy as jnp
import numpy as np

import brainfn as bf


def steps(*levels):
    """A current from pairs of time (ms) and level that holds from there."""
    return lambda t: sum(
        np.where(t >= at, level - before, 0.0)
        for (at, level), (_, before) in zip(levels, ((0.0, 0.0), *levels), strict=False)
    )


def pulses(height, *spans, base=0.0):
    """Pulses between pairs of times (ms)."""
    return lambda t: base + sum(np.where((t > a) & (t < b), height, 0.0) for a, b in spans)


def ramp(slope, start, base=0.0):
    return lambda t: base + slope * np.maximum(t - start, 0.0)


def accommodation(t):
    fast = np.where((t >= 300) & (t < 312.5), (t - 300) / 12.5 * 4, 0.0)
    return np.where(t < 200, t / 25, fast)


# Izhikevich (2004), "Which model to use for cortical spiking neurons?", IEEE Trans. Neural Netw.
# 15:1063-1070, doi:10.1109/TNN.2004.832719, figure 1: a, b, c, d, initial v, duration, current.
# Where the figure depends on its Euler steps of 0.1 to 0.5 ms, values differ here: the second pulse
# of bistability comes at 207 ms instead of 216, and d of the after-potential and of
# inhibition-induced bursting is -16 and 0 instead of -21 and -2.
PATTERNS = {
    "tonic spiking": (0.02, 0.2, -65, 6, -70, 100, steps((10, 14))),
    "phasic spiking": (0.02, 0.25, -65, 6, -64, 200, steps((20, 0.5))),
    "tonic bursting": (0.02, 0.2, -50, 2, -70, 220, steps((22, 15))),
    "phasic bursting": (0.02, 0.25, -55, 0.05, -64, 200, steps((20, 0.6))),
    "mixed mode": (0.02, 0.2, -55, 4, -70, 160, steps((16, 10))),
    "frequency adaptation": (0.01, 0.2, -65, 8, -70, 85, steps((8.5, 30))),
    "class 1 excitable": (0.02, -0.1, -55, 6, -60, 300, ramp(0.075, 30)),
    "class 2 excitable": (0.2, 0.26, -65, 0, -64, 300, ramp(0.015, 30, base=-0.5)),
    "spike latency": (0.02, 0.2, -65, 6, -70, 100, pulses(7.04, (10, 13))),
    "subthreshold oscillation": (0.05, 0.26, -60, 0, -62, 200, pulses(2, (20, 25))),
    "resonator": (
        0.1,
        0.26,
        -60,
        -1,
        -62,
        400,
        pulses(0.65, (40, 44), (60, 64), (280, 284), (320, 324)),
    ),
    "integrator": (
        0.02,
        -0.1,
        -55,
        6,
        -60,
        100,
        pulses(9, (9.1, 11.1), (14.1, 16.1), (70, 72), (80, 82)),
    ),
    "rebound spike": (0.03, 0.25, -60, 4, -64, 200, pulses(-15, (20, 25))),
    "rebound burst": (0.03, 0.25, -52, 0, -64, 200, pulses(-15, (20, 25))),
    "threshold variability": (
        0.03,
        0.25,
        -60,
        4,
        -64,
        100,
        lambda t: pulses(1, (10, 15), (80, 85))(t) + pulses(-6, (70, 75))(t),
    ),
    "bistability": (0.1, 0.26, -60, 0, -61, 300, pulses(1, (37.5, 42.5), (207, 212), base=0.24)),
    "depolarizing after-potential": (1.0, 0.2, -60, -16, -70, 50, pulses(20, (9, 11))),
    "accommodation": (1e-4, 200.0, -55, 4, -65, 400, accommodation),
    "inhibition-induced spiking": (-0.02, -1.0, -60, 8, -63.8, 350, pulses(-5, (50, 250), base=80)),
    "inhibition-induced bursting": (
        -0.026,
        -1.0,
        -45,
        0,
        -63.8,
        350,
        pulses(-5, (50, 250), base=80),
    ),
}


class Line(bf.input.AbstractInput):
    """A current that depends on the membrane potential: offset + slope * v."""

    offset: object = bf.param(unit="mV/ms", positional=True)
    slope: object = bf.param(unit="1/ms", positional=True)

    def init(self, size, *, key=None):
        return None

    def step(self, state, clock, *, key=None):
        return None, lambda t, v: self.offset + self.slope * v


def main(short=False):
    names, n = list(PATTERNS), len(PATTERNS)
    a, b, c, d, v, durations = np.array([x[:6] for x in PATTERNS.values()], float).T
    # Classes that integrate have 4.1 v + 108 in place of 5 v + 140. Accommodation has du/dt = 0.02
    # (v + 65) without a decay of u: here u decays in 10 s, around -13000.
    offset, slope, u = np.zeros(n), np.zeros(n), b * v
    for name in ("class 1 excitable", "integrator"):
        offset[names.index(name)], slope[names.index(name)] = -32.0, -0.9
    offset[names.index("accommodation")], u[names.index("accommodation")] = -13000.0, -13016.0
    cells = bf.neuron.Izhikevich(n, a=a, b=b, c=c, d=d, v_init=v, u_init=u)
    dt, duration = 0.02, 20.0 if short else 400.0
    t = np.arange(round(duration / dt)) * dt
    current = np.stack([x[6](t) for x in PATTERNS.values()], 1)
    run = bf.simulate(
        cells,
        inputs=bf.input.TimeSeries(current) + Line(jnp.asarray(offset), jnp.asarray(slope)),
        duration=duration,
        dt=dt,
        record={"v": lambda s, _: s.v, "spikes": bf.record.outputs},
    )
    v = np.where(np.asarray(run.outputs["spikes"]) > 0, 30.0, run.outputs["v"])
    figure = bf.plot.new_figure(11.0, 7.5)
    for i, ax in enumerate(figure.subplots(5, 4).flat):
        shown = t < durations[i]
        ax.plot(t[shown], v[shown, i], color="#0072B2", linewidth=0.9)
        size = max(np.ptp(current[shown, i]), 1e-9)
        ax.plot(
            t[shown],
            -105 + 15 * (current[shown, i] - current[shown, i].min()) / size,
            color="#D55E00",
            linewidth=0.9,
        )
        ax.set_title(names[i], loc="left", fontsize="small")
        ax.set(ylim=(-110, 35), xticks=[], yticks=[], xlim=(0, durations[i]))
        ax.spines[["top", "right", "left", "bottom"]].set_visible(False)
        ax.plot([durations[i] - 20, durations[i]], [-108, -108], color="#8A8A8A", linewidth=2)
    figure.supxlabel(
        "membrane potential (blue), current (orange); grey bar: 20 ms", fontsize="medium"
    )
    return figure
