"""Eight firing patterns of the AdEx neuron, all in one population."""

import numpy as np

import brainfn as bf

# Naud, Marcille, Clopath and Gerstner (2008), table 1: C in pF, g_L in nS, E_L in mV, a in nS,
# tau_w in ms, b in pA, v_reset in mV and the current in pA.
PATTERNS = {
    "tonic": (200, 10, -70, 2, 30, 0, -58, 500),
    "adapting": (200, 12, -70, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, 4, 150, 120, -50, 400),
    "regular bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    "delayed accelerating": (200, 12, -70, -10, 300, 0, -58, 300),
    "delayed regular bursting": (100, 10, -65, -10, 90, 30, -47, 110),
    "transient": (100, 10, -65, 10, 90, 100, -47, 180),
    "irregular": (100, 12, -60, -11, 130, 30, -48, 160),
}


def main(short=False):
    c, g, rest, a, tau_w, b, reset, current = np.array(list(PATTERNS.values()), float).T
    cells = bf.neuron.AdEx(
        len(PATTERNS),
        capacitance=c,
        g_leak=g,
        v_rest=rest,
        a=a,
        tau_w=tau_w,
        b=b,
        v_reset=reset,
        v_rheobase=-50.0,
        slope=2.0,
        v_peak=0.0,
        v_init=rest,
        solver=bf.solver.ExponentialMidpoint(),
    )
    before, dt = 50.0, 0.1 if short else 0.01
    duration = 100.0 if short else 500.0
    steps = np.arange(round(duration / dt))[:, None] * dt >= before
    run = bf.simulate(
        cells,
        inputs=bf.input.TimeSeries(np.where(steps, current, 0.0)),
        duration=duration,
        dt=dt,
        record={"v": lambda s, _: s.v, "spikes": bf.record.outputs},
    )
    figure = bf.plot.new_figure(10.0, 5.6)
    axes = figure.subplots(4, 2, sharex=True, sharey=True)
    v = np.where(np.asarray(run.outputs["spikes"]) > 0, 20.0, run.outputs["v"])
    for ax, name, trace in zip(axes.T.flat, PATTERNS, v.T, strict=True):
        ax.plot(run.ts, trace, color="#0072B2", linewidth=0.9)
        ax.set_title(name, loc="left", fontsize="medium")
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("time (ms)")
    figure.supylabel("membrane potential (mV)", fontsize="medium")
    return figure
