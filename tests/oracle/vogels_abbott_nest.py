"""Reference figures of the Vogels-Abbott networks that NEST ships, from NEST.

    python vogels_abbott_nest.py --output vogels_abbott_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). The numbers are those of the
examples `brette_et_al_2007/coba.py` and `cuba.py` of NEST 3.10: exactly 64 + 16 inputs for each
neuron, drawn with autapses and multapses; 50 excitatory neurons get independent Poisson spikes of
300 Hz from 1 to 51 ms through excitatory synapses. `coba-kick` starts at -60 mV instead of -70 mV,
where the activity of `coba-nest` dies.
"""

import argparse
import datetime
import json
import platform
import sys
from pathlib import Path

import numpy as np
from _spike_statistics import DEFINITIONS, spike_statistics, summarise
from vogels_abbott import COMMON, WINDOWS

COBA = {
    "model": "iaf_cond_exp",
    "parameters": {"E_L": -60.0, "E_ex": 0.0, "E_in": -80.0, "g_L": 10.0},
    "weight_exc": 6.0,
    "weight_inh": -67.0,
}
VARIANTS = {
    "coba-kick": COBA | {"v_initial": -60.0},
    "coba-nest": COBA | {"v_initial": -70.0},
    "cuba-nest": {
        "model": "iaf_psc_exp",
        "parameters": {"E_L": -49.0, "tau_m": 20.0},
        "weight_exc": 16.2,
        "weight_inh": -139.5,
        "v_initial": -49.0,
    },
}
IN_DEGREE = {"exc": 64, "inh": 16}
KICK = {"neurons": 50, "rate": 300.0, "start": 1.0, "stop": 51.0}


def run(variant: dict, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import nest

    c = COMMON
    nest.ResetKernel()
    nest.resolution = c["dt"]
    nest.rng_seed = seed
    n_exc = c["n_exc"]
    parameters = variant["parameters"] | {
        "C_m": c["capacitance"],
        "V_th": c["v_threshold"],
        "V_reset": c["v_reset"],
        "t_ref": c["refractory"],
        "tau_syn_ex": c["tau_exc"],
        "tau_syn_in": c["tau_inh"],
    }
    cells = nest.Create(variant["model"], n_exc + c["n_inh"], params=parameters)
    cells.V_m = variant["v_initial"]
    sources = {"exc": cells[:n_exc], "inh": cells[n_exc:]}
    for name, pre in sources.items():
        rule = {"rule": "fixed_indegree", "indegree": IN_DEGREE[name]}
        nest.Connect(pre, cells, rule, {"weight": variant[f"weight_{name}"], "delay": c["delay"]})
    kick = nest.Create("poisson_generator")
    kick.set(rate=KICK["rate"], start=KICK["start"], stop=KICK["stop"])
    synapse = {"weight": variant["weight_exc"], "delay": c["delay"]}
    nest.Connect(kick, cells[: KICK["neurons"]], "all_to_all", synapse)
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(cells, recorder, syn_spec={"delay": c["delay"]})
    nest.Simulate(c["duration"])
    events = recorder.events
    # The stamp is the end of the step.
    senders = np.asarray(events["senders"]) - cells[0].global_id
    return np.asarray(events["times"], np.int64) - 1, senders


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    args = parser.parse_args()
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    variants = {}
    for name, variant in VARIANTS.items():
        runs = []
        for seed in args.seeds:
            steps, neurons = run(variant, seed)
            record: dict = {"seed": seed, "last_spike_ms": float(steps.max() * COMMON["dt"])}
            for label, window in WINDOWS.items():
                record[label] = spike_statistics(
                    steps,
                    neurons,
                    n_exc=COMMON["n_exc"],
                    n_inh=COMMON["n_inh"],
                    dt=COMMON["dt"],
                    window=window,
                )
            runs.append(record)
            print(name, record, file=sys.stderr, flush=True)
        summary = {label: summarise([r[label] for r in runs]) for label in WINDOWS}
        variants[name] = {"summary": summary, "runs": runs}
    document = {
        "script": Path(__file__).name,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "units": "ms, mV, nS, pA, pF; rates in Hz",
        "definitions": DEFINITIONS,
        "common": COMMON,
        "in_degree": IN_DEGREE,
        "kick": KICK,
        "variants": VARIANTS,
        "seeds": args.seeds,
        "windows_ms": WINDOWS,
        "simulators": {"nest": {"version": nest.__version__, "variants": variants}},
    }
    args.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
