"""The cortical microcircuit: time to build, real-time factor, memory and rates, NEST beside it.

    python microcircuit.py --scale 1 --duration 10000 --oracle-python PATH --output results

Each simulator is a process of its own; NEST runs in the interpreter `--oracle-python` (the extra
`oracle`) and is left out without one. The first 500 ms are simulated first and not timed, which
includes compilation. As in the published comparisons no spikes are recorded while the time is taken
but their number in each population.

Writes `microcircuit.json`. `--simulators brainfn` leaves NEST out.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PRESIM, DT = 500.0, 0.1
# Rates in Hz of INM-6's microcircuit-PD14-model.
REFERENCE = [0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829]


def peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def brainfn(args) -> dict:
    import jax
    import numpy as np

    import brainfn as bf

    begun = time.perf_counter()
    build, key = jax.random.split(jax.random.key(args.seed))
    network, inputs = bf.zoo.microcircuit(
        scale=args.scale, key=build, background=args.background, surrogate=None
    )
    jax.block_until_ready(jax.tree.leaves(network))
    built = time.perf_counter()
    synapses = sum(p.synapses for p in network.projections.values())

    def go(duration, state=None):
        return bf.run(
            network,
            inputs=inputs,
            duration=duration,
            dt=DT,
            key=key,
            state=state,
            record=bf.record.SpikeCount(),
            chunk=100.0,
            progress=False,
        )

    first = go(PRESIM)
    middle = time.perf_counter()
    memory = peak_mb()
    out = go(args.duration, first.state)
    run = time.perf_counter() - middle
    rates = [
        float(np.mean(np.asarray(out.outputs[name]))) / (args.duration * 1e-3)
        for name in network.populations
    ]
    return {
        "version": bf.__version__,
        "threads": os.cpu_count(),
        "synapses": synapses,
        "build_s": built - begun,
        "first_s": middle - built,
        "run_s": run,
        "rates_hz": rates,
        "peak_mb_before_run": memory,
    }


def nest(args) -> dict:
    sys.path.insert(0, str(HERE.parent / "oracle"))
    import microcircuit_nest as oracle
    import nest as kernel

    trains, seconds = oracle.simulate(args.scale, args.duration, args.seed, args.threads)
    return {
        "version": kernel.__version__,
        "threads": args.threads,
        "synapses": kernel.num_connections,
        "build_s": seconds["build"],
        "run_s": seconds["run"],
        "rates_hz": [1e3 * len(times) / (args.duration * size) for times, _, size in trains],
    }


SIMULATORS = {"brainfn": brainfn, "nest": nest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--duration", type=float, default=10_000.0, help="ms, after the first 500")
    parser.add_argument("--background", choices=["poisson", "dc"], default="poisson")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of NEST")
    parser.add_argument("--oracle-python", help="interpreter that has NEST")
    parser.add_argument(
        "--simulators", nargs="+", choices=list(SIMULATORS), default=["brainfn", "nest"]
    )
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--timeout", type=float, default=7200.0)
    parser.add_argument("--run", choices=list(SIMULATORS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        figures = SIMULATORS[args.run](args)
        figures |= {
            "real_time_factor": figures["run_s"] / (args.duration * 1e-3),
            "peak_mb": peak_mb(),
        }
        print(json.dumps(figures))
        return
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": platform.platform(),
        "cpus": os.cpu_count(),
        "scale": args.scale,
        "duration_ms": args.duration,
        "background": args.background,
        "reference_rates_hz": REFERENCE,
        "runs": {},
    }
    args.output.mkdir(parents=True, exist_ok=True)
    for name in args.simulators:
        python = args.oracle_python if name == "nest" else sys.executable
        if python is None:
            print("nest is left out: give --oracle-python")
            continue
        options = [f"--{k}={getattr(args, k)}" for k in ("scale", "duration", "background", "seed")]
        command = [python, __file__, "--run", name, f"--threads={args.threads}", *options]
        load = os.getloadavg()[0]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=args.timeout, check=False
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            print(f"{name} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
            continue
        figures = json.loads(lines[-1]) | {"load_before": load}
        document["runs"][name] = figures
        (args.output / "microcircuit.json").write_text(json.dumps(document, indent=1) + "\n")
        rates = " ".join(f"{rate:.2f}" for rate in figures["rates_hz"])
        print(
            f"{name:8} build {figures['build_s']:.1f} s, real-time factor "
            f"{figures['real_time_factor']:.2f}, peak {figures['peak_mb']:.0f} MB, rates {rates} Hz"
        )


if __name__ == "__main__":
    main()
