"""Single neurons and synapses from Brian2: arrays to compare parts of a simulator with.

    python parts_brian2.py --output parts_brian2.json

Needs an interpreter with `brian2` (the extra `oracle`). Each case stores its parameters beside what
Brian made of them. Numbers are in ms, mV, nS, pA and pF; variables carry no units. Brian says when
a step of a spike begins: `spike_steps` are the numbers of these steps.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np

DIGITS = 12
ms = b2.ms


def rounded(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: rounded(value) for key, value in x.items()}
    if isinstance(x, list | tuple | np.ndarray):
        return [rounded(value) for value in x]
    if isinstance(x, float | np.floating):
        return float(f"{x:.{DIGITS}g}")
    return int(x) if isinstance(x, np.integer) else x


def begin(dt: float) -> None:
    b2.start_scope()
    b2.defaultclock.dt = dt * ms


def run(objects: list[Any], duration: float, namespace: dict[str, Any]) -> None:
    b2.Network(objects).run(duration * ms, namespace=namespace | {"ms": ms})


def steps(monitor: Any, dt: float) -> np.ndarray:
    return np.rint(np.asarray(monitor.t / ms) / dt).astype(int)


def generator(times: list[float], early: float = 0.0) -> Any:
    """Spikes of one unit. What they do happens at the end of their step: `early` makes it the time
    that is asked for."""
    return b2.SpikeGeneratorGroup(1, np.zeros(len(times), int), (np.array(times) - early) * ms)


def adex() -> dict[str, Any]:
    """Patterns of Naud et al. (2008) under a step of current, by the midpoint rule (`rk2`); the
    voltage that slopes see is cut off at the peak, as in NEST."""
    dt, before, duration = 0.02, 20.0, 200.0
    equations = """
    dv/dt = (-g*(u - rest) + g*2*exp((u + 50)/2) - w + drive)/c/ms : 1
    dw/dt = (a*(u - rest) - w)/tau_w/ms : 1
    u = clip(v, -1000, 0) : 1
    drive = current*int(t >= (before - 1e-6)*ms) : 1
    c : 1 (constant)
    g : 1 (constant)
    rest : 1 (constant)
    a : 1 (constant)
    tau_w : 1 (constant)
    b : 1 (constant)
    after : 1 (constant)
    current : 1 (constant)
    """
    cells = {
        "tonic": (200, 10, -70, 2, 30, 0, -58, 500),
        "adapting": (200, 12, -70, 2, 300, 60, -58, 500),
        "initial burst": (130, 18, -58, 4, 150, 120, -50, 400),
        "bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    }
    names = ("c", "g", "rest", "a", "tau_w", "b", "after", "current")
    begin(dt)
    group = b2.NeuronGroup(
        len(cells), equations, threshold="v >= 0", reset="v = after; w += b", method="rk2"
    )
    for name, values in zip(names, np.array(list(cells.values()), float).T, strict=True):
        setattr(group, name, values)
    group.v = group.rest
    spikes = b2.SpikeMonitor(group)
    states = b2.StateMonitor(group, ["v", "w"], record=True, dt=5 * ms)
    run([group, spikes, states], duration, {"before": before})
    at, which = steps(spikes, dt), np.asarray(spikes.i)
    return {
        "dt": dt,
        "before": before,
        "duration": duration,
        "parameters": dict(zip(cells, ([*map(float, x)] for x in cells.values()), strict=True)),
        "names": names,
        "spike_steps": {name: at[which == i] for i, name in enumerate(cells)},
        "t": np.asarray(states.t / ms),
        "v": np.asarray(states.v),
        "w": np.asarray(states.w),
    }


def squid() -> dict[str, Any]:
    """The squid axon of Hodgkin and Huxley (1952) by exponential Euler steps."""
    dt, duration, current = 0.05, 50.0, 10.0
    equations = """
    dv/dt = (current - 120*m**3*h*(v - 50) - 36*n**4*(v + 77) - 0.3*(v + 54.387))/ms : 1
    dm/dt = (am*(1 - m) - bm*m)/ms : 1
    dh/dt = (ah*(1 - h) - bh*h)/ms : 1
    dn/dt = (an*(1 - n) - bn*n)/ms : 1
    am = 0.1*(v + 40)/(1 - exp(-(v + 40)/10)) : 1
    bm = 4*exp(-(v + 65)/18) : 1
    ah = 0.07*exp(-(v + 65)/20) : 1
    bh = 1/(1 + exp(-(v + 35)/10)) : 1
    an = 0.01*(v + 55)/(1 - exp(-(v + 55)/10)) : 1
    bn = 0.125*exp(-(v + 65)/80) : 1
    """
    begin(dt)
    cell = b2.NeuronGroup(
        1, equations, threshold="v >= -20", refractory="v >= -20", method="exponential_euler"
    )
    cell.v = -65
    for gate in "mhn":
        setattr(cell, gate, f"a{gate}/(a{gate} + b{gate})")
    spikes = b2.SpikeMonitor(cell)
    states = b2.StateMonitor(cell, list("vmhn"), record=True, dt=0.5 * ms)
    run([cell, spikes, states], duration, {"current": current})
    return {
        "dt": dt,
        "duration": duration,
        "current": current,
        "spike_steps": steps(spikes, dt),
        "t": np.asarray(states.t / ms),
    } | {name: np.asarray(getattr(states, name))[0] for name in "vmhn"}


def trains(rng: np.random.Generator, count: int, longest: float) -> list[float]:
    """Times on a grid of 0.5 ms, no two closer than that."""
    return [float(t) for t in np.cumsum(0.5 * rng.integers(1, int(2 * longest), count))]


def short_term() -> dict[str, Any]:
    """Short-term plasticity as in Brian's example `short_term_plasticity`, event-driven."""
    dt, times, out = 0.1, trains(np.random.default_rng(5), 25, 40.0), {}
    for name, (utilisation, tau_fac, tau_rec) in {
        "depressing": (0.5, 20.0, 800.0),
        "facilitating": (0.1, 500.0, 100.0),
        "both": (0.3, 60.0, 150.0),
    }.items():
        begin(dt)
        source, target = generator(times), b2.NeuronGroup(1, "total : 1")
        synapse = b2.Synapses(
            source,
            target,
            """du/dt = -u/(tau_fac*ms) : 1 (event-driven)
            dx/dt = (1 - x)/(tau_rec*ms) : 1 (event-driven)""",
            on_pre="""u += U*(1 - u)
            total_post += u*x
            x -= u*x""",
        )
        synapse.connect()
        synapse.x = 1
        total = b2.StateMonitor(target, "total", record=True, when="end")
        namespace = {"U": utilisation, "tau_fac": tau_fac, "tau_rec": tau_rec}
        run([source, target, synapse, total], times[-1] + 1, namespace)
        jumps = np.diff(np.asarray(total.total)[0], prepend=0.0)
        at = np.rint(np.array(times) / dt).astype(int)
        out[name] = {"parameters": namespace, "times": times, "sent": jumps[at]}
    return {"dt": dt, "kinds": out}


