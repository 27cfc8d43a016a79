"""Reference figures of three Vogels-Abbott networks from NEST and Brian2.

    python vogels_abbott.py --output vogels_abbott.json

Needs an interpreter with `nest-simulator` and `brian2` (the extra `oracle`). Each simulator runs in
a process of its own. The networks are those of Brette et al. (2007), "Simulation of networks of
spiking neurons", doi:10.1007/s10827-007-0038-6, after Vogels and Abbott (2005),
doi:10.1523/JNEUROSCI.3508-05.2005, in the variants named by `VARIANTS`.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _spike_statistics import DEFINITIONS, spike_statistics, summarise

# Units: ms, mV, nS, pA, pF.
COMMON = {
    "n_exc": 3200,
    "n_inh": 800,
    "probability": 0.02,
    "autapses": True,
    "capacitance": 200.0,
    "tau": 20.0,
    "v_threshold": -50.0,
    "v_reset": -60.0,
    "refractory": 5.0,
    "tau_exc": 5.0,
    "tau_inh": 10.0,
    "delay": 0.1,
    "dt": 0.1,
    "duration": 1200.0,
}
VARIANTS = {
    "cuba-brian": {
        "source": "CUBA of the paper and of the Brian examples: v_rest -49 mV, +1.62/-9 mV",
        "synapse": "current",
        "v_rest": -49.0,
        "drive": 0.0,
        "weight_exc": 16.2,
        "weight_inh": -90.0,
        "v_initial": ["uniform", -60.0, -50.0],
        "g_exc_initial": None,
        "g_inh_initial": None,
    },
    "coba-brian": {
        "source": "COBA of the Brian 1 examples: 6/67 nS, random initial conductances, no drive",
        "synapse": "conductance",
        "v_rest": -60.0,
        "drive": 0.0,
        "weight_exc": 6.0,
        "weight_inh": 67.0,
        "reversal_exc": 0.0,
        "reversal_inh": -80.0,
        "v_initial": ["normal", -65.0, 5.0],
        "g_exc_initial": ["normal", 40.0, 15.0],
        "g_inh_initial": ["normal", 200.0, 120.0],
    },
    "coba-drive": {
        "source": "COBA with a constant drive of 200 pA (20 mV): 6/67 nS, as in BrainPy's examples",
        "synapse": "conductance",
        "v_rest": -60.0,
        "drive": 200.0,
        "weight_exc": 6.0,
        "weight_inh": 67.0,
        "reversal_exc": 0.0,
        "reversal_inh": -80.0,
        "v_initial": ["normal", -55.0, 2.0],
        "g_exc_initial": None,
        "g_inh_initial": None,
    },
}
WINDOWS = {"200-1200": (200.0, 1200.0), "0-1000": (0.0, 1000.0)}
NOTES = {
    "nest": (
        "iaf_psc_exp (exact integration) and iaf_cond_exp (adaptive Runge-Kutta-Fehlberg 4(5)); "
        "pairwise_bernoulli with autapses; double precision. With the delay of 0.1 ms a spike of "
        "step n reaches its targets at (n+2)*dt, so it acts from step n+2 on. After a spike in "
        "step n, v is held for the 50 steps n+1..n+50. Negative initial conductances are kept."
    ),
    "brian2": (
        "NeuronGroup, method 'exact' (CUBA) and 'exponential_euler' (COBA); connect(p=0.02) with "
        "autapses; double precision. A spike of step n acts from step n+1 on (no delay). After a "
        "spike in step n, v is held for the 49 steps n+1..n+49, since Brian2 counts the step of "
        "the spike. Negative initial conductances are kept, as in Brian's example."
    ),
    "brainfn": (
        "For comparison: with a delay of 0.1 ms a spike of step n acts from step n+1 on (as in "
        "Brian2) and v is held for the 50 steps n+1..n+50 (as in NEST)."
    ),
}


def run_nest(variant: dict, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import nest

    c = COMMON
    nest.ResetKernel()
    nest.resolution = c["dt"]
    nest.rng_seed = seed

    def draw(spec):
        name, a, b = spec
        return nest.random.uniform(a, b) if name == "uniform" else nest.random.normal(a, b)

    parameters = {
        "C_m": c["capacitance"],
        "E_L": variant["v_rest"],
        "V_th": c["v_threshold"],
        "V_reset": c["v_reset"],
        "t_ref": c["refractory"],
        "tau_syn_ex": c["tau_exc"],
        "tau_syn_in": c["tau_inh"],
        "I_e": variant["drive"],
    }
    if variant["synapse"] == "current":
        model = "iaf_psc_exp"
        parameters |= {"tau_m": c["tau"]}
        weight_inh = variant["weight_inh"]
    else:
        model = "iaf_cond_exp"
        parameters |= {
            "g_L": c["capacitance"] / c["tau"],
            "E_ex": variant["reversal_exc"],
            "E_in": variant["reversal_inh"],
        }
        weight_inh = -variant["weight_inh"]  # NEST: a negative weight addresses g_in.
    cells = nest.Create(model, c["n_exc"] + c["n_inh"], params=parameters)
    cells.V_m = draw(variant["v_initial"])
    if variant["g_exc_initial"]:
        cells.g_ex = draw(variant["g_exc_initial"])
        cells.g_in = draw(variant["g_inh_initial"])
        if not min(cells.g_in) < 0:
            raise RuntimeError("negative initial conductances were not kept")
    rule = {
        "rule": "pairwise_bernoulli",
        "p": c["probability"],
        "allow_autapses": c["autapses"],
    }
    for pre, weight in (
        (cells[: c["n_exc"]], variant["weight_exc"]),
        (cells[c["n_exc"] :], weight_inh),
    ):
        nest.Connect(pre, cells, rule, {"weight": weight, "delay": c["delay"]})
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(cells, recorder, syn_spec={"delay": c["delay"]})
    nest.Simulate(c["duration"])
    events = recorder.events
    # The stamp is the end of the step.
    return np.asarray(events["times"], np.int64) - 1, np.asarray(events["senders"]) - cells[
        0
    ].global_id


def run_brian2(variant: dict, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import brian2 as b2

    c = COMMON
    b2.start_scope()
    b2.seed(seed)
    b2.defaultclock.dt = c["dt"] * b2.ms
    leak = c["capacitance"] / c["tau"]
    # v in mV; g_exc, g_inh in mV (current) or in units of the leak conductance.
    if variant["synapse"] == "current":
        dv, method = "(v_rest - v + drive + g_exc + g_inh)/tau", "exact"
    else:
        dv = "(v_rest - v + drive + g_exc*(reversal_exc - v) + g_inh*(reversal_inh - v))/tau"
        method = "exponential_euler"
    namespace = {
        "v_rest": variant["v_rest"],
        "drive": variant["drive"] / leak,
        "tau": c["tau"] * b2.ms,
        "tau_exc": c["tau_exc"] * b2.ms,
        "tau_inh": c["tau_inh"] * b2.ms,
        "reversal_exc": variant.get("reversal_exc", 0.0),
        "reversal_inh": variant.get("reversal_inh", 0.0),
        "w_exc": variant["weight_exc"] / leak,
        "w_inh": variant["weight_inh"] / leak,
        "v_threshold": c["v_threshold"],
        "v_reset": c["v_reset"],
    }
    n = c["n_exc"] + c["n_inh"]
    cells = b2.NeuronGroup(
        n,
        f"""dv/dt = {dv} : 1 (unless refractory)
        dg_exc/dt = -g_exc/tau_exc : 1
        dg_inh/dt = -g_inh/tau_inh : 1""",
        threshold="v > v_threshold",
        reset="v = v_reset",
        refractory=c["refractory"] * b2.ms,
        method=method,
        namespace=namespace,
    )

    def draw(spec, scale=1.0):
        name, a, b = spec
        unit = f"{a} + ({b} - {a})*rand()" if name == "uniform" else f"{a} + {b}*randn()"
        return f"({unit})/{scale}"

    cells.v = draw(variant["v_initial"])
    if variant["g_exc_initial"]:
        cells.g_exc = draw(variant["g_exc_initial"], leak)
        cells.g_inh = draw(variant["g_inh_initial"], leak)
    exc = b2.Synapses(cells[: c["n_exc"]], cells, on_pre="g_exc += w_exc", namespace=namespace)
    inh = b2.Synapses(cells[c["n_exc"] :], cells, on_pre="g_inh += w_inh", namespace=namespace)
    exc.connect(p=c["probability"])
    inh.connect(p=c["probability"])
    monitor = b2.SpikeMonitor(cells)
    b2.Network(cells, exc, inh, monitor).run(c["duration"] * b2.ms)
    steps = np.rint(np.asarray(monitor.t / b2.ms) / c["dt"]).astype(np.int64)
    return steps, np.asarray(monitor.i)


def run_simulator(simulator: str, seeds: list[int], variants: list[str]) -> dict:
    """All variants and seeds in one simulator; what goes into the JSON."""
    if simulator == "nest":
        import nest

        nest.verbosity = nest.VerbosityLevel.ERROR
        version, run = nest.__version__, run_nest
    else:
        import brian2

        version, run = brian2.__version__, run_brian2
    out: dict = {"version": version, "numpy": np.__version__, "variants": {}}
    for name in variants:
        runs = []
        for seed in seeds:
            start = time.perf_counter()
            steps, neurons = run(VARIANTS[name], seed)
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
            print(
                f"{simulator} {name} seed {seed}: {record['200-1200']} "
                f"({time.perf_counter() - start:.1f} s)",
                file=sys.stderr,
                flush=True,
            )
        summary = {label: summarise([run[label] for run in runs]) for label in WINDOWS}
        out["variants"][name] = {"summary": summary, "runs": runs}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--simulators", nargs="+", default=["nest", "brian2"])
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # Runs one simulator, prints JSON.
    args = parser.parse_args()
    if args.worker:
        result = run_simulator(args.worker, args.seeds, args.variants)
        args.output.write_text(json.dumps(result))
        return
    results = {}
    for simulator in args.simulators:
        part = args.output.with_suffix(f".{simulator}.part")
        command = [sys.executable, __file__, "--worker", simulator, "--output", str(part)]
        command += ["--seeds", *map(str, args.seeds), "--variants", *args.variants]
        subprocess.run(command, check=True, stdout=sys.stderr)
        results[simulator] = json.loads(part.read_text())
        part.unlink()
    document = {
        "script": Path(__file__).name,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "units": "ms, mV, nS, pA, pF; rates in Hz",
        "definitions": DEFINITIONS,
        "notes": NOTES,
        "common": COMMON,
        "variants": {name: VARIANTS[name] for name in args.variants},
        "seeds": args.seeds,
        "windows_ms": WINDOWS,
        "simulators": results,
    }
    args.output.write_text(json.dumps(document, indent=1) + "\n")
    for name in args.variants:
        for simulator in args.simulators:
            figures = results[simulator]["variants"][name]["summary"]["200-1200"]
            line = ", ".join(f"{k} {v['mean']:.3f} +- {v['sd']:.3f}" for k, v in figures.items())
            print(f"{name:12s} {simulator:7s} {line}")


if __name__ == "__main__":
    main()
