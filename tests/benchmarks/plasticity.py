"""What plasticity costs: COBA with static synapses and with pair STDP, beside peers.

    python plasticity.py --brian2-python PATH --nest-python PATH --output results

The network is that of `coba.py`. STDP is additive, of all pairs, on the synapses between excitatory
neurons; without it these have a weight each too. Each run is a process of its own (see `peers/`);
runs are interleaved, so that what else the machine does falls on all alike. Writes `results.json`
and prints a table.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from coba import PEERS, cpu_name, number, run_once

SIMULATORS = {
    "brainfn": ("python", "stdp_brainfn.py", []),
    "brian2": ("brian2", "stdp_brian2.py", ["--threads", "0"]),
    "brian2-2": ("brian2", "stdp_brian2.py", ["--threads", "2"]),
    "nest": ("nest", "stdp_nest.py", ["--threads", "1"]),
    "nest-2": ("nest", "stdp_nest.py", ["--threads", "2"]),
}
MODES = ("static", "stdp")


def table(runs: list[dict]) -> str:
    """Medians for one second of model time."""
    groups: dict[tuple[int, str], dict[str, list[dict]]] = {}
    for run in runs:
        if "error" not in run:
            both = groups.setdefault((run["size"], run["name"]), {mode: [] for mode in MODES})
            both[run["mode"]].append(run)
    lines = [
        "| N | simulator | static (s) | STDP (s) | ratio | CPU (s) | relative | Hz | w | n |",
        "|-:|-|-:|-:|-:|-|-:|-|-:|-:|",
    ]
    base: dict[int, float] = {}
    for (size, name), both in groups.items():
        if not all(both.values()):
            continue
        seconds = {
            mode: statistics.median(r["run_s"] / r["model_s"] for r in both[mode]) for mode in MODES
        }
        cpu = [
            number(statistics.median(r["run_cpu_s"] / r["model_s"] for r in both[mode]))
            if all(r.get("run_cpu_s") for r in both[mode])
            else ""
            for mode in MODES
        ]
        # The ratio of each pair of neighbours in time, which share the state of the machine.
        pairs = zip(both["static"], both["stdp"], strict=False)
        ratio = statistics.median(b["run_s"] / a["run_s"] for a, b in pairs)
        base.setdefault(size, seconds["stdp"])
        rates = [statistics.median(r["rate_hz"] for r in both[mode]) for mode in MODES]
        weight = statistics.median(r["weight_mean"] for r in both["stdp"])
        model_s = both["stdp"][0]["model_s"]
        label = name if model_s == 1 else f"{name} ({model_s:g} s)"
        lines.append(
            f"| {size} | {label} | {number(seconds['static'])} | {number(seconds['stdp'])} | "
            f"{ratio:.2f} | {', '.join(cpu)} | {number(seconds['stdp'] / base[size])} | "
            f"{rates[0]:.1f}, {rates[1]:.1f} | {weight:.2f} | {len(both['stdp'])} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[4_000, 40_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--duration", type=float, default=1000.0, help="model time in ms")
    parser.add_argument("--short", type=float, default=None, help="model time of NEST in ms")
    parser.add_argument("--simulators", nargs="+", default=list(SIMULATORS), choices=SIMULATORS)
    parser.add_argument("--python", default=sys.executable, help="interpreter with brainfn")
    parser.add_argument("--brian2-python", default=sys.executable, help="with Brian2")
    parser.add_argument("--nest-python", default=sys.executable, help="with NEST")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for one run")
    parser.add_argument("--output", type=Path, default=Path("plasticity"))
    args = parser.parse_args()
    runs: list[dict] = []
    for size in args.sizes:
        for repeat in range(args.repeats):
            for name in args.simulators:
                for mode in MODES:
                    kind, script, options = SIMULATORS[name]
                    interpreter = getattr(args, kind if kind == "python" else f"{kind}_python")
                    duration = args.short if args.short and "nest" in name else args.duration
                    command = [interpreter, str(PEERS / script), *options, "--mode", mode]
                    command += ["--n", str(size), "--duration", str(duration)]
                    command += ["--seed", str(repeat + 1)]
                    run = {"name": name, "size": size, "mode": mode, "repeat": repeat}
                    run |= {"model_s": duration * 1e-3} | run_once(command, args.timeout)
                    runs.append(run)
                    document = {"script": Path(__file__).name, "cpu": cpu_name(), "runs": runs}
                    args.output.with_suffix(".json").write_text(json.dumps(document, indent=1))
                    figure = run.get("error") or f"{run['run_s']:.3f} s, {run['rate_hz']:.1f} Hz"
                    print(f"{size} {name} {mode}: {figure}", file=sys.stderr, flush=True)
    print(table(runs))


if __name__ == "__main__":
    main()
