"""What can only be seen on a GPU, in one command: results, CUDA graphs, order, times.

    python tests/benchmarks/gpu_check.py --output gpu.json

Runs every operator of `brainfn.event` on JAX's default device and compares with NumPy in float64;
runs a network loop with and without CUDA graphs; checks that `BRAINFN_DETERMINISTIC=1` gives the
same bits each time; times the operators. Prints JSON and ends with status 1 where a check fails.
It builds nothing: `kernels` in the output says whether brainfn was installed with CUDA kernels.
On a machine without GPU it runs on the CPU, which checks this script.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import brainfn as bf
import brainfn.event as ev

GRAPHS = "--xla_gpu_graph_min_graph_size=1 --xla_gpu_enable_command_buffer="


def matrices(rng, n_rows, n_cols, dtype):
    """Each format with the dense matrix that it stands for."""
    where = rng.random((n_rows, n_cols)) < 0.1
    full = (rng.standard_normal((n_rows, n_cols)) * where).astype(dtype)
    stored = ev.CSR.fromdense(full)
    fan = np.sort(rng.integers(0, n_cols, (n_rows, 20)), axis=1)
    fan_weights = rng.standard_normal(fan.shape).astype(dtype)
    fan_full = np.zeros((n_rows, n_cols))
    np.add.at(fan_full, (np.arange(n_rows)[:, None], fan), fan_weights)
    diagonal = rng.standard_normal(n_rows).astype(dtype)
    half = stored.data.astype(jnp.bfloat16 if dtype == np.float32 else dtype)
    rounded = np.zeros_like(full)
    rounded[where] = np.asarray(half.astype(dtype))
    out = {
        "csr": (stored, full),
        "csr, one weight": (
            ev.CSR(dtype(0.5), stored.indices, stored.indptr, shape=full.shape),
            0.5 * where,
        ),
        "csr, bfloat16": (ev.CSR(half, stored.indices, stored.indptr, shape=full.shape), rounded),
        "csc": (stored.tocsc(), full),
        "dense": (ev.Dense(full), full),
        "fan-out": (ev.FixedFanout(fan_weights, fan.astype(np.int32), shape=full.shape), fan_full),
        "one-to-one": (ev.OneToOne(diagonal), np.diag(diagonal)),
    }
    common = {"shape": (n_rows, n_cols), "seed": 3}
    made = {
        "just in time, homogeneous": ev.JIT(dtype(0.5), probability=0.1, **common),
        "just in time, uniform, by columns": ev.JIT(
            bf.init.Uniform(jnp.asarray(-1.0, dtype), jnp.asarray(1.0, dtype)),
            probability=0.03,
            orientation="columns",
            **common,
        ),
        "just in time, normal": ev.JIT(
            bf.init.Normal(jnp.asarray(0.0, dtype), jnp.asarray(1.0, dtype)), fan_out=30, **common
        ),
    }
    return out | {name: (w, _host(w.tocsr())) for name, w in made.items()}


def _host(csr):
    """A CSR matrix as NumPy has it, made on the host."""
    indptr, cols = np.asarray(csr.indptr), np.asarray(csr.indices)
    rows = np.repeat(np.arange(csr.shape[0]), np.diff(indptr))
    out = np.zeros(csr.shape)
    np.add.at(out, (rows, cols), np.broadcast_to(np.asarray(csr.data, np.float64), cols.shape))
    return out


def worst(got, expected, size):
    """The largest error, relative to the magnitudes that were added."""
    error = np.abs(np.asarray(got, np.float64) - expected)
    return float(np.max(error / (size + 1e-30 + np.max(size) * 1e-3)))


def check_products(results, dtype, tolerance):
    rng = np.random.default_rng(0)
    for name, (w, full) in matrices(rng, 700, 900, dtype).items():
        n_rows, n_cols = full.shape
        x = (rng.standard_normal((4, n_rows)) * (rng.random((4, n_rows)) < 0.3)).astype(dtype)
        v = rng.standard_normal((4, n_cols)).astype(dtype)
        left = jax.jit(jax.vmap(lambda x, w=w: x @ w))
        found = {
            "x @ W": worst(left(x), x @ full, np.abs(x) @ np.abs(full)),
            "bool @ W": worst(left(x != 0), (x != 0) @ full, (x != 0) @ np.abs(full)),
            "W @ v": worst(
                jax.jit(lambda v, w=w: w @ v)(v[0]), full @ v[0], np.abs(full @ v[0]) + 1
            ),
        }
        pull_x, pull_w = jax.jit(
            lambda x, v, w=w: jax.vjp(lambda x, w: jax.vmap(lambda x: x @ w)(x), x, w)[1](v)
        )(x, v)
        found["gradient, x"] = worst(pull_x, v @ full.T, np.abs(v) @ np.abs(full.T))
        if name == "csr":
            rows, cols = np.nonzero(full)
            expected = np.einsum("bk,bk->k", x[:, rows], v[:, cols])
            found["gradient, W"] = worst(pull_w.data, expected, np.abs(expected) + 1)
        results[f"{name}, {np.dtype(dtype).name}"] = {
            "worst": found,
            "ok": all(error < tolerance for error in found.values()),
        }


def check_rest(results, dtype, tolerance):
    """Ring buffers and plasticity."""
    rng = np.random.default_rng(1)
    where = rng.random((300, 400)) < 0.1
    full = (rng.random((300, 400)) * where).astype(dtype)
    w = ev.CSR.fromdense(full)
    delays = rng.integers(1, 8, w.nnz)
    spikes = rng.random(300) < 0.2
    delayed = ev.Delayed(w, delays)
    ring = jax.jit(lambda r, s, now: ev.delayed_matvec(r, s, delayed, now))(
        delayed.ring(), spikes, 5
    )
    rows, cols = np.nonzero(full)
    expected = np.zeros(ring.shape)
    np.add.at(expected, ((5 + delays) % ring.shape[0], cols), spikes[rows] * full[rows, cols])
    error = worst(ring, expected, np.abs(expected) + 1)
    results[f"delayed, {np.dtype(dtype).name}"] = {"worst": error, "ok": error < tolerance}
    post, index = rng.random(400) < 0.2, w.column_index()
    new = jax.jit(
        lambda w, a, b: ev.on_post(
            ev.on_pre(w, a, 0.1, factor=-0.2, upper=1.0), b, 0.05, columns=index, lower=0.0
        )
    )(w, spikes, post)
    m = np.where(where & spikes[:, None], np.minimum(full + 0.1 - 0.2 * full, 1.0), full)
    m = np.where(where & post, np.maximum(m + 0.05, 0.0), m)
    error = worst(new.data, m[rows, cols], np.ones(rows.size))
    results[f"updates, {np.dtype(dtype).name}"] = {"worst": error, "ok": error < tolerance}


def loop(n=20000, fan_out=100, steps=400):
    """A network of leaky neurons in a scan, with a gradient: its spikes and the gradient's bits."""
    rng = np.random.default_rng(2)
    indices = np.sort(rng.integers(0, n, (n, fan_out)), axis=1).astype(np.int32)
    data = jnp.asarray(rng.standard_normal(indices.shape), jnp.float32) * 0.3
    drive = jnp.asarray(rng.random(n), jnp.float32) * 0.3

    def total(data):
        w = ev.FixedFanout(data, indices, shape=(n, n))

        def step(state, _):
            v, s = state
            v = 0.9 * v * (1 - s) + drive + s @ w
            hard = (v > 1).astype(v.dtype)
            soft = jax.nn.sigmoid(4 * (v - 1))
            s = soft + jax.lax.stop_gradient(hard - soft)
            return (v, s), jnp.sum(s)

        start = (jnp.zeros(n, jnp.float32), jnp.zeros(n, jnp.float32))
        _, counts = jax.lax.scan(step, start, None, length=steps)
        return jnp.sum(counts)

    compiled = jax.jit(jax.value_and_grad(total)).lower(data).compile()
    times, bits = [], set()
    for _ in range(4):
        begin = time.perf_counter()
        count, gradient = jax.block_until_ready(compiled(data))
        times.append(time.perf_counter() - begin)
        bits.add((np.asarray(count).tobytes(), np.asarray(gradient).tobytes()))
    return {
        "spikes": float(count),
        "different bits in 4 runs": len(bits),
        "ms": round(1e3 * statistics.median(times[1:]), 3),
    }


