"""Integrate-and-fire neurons from NEST: spike trains, and statistics of those that spike at random.

    python neurons_nest.py --output neurons_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). Each case stores its parameters
beside what NEST made of them. Times are in ms; a spike is stamped with the end of its step.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import nest
import numpy as np
from parts_nest import begin, record, rounded, traces


def trains_of(cells: Any, recorder: Any) -> list[np.ndarray]:
    senders = np.asarray(recorder.events["senders"]) - cells[0].global_id
    times = np.asarray(recorder.events["times"])
    return [np.sort(times[senders == i]) for i in range(len(cells))]


def recorded(cells: Any) -> Any:
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    return recorder


def moving_threshold() -> dict[str, Any]:
    """`mat2_psc_exp` under constant currents: two patterns of the paper's parameters."""
    dt, duration, currents = 0.1, 300.0, [450.0, 700.0, 1200.0]
    membrane = {"C_m": 100.0, "tau_m": 5.0, "E_L": -70.0, "t_ref": 2.0, "omega": -51.0}
    kinds = {
        "regular": {"alpha_1": 37.0, "alpha_2": 2.0, "tau_1": 10.0, "tau_2": 200.0},
        "bursting": {"alpha_1": 7.5, "alpha_2": 1.5, "tau_1": 10.0, "tau_2": 200.0},
    }
    out = {}
    for name, own in kinds.items():
        begin(dt)
        cells = nest.Create("mat2_psc_exp", 3, params=membrane | own | {"V_m": -70.0})
        cells.I_e = currents
        recorder = recorded(cells)
        meters = [record(cell, ["V_m", "V_th"], 2.0) for cell in cells]
        nest.Simulate(duration)
        found = [traces(meter, ["V_m", "V_th"]) for meter in meters]
        out[name] = {
            "parameters": membrane | own,
            "spikes": trains_of(cells, recorder),
            "t": found[0]["t"],
            "V_m": [x["V_m"] for x in found],
            "V_th": [x["V_th"] for x in found],
        }
    return {"dt": dt, "duration": duration, "currents": currents, "kinds": out}


GIF = {
    "C_m": 83.1,
    "g_L": 3.7,
    "E_L": -67.0,
    "Delta_V": 1.4,
    "V_T_star": -39.6,
    "t_ref": 4.0,
    "V_reset": -36.7,
    "lambda_0": 1.0,
    "q_stc": [56.7, -6.9],
    "tau_stc": [57.8, 218.2],
    "q_sfa": [11.7, 1.8],
    "tau_sfa": [53.8, 640.0],
}


def without_noise() -> dict[str, Any]:
    """`gif_psc_exp` with a width so small that the threshold is hard, and a lower reset."""
    dt, duration, currents = 0.1, 300.0, [110.0, 150.0, 260.0]
    own = GIF | {"Delta_V": 1e-6, "V_reset": -55.0, "q_sfa": [], "tau_sfa": []}
    begin(dt)
    cells = nest.Create("gif_psc_exp", 3, params=own | {"V_m": -67.0})
    cells.I_e = currents
    recorder = recorded(cells)
    meters = [record(cell, ["V_m", "I_stc"], 1.7) for cell in cells]
    nest.Simulate(duration)
    found = [traces(meter, ["V_m", "I_stc"]) for meter in meters]
    return {
        "dt": dt,
        "duration": duration,
        "parameters": own,
        "currents": currents,
        "spikes": trains_of(cells, recorder),
        "t": found[0]["t"],
        "V_m": [x["V_m"] for x in found],
        "I_stc": [x["I_stc"] for x in found],
    }


def at_random() -> dict[str, Any]:
    """`gif_psc_exp` with its noise: what is independent between the neurons."""
    dt, duration, current, n, interval = 0.1, 1000.0, 180.0, 1000, 3
    begin(dt)
    nest.rng_seed = 7
    cells = nest.Create("gif_psc_exp", n, params=GIF | {"V_m": -67.0, "I_e": current})
    recorder = recorded(cells)
    nest.Simulate(duration)
    found = trains_of(cells, recorder)
    assert min(map(len, found)) > interval + 1
    return {
        "dt": dt,
        "duration": duration,
        "parameters": GIF,
        "current": current,
        "interval": interval,
        "first": [float(x[0]) for x in found],
        "intervals": [round(float(x[interval + 1] - x[interval]), 6) for x in found],
        "counts": [len(x) for x in found],
    }


def synapses() -> dict[str, Any]:
    """Leaky neurons with currents or conductances, exponential or alpha, through their spikes."""
    dt, duration, delay = 0.1, 200.0, 1.5
    rng = np.random.default_rng(3)
    times = np.round(np.sort(rng.choice(np.arange(10, 1900), 80, replace=False)) * dt, 6)
    signs = np.where(rng.random(80) < 0.75, 1.0, -1.0)
    common = {"E_L": -65.0, "V_th": -50.0, "V_reset": -60.0, "C_m": 200.0, "t_ref": 2.0}
    common |= {"tau_syn_ex": 2.0, "tau_syn_in": 5.0}
    current, conductance = {"tau_m": 20.0}, {"g_L": 10.0, "E_ex": 0.0, "E_in": -80.0}
    kinds = {
        "iaf_psc_exp": (current, 100.0),
        "iaf_psc_alpha": (current, 60.0),
        "iaf_cond_exp": (conductance | {"gsl_error_tol": 1e-9}, 2.0),
        "iaf_cond_alpha": (conductance, 1.5),
    }
    out = {}
    for model, (own, weight) in kinds.items():
        begin(dt)
        if "gsl_error_tol" in own and "gsl_error_tol" not in nest.GetDefaults(model):
            own = {key: x for key, x in own.items() if key != "gsl_error_tol"}
        cell = nest.Create(model, params=common | own | {"V_m": -65.0, "I_e": 100.0})
        for t, sign in zip(times, signs, strict=True):
            source = nest.Create("spike_generator", params={"spike_times": [t]})
            nest.Connect(source, cell, syn_spec={"weight": weight * sign, "delay": delay})
        recorder = recorded(cell)
        meter = record(cell, ["V_m"], 0.7)
        nest.Simulate(duration)
        out[model] = {
            "parameters": common | {key: x for key, x in own.items() if key != "gsl_error_tol"},
            "weight": weight,
            "spikes": trains_of(cell, recorder)[0],
        } | traces(meter, ["V_m"])
    return {
        "dt": dt,
        "duration": duration,
        "delay": delay,
        "current": 100.0,
        "times": times,
        "signs": signs,
        "kinds": out,
    }


CASES = {
    "moving_threshold": moving_threshold,
    "without_noise": without_noise,
    "at_random": at_random,
    "synapses": synapses,
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
