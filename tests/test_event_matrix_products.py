"""Products of every format, their adjoints and their slopes, against dense NumPy."""

import functools as ft

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _event_cases import FORMATS, is_scalar
from hypothesis import given, settings
from jax.sharding import PartitionSpec as P

import brainfn.event as ev

# The same sums in another order: a few eps times the root of the number of terms.
TOLERANCE = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 1e-12}


def close(got, wanted, atol=1e-12):
    np.testing.assert_allclose(got, wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**31),
    size=st.sampled_from([(0, 3), (3, 0), (1, 1), (33, 17)]),
    scalar=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
    spikes=st.sampled_from(["none", "all", "bool", "float", "integer"]),
    batch=st.sampled_from([None, 3]),
)
def test_products_equal_dense(name, seed, size, scalar, dtype, spikes, batch):
    rng = np.random.default_rng(seed)
    case = FORMATS[name](rng, *size, is_scalar(name, scalar), dtype)
    n, m = case.shape
    wanted = case.dense()
    shape = (n,) if batch is None else (batch, n)
    x = {
        "none": np.zeros(shape, bool),
        "all": np.ones(shape, bool),
        "bool": rng.random(shape) < 0.3,
        "float": (rng.normal(size=shape) * (rng.random(shape) < 0.4)).astype(dtype),
        "integer": rng.integers(0, 3, shape),
    }[spikes]
    y = np.asarray(case.left(jnp.asarray(x), case.data))
    assert y.dtype == dtype and y.shape == (*shape[:-1], m)
    scale = 1 + np.abs(x).astype(float) @ np.abs(wanted)
    assert np.all(np.abs(y - x.astype(float) @ wanted) <= TOLERANCE[np.dtype(dtype)] * scale)
    v = rng.normal(size=(m,) if batch is None else (m, batch)).astype(dtype)
    z = np.asarray(case.right(jnp.asarray(v), case.data))
    assert z.dtype == dtype and z.shape == (n, *v.shape[1:])
    scale = 1 + np.abs(wanted) @ np.abs(v)
    assert np.all(np.abs(z - wanted @ v) <= TOLERANCE[np.dtype(dtype)] * scale)


@pytest.mark.parametrize("name", FORMATS)
def test_transposes_are_adjoint(name):
    """<A u, w> = <u, A^T w> for the three primitives and each of their operands, natively; the
    derivative is the slope of the value."""
    rng = np.random.default_rng(1)
    case = FORMATS[name](rng, 14, 9, is_scalar(name, False), np.float64)
    x, v = (jnp.asarray(rng.normal(size=k)) for k in case.shape)

    def sddmm(x, v):
        return jax.vjp(lambda d: case.left(x, d), case.data)[1](v)[0]

    operands = ((case.left, (x, case.data)), (case.right, (v, case.data)), (sddmm, (x, v)))
    for f, args in operands:
        for i in range(2):
            linear = ft.partial(lambda f, i, args, u: f(*args[:i], u, *args[i + 1 :]), f, i, args)
            u = jnp.asarray(rng.normal(size=args[i].shape))
            out = linear(u)
            w = jnp.asarray(rng.normal(size=out.shape))
            (back,) = jax.linear_transpose(linear, u)(w)
            np.testing.assert_allclose(jnp.sum(out * w), jnp.sum(u * back), rtol=1e-12, atol=1e-12)

    def loss(x, data):
        return jnp.sum(jnp.sin(case.left(x, data)))

    dx, dd = rng.normal(size=x.shape), rng.normal(size=case.data.shape)
    gx, gd = jax.grad(loss, (0, 1))(x, case.data)
    step = 1e-6
    ends = [loss(x + e * dx, case.data + e * dd) for e in (step, -step)]
    np.testing.assert_allclose(
        (ends[0] - ends[1]) / (2 * step), jnp.vdot(gx, dx) + jnp.sum(gd * dd), rtol=1e-6
    )


@pytest.mark.parametrize("name", FORMATS)
def test_shard_map_over_the_batch(name):
    mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    rng = np.random.default_rng(2)
    case = FORMATS[name](rng, 10, 8, is_scalar(name, False), np.float64)
    n, m = case.shape
    x, ct = jnp.asarray(rng.normal(size=(4, n))), jnp.asarray(rng.normal(size=(4, m)))

    def total(data, x, ct):
        return jax.lax.psum(jnp.sum(ct * case.left(x, data)), "d")

    sharded = jax.shard_map(total, mesh=mesh, in_specs=(P(), P("d"), P("d")), out_specs=P())
    gd, gx = jax.jit(jax.grad(sharded, (0, 1)))(case.data, x, ct)
    close(gd, case.weight_gradient(x, ct))
    close(gx, np.asarray(ct) @ case.dense().T)


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, jnp.float16, jnp.bfloat16])
def test_rows_of_every_length(dtype, scalar):
    """Vector instructions take the elements of a row in portions: every remainder occurs."""
    rng = np.random.default_rng(3)
    n, m = 70, 90
    rows = np.repeat(np.arange(n), np.arange(n))
    cols = rng.integers(0, m, rows.size)
    exact = np.asarray(rng.normal(size=() if scalar else rows.size)).astype(dtype)
    matrix = ev.CSR.fromcoo(jnp.asarray(exact), rows, cols, shape=(n, m))
    dense = np.zeros((n, m))
    np.add.at(dense, (rows, cols), exact.astype(np.float64))
    vector = np.float64 if dtype == np.float64 else np.float32
    v = rng.normal(size=m).astype(vector)
    tolerance = TOLERANCE[np.dtype(vector)] * (1 + np.abs(dense) @ np.abs(v))
    assert np.all(np.abs(np.asarray(matrix @ v) - dense @ v) <= tolerance)
    need = rng.random(n) < 0.5
    x = jnp.zeros(n, vector)
    (grad,) = jax.vjp(lambda x: ev.matvec(x, matrix, need=need), x)[1](jnp.asarray(v))
    assert np.all(np.abs(np.asarray(grad) - np.where(need, dense @ v, 0)) <= tolerance)
    whole = ev.Dense(jnp.asarray(dense.astype(dtype)))
    spikes = rng.random(n) < 0.5
    wanted = spikes @ np.asarray(whole.data, np.float64)
    tolerance = TOLERANCE[np.dtype(vector)] * (1 + spikes @ np.abs(dense))
    assert np.all(np.abs(np.asarray(spikes @ whole) - wanted) <= tolerance)
