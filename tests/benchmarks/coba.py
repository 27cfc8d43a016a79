"""COBA at several sizes: brainfn beside its peers and beside a hand-fused C++ loop.

    python coba.py --oracle-python PATH --brainpy-python PATH --output results

The network is the variant "coba-drive" of `tests/oracle/vogels_abbott.py` with 80 synapses per
neuron at every size, steps of 0.1 ms, one-step delays. Each run is a process of its own, which
prints one line of JSON (see `peers/`). Runs are interleaved: all simulators once, then all once
more, so that what else the machine does falls on all alike. Each repeat has its own seed.

Writes `results.json` (after every run, so stopping early loses nothing) and `results.md`. Brian2
and NEST run in the interpreter `--oracle-python`, BrainPy in `--brainpy-python`; both default to
the present one. What can't run is reported and left out. To keep the simulators apart from
whatever else runs, start this script with `nice -n -5` or on an idle machine; the load average
before each run is in the JSON.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
FUSED = HERE / "native" / "coba_fused.cc"
FUSED_FLAGS = ["-std=c++17", "-O3", "-march=native", "-ffast-math"]

# Name: (interpreter, script, options).
SIMULATORS: dict[str, tuple[str, str, list[str]]] = {
    "fused": ("native", "", []),
    "brainfn": ("python", "coba_brainfn.py", ["--mode", "bool"]),
    "brainfn-float": ("python", "coba_brainfn.py", ["--mode", "float"]),
    "brian2": ("oracle", "coba_brian2.py", ["--threads", "0"]),
    "brian2-float32": ("oracle", "coba_brian2.py", ["--threads", "0", "--dtype", "float32"]),
    "brian2-2": ("oracle", "coba_brian2.py", ["--threads", "2"]),
    "nest": ("oracle", "coba_nest.py", ["--threads", "1"]),
    "nest-2": ("oracle", "coba_nest.py", ["--threads", "2"]),
    "brainpy": ("brainpy", "coba_brainpy.py", []),
    "brainpy-state": ("brainpy", "coba_brainpy_state.py", []),
}
# int32 targets and row pointers; v, two conductances and the refractory counter.
BYTES_PER_NEURON = 80 * 4 + 4 + 4 * 4


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def limits(values: list[str], parser: argparse.ArgumentParser, option: str) -> dict:
    """`["nest=100", "nest:400000=20"]` -> `{("nest", None): 100.0, ("nest", 400000): 20.0}`."""
    out = {}
    for value in values:
        who, _, figure = value.partition("=")
        name, _, size = who.partition(":")
        try:
            out[name, int(size) if size else None] = float(figure)
        except ValueError:
            name = ""
        if name not in SIMULATORS:
            parser.error(f"{option} takes SIMULATOR=NUMBER or SIMULATOR:N=NUMBER, got {value!r}")
    return out


def run_once(command: list[str], timeout: float) -> dict:
    """The JSON that a run printed last, or what went wrong."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    start = time.perf_counter()
    load = os.getloadavg()[0]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {timeout:.0f} s"}
    except OSError as error:
        return {"error": str(error)}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        tail = (done.stderr or done.stdout).strip().splitlines()[-1:]
        return {"error": f"status {done.returncode}: {' '.join(tail)}"}
    total = time.perf_counter() - start
    return json.loads(lines[-1]) | {"process_s": total, "load_before": load}


