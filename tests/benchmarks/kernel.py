"""What the native kernel of LIF neurons brings: the step of COBA with it and without it.

    python tests/benchmarks/kernel.py [--scales 1 10 100] [--repeats 5]

Prints the median microseconds per step, the two interleaved in one process, and their ratio.
"""

import argparse
import statistics
import time

import jax
import jax.random as jr

import brainfn as bf
from brainfn.network import _fused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 10.0, 100.0])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    chosen = _fused.has_kernel
    # Two names of one record, so that each path is compiled and kept on its own.
    ways = {
        "kernel": (chosen, bf.record.SpikeCount()),
        "general": (lambda *_: False, [bf.record.SpikeCount()]),
    }
    for scale in args.scales:
        network, drive = bf.zoo.vogels_abbott("coba-drive", scale=scale, key=jr.key(0))
        duration = 1000.0 if scale <= 1 else 150.0
        times = {name: [] for name in ways}
        for i in range(args.repeats + 1):
            for name, (choice, record) in ways.items():
                _fused.has_kernel = choice
                start = time.perf_counter()
                jax.block_until_ready(
                    bf.simulate(
                        network,
                        inputs=drive,
                        duration=duration,
                        dt=0.1,
                        key=jr.key(1),
                        record=record,
                    )
                )
                if i:  # the first call compiles
                    times[name].append((time.perf_counter() - start) / duration * 1e5)
        _fused.has_kernel = chosen
        step = {name: statistics.median(values) for name, values in times.items()}
        ratio = step["general"] / step["kernel"]
        print(f"{4000 * scale:,.0f} neurons: {step} us/step, general / kernel {ratio:.2f}")


if __name__ == "__main__":
    main()
