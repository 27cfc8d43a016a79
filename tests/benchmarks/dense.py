"""The batched product of a dense matrix beside `jnp`: forward and gradient, over activities.

python tests/benchmarks/dense.py
"""

import argparse
import json
import statistics
import time

import jax
import jax.numpy as jnp
import jax.random as jr

import brainfn as bf


def median(f, *arguments, repeats):
    jax.block_until_ready(f(*arguments))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(f(*arguments))
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    products = {"event": lambda x, w: x @ bf.event.Dense(w), "jnp": lambda x, w: x @ w}
    for n_pre, n_post in ((64, 128), (784, 256)):
        for batch in (1, 8, 16, 128):
            for activity in (0.01, 0.08):
                keys = jr.split(jr.key(0), 3)
                w = jr.normal(keys[0], (n_pre, n_post))
                shape = (options.steps, batch)
                x = (jr.uniform(keys[1], (*shape, n_pre)) < activity).astype(jnp.float32)
                ct = jr.normal(keys[2], (*shape, n_post))
                row = {"n_pre": n_pre, "n_post": n_post, "batch": batch, "activity": activity}
                for name, product in products.items():

                    def loss(w, x, product=product, ct=ct):
                        def step(total, both):
                            y = jax.vmap(product, (0, None))(both[0], w)
                            return total + jnp.sum(y * both[1]), None

                        return jax.lax.scan(step, 0.0, (x, ct))[0]

                    gradient = jax.jit(jax.grad(loss, (0, 1)))
                    row[f"{name} forward ms"] = median(jax.jit(loss), w, x, repeats=options.repeats)
                    row[f"{name} gradient ms"] = median(gradient, w, x, repeats=options.repeats)
                print(json.dumps({k: round(v, 3) for k, v in row.items()}))


if __name__ == "__main__":
    main()