def summarise(runs: list[dict]) -> list[dict]:
    """One row for each size and simulator, in the order of the runs."""
    groups: dict[tuple[int, str], list[dict]] = {}
    for run in runs:
        groups.setdefault((run["size"], run["name"]), []).append(run)
    rows = []
    for (size, name), group in groups.items():
        good = [run for run in group if "error" not in run]
        row: dict = {"size": size, "name": name, "runs": len(good)}
        if good:
            times = [run["run_s"] / run["model_s"] for run in good]
            row |= {
                "run_s": statistics.median(times),
                "run_min": min(times),
                "run_max": max(times),
                "us_per_step": statistics.median(times) * 100,
            }
            cpu = [run["run_cpu_s"] / run["model_s"] for run in good if run.get("run_cpu_s")]
            row["run_cpu_s"] = statistics.median(cpu) if cpu else None
            for figure in ("build_s", "compile_s", "rate_hz", "peak_rss_mb"):
                row[figure] = statistics.median(run[figure] for run in good)
            row |= {key: good[0][key] for key in ("version", "mode", "threads", "dtype")}
            row["model_s"] = good[0]["model_s"]
        else:
            row["error"] = group[0]["error"]
        rows.append(row)
    run_s = {(row["size"], row["name"]): row.get("run_s") for row in rows}
    for row in rows:
        for other in ("fused", "brainfn"):
            base = run_s.get((row["size"], other))
            if base and row.get("run_s"):
                row[f"over_{other}"] = row["run_s"] / base
    return rows


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def table(document: dict) -> str:
    """The results as Markdown."""
    intro = (
        f"COBA with a constant drive, 80 synapses per neuron, dt 0.1 ms. {document['cpu']}, "
        f"{document['cpus']} CPUs, {document['date']}. Times are seconds for 1 s of model time: "
        "the median of the repeats, then the least and the greatest; CPU is processor time of all "
        "threads; memory is the peak resident set."
    )
    header = (
        "| N | simulator | run | min-max | CPU | us/step | over fused | over brainfn | rate (Hz) "
        "| build (s) | compile (s) | memory (MB) | repeats |"
    )
    lines = [intro, "", header, "|-:|-|-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|-:|"]
    for row in document["summary"]:
        name = row["name"]
        if "error" in row:
            lines.append(f"| {row['size']} | {name} | failed: {row['error']} |" + " |" * 10)
            continue
        if row["model_s"] != 1:
            name += f" ({row['model_s']:g} s)"
        cells = [
            str(row["size"]),
            name,
            number(row["run_s"]),
            f"{number(row['run_min'])}-{number(row['run_max'])}",
            number(row["run_cpu_s"]),
            number(row["us_per_step"]),
            number(row.get("over_fused")),
            number(row.get("over_brainfn")),
            f"{row['rate_hz']:.1f}",
            number(row["build_s"]),
            number(row["compile_s"]),
            f"{row['peak_rss_mb']:.0f}",
            str(row["runs"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Simulators:", ""]
    seen = set()
    for row in document["summary"]:
        if "error" not in row and row["name"] not in seen:
            seen.add(row["name"])
            text = f"- {row['name']}: {row['version']}; {row['mode']}; {row['dtype']}"
            if row["threads"]:
                text += f"; {row['threads']} thread{'s' if row['threads'] > 1 else ''}"
            lines.append(text)
    sizes = sorted({row["size"] for row in document["summary"]})
    bytes_of = ", ".join(f"{n}: {n * BYTES_PER_NEURON / 2**20:.1f} MB" for n in sizes)
    lines += ["", f"Bytes of connectivity (int32) and float32 state: {bytes_of}.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[4_000, 40_000, 400_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--duration", type=float, default=1000.0, help="model time in ms")
    parser.add_argument("--simulators", nargs="+", default=list(SIMULATORS), choices=SIMULATORS)
    parser.add_argument("--python", default=sys.executable, help="interpreter with brainfn")
    parser.add_argument("--oracle-python", default=sys.executable, help="with Brian2 and NEST")
    parser.add_argument("--brainpy-python", default=sys.executable, help="with BrainPy")
    parser.add_argument("--cxx", default="g++", help="C++ compiler of the fused loop")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for one run")
    parser.add_argument(
        "--max-size",
        nargs="+",
        default=[],
        metavar="SIMULATOR=N",
        help="leave a slow simulator out above a size",
    )
    parser.add_argument(
        "--duration-for",
        nargs="+",
        default=[],
        metavar="SIMULATOR[:N]=MS",
        help="less model time for a slow simulator (of size N); its times are scaled to 1 s",
    )
    parser.add_argument("--output", type=Path, default=Path("coba"), help="without its suffix")
    args = parser.parse_args()
    if args.repeats < 1:
        parser.error("--repeats must be at least 1")
    max_size = limits(args.max_size, parser, "--max-size")
    durations = limits(args.duration_for, parser, "--duration-for")
    interpreters = {
        "python": args.python,
        "oracle": args.oracle_python,
        "brainpy": args.brainpy_python,
    }

    document: dict = {
        "script": Path(__file__).name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "load_at_start": os.getloadavg(),
        "options": {"sizes": args.sizes, "repeats": args.repeats, "duration": args.duration},
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        fused = str(Path(folder) / "coba_fused")
        if "fused" in args.simulators:
            subprocess.run([args.cxx, *FUSED_FLAGS, "-o", fused, str(FUSED)], check=True)
        try:
            for size in args.sizes:
                for repeat in range(args.repeats):
                    for name in args.simulators:
                        if size > max_size.get((name, None), size):
                            continue
                        kind, script, options = SIMULATORS[name]
                        duration = durations.get((name, None), args.duration)
                        duration = durations.get((name, size), duration)
                        if kind == "native":
                            command = [fused, str(size), str(duration), str(repeat + 1)]
                        else:
                            command = [interpreters[kind], str(PEERS / script), *options]
                            command += ["--n", str(size), "--duration", str(duration)]
                            command += ["--seed", str(repeat + 1)]
                        run = {"name": name, "size": size, "repeat": repeat}
                        run |= {"model_s": duration * 1e-3} | run_once(command, args.timeout)
                        document["runs"].append(run)
                        document["summary"] = summarise(document["runs"])
                        args.output.with_suffix(".json").write_text(
                            json.dumps(document, indent=1) + "\n"
                        )
                        args.output.with_suffix(".md").write_text(table(document))
                        figure = (
                            run.get("error") or f"{run['run_s']:.3f} s, {run['rate_hz']:.1f} Hz"
                        )
                        print(f"{size} {name} {repeat + 1}: {figure}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("stopped; the results so far are kept", file=sys.stderr)
    if document["runs"]:
        print(table(document))


if __name__ == "__main__":
    main()
