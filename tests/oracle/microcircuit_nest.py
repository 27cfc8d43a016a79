"""Distributions of rates, CVs and correlations in small microcircuits, from NEST.

    python microcircuit_nest.py --output microcircuit_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). The network is that of Potjans and
Diesmann (2014), doi:10.1093/cercor/bhs358, with the constants of INM-6's microcircuit-PD14-model
(facts; the code here is our own), at a share of its neurons and of their synapses, with weights
divided by the root of the share and a current that keeps the mean input (Van Albada et al. 2015,
doi:10.1371/journal.pcbi.1004490).
"""

import argparse
import datetime
import json
import math
import time
from pathlib import Path

import nest
import numpy as np

NAMES = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"]
SIZES = [20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948]
PROBABILITY = [
    [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
    [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
    [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0],
    [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
    [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
    [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0],
    [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
    [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
]
EXTERNAL = [1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100]
V_INIT = [
    (-68.28, 5.36),
    (-63.16, 4.57),
    (-63.33, 4.74),
    (-63.45, 4.94),
    (-63.11, 4.94),
    (-61.66, 4.55),
    (-66.72, 5.46),
    (-61.43, 4.48),
]
RATES = [0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829]
TAU_M, TAU_S, C, PSP, G = 10.0, 0.5, 250.0, 0.15, -4.0
DT, PRESIM = 0.1, 500.0
QUANTILES = 101
UNITS = {"cc": 1e3}


def psc():
    """pA for a PSP of `PSP` mV."""
    r = TAU_M / TAU_S
    peak = r ** (-TAU_M / (TAU_M - TAU_S)) - r ** (-TAU_S / (TAU_M - TAU_S))
    return PSP / (TAU_M * TAU_S / (C * (TAU_S - TAU_M)) * peak)


def simulate(scale, duration, seed, threads, record=True):
    """Spike times by population and neuron, without the first 500 ms; build and run time."""
    begun = time.perf_counter()
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": DT, "rng_seed": seed, "local_num_threads": threads})
    weight, root = psc(), math.sqrt(scale)
    sizes = [round(n * scale) for n in SIZES]
    cells, recorders = [], []
    for i, size in enumerate(sizes):
        recurrent = 0.0
        for j in range(8):
            full = synapses(i, j)
            sign = (2 if (i, j) == (0, 2) else 1) * (1 if j % 2 == 0 else G)
            recurrent += full / SIZES[i] * sign * weight * RATES[j] * 1e-3 * TAU_S
        external = EXTERNAL[i] * 8e-3 * weight * TAU_S
        parameters = {
            "C_m": C,
            "tau_m": TAU_M,
            "tau_syn_ex": TAU_S,
            "tau_syn_in": TAU_S,
            "E_L": -65.0,
            "V_th": -50.0,
            "V_reset": -65.0,
            "t_ref": 2.0,
            "I_e": (1 - root) * (recurrent + external),
        }
        new = nest.Create("iaf_psc_exp", size, parameters)
        new.V_m = nest.random.normal(*V_INIT[i])
        noise = nest.Create("poisson_generator", {"rate": 8.0 * EXTERNAL[i] * scale})
        nest.Connect(noise, new, syn_spec={"weight": weight / root, "delay": 1.5})
        recorder = nest.Create("spike_recorder", {"start": PRESIM})
        if record:
            nest.Connect(new, recorder)
        cells.append(new)
        recorders.append(recorder)
    for i in range(8):
        for j in range(8):
            number = round(synapses(i, j) * scale * scale)
            if number == 0:
                continue
            mean = (2 if (i, j) == (0, 2) else 1) * (1 if j % 2 == 0 else G) * weight / root
            low, high = (0.0, math.inf) if mean > 0 else (-math.inf, 0.0)
            delay = 1.5 if j % 2 == 0 else 0.75
            nest.Connect(
                cells[j],
                cells[i],
                {"rule": "fixed_total_number", "N": number},
                {
                    "synapse_model": "static_synapse",
                    "weight": nest.math.redraw(
                        nest.random.normal(mean, 0.1 * abs(mean)), min=low, max=high
                    ),
                    "delay": nest.math.redraw(
                        nest.random.normal(delay, delay / 2), min=0.5 * DT, max=math.inf
                    ),
                },
            )
    nest.Prepare()
    built = time.perf_counter()
    nest.Run(PRESIM)
    middle = time.perf_counter()
    nest.Run(duration)
    seconds = {"build": built - begun, "run": time.perf_counter() - middle}
    trains = []
    for new, recorder in zip(cells, recorders, strict=True):
        events = recorder.events
        neurons = np.asarray(events["senders"]) - new[0].global_id
        trains.append((np.asarray(events["times"]) - PRESIM, neurons, len(new)))
    nest.Cleanup()
    return trains, seconds


def synapses(i, j):
    p = PROBABILITY[i][j]
    return round(math.log(1 - p) / math.log(1 - 1 / (SIZES[i] * SIZES[j]))) if p else 0


def distributions(times, neurons, size, duration):
    """Rates of all neurons in Hz, CVs of neurons with three spikes or more, and correlations of all
    pairs of the first 250 that spike, in bins of 2 ms."""
    order = np.lexsort((times, neurons))
    times, neurons = times[order], neurons[order]
    counts = np.bincount(neurons, minlength=size)
    trains = np.split(times, np.cumsum(counts)[:-1])
    intervals = [np.diff(train) for train in trains if train.size >= 3]
    cvs = np.array([x.std() / x.mean() for x in intervals])
    active = np.flatnonzero(counts)[:250]
    edges = np.arange(0.0, duration + 1.0, 2.0)
    # Times are the ends of steps.
    binned = np.array([np.histogram(trains[k] - 0.5 * DT, edges)[0] for k in active])
    matrix = np.corrcoef(binned)
    return {
        "rate": 1e3 * counts / duration,
        "cv": cvs,
        "cc": matrix[np.triu_indices(active.size, 1)],
    }


def ks(a, b):
    """The largest distance between two empirical distribution functions; 0 without numbers."""
    if not (a.size and b.size):
        return 0.0
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    at = [np.searchsorted(x, both, side="right") / x.size for x in (a, b)]
    return float(np.max(np.abs(at[0] - at[1])))


def short(x):
    """Three digits, without a point if there is nothing behind it."""
    x = float(f"{x:.3g}")
    return int(x) if x.is_integer() else x


def case(scale, duration, seeds, threads):
    runs = []
    for seed in seeds:
        trains, seconds = simulate(scale, duration, seed, threads)
        runs.append([distributions(*train, duration) for train in trains])
        print(
            scale, seed, seconds, [round(float(x["rate"].mean()), 3) for x in runs[-1]], flush=True
        )
    levels = np.linspace(0, 1, QUANTILES)
    pairs = [(a, b) for a in range(len(runs)) for b in range(a)]
    result = {"scale": scale, "duration": duration, "seeds": list(seeds), "populations": {}}
    for k, name in enumerate(NAMES):
        result["populations"][name] = {
            figure: {
                "mean": [float(f"{np.mean(run[k][figure]):.6g}") for run in runs],
                "number": [run[k][figure].size for run in runs],
                "ks": [round(ks(runs[a][k][figure], runs[b][k][figure]), 4) for a, b in pairs],
                "quantiles": [
                    [short(x) for x in np.quantile(run[k][figure], levels)] for run in runs
                ],
            }
            for figure in ("rate", "cv", "cc")
        }
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("microcircuit_nest.json"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", type=float, nargs=3, metavar=("SCALE", "DURATION", "SEEDS"))
    args = parser.parse_args()
    if args.only:
        scale, duration, seeds = args.only
        case(scale, duration, range(1, 1 + int(seeds)), args.threads)
        return
    document = {
        "made_by": "microcircuit_nest.py",
        "date": datetime.date.today().isoformat(),
        "nest": nest.__version__,
        "dt": DT,
        "discarded_ms": PRESIM,
        "definitions": distributions.__doc__,
        "units": "quantiles of rates in Hz, of correlations in thousandths",
        "cases": {
            "small": case(0.05, 2000.0, range(1, 5), args.threads),
            "tenth": case(0.1, 10000.0, range(1, 4), args.threads),
        },
    }
    args.output.write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