def pair_stdp() -> dict[str, Any]:
    """All pairs of three presynaptic and two postsynaptic neurons, as in Brian's example `STDP`;
    spikes that coincide count as pre before post, which the order of the pathways says."""
    dt, duration = 0.5, 400.0
    rng = np.random.default_rng(6)
    pre, post = rng.uniform(size=(800, 3)) < 0.04, rng.uniform(size=(800, 2)) < 0.04
    assert (pre[:, :, None] & post[:, None]).sum() > 3
    rule = {"A_plus": 0.02, "A_minus": 0.019, "tau_plus": 16.8, "tau_minus": 33.7}
    begin(dt)
    groups = []
    for raster in (pre, post):
        at, unit = np.nonzero(raster)
        groups.append(b2.SpikeGeneratorGroup(raster.shape[1], unit, at * dt * ms))
    synapses = b2.Synapses(
        *groups,
        """w : 1
        dx/dt = -x/(tau_plus*ms) : 1 (event-driven)
        dy/dt = -y/(tau_minus*ms) : 1 (event-driven)""",
        on_pre="""x += 1
        w = clip(w - A_minus*y, 0, 1)""",
        on_post="""y += 1
        w = clip(w + A_plus*x, 0, 1)""",
    )
    synapses.connect()
    synapses.pre.order, synapses.post.order = 0, 1
    weights = [0.05, 0.99, 0.5, 0.5, 0.99, 0.1]
    synapses.w = weights
    monitor = b2.StateMonitor(synapses, "w", record=True, dt=20 * ms)
    run([*groups, synapses, monitor], duration, rule)
    shape = (pre.shape[1], post.shape[1])
    table = np.zeros((len(monitor.t), *shape))
    table[:, np.asarray(synapses.i), np.asarray(synapses.j)] = np.asarray(monitor.w).T
    return {
        "dt": dt,
        "steps": len(pre),
        "rule": rule,
        "pre": np.argwhere(pre),
        "post": np.argwhere(post),
        "t": np.asarray(monitor.t / ms),
        "w": table,
    }


