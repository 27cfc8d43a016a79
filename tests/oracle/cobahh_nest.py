"""Reference figures of the COBAHH benchmark from NEST.

    python cobahh_nest.py --output cobahh_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). Brette et al. (2007),
doi:10.1007/s10827-007-0038-6, benchmark 3, with the initial values of Brian's example.
"""

import argparse
import datetime
import json
from pathlib import Path

import nest
import numpy as np
from _spike_statistics import DEFINITIONS, spike_statistics, summarise

DT, DURATION, N_EXC, N_INH = 0.1, 1200.0, 3200, 800
WINDOWS = ((0.0, 1000.0), (200.0, 1200.0))
CELL = {
    "g_Na": 20_000.0,
    "g_K": 6000.0,
    "g_L": 10.0,
    "C_m": 200.0,
    "E_Na": 50.0,
    "E_K": -90.0,
    "E_L": -60.0,
    "V_T": -63.0,
    "E_ex": 0.0,
    "E_in": -80.0,
    "tau_syn_ex": 5.0,
    "tau_syn_in": 10.0,
    "t_ref": 3.0,
}


def simulate(seed, threads):
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": DT, "rng_seed": seed, "local_num_threads": threads})
    n = N_EXC + N_INH
    rng = np.random.default_rng(seed)
    cells = nest.Create("hh_cond_exp_traub", n, CELL)
    cells.V_m = rng.normal(-60.0, 5.0, n)
    # Initial conductances arrive as one spike with a weight for each neuron. Negative ones are left
    # out, as they would be excitatory.
    first = nest.Create("spike_generator", {"spike_times": [DT]})
    for mean, sd, sign in ((40.0, 15.0, 1), (200.0, 120.0, -1)):
        weights = sign * np.maximum(rng.normal(mean, sd, (n, 1)), 0.0)
        nest.Connect(first, cells, "all_to_all", {"weight": weights, "delay": DT})
    rule = {"rule": "pairwise_bernoulli", "p": 0.02}
    nest.Connect(cells[:N_EXC], cells, rule, {"weight": 6.0, "delay": DT})
    nest.Connect(cells[N_EXC:], cells, rule, {"weight": -67.0, "delay": DT})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(DURATION)
    events = recorder.events
    # A spike is stamped with the end of its step.
    steps = np.round(np.asarray(events["times"]) / DT).astype(int) - 1
    return steps, np.asarray(events["senders"]) - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("cobahh_nest.json"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    runs = []
    for seed in range(1, 1 + args.seeds):
        steps, neurons = simulate(seed, args.threads)
        figures = {
            f"{window[0]:g}-{window[1]:g}": spike_statistics(
                steps, neurons, n_exc=N_EXC, n_inh=N_INH, dt=DT, window=window
            )
            for window in WINDOWS
        }
        runs.append(figures)
        print(seed, figures, flush=True)
    document = {
        "made_by": "cobahh_nest.py",
        "date": datetime.date.today().isoformat(),
        "nest": nest.__version__,
        "definitions": DEFINITIONS,
        "parameters": CELL,
        "summary": {window: summarise([run[window] for run in runs]) for window in runs[0]},
    }
    args.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
