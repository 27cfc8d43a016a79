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
    if case in FORMATS:
        return other_format(ev, matrix, pool, case)
    if case.startswith("backward"):
        return backward(ev, matrix, pool, event_driven=case == "backward, event-driven")
    return scanned(lambda w, x: x @ w, matrix, pool)


FORMATS = (
    "events, fixed fan-in",
    "events, bfloat16 weights",
    "events, delays of 1-19 steps",
    "on_pre, soft bound",
    "on_post, soft bound",
)


def other_format(ev, matrix, pool, case):
    """The same connectivity stored or used in other ways; plasticity changes it in place."""
    import jax
    import jax.numpy as jnp

    n = matrix.shape[0]
    pool = jnp.asarray(pool)
    if case == "events, fixed fan-in":
        by_columns = ev.FixedFanin(
            matrix.data.reshape(n, -1), matrix.indices.reshape(n, -1), shape=(n, n)
        )
        return scanned(lambda w, x: x @ w, by_columns, pool)
    if case == "events, bfloat16 weights":
        half = ev.CSR(
            matrix.data.astype(jnp.bfloat16), matrix.indices, matrix.indptr, shape=matrix.shape
        )
        return scanned(lambda w, x: x @ w, half, pool)
    if case == "events, delays of 1-19 steps":
        delays = np.random.default_rng(3).integers(1, 20, matrix.nnz)
        delayed = ev.Delayed(matrix, delays)

        @jax.jit
        def run(delayed, ring, pool):
            def step(ring, n_and_x):
                arrived, ring = ev.arrivals(ring, n_and_x[0])
                return ev.delayed_matvec(ring, n_and_x[1], delayed, n_and_x[0]), arrived[0]

            steps = jnp.arange(pool.shape[0], dtype=jnp.int32)
            return jax.lax.scan(step, ring, (steps, pool))

        return lambda: jax.block_until_ready(run(delayed, delayed.ring(), pool))
    columns = matrix.column_index()
    rule = {"factor": -0.1, "lower": 0.0, "upper": 1.0}

    @jax.jit
    def learn(matrix, columns, pool):
        def step(matrix, x):
            if case == "on_pre, soft bound":
                return ev.on_pre(matrix, x, 0.1, **rule), None
            return ev.on_post(matrix, x, 0.1, columns=columns, **rule), None

        return jax.lax.scan(step, matrix, pool)[0].data

    return lambda: jax.block_until_ready(learn(matrix, columns, pool))


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
    **dict.fromkeys(FORMATS, ("bool", False)),
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
                        if library != "brainfn" and (case in FORMATS or "backward" in case):
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