def in_child(**environment):
    """The loop in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--loop"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"error": done.stderr[-2000:], "different bits in 4 runs": -1}
    return json.loads(done.stdout.splitlines()[-1])


def times(n=100_000, calls=200):
    """Microseconds for a product, in a scan over vectors, so that launches alone do not count."""
    out = {}
    rng = np.random.default_rng(4)
    for fan_out in (80, 1000):
        indices = np.sort(rng.integers(0, n, (n, fan_out), dtype=np.int32), axis=1)
        indptr = np.arange(n + 1, dtype=np.int32) * fan_out
        weights = jnp.asarray(rng.random(indices.size), jnp.float32)
        csr = ev.CSR(weights, indices.reshape(-1), indptr, shape=(n, n))
        one = ev.CSR(jnp.float32(0.5), csr.indices, csr.indptr, shape=(n, n))
        jit = ev.JIT(jnp.float32(0.5), shape=(n, n), probability=fan_out / n, seed=1)
        for name, w in (("csr", csr), ("csr, one weight", one), ("just in time", jit)):
            for activity in (0.001, 0.01, 0.1, 1.0):
                xs = jnp.asarray(rng.random((8, n)) < activity)

                @jax.jit
                def many(y, xs=xs, w=w):
                    def step(y, i):
                        return y * 0.5 + xs[i % 8] @ w, None

                    return jax.lax.scan(step, y, jnp.arange(calls))[0]

                jax.block_until_ready(many(jnp.zeros(n, jnp.float32)))
                begin = time.perf_counter()
                jax.block_until_ready(many(jnp.zeros(n, jnp.float32)))
                microseconds = (time.perf_counter() - begin) / calls * 1e6
                out[f"{name}, fan-out {fan_out}, activity {activity}"] = round(microseconds, 2)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="a file for the JSON as well")
    parser.add_argument("--loop", action="store_true", help="only the loop, in this process")
    parser.add_argument("--quick", action="store_true", help="no times")
    args = parser.parse_args()
    if args.loop:
        print(json.dumps(loop()))
        return 0
    jax.config.update("jax_enable_x64", True)
    on_gpu = jax.default_backend() == "gpu"
    checks: dict = {}
    for dtype, tolerance in ((np.float32, 2e-5), (np.float64, 1e-12)):
        check_products(checks, dtype, tolerance)
        check_rest(checks, dtype, tolerance)
    plain = in_child()
    graphs = in_child(XLA_FLAGS=GRAPHS + "FUSION,CUSTOM_CALL")
    whole = in_child(XLA_FLAGS=GRAPHS + "FUSION,CUSTOM_CALL,CONDITIONAL,WHILE")
    without = in_child(XLA_FLAGS=GRAPHS)
    ordered = in_child(BRAINFN_DETERMINISTIC="1", XLA_FLAGS="--xla_gpu_deterministic_ops=true")
    report = {
        "device": str(jax.devices()[0].device_kind),
        "jax": jax.__version__,
        "kernels": ev.kernels("cuda" if on_gpu else "cpu"),
        "checks": checks,
        "loop": plain,
        "loop, each step as graphs": graphs,
        "loop, the whole scan as a graph": whole,
        "loop, no graphs": without,
        "loop, deterministic": ordered,
        "microseconds": {} if args.quick else times(),
    }
    report["ok"] = (
        all(c["ok"] for c in checks.values())
        and ordered["different bits in 4 runs"] == 1
        and all("error" not in x for x in (plain, graphs, without))
    )
    text = json.dumps(report, indent=1)
    print(text)
    if args.output:
        with open(args.output, "w") as file:
            file.write(text)
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
