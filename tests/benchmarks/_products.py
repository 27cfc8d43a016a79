"""What the benchmarks of products share: inputs, the compiled loop, timing, what ran where."""

import importlib.metadata
import os
import platform
import time

import numpy as np

POOL = 32


def vectors(n, activity, kind, seed=1):
    rng = np.random.default_rng(seed)
    active = rng.random((POOL, n)) < activity
    if kind == "bool":
        return active
    return (active * rng.normal(size=(POOL, n))).astype(np.float32)


def measure(call, calls, seconds):
    """Seconds per call: fastest and median repetition, and processor time."""
    call()
    times, cpu, start = [], time.process_time(), time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 3:
        t = time.perf_counter()
        call()
        times.append((time.perf_counter() - t) / calls)
    cpu = (time.process_time() - cpu) / (calls * len(times))
    return {
        "fastest_us": 1e6 * min(times),
        "median_us": 1e6 * float(np.median(times)),
        "processor_us": 1e6 * cpu,
        "repetitions": len(times),
    }


def scanned(product, data, pool):
    """A compiled loop that applies `product(data, vector)` to each vector of the pool."""
    import jax

    @jax.jit
    def run(data, pool):
        def step(total, x):
            return total + product(data, x), None

        first = jax.eval_shape(product, data, jax.ShapeDtypeStruct(pool.shape[1:], pool.dtype))
        return jax.lax.scan(step, jax.numpy.zeros(first.shape, first.dtype), pool)[0]

    pool = jax.numpy.asarray(pool)
    return lambda: jax.block_until_ready(run(data, pool))


def about():
    """Versions and machine, for the head of a results file."""
    names = ("brainfn", "brainevent", "jax", "jaxlib", "numba", "scipy", "numpy")
    installed = {d.metadata["Name"] for d in importlib.metadata.distributions()}
    return {
        "versions": {k: importlib.metadata.version(k) for k in names if k in installed},
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
    }
