"""Sparse products: microseconds per call of brainfn beside other libraries.

    python tests/benchmarks/operators.py --output operators.json
    python tests/benchmarks/operators.py --libraries brainevent          # where that is installed

All JAX libraries run the same loop: one compiled `lax.scan` over a pool of spike vectors, so that
neither dispatch nor caching of one vector counts. SciPy is called from Python. A library that
cannot be imported is left out. Times are wall times of the fastest and the median repetition;
`processor` is the processor time of the process per call, all threads together.
"""

import argparse
import json
import sys

import numpy as np
from _products import POOL, about, measure, scanned, vectors


def structure(n, fan_out, seed=0):
    """Fixed fan-out, columns ascending in each row."""
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, n, size=(n, fan_out), dtype=np.int32)
    indices.sort(axis=1)
    return indices.reshape(-1), np.arange(0, n * fan_out + 1, fan_out, dtype=np.int32)


def brainfn(indices, indptr, n, weights, pool, case):
    import jax.numpy as jnp

    import brainfn.event as ev

    matrix = ev.CSR(jnp.asarray(weights), indices, indptr, shape=(n, n))
    if case == "W @ x":
        return scanned(lambda w, x: w @ x, matrix, pool)
    if case.startswith("backward"):
        return backward(ev, matrix, pool, event_driven=case == "backward, event-driven")
    return scanned(lambda w, x: x @ w, matrix, pool)


def backward(ev, matrix, pool, event_driven):
    """The gradient through a scan of products, in weights and spikes; forward pass included.

    Event-driven: only rows that spiked get a weight gradient, only rows in `need` a spike gradient.
    """
    import jax
    import jax.numpy as jnp

    if not event_driven:
        pool = pool + np.float32(1e-3)

    def loss(data, gain, pool):
        w = ev.CSR(data, matrix.indices, matrix.indptr, shape=matrix.shape)

        def step(total, x):
            need = x != 0 if event_driven else None
            return total + jnp.tanh(ev.matvec(gain * x, w, need=need)), None

        total, _ = jax.lax.scan(step, jnp.zeros(matrix.shape[1], matrix.dtype), pool)
        return jnp.sum(total)

    grad = jax.jit(jax.grad(loss, (0, 1)))
    gain, pool = jnp.ones(matrix.shape[0], matrix.dtype), jnp.asarray(pool)
    return lambda: jax.block_until_ready(grad(matrix.data, gain, pool))


def brainevent(indices, indptr, n, weights, pool, case):
    import brainevent as be
    import jax.numpy as jnp

    weights = jnp.atleast_1d(jnp.asarray(weights))
    # Its structure must be concrete: it is closed over.
    matrix = be.CSR((weights, jnp.asarray(indices), jnp.asarray(indptr)), shape=(n, n))

    def product(_, x):
        if case == "W @ x":
            return matrix @ x
        return (be.BinaryArray(x) if pool.dtype == bool else x) @ matrix

    product((), jnp.asarray(pool[0]))  # it keeps a workspace that must not hold tracers
    return scanned(product, (), pool)


def jax_sparse(indices, indptr, n, weights, pool, case):
    import jax.numpy as jnp
    from jax.experimental import sparse

    data = jnp.broadcast_to(jnp.asarray(weights), indices.shape)
    matrix = sparse.CSR((data, jnp.asarray(indices), jnp.asarray(indptr)), shape=(n, n))
    pool = pool.astype(np.float32)
    if case == "W @ x":
        return scanned(lambda w, x: w @ x, matrix, pool)
    return scanned(lambda w, x: w.T @ x, matrix, pool)


def scipy(indices, indptr, n, weights, pool, case):
    import scipy.sparse

    data = np.broadcast_to(weights, indices.shape).astype(np.float32)
    matrix = scipy.sparse.csr_array((data, indices, indptr), shape=(n, n))
    pool = pool.astype(np.float32)

    def run():
        for x in pool:
            matrix @ x if case == "W @ x" else x @ matrix

    return run


def dense(indices, indptr, n, weights, pool, case):
    import jax.numpy as jnp

    if n > 10_000:
        raise MemoryError("a dense matrix of this size is left out")
    matrix = np.zeros((n, n), np.float32)
    np.add.at(matrix, (np.repeat(np.arange(n), np.diff(indptr)), indices), weights)
    pool = pool.astype(np.float32)
    if case == "W @ x":
        return scanned(lambda w, x: w @ x, jnp.asarray(matrix), pool)
    return scanned(lambda w, x: x @ w, jnp.asarray(matrix), pool)


LIBRARIES = {f.__name__: f for f in (brainfn, brainevent, jax_sparse, scipy, dense)}
CASES = {
    "events, scalar weight": ("bool", True),
    "events, weight per synapse": ("bool", False),
    "floats, weight per synapse": ("float", False),
    "W @ x": ("float", False),
    "backward, event-driven": ("float", False),
    "backward, every row": ("float", False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--libraries", nargs="+", default=list(LIBRARIES), choices=LIBRARIES)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--fan-out", nargs="+", type=int, default=[80])
    parser.add_argument("--activity", nargs="+", type=float, default=[0.001, 0.01, 0.1, 1.0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--output", help="a JSON file for the results")
    options = parser.parse_args()
    results = []
    for n in options.sizes:
        for fan_out in options.fan_out:
            indices, indptr = structure(n, fan_out)
            per_synapse = np.random.default_rng(2).random(n * fan_out, dtype=np.float32)
            for case in options.cases:
                kind, scalar = CASES[case]
                weights = np.float32(0.5) if scalar else per_synapse
                for activity in [1.0] if case == "W @ x" else options.activity:
                    pool = vectors(n, activity, kind)
                    for library in options.libraries:
                        if case.startswith("backward") and library != "brainfn":
                            continue
                        row = {"n": n, "fan_out": fan_out, "case": case, "activity": activity}
                        try:
                            run = LIBRARIES[library](indices, indptr, n, weights, pool, case)
                            row |= measure(run, POOL, options.seconds)
                        except (ImportError, MemoryError) as e:
                            print(f"{library}: left out ({e})", file=sys.stderr)
                            continue
                        results.append({"library": library, **row})
                        print(
                            f"{n:>8} x {fan_out:<5} {case:<27} {activity:>6.1%}  {library:<10} "
                            f"{row['fastest_us']:>10.1f} us (median {row['median_us']:.1f})",
                            flush=True,
                        )
    if options.output:
        with open(options.output, "w") as file:
            json.dump({**about(), "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
