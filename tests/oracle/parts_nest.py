"""Single neurons and synapses from NEST: arrays to compare parts of a simulator with.

    python parts_nest.py --output parts_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). Each case stores its parameters
beside what NEST made of them. Times are in ms; a spike of a NEST neuron is stamped with the end of
its step, one of a generator happens at its time.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import nest
import numpy as np

DIGITS = 12


def rounded(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: rounded(value) for key, value in x.items()}
    if isinstance(x, list | tuple | np.ndarray):
        return [rounded(value) for value in x]
    if isinstance(x, float | np.floating):
        return float(f"{x:.{DIGITS}g}")
    return int(x) if isinstance(x, np.integer) else x


def begin(resolution: float) -> None:
    nest.ResetKernel()
    nest.resolution = resolution


def record(node: Any, names: list[str], interval: float) -> Any:
    meter = nest.Create("multimeter", params={"record_from": names, "interval": interval})
    nest.Connect(meter, node)
    return meter


def traces(meter: Any, names: list[str]) -> dict[str, np.ndarray]:
    return {"t": meter.events["times"]} | {name: meter.events[name] for name in names}


def adex() -> dict[str, Any]:
    """Patterns of Naud et al. (2008) under a step of current; E_L, capacitance, ... as of NEST."""
    dt, before, step = 0.01, 20.0, 180.0
    common = {"V_th": -50.0, "V_peak": 0.0, "Delta_T": 2.0, "t_ref": 0.0, "gsl_error_tol": 1e-10}
    cells = {
        "tonic": (200, 10, -70, 2, 30, 0, -58, 500),
        "adapting": (200, 12, -70, 2, 300, 60, -58, 500),
        "bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    }
    out = {}
    for name, values in cells.items():
        c, g, rest, a, tau_w, b, reset, current = map(float, values)
        begin(dt)
        own = {"C_m": c, "g_L": g, "E_L": rest, "a": a, "tau_w": tau_w, "b": b, "V_reset": reset}
        cell = nest.Create("aeif_psc_exp", params=common | own | {"V_m": rest})
        recorder = nest.Create("spike_recorder")
        nest.Connect(cell, recorder)
        meter = record(cell, ["V_m", "w"], 1.0)
        nest.Simulate(before)
        cell.I_e = current
        nest.Simulate(step)
        spikes = np.asarray(recorder.events["times"])
        found = traces(meter, ["V_m", "w"])
        first = found["t"] < spikes[0]
        out[name] = {
            "parameters": own | {"current": current},
            "spikes": spikes,
            "until_first_spike": {key: x[first] for key, x in found.items()},
        }
    common = {key: value for key, value in common.items() if key != "gsl_error_tol"}
    return {"dt": dt, "before": before, "step": step, "common": common, "cells": out}


def squid() -> dict[str, Any]:
    """`hh_psc_alpha`, the squid axon of 1e-4 cm2 under a constant current."""
    dt, duration, current = 0.01, 60.0, 1000.0
    begin(dt)
    cell = nest.Create("hh_psc_alpha", params={"I_e": current})
    meter = record(cell, ["V_m"], dt)
    nest.Simulate(duration)
    found = traces(meter, ["V_m"])
    t, v = found["t"], found["V_m"]
    up = np.flatnonzero((v[:-1] < -20) & (v[1:] >= -20))
    crossings = t[up] + dt * (-20 - v[up]) / (v[up + 1] - v[up])
    names = ("C_m", "g_Na", "g_K", "g_L", "E_Na", "E_K", "E_L")
    # In the steps around an upswing a small difference in time is a large one in voltage.
    every = np.arange(49, len(t), 50)
    return {
        "dt": dt,
        "duration": duration,
        "parameters": {key: cell.get(key) for key in names} | {"current": current},
        "threshold": -20.0,
        "crossings": crossings,
        "t": t[every],
        "V_m": v[every],
    }


def plastic(model: str, parameters: dict[str, Any], pre: Any, post: Any, tau_minus: float) -> Any:
    """The weights of the spikes that are sent through a plastic synapse between two parrots."""
    begin(0.1)
    recorder = nest.Create("weight_recorder")
    nest.CopyModel(model, "recorded", {"weight_recorder": recorder})
    generators = [nest.Create("spike_generator", params={"spike_times": x}) for x in (pre, post)]
    parrots = [nest.Create("parrot_neuron", params={"tau_minus": tau_minus}) for _ in range(2)]
    for generator, parrot in zip(generators, parrots, strict=True):
        nest.Connect(generator, parrot, syn_spec={"delay": 1.0})
    # Port 1 of a parrot listens without repeating.
    own = {"synapse_model": "recorded", "receptor_type": 1, "delay": 1.0}
    nest.Connect(parrots[0], parrots[1], syn_spec=own | parameters)
    nest.Simulate(max([*pre, *post]) + 10.0)
    events = recorder.events
    # The recorder stamps the emission of the presynaptic parrot, 1 ms after its generator.
    np.testing.assert_allclose(events["times"], np.asarray(pre) + 1.0, atol=1e-9)
    return np.asarray(events["weights"])


def trains(rng: np.random.Generator, count: int, longest: float) -> list[float]:
    """Times on a grid of 0.5 ms, no two closer than that."""
    return [float(t) for t in np.cumsum(0.5 * rng.integers(1, int(2 * longest), count))]


def short_term() -> dict[str, Any]:
    out = {}
    for name, (utilisation, tau_fac, tau_rec) in {
        "depressing": (0.5, 20.0, 800.0),
        "facilitating": (0.1, 500.0, 100.0),
        "both": (0.3, 60.0, 150.0),
    }.items():
        times = trains(np.random.default_rng(1), 25, 40.0)
        parameters = {"U": utilisation, "tau_fac": tau_fac, "tau_rec": tau_rec}
        start = {"u": utilisation, "x": 1.0, "weight": 1.0}
        sent = plastic("tsodyks2_synapse", parameters | start, times, [1.0], 20.0)
        out[name] = {"parameters": parameters, "times": times, "sent": sent}
    return out


def pair_stdp() -> dict[str, Any]:
    """Additive STDP of all pairs. Pairs of zero lag, for which NEST counts nothing, are left out:
    postsynaptic spikes are off the grid of the others by 0.2 ms."""
    rng = np.random.default_rng(2)
    pre = trains(rng, 30, 20.0)
    post = [t + 0.2 for t in trains(rng, 30, 20.0)]
    pre = [*pre, max(pre + post) + 30.3]  # NEST changes a weight when its synapse sends
    tau_plus, tau_minus, a_plus, a_minus, w_max, w = 16.8, 33.7, 0.02, 0.017, 1.0, 0.5
    parameters = {
        "tau_plus": tau_plus,
        "lambda": a_plus / w_max,
        "alpha": a_minus / a_plus,
        "mu_plus": 0.0,
        "mu_minus": 0.0,
        "Wmax": w_max,
        "weight": w,
    }
    weights = plastic("stdp_synapse", parameters, pre, post, tau_minus)
    # The delay of 1 ms is dendritic: a postsynaptic spike reaches the synapse that much later.
    return {
        "pre": pre,
        "post_at_synapse": [round(t + 1.0, 6) for t in post],
        "weight": w,
        "A_plus": a_plus,
        "A_minus": a_minus,
        "tau_plus": tau_plus,
        "tau_minus": tau_minus,
        "w_max": w_max,
        "weights_after_pre": weights,
    }


def conductances() -> dict[str, Any]:
    """Alpha and dual exponential conductances in a membrane that does not spike."""
    dt, duration, delay = 0.1, 60.0, 1.5
    events = {
        "times": [2.0, 5.0, 5.3, 20.0, 21.0, 34.0],
        "weights": [4.0, 2.5, -6.0, 8.0, -3.0, 5.0],
    }
    membrane = {"C_m": 200.0, "g_L": 10.0, "E_L": -65.0, "E_ex": 0.0, "E_in": -80.0, "V_th": 1e3}
    kinds = {
        "alpha": ("iaf_cond_alpha", {"tau_syn_ex": 2.0, "tau_syn_in": 5.0}),
        "dual exponential": (
            "iaf_cond_beta",
            {
                "tau_rise_ex": 0.7,
                "tau_decay_ex": 6.0,
                "tau_rise_in": 2.0,
                "tau_decay_in": 12.0,
            },
        ),
    }
    out = {}
    for name, (model, own) in kinds.items():
        begin(dt)
        cell = nest.Create(model, params=membrane | own | {"V_m": -65.0})
        for t, w in zip(events["times"], events["weights"], strict=True):
            source = nest.Create("spike_generator", params={"spike_times": [t]})
            nest.Connect(source, cell, syn_spec={"weight": w, "delay": delay})
        names = ["V_m", "g_ex", "g_in"]
        meter = record(cell, names, 0.5)
        nest.Simulate(duration)
        out[name] = {"parameters": own} | traces(meter, names)
    return {
        "dt": dt,
        "duration": duration,
        "delay": delay,
        "membrane": {key: x for key, x in membrane.items() if key != "V_th"},
        "events": events,
        "kinds": out,
    }


def nmda() -> dict[str, Any]:
    """`iaf_bw_2001_exact`: the gate of Wang (1999) and the block of Jahr and Stevens (1990)."""
    dt, duration, delay = 0.05, 120.0, 1.0
    times = [[2.0, 4.0, 6.0, 8.0, 40.0, 41.0], [3.0, 30.0, 31.0, 32.0, 33.0]]
    weights = [60.0, 90.0]
    membrane = {"C_m": 500.0, "g_L": 25.0, "E_L": -70.0, "V_th": 1e3, "conc_Mg2": 1.0}
    gate = {"tau_rise_NMDA": 2.0, "tau_decay_NMDA": 100.0, "alpha": 0.5}
    begin(dt)
    cell = nest.Create(
        "iaf_bw_2001_exact", params=membrane | gate | {"V_m": -70.0, "gsl_error_tol": 1e-9}
    )
    receptor = cell.receptor_types["NMDA"]
    for train, w in zip(times, weights, strict=True):
        source = nest.Create("spike_generator", params={"spike_times": train})
        parrot = nest.Create("parrot_neuron")
        nest.Connect(source, parrot, syn_spec={"delay": delay / 2})
        own = {"weight": w, "delay": delay / 2, "receptor_type": receptor}
        nest.Connect(parrot, cell, syn_spec=own)
    names = ["V_m", "s_NMDA", "I_NMDA"]
    meter = record(cell, names, 1.0)
    nest.Simulate(duration)
    return {
        "dt": dt,
        "duration": duration,
        "delay": delay,
        "membrane": {key: x for key, x in membrane.items() if key != "V_th"},
        "gate": gate,
        "times": times,
        "weights": weights,
    } | traces(meter, names)


def chain() -> dict[str, Any]:
    """A neuron drives a second one, which drives a third: leaky membranes and exponential currents,
    which NEST integrates exactly between the points of its grid."""
    dt, duration, delay = 0.1, 150.0, 1.5
    membrane = {"C_m": 200.0, "tau_m": 20.0, "E_L": -60.0, "V_th": -50.0, "V_reset": -60.0}
    own = {"t_ref": 3.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0}
    currents, weights = [220.0, 60.0, 130.0], [250.0, -60.0]
    begin(dt)
    cells = nest.Create("iaf_psc_exp", 3, params=membrane | own | {"V_m": -60.0})
    cells.I_e = currents
    for i, w in enumerate(weights):
        nest.Connect(cells[i], cells[i + 1], syn_spec={"weight": w, "delay": delay})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    meters = [record(cell, ["V_m"], 1.0) for cell in cells]
    nest.Simulate(duration)
    senders = np.asarray(recorder.events["senders"]) - cells[0].global_id
    times = np.asarray(recorder.events["times"])
    return {
        "dt": dt,
        "duration": duration,
        "delay": delay,
        "parameters": membrane | own,
        "currents": currents,
        "weights": weights,
        "spikes": [np.sort(times[senders == i]) for i in range(3)],
        "t": meters[0].events["times"],
        "V_m": [meter.events["V_m"] for meter in meters],
    }


def izhikevich() -> dict[str, Any]:
    """Four kinds of Izhikevich (2003) under a constant current, by the forward Euler rule in steps
    of 0.1 ms, and by the scheme of the paper (two half steps of v, then u) in steps of 1 us."""
    duration, before = 200.0, {"V_m": -65.0, "U_m": -13.0}
    kinds = {
        "regular spiking": (0.02, 0.2, -65.0, 8.0, 10.0),
        "intrinsically bursting": (0.02, 0.2, -55.0, 4.0, 10.0),
        "chattering": (0.02, 0.2, -50.0, 2.0, 10.0),
        "fast spiking": (0.1, 0.2, -65.0, 2.0, 10.0),
    }
    names = ("a", "b", "c", "d", "I_e")
    out: dict[str, Any] = {"duration": duration, "start": before, "dt": {}}
    out["parameters"] = {name: dict(zip(names, x, strict=True)) for name, x in kinds.items()}
    for scheme, dt in (("euler", 0.1), ("published", 0.001)):
        begin(dt)
        spikes, meters = [], []
        for own in out["parameters"].values():
            consistent = {"consistent_integration": scheme == "euler"}
            cell = nest.Create("izhikevich", params=own | before | consistent)
            spikes.append(nest.Create("spike_recorder"))
            nest.Connect(cell, spikes[-1])
            meters.append(record(cell, ["V_m", "U_m"], 1.0))
        nest.Simulate(duration)
        out["dt"][scheme] = dt
        out[scheme] = [{"spikes": recorder.events["times"]} for recorder in spikes]
        if scheme == "euler":
            out[scheme] = [
                found | traces(meter, ["V_m", "U_m"])
                for found, meter in zip(out[scheme], meters, strict=True)
            ]
    return out


CASES = {
    "adex": adex,
    "squid": squid,
    "short_term": short_term,
    "pair_stdp": pair_stdp,
    "conductances": conductances,
    "nmda": nmda,
    "chain": chain,
    "izhikevich": izhikevich,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    document = {
        "script": Path(__file__).name,
        "nest": nest.__version__,
        "units": "ms, mV, nS, pA, pF",
        "cases": {name: rounded(case()) for name, case in CASES.items()},
    }
    args.output.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