def conductances() -> dict[str, Any]:
    """Alpha and dual exponential conductances in a membrane that does not spike, by Runge-Kutta
    steps (`rk4`) of 0.01 ms: an error of some 1e-10."""
    dt, duration, delay = 0.01, 60.0, 1.5
    events = {"times": [2.0, 5.0, 5.3, 20.0, 21.0, 34.0], "weights": [4.0, 2.5, 6.0, 8.0, 3.0, 5.0]}
    parameters = {"alpha": {"tau": 2.0}, "dual exponential": {"tau_rise": 0.7, "tau_decay": 6.0}}
    feeds = {
        "alpha": ("-g/tau + h", "-h/tau", np.e / 2.0),
        # Normalised to a peak of one as Brian's documentation on synapses has it.
        "dual exponential": (
            "(h - g)/tau_rise",
            "-h/tau_decay",
            (6.0 / 0.7) ** (0.7 / (6.0 - 0.7)),
        ),
    }
    membrane = {"capacitance": 200.0, "g_leak": 10.0, "rest": -65.0, "reversal": 0.0}
    out = {}
    for name, (g, h, gain) in feeds.items():
        begin(dt)
        cell = b2.NeuronGroup(
            1,
            f"""dv/dt = (g_leak*(rest - v) + g*(reversal - v))/capacitance/ms : 1
            dg/dt = ({g})/ms : 1
            dh/dt = ({h})/ms : 1""",
            method="rk4",
        )
        cell.v = membrane["rest"]
        parts = [cell]
        for t, w in zip(events["times"], events["weights"], strict=True):
            source = generator([t], early=dt)
            synapse = b2.Synapses(source, cell, on_pre=f"h_post += {w * gain!r}", delay=delay * ms)
            synapse.connect()
            parts += [source, synapse]
        states = b2.StateMonitor(cell, ["v", "g"], record=True, dt=0.5 * ms)
        run([*parts, states], duration, membrane | parameters[name])
        out[name] = {
            "parameters": parameters[name],
            "t": np.asarray(states.t / ms),
            "v": np.asarray(states.v)[0],
            "g": np.asarray(states.g)[0],
        }
    about = {"duration": duration, "delay": delay, "membrane": membrane, "events": events}
    return about | {"kinds": out}


def nmda() -> dict[str, Any]:
    """The gates of Wang (1999), two presynaptic neurons, and the block of Jahr and Stevens (1990),
    by Runge-Kutta steps (`rk4`) of 0.01 ms."""
    dt, duration, delay = 0.01, 120.0, 1.0
    times = [[2.0, 4.0, 6.0, 8.0, 40.0, 41.0], [3.0, 30.0, 31.0, 32.0, 33.0]]
    weights = [60.0, 90.0]
    equations = """
    dv/dt = (25*(-70 - v) - conductance*v/(1 + magnesium*exp(-0.062*v)/3.57))/500/ms : 1
    conductance = w0*s0 + w1*s1 : 1
    """
    for k in "01":
        equations += f"""
        dx{k}/dt = -x{k}/2/ms : 1
        ds{k}/dt = (-s{k}/100 + 0.5*x{k}*(1 - s{k}))/ms : 1
        """
    begin(dt)
    cell = b2.NeuronGroup(1, equations, method="rk4")
    cell.v = -70
    parts = [cell]
    for k, train in enumerate(times):
        source = generator(train, early=dt)
        synapse = b2.Synapses(source, cell, on_pre=f"x{k}_post += 1", delay=delay * ms)
        synapse.connect()
        parts += [source, synapse]
    states = b2.StateMonitor(cell, ["v", "s0", "s1"], record=True, dt=1 * ms)
    run([*parts, states], duration, {"w0": weights[0], "w1": weights[1], "magnesium": 1.5})
    return {
        "duration": duration,
        "delay": delay,
        "times": times,
        "weights": weights,
        "magnesium": 1.5,
        "t": np.asarray(states.t / ms),
    } | {name: np.asarray(getattr(states, name))[0] for name in ("v", "s0", "s1")}


CASES = {
    "adex": adex,
    "squid": squid,
    "short_term": short_term,
    "pair_stdp": pair_stdp,
    "conductances": conductances,
    "nmda": nmda,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    b2.prefs.codegen.target = "numpy"
    document = {
        "script": Path(__file__).name,
        "brian2": b2.__version__,
        "units": "ms, mV, nS, pA, pF",
        "cases": {name: rounded(case()) for name, case in CASES.items()},
    }
    args.output.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
