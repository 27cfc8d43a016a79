"""Derivatives, batches, sharding and float32 of just-in-time matrices."""

import functools
import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _jit_oracle import dense
from jax.sharding import PartitionSpec as P

import brainfn as bf
import brainfn.event as ev

SEED, SHAPE = 77, (30, 41)
PATTERNS = {
    "rows": {"probability": 0.15},
    "columns": {"probability": 0.15, "orientation": "columns"},
    "fan_in": {"fan_in": 6},
}


def vectors(*batch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*batch, SHAPE[0])) * (rng.random((*batch, SHAPE[0])) < 0.5)
    return jnp.asarray(x), jnp.asarray(rng.normal(size=(*batch, SHAPE[1])))


def uniform(low, high, pattern, **more):
    return ev.JIT(bf.init.Uniform(low, high), shape=SHAPE, seed=SEED, **PATTERNS[pattern], **more)


@functools.cache
def oracle(pattern):
    """Synapses and z, so that W = low B + (high - low) Z."""
    b = dense(SHAPE, SEED, "homogeneous", (1.0,), **PATTERNS[pattern])
    z = dense(SHAPE, SEED, "uniform", (1.0, 1.0), **PATTERNS[pattern]) - b
    return b, z


@pytest.mark.parametrize("pattern", PATTERNS)
def test_derivatives_are_exact(pattern):
    b, z = oracle(pattern)
    x, v = vectors()
    low, high = jnp.asarray(-0.5), jnp.asarray(1.25)
    w = -0.5 * b + 1.75 * z

    def loss(low, high, x, v):
        return jnp.vdot(x @ uniform(low, high, pattern), v)

    got = jax.jit(jax.grad(loss, (0, 1, 2, 3)))(low, high, x, v)
    along_z, along_b = x @ z @ v, x @ b @ v
    for a, want in zip(got, (along_b - along_z, along_z, w @ v, x @ w), strict=True):
        # Sums of up to 200 terms of size 1 in another order.
        np.testing.assert_allclose(a, want, rtol=1e-12, atol=1e-12)

    def sine(low, high, x):
        return jnp.sum(
            jnp.sin(uniform(low, high, pattern) @ jnp.sin(x @ uniform(high, low + 4.0, pattern)))
        )

    # Central differences in float64 with a step of 1e-5: error 1e-10 relative to third derivatives.
    for i in range(2):
        step = [1e-5 * (k == i) for k in range(2)]
        up, down = (sine(low + s * step[0], high + s * step[1], x) for s in (1, -1))
        slope = jax.grad(sine, i)(low, high, x)
        np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_transpose_is_the_adjoint(pattern):
    x, v = vectors()
    matrix = ev.JIT(bf.init.Normal(0.3, 2.0), shape=SHAPE, seed=SEED, **PATTERNS[pattern])
    (pulled,) = jax.linear_transpose(lambda x: x @ matrix, x)(v)
    left = jnp.vdot(x @ matrix, v)
    for right in (jnp.vdot(x, pulled), jnp.vdot(x, matrix @ v), jnp.vdot(x, v @ matrix.T)):
        np.testing.assert_allclose(left, right, rtol=1e-12)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_need_restricts_the_spike_derivative(pattern):
    b, z = oracle(pattern)
    x, v = vectors()
    need = np.arange(SHAPE[0]) % 3 == 0

    @jax.jit
    def slopes(x, v, need):
        def product(x):
            return ev.matvec(x, uniform(-0.5, 1.25, pattern), need=need)

        _, pull = jax.vjp(product, x)
        return pull(v)[0], jax.jvp(product, (x,), (jnp.ones_like(x),))[1]

    reverse, forward = slopes(x, v, need)
    w = -0.5 * b + 1.75 * z
    np.testing.assert_allclose(reverse, np.where(need, w @ v, 0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(forward, need @ w, rtol=1e-12, atol=1e-12)
    batched, _ = jax.vmap(slopes, (None, None, 0))(x, v, np.stack([need, ~need]))
    np.testing.assert_allclose(batched[1], np.where(need, 0, w @ v), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_batches_of_everything(pattern):
    b, z = oracle(pattern)
    x, v = vectors(3)
    lows = jnp.asarray([0.0, 1.0, -2.0])

    def loss(low, x, v):
        return jnp.vdot(x @ uniform(low, 2.0, pattern), v)

    def loss_oracle(low, x, v):
        return jnp.vdot(x @ (low * b + (2.0 - low) * z), v)

    for axes in ((0, 0, 0), (None, 0, 0), (0, None, 0), (0, 0, None), (0, None, None)):
        arguments = [a if d == 0 else a[0] for a, d in zip((lows, x, v), axes, strict=True)]
        both = [
            jax.jit(jax.vmap(jax.value_and_grad(f, (0, 1, 2)), axes))(*arguments)
            for f in (loss, loss_oracle)
        ]
        for got, want in zip(*map(jax.tree.leaves, both), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)

    def nested(f):
        inner = jax.vmap(f, (None, 0, None))
        return jax.vmap(jax.vmap(inner, (None, None, 0)), (0, None, None))(lows, x, v)

    np.testing.assert_allclose(nested(loss), nested(loss_oracle), rtol=1e-11, atol=1e-11)


def test_gradient_inside_a_scan():
    """The parameters' cotangent is two numbers, whatever the size of the matrix."""
    matrix = ev.JIT(bf.init.Normal(0.1, 0.2), shape=(50, 50), seed=3, probability=0.2)
    full = dense((50, 50), 3, "homogeneous", (1.0,), probability=0.2)
    z = dense((50, 50), 3, "normal", (10.0, 1.0), probability=0.2) - 10 * full

    def run(product):
        def step(v, _):
            v = jnp.tanh(product(v)) + 0.1
            return v, jnp.sum(v)

        return jnp.sum(jax.lax.scan(step, jnp.full(50, 0.2), None, length=5)[1])

    got = eqx.filter_grad(lambda m: run(lambda v: v @ m))(matrix)
    want = jax.grad(lambda m, s: run(lambda v: v @ (m * full + s * z)), (0, 1))(0.1, 0.2)
    np.testing.assert_allclose((got.weight.mean, got.weight.std), want, rtol=1e-10)


@pytest.mark.parametrize(("pattern", "native"), [("rows", True), ("fan_in", True), ("rows", False)])
def test_each_device_makes_its_own_part(monkeypatch, pattern, native):
    if not native:
        monkeypatch.setattr("brainfn.event._prim.handler_available", lambda *args: False)
    shape, law = (24, 40), PATTERNS[pattern]
    extent = {"extent": 24} if pattern == "fan_in" else {}
    full = dense(shape, SEED, "normal", (0.0, 1.0), **law)
    mesh = jax.make_mesh((2,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    x = jnp.asarray(np.random.default_rng(0).normal(size=24))

    def part(std, x):
        i = jax.lax.axis_index("i")
        columns = ev.JIT(
            bf.init.Normal(0.0, std), shape=(24, 20), seed=SEED, origin=(0, 20 * i), **law, **extent
        )
        rows = ev.JIT(
            bf.init.Normal(0.0, std), shape=(12, 40), seed=SEED, origin=(12 * i, 0), **law, **extent
        )
        mine = jax.lax.dynamic_slice_in_dim(x, 12 * i, 12)
        return x @ columns, jax.lax.psum(mine @ rows, "i"), rows.T @ mine

    specs = {"in_specs": (P(), P()), "out_specs": (P("i"), P(), P("i"))}
    sharded = jax.jit(jax.shard_map(part, mesh=mesh, **specs))
    std = jnp.asarray(1.0)
    by_columns, by_rows, _ = sharded(std, x)
    np.testing.assert_allclose(by_columns, x @ full, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(by_rows, x @ full, rtol=1e-12, atol=1e-12)
    slope = jax.grad(lambda s: jnp.sum(sharded(s, x)[0] ** 2))(std)
    np.testing.assert_allclose(slope, 2 * np.sum((x @ full) ** 2), rtol=1e-12)


_WITHOUT_X64 = """
import sys, numpy as np, jax, jax.numpy as jnp
sys.path.insert(0, {tests!r})
from _jit_oracle import dense
import brainfn as bf
import brainfn.event as ev
from brainfn.event import _prim
assert not jax.config.jax_enable_x64
for pattern in ({{"probability": 0.1}}, {{"fan_in": 5}}):
    oracle = dense((20, 33), 5, "normal", (0.0, 1.0), **pattern)
    for native in (True, False):
        if not native:
            _prim.handler_available = lambda *args: False
        w = ev.JIT(bf.init.Normal(0.0, 1.0), shape=(20, 33), seed=5, **pattern)
        np.testing.assert_array_equal(jax.jit(lambda w: w.todense())(w), oracle.astype(np.float32))
        jax.clear_caches()
    np.testing.assert_array_equal(w.tocsr().todense(), oracle.astype(np.float32))
"""


def test_the_same_bits_without_x64():
    """The default of JAX: no 64-bit integers anywhere."""
    here = os.path.dirname(__file__)
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    code = _WITHOUT_X64.format(tests=here)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=300)


_MEMORY = """
import resource, jax, jax.numpy as jnp, numpy as np
import brainfn as bf
import brainfn.event as ev
n = 1_000_000
x = jnp.asarray(np.random.default_rng(0).random(n) < 0.001)
small = ev.JIT(bf.init.Normal(0.0, 1.0), shape=(1000, 1000), seed=1, probability=0.001)
w = ev.JIT(bf.init.Normal(0.0, 1.0), shape=(n, n), seed=1, probability=0.001)
product = jax.jit(lambda x, w: x @ w)
jax.block_until_ready(product(x[:1000], small))
compiled = product.lower(x, w).compile()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
y = jax.block_until_ready(compiled(x, w))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert y.shape == (n,)
print((after - before) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts in other units elsewhere")
def test_a_billion_synapses_need_no_memory():
    """10^6 x 10^6 at p = 0.001: the result is 4 MB (float32), the spikes 1 MB."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    out = subprocess.run(
        [sys.executable, "-c", _MEMORY],
        check=True,
        env=environment,
        timeout=300,
        capture_output=True,
    )
    assert float(out.stdout) < 50
