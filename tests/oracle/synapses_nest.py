"""Synapses from NEST: arrays to compare those of a simulator with.

    python synapses_nest.py --output synapses_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). Units and stamps of spikes as in
`parts_nest.py`, which this script borrows from.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import nest
import numpy as np
from parts_nest import begin, plastic, record, rounded, traces, trains


def delta() -> dict[str, Any]:
    """A neuron driven by spikes and a current, which drives a second one: `iaf_psc_delta`."""
    dt, duration, delays = 0.1, 200.0, [1.0, 1.5]
    membrane = {"C_m": 250.0, "tau_m": 20.0, "E_L": -70.0, "V_th": -55.0, "V_reset": -65.0}
    own = {"t_ref": 2.0, "V_min": -1e3}
    currents, weight = [150.0, 160.0], 4.0
    rng = np.random.default_rng(8)
    times = sorted({float(t) for t in rng.integers(1, 360, 90) * 0.5})
    weights = [float(w) for w in np.round(rng.uniform(-2.0, 5.0, len(times)), 3)]
    begin(dt)
    cells = nest.Create("iaf_psc_delta", 2, params=membrane | own | {"V_m": -70.0})
    cells.I_e = currents
    for t, w in zip(times, weights, strict=True):
        source = nest.Create("spike_generator", params={"spike_times": [t]})
        nest.Connect(source, cells[0], syn_spec={"weight": w, "delay": delays[0]})
    nest.Connect(cells[0], cells[1], syn_spec={"weight": weight, "delay": delays[1]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    meters = [record(cell, ["V_m"], 0.5) for cell in cells]
    nest.Simulate(duration)
    senders = np.asarray(recorder.events["senders"]) - cells[0].global_id
    stamps = np.asarray(recorder.events["times"])
    return {
        "dt": dt,
        "duration": duration,
        "delays": delays,
        "parameters": membrane | {"t_ref": 2.0},
        "currents": currents,
        "times": times,
        "weights": weights,
        "weight": weight,
        "spikes": [np.sort(stamps[senders == i]) for i in range(2)],
        "t": meters[0].events["times"],
        "V_m": [meter.events["V_m"] for meter in meters],
    }


def conductances() -> dict[str, Any]:
    """`iaf_cond_exp`: excitation and inhibition in a membrane that does not spike."""
    dt, duration, delay = 0.1, 60.0, 1.5
    times, weights = [2.0, 5.0, 5.3, 20.0, 21.0, 34.0], [4.0, 2.5, -6.0, 8.0, -3.0, 5.0]
    membrane = {"C_m": 200.0, "g_L": 10.0, "E_L": -65.0, "E_ex": 0.0, "E_in": -80.0}
    own = {"tau_syn_ex": 2.0, "tau_syn_in": 7.0}
    begin(dt)
    cell = nest.Create("iaf_cond_exp", params=membrane | own | {"V_m": -65.0, "V_th": 1e3})
    for t, w in zip(times, weights, strict=True):
        source = nest.Create("spike_generator", params={"spike_times": [t]})
        nest.Connect(source, cell, syn_spec={"weight": w, "delay": delay})
    names = ["V_m", "g_ex", "g_in"]
    meter = record(cell, names, 0.5)
    nest.Simulate(duration)
    about = {"dt": dt, "duration": duration, "delay": delay, "times": times, "weights": weights}
    return about | {"parameters": membrane | own} | traces(meter, names)


def three_states() -> dict[str, Any]:
    """`tsodyks_synapse`: what each spike of an irregular train sends."""
    out = {}
    for name, (utilisation, tau_fac, tau_rec, tau_psc) in {
        "depressing": (0.5, 20.0, 800.0, 3.0),
        "facilitating": (0.04, 1000.0, 100.0, 1.5),
        "slow current": (0.3, 60.0, 150.0, 40.0),
    }.items():
        times = trains(np.random.default_rng(9), 30, 40.0)
        names = {"U": utilisation, "tau_fac": tau_fac, "tau_rec": tau_rec, "tau_psc": tau_psc}
        start = {"u": 0.0, "x": 1.0, "y": 0.0, "weight": 1.0}
        sent = plastic("tsodyks_synapse", names | start, times, [1.0], 20.0)
        out[name] = {"parameters": names, "times": times, "sent": sent}
    return out


def quantal() -> dict[str, Any]:
    """`quantal_stp_synapse`: mean and variance over many synapses of what each spike sends."""
    out = {}
    times = [10.0, 30.0, 50.0, 70.0, 90.0, 110.0, 130.0, 400.0]
    for name, (sites, utilisation, tau_fac, tau_rec) in {
        "depressing": (5, 0.5, 20.0, 200.0),
        "facilitating": (12, 0.15, 300.0, 60.0),
    }.items():
        begin(0.1)
        nest.rng_seed = 12
        count = 20000
        recorder = nest.Create("weight_recorder")
        nest.CopyModel("quantal_stp_synapse", "recorded", {"weight_recorder": recorder})
        generator = nest.Create("spike_generator", params={"spike_times": times})
        parrot, targets = nest.Create("parrot_neuron"), nest.Create("parrot_neuron", count)
        nest.Connect(generator, parrot, syn_spec={"delay": 1.0})
        names = {"n": sites, "U": utilisation, "tau_fac": tau_fac, "tau_rec": tau_rec}
        start = {
            "u": utilisation,
            "a": sites,
            "weight": 1.0,
            "delay": 1.0,
            "synapse_model": "recorded",
        }
        nest.Connect(parrot, targets, syn_spec=names | start)
        nest.Simulate(times[-1] + 10.0)
        # A synapse that releases nothing sends no event.
        at, weights = np.asarray(recorder.events["times"]), np.asarray(recorder.events["weights"])
        mean = np.array([weights[np.abs(at - t - 1.0) < 0.01].sum() / count for t in times])
        square = [(weights[np.abs(at - t - 1.0) < 0.01] ** 2).sum() / count for t in times]
        variance = np.array(square) - mean**2
        out[name] = {"parameters": names, "mean": mean, "variance": variance}
    return {"times": times, "count": count, "kinds": out}


def gap_junction() -> dict[str, Any]:
    """Two `hh_psc_alpha_gap` that a junction couples; one is driven. Within an interval of
    communication NEST iterates cubic interpolations of the potentials until they agree."""
    dt, duration, current, weight, interval = 0.01, 25.0, 200.0, 20.0, 0.5
    begin(dt)
    nest.wfr_tol, nest.wfr_interpolation_order, nest.wfr_max_iterations = 1e-9, 3, 100
    cells = nest.Create("hh_psc_alpha_gap", 2)
    cells[0].I_e = current
    rule = {"rule": "one_to_one", "make_symmetric": True}
    syn = {"synapse_model": "gap_junction", "weight": weight}
    nest.Connect(cells[0], cells[1], rule, syn)
    meters = [record(cell, ["V_m"], interval) for cell in cells]
    names = ("C_m", "g_Na", "g_Kv1", "g_Kv3", "g_L", "E_Na", "E_K", "E_L", "V_m")
    parameters = {key: cells[0].get(key) for key in names}
    nest.Simulate(duration)
    return {
        "parameters": parameters,
        "current": current,
        "weight": weight,
        "t": meters[0].events["times"],
        "V_m": [meter.events["V_m"] for meter in meters],
    }


CASES = {
    "delta": delta,
    "conductances": conductances,
    "three_states": three_states,
    "quantal": quantal,
    "gap_junction": gap_junction,
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
