"""Time and memory of building connections, for each rule and number of synapses.

    python connect.py --output results

Each case is a process of its own, which prints one line of JSON: 80 synapses per neuron among n
neurons without autapses. `first` is the time of the first build and includes compilation; `again`
is the median of the repeats; `cpu` is its processor time, which other work on the machine lengthens
less. `memory` is how far the first build raises the peak of resident memory
above that of a process that built a small network with the same rule, divided by the bytes of the
result (indices and row pointers): 1 means that nothing but the result was held.

Compare only runs on an idle machine; the load average before each case is in the JSON.
"""

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

DEGREE = 80
SIZES = {"3.2e5": 4_000, "3.2e6": 40_000, "3.2e7": 400_000, "1e8": 1_250_000}
RULES = (
    "FixedProbability",
    "FixedOutDegree",
    "FixedOutDegree, no multapses",
    "FixedInDegree",
    "FixedInDegree, no multapses",
    "AllToAll",
    "OneToOne",
    "ByDistance",
    "ByDistance, fan-in",
    "Blocks",
    "SmallWorld",
)


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak * (1 if platform.system() == "Darwin" else 1024)


def case(name: str, synapses: str, repeats: int) -> dict:
    """Builds one network in this process."""
    import jax

    from brainfn import connect

    def rule(n: int):
        multapses = "no multapses" not in name
        if name == "FixedProbability":
            return connect.FixedProbability(DEGREE / n, autapses=False), n, n
        if name.startswith("FixedOutDegree"):
            return connect.FixedOutDegree(DEGREE, autapses=False, multapses=multapses), n, n
        if name.startswith("FixedInDegree"):
            return connect.FixedInDegree(DEGREE, autapses=False, multapses=multapses), n, n
        if name.startswith("ByDistance"):
            # A sheet of the size of the network, and a Gaussian with as many synapses for each.
            side = round(n**0.5)
            sheet = connect.grid((side, side), spacing=10.0, periodic=True)
            kernel = connect.GaussianKernel(10.0 * (DEGREE / (2 * math.pi * 0.3)) ** 0.5, peak=0.3)
            fixed = {"fan_in": DEGREE} if "fan-in" in name else {}
            law = connect.ByDistance(kernel, sheet, autapses=False, **fixed)
            return law, side * side, side * side
        if name == "Blocks":
            blocks = max(1, n // 1000)
            n -= n % blocks
            return connect.clustered(n, blocks, DEGREE / n, min(2.5, blocks)), n, n
        if name == "SmallWorld":
            return connect.SmallWorld(DEGREE, 0.1), n, n
        if name == "AllToAll":
            return connect.AllToAll(autapses=False), n, DEGREE
        return connect.OneToOne(), n * DEGREE, n * DEGREE

    def build(n: int, seed: int) -> tuple[float, float, int]:
        what, n_pre, n_post = rule(n)
        start, cpu = time.perf_counter(), time.process_time()
        structure = what.build(n_pre, n_post, key=jax.random.key(seed), diagonal=0)
        jax.block_until_ready(structure)
        size = sum(x.nbytes for x in structure)
        return time.perf_counter() - start, time.process_time() - cpu, size

    n = SIZES[synapses]
    build(1_000, 0)
    before = peak_bytes()
    first, first_cpu, size = build(n, 1)
    rise = peak_bytes() - before
    times = [build(n, 2 + i) for i in range(repeats)]
    again = [t[0] for t in times]
    return {
        "rule": name,
        "synapses": synapses,
        "first_s": first,
        "again_s": statistics.median(again),
        "first_cpu_s": first_cpu,
        "again_cpu_s": statistics.median(t[1] for t in times),
        "spread_s": max(again) - min(again),
        "result_bytes": size,
        "rise_bytes": rise,
        "memory": rise / size,
        "jax": jax.__version__,
        "device": str(jax.devices()[0]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", nargs="*", default=RULES, choices=RULES, metavar="RULE")
    parser.add_argument("--synapses", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="folder for connect.json")
    parser.add_argument("--one", nargs=2, metavar=("RULE", "SYNAPSES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(case(*options.one, options.repeats)))
        return
    results = []
    print(f"{'rule':30}{'synapses':>10}{'first s':>10}{'again s':>10}{'cpu s':>10}{'memory':>10}")
    for name in options.rules:
        for synapses in options.synapses:
            load = os.getloadavg()[0]
            command = [sys.executable, __file__, "--one", name, synapses]
            command += ["--repeats", str(options.repeats)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = done.stderr.strip()[-200:]
                print(f"{name:30}{synapses:>10}  failed with {done.returncode}: {reason}")
                continue
            result = json.loads(done.stdout.splitlines()[-1]) | {"load": load}
            results.append(result)
            times = (
                f"{result['first_s']:10.3f}{result['again_s']:10.3f}{result['again_cpu_s']:10.3f}"
            )
            print(f"{name:30}{synapses:>10}{times}{result['memory']:10.2f}", flush=True)
            if options.output:
                options.output.mkdir(parents=True, exist_ok=True)
                (options.output / "connect.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
