"""One training step of a spiking network, beside the libraries made for it.

    python training.py --torch-python PATH --output results

784-256-10 (or another width), exponential synapses and leaky integrate-and-fire neurons, T = 100
steps, batch 256, cross entropy of the mean readout potential, Adam: identical float32 arrays for
all, drawn and encoded outside of the clock. Each run is a process of its own (`peers/train_*.py`);
runs are interleaved, so that what else the machine does falls on all alike. Writes `results.json`
and prints a table. A case without its library is reported as missing.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from coba import PEERS, cpu_name, number, run_once

CASES = {
    "brainfn": ("python", "train_jax.py"),
    "brainfn-packed": ("python", "train_jax.py"),
    "jax-scan": ("python", "train_jax.py"),
    "jax-hoisted": ("python", "train_jax.py"),
    "torch-hoisted": ("torch", "train_torch.py"),
    "snntorch": ("torch", "train_torch.py"),
    "norse": ("torch", "train_torch.py"),
    "spikingjelly": ("torch", "train_torch.py"),
}


def table(runs: list[dict]) -> str:
    """Medians over processes of the median step."""
    lines = [
        "| case | % | hidden | step (s) | fastest | CPU | relative | first | MB | rate | loss |",
        "|-|-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|",
    ]
    groups: dict[tuple[float, int, str], list[dict]] = {}
    for run in runs:
        if "error" not in run:
            groups.setdefault((run["activity"], run["hidden"], run["case"]), []).append(run)
    base: dict[tuple[float, int], float] = {}
    for (activity, hidden, case), some in groups.items():
        middle = {
            name: statistics.median(r[name] for r in some)
            for name in ("median_s", "fastest_s", "cpu_s", "first_s", "peak_mb", "rate", "loss")
        }
        first = base.setdefault((activity, hidden), middle["median_s"])
        cells = [
            *(case, f"{100 * activity:g}", str(hidden)),
            *(number(middle[name]) for name in ("median_s", "fastest_s", "cpu_s")),
            f"{middle['median_s'] / first:.2f}",
            *(number(middle[name]) for name in ("first_s", "peak_mb")),
            f"{100 * middle['rate']:.1f}",
            f"{middle['loss']:.4f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch-python", help="interpreter with torch, snntorch, norse, ...")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--activity", nargs="+", type=float, default=[0.1, 0.02, 0.0042])
    parser.add_argument("--hidden", nargs="+", type=int, default=[256])
    parser.add_argument("--repeats", type=int, default=3, help="processes for each case")
    parser.add_argument("--timeout", type=float, default=600.0)
    parser.add_argument("--output", type=Path, default=Path("results"))
    options = parser.parse_args()
    python = {"python": sys.executable, "torch": options.torch_python}
    runs = []
    for hidden in options.hidden:
        for activity in options.activity:
            for _ in range(options.repeats):
                for case in options.cases:
                    which, script = CASES[case]
                    if python[which] is None:
                        continue
                    arguments = [case, "--activity", str(activity), "--hidden", str(hidden)]
                    run = run_once(
                        [python[which], str(PEERS / script), *arguments], options.timeout
                    )
                    runs.append(run | {"case": case, "activity": activity, "hidden": hidden})
                    print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    document = {"cpu": cpu_name(), "runs": runs}
    (options.output / "results.json").write_text(json.dumps(document, indent=1))
    print(f"{cpu_name()}\n\n{table(runs)}")
    for run in runs:
        if "error" in run:
            print(f"{run['case']}: {run['error']}")


if __name__ == "__main__":
    main()
