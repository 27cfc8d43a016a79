"""A parameter sweep by `vmap` beside the same sweep by a loop: 16 weights of a COBA network.

    python tests/benchmarks/sweep.py [--n 4000] [--duration 200] [--repeats 5]

Prints one line of JSON: medians of the run times in seconds, compilation apart.
"""

import argparse
import json
import statistics
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

import brainfn as bf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--duration", type=float, default=200.0)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    network, drive = bf.zoo.vogels_abbott("coba-drive", scale=args.n / 4000, key=jr.key(0))
    weights = jnp.linspace(5.0, 7.0, 16)

    def count(network, weight):
        name = next(iter(network.projections))
        changed = eqx.tree_at(lambda n: n.projections[name].weight, network, weight)
        out = bf.simulate(
            changed,
            inputs=drive,
            duration=args.duration,
            dt=0.1,
            key=jr.key(1),
            record=bf.record.SpikeCount(),
        )
        return sum(jnp.sum(x) for x in out.outputs.values())

    one = eqx.filter_jit(count)
    swept = eqx.filter_jit(jax.vmap(count, in_axes=(None, 0)))

    def loop():
        return jnp.stack([one(network, weight) for weight in weights])

    def batch():
        return swept(network, weights)

    results = {}
    spikes = {}
    for name, run in (("loop", loop), ("vmap", batch)):
        start = time.perf_counter()
        spikes[name] = jax.block_until_ready(run())
        results[f"{name}_first_s"] = time.perf_counter() - start
    times = {"loop": [], "vmap": []}
    for _ in range(args.repeats):
        for name, run in (("loop", loop), ("vmap", batch)):
            start = time.perf_counter()
            jax.block_until_ready(run())
            times[name].append(time.perf_counter() - start)
    for name, values in times.items():
        results[f"{name}_s"] = statistics.median(values)
    results["loop_over_vmap"] = results["loop_s"] / results["vmap_s"]
    results["equal"] = bool(jnp.all(spikes["loop"] == spikes["vmap"]))
    print(json.dumps({"n": args.n, "duration_ms": args.duration, **results, **bf.config_dict()}))


if __name__ == "__main__":
    main()
