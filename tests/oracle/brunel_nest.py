"""Rates, irregularity and spectra of Brunel's network in its four states, from NEST.

    python brunel_nest.py --output brunel_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). Brunel (2000),
doi:10.1023/A:1008925309027, model A: 12 500 neurons with delta synapses.
"""

import argparse
import datetime
import json
from pathlib import Path

import nest
import numpy as np

N_EXC, N_INH, C_EXC, C_INH, J = 10_000, 2500, 1000, 250, 0.1
STATES = {"A": (3.0, 2.0), "B": (6.0, 4.0), "C": (5.0, 2.0), "D": (4.5, 0.9)}
DT, BIN, SEGMENT = 0.1, 0.5, 200.0
FREQUENCIES = [10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 175, 200, 300, 400, 500, 800]


def simulate(g, external, presim, duration, seed, threads):
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": DT, "rng_seed": seed, "local_num_threads": threads})
    parameters = {
        "tau_m": 20.0,
        "C_m": 1.0,
        "E_L": 0.0,
        "V_th": 20.0,
        "V_reset": 10.0,
        "t_ref": 2.0,
        "refractory_input": False,
    }
    cells = nest.Create("iaf_psc_delta", N_EXC + N_INH, parameters)
    cells.V_m = nest.random.uniform(0.0, 20.0)
    rate = 1e3 * external * C_EXC * 20.0 / (J * C_EXC * 20.0)  # threshold / (J C tau)
    noise = nest.Create("poisson_generator", {"rate": rate})
    # A delay of NEST is one step longer in brainfn.
    nest.Connect(noise, cells, syn_spec={"weight": J, "delay": 1.5})
    for source, number, weight in (
        (cells[:N_EXC], C_EXC, J),
        (cells[N_EXC:], C_INH, -g * J),
    ):
        nest.Connect(
            source,
            cells,
            {"rule": "fixed_indegree", "indegree": number},
            {"weight": weight, "delay": 1.5 - DT},
        )
    recorder = nest.Create("spike_recorder", {"start": presim})
    nest.Connect(cells, recorder)
    nest.Simulate(presim + duration)
    events = recorder.events
    return np.asarray(events["times"]) - presim, np.asarray(events["senders"]) - 1


def figures(times, neurons, duration):
    """Rate in Hz of all neurons, mean CV of neurons with three spikes or more, and the spectrum of
    the rate in bins of 0.5 ms (Welch, Hann, segments of 200 ms that overlap by half), relative to
    that of as many independent Poisson trains of the same rate, at some frequencies in Hz."""
    size = N_EXC + N_INH
    order = np.lexsort((times, neurons))
    times, neurons = times[order], neurons[order]
    counts = np.bincount(neurons, minlength=size)
    trains = np.split(times, np.cumsum(counts)[:-1])
    intervals = [np.diff(train) for train in trains if train.size >= 3]
    cv = float(np.mean([x.std() / x.mean() for x in intervals]))
    edges = np.arange(0.0, duration + BIN / 2, BIN)
    signal = np.histogram(times - DT / 2, edges)[0] / (BIN * size)
    n = round(SEGMENT / BIN)
    # A periodic window; each segment without the mean of the signal.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    parts = [signal[k : k + n] for k in range(0, signal.size - n + 1, n // 2)]
    power = np.mean([np.abs(np.fft.rfft((x - x.mean()) * window)) ** 2 for x in parts], axis=0)
    power *= 2 * BIN / np.sum(window**2)
    power /= 2 * signal.mean() / size
    at = np.round(np.array(FREQUENCIES) * 1e-3 * SEGMENT).astype(int)
    peak = 2 + int(np.argmax(power[2:]))
    return {
        "rate": round(1e3 * times.size / (duration * size), 3),
        "cv": round(cv, 4),
        "frequency": 1e3 * peak / SEGMENT,
        "peak": float(f"{power[peak]:.4g}"),
        "spectrum": [float(f"{x:.4g}") for x in power[at]],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("brunel_nest.json"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--states", default="ABCD")
    parser.add_argument("--duration", type=float, default=1000.0)
    args = parser.parse_args()
    document = {
        "made_by": "brunel_nest.py",
        "date": datetime.date.today().isoformat(),
        "nest": nest.__version__,
        "window_ms": [200.0, 200.0 + args.duration],
        "frequencies": FREQUENCIES,
        "definitions": figures.__doc__,
        "states": {},
    }
    for name in args.states:
        runs = []
        for seed in range(1, 1 + args.seeds):
            spikes = simulate(*STATES[name], 200.0, args.duration, seed, args.threads)
            runs.append(figures(*spikes, args.duration))
            print(name, seed, runs[-1], flush=True)
        document["states"][name] = runs
    args.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
