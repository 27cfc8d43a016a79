"""One step of an echo state network, with stored and with generated connections.

    python tests/benchmarks/reservoirs.py [--sizes 1000 10000 ...] [--indegree 100]

Each unit has `indegree` recurrent synapses on average. Median of three timings of one step, after
compilation; JSON on the last line.
"""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np

import brainfn as bf


def step_time(size, indegree, generated):
    rule = bf.connect.FixedProbability(min(1.0, indegree / size))
    start = time.perf_counter()
    reservoir = bf.nn.EchoState(
        28,
        size,
        connectivity=bf.connect.JustInTime(rule) if generated else rule,
        input_connectivity=bf.connect.JustInTime(bf.connect.FixedProbability(0.1)),
        exact=False,
        leak=0.6,
        key=jax.random.key(0),
    )
    built = time.perf_counter() - start
    clock = bf.Clock(jnp.zeros((), jnp.int32), 1.0)
    step = jax.jit(lambda r, x, u: r.step(x, u, clock)[0])
    x, u = jnp.full(size, 0.1, jnp.float32), jnp.ones(28, jnp.float32)
    jax.block_until_ready(step(reservoir, x, u))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(step(reservoir, x, u))
        times.append(time.perf_counter() - start)
    return {"build": built, "step": float(np.median(times))}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--indegree", type=int, default=100)
    arguments = parser.parse_args()
    found = {}
    for size in arguments.sizes:
        for name, generated in (("CSR", False), ("just in time", True)):
            if size * arguments.indegree > 3e7 and not generated:
                continue  # 12 bytes for each synapse, and minutes to build
            found[f"{name}, {size}"] = result = step_time(size, arguments.indegree, generated)
            print(
                f"{name:>13} {size:>9,}: {result['step']:.4f} s, built in {result['build']:.2f} s"
            )
    print(json.dumps({"jax": jax.__version__, "indegree": arguments.indegree, "results": found}))


if __name__ == "__main__":
    main()
