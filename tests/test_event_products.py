"""Sparse products against dense NumPy, through every transformation."""

import functools as ft
import os
import subprocess
import sys

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from jax.sharding import PartitionSpec as P

import brainfn.event as ev
from brainfn.event import _prim

# The same sums in another order: a few eps times the root of the number of terms.
TOLERANCE = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 1e-12}


def random_structure(rng, n_rows, n_cols, fan_out, empty=0.2):
    """Rows of random length with repeated columns (multapses); some rows are empty."""
    lengths = rng.integers(0, 2 * fan_out + 1, n_rows) * (rng.random(n_rows) >= empty)
    lengths = lengths * (n_cols > 0)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    rows = [np.sort(rng.integers(0, max(n_cols, 1), n)) for n in lengths]
    indices = np.concatenate([np.zeros(0, np.int64), *rows]).astype(np.int32)
    return indices, indptr


def dense_of(data, indices, indptr, shape):
    """The dense matrix, by NumPy."""
    out = np.zeros(shape, np.asarray(data).dtype)
    rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
    np.add.at(out, (rows, indices), data)
    return out


def weights(rng, indices, homogeneous, dtype=np.float64):
    return dtype(0.7) if homogeneous else rng.normal(size=indices.shape).astype(dtype)


def problem(seed=0, n_rows=13, n_cols=17, fan_out=3, homogeneous=False, dtype=np.float64):
    rng = np.random.default_rng(seed)
    indices, indptr = random_structure(rng, n_rows, n_cols, fan_out)
    data = weights(rng, indices, homogeneous, dtype)
    return rng, ev.CSR(jnp.asarray(data), indices, indptr, shape=(n_rows, n_cols))


def dense(matrix):
    return dense_of(
        np.asarray(matrix.data), np.asarray(matrix.indices), np.asarray(matrix.indptr), matrix.shape
    )


def with_data(matrix, data):
    return ev.CSR(data, matrix.indices, matrix.indptr, shape=matrix.shape)


def coordinates(matrix):
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return rows, np.asarray(matrix.indices)


SIZES = st.sampled_from([0, 1, 2, 3, 7, 31, 32, 33, 129])


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    n_rows=SIZES,
    n_cols=SIZES,
    homogeneous=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
    spikes=st.sampled_from(["none", "all", "bool", "float", "sparse"]),
    batch=st.sampled_from([None, 0, 1, 3]),
)
def test_products_equal_dense(seed, n_rows, n_cols, homogeneous, dtype, spikes, batch):
    rng = np.random.default_rng(seed)
    indices, indptr = random_structure(rng, n_rows, n_cols, 3)
    data = weights(rng, indices, homogeneous, dtype)
    matrix = ev.CSR(jnp.asarray(data), indices, indptr, shape=(n_rows, n_cols))
    wanted = dense_of(data, indices, indptr, (n_rows, n_cols))
    np.testing.assert_allclose(
        matrix.todense(), wanted, atol=1e-5 if dtype == np.float32 else 1e-13
    )
    shape = (n_rows,) if batch is None else (batch, n_rows)
    x = {
        "none": np.zeros(shape, bool),
        "all": np.ones(shape, bool),
        "bool": rng.random(shape) < 0.3,
        "float": rng.normal(size=shape).astype(dtype),
        "sparse": (rng.normal(size=shape) * (rng.random(shape) < 0.2)).astype(dtype),
    }[spikes]
    scale = 1 + np.abs(x).astype(dtype) @ np.abs(wanted)
    y = x @ matrix
    assert y.dtype == dtype
    assert np.all(np.abs(y - x.astype(dtype) @ wanted) <= TOLERANCE[np.dtype(dtype)] * scale)
    v = rng.normal(size=(n_cols,) if batch is None else (n_cols, batch)).astype(dtype)
    z = matrix @ v
    assert z.dtype == dtype
    scale = 1 + np.abs(wanted) @ np.abs(v)
    assert np.all(np.abs(z - wanted @ v) <= TOLERANCE[np.dtype(dtype)] * scale)


@pytest.mark.parametrize("homogeneous", [False, True])
@pytest.mark.parametrize("kind", [bool, np.float32, np.float64])
def test_native_equals_reference(monkeypatch, homogeneous, kind):
    dtype = np.float64 if kind is bool else kind
    rng, matrix = problem(1, 70, 90, 8, homogeneous, dtype)
    x = rng.normal(size=70) * (rng.random(70) < 0.4)
    x = jnp.asarray(x != 0 if kind is bool else x.astype(dtype))
    v = jnp.asarray(rng.normal(size=90).astype(dtype))

    def all_three(x, v, matrix):
        y, pullback = jax.vjp(lambda data: x @ with_data(matrix, data), matrix.data)
        return y, matrix @ v, pullback(v)[0]

    native = jax.jit(lambda *a: all_three(*a))(x, v, matrix)
    text = jax.jit(lambda *a: all_three(*a)).lower(x, v, matrix).as_text()
    assert ("brainfn_scatter" in text) == (ev.kernels()["scatter"] != "reference")
    monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    lowered = jax.jit(lambda *a: all_three(*a)).lower(x, v, matrix)
    assert "brainfn_" not in lowered.as_text()
    for a, b in zip(native, lowered.compile()(x, v, matrix), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=30 * TOLERANCE[np.dtype(dtype)])


def test_integer_vectors_count():
    rng, matrix = problem(2)
    x = rng.integers(0, 3, 13)
    np.testing.assert_allclose(x @ matrix, x @ dense(matrix), atol=1e-12)
    np.testing.assert_allclose(
        matrix @ (np.arange(17) > 8), dense(matrix) @ (np.arange(17) > 8), atol=1e-12
    )


def test_numpy_and_jax_on_the_left():
    rng, matrix = problem(3)
    x = rng.normal(size=13)
    for left in (x, jnp.asarray(x)):
        y = left @ matrix
        assert isinstance(y, jax.Array)
        np.testing.assert_allclose(y, x @ dense(matrix), atol=1e-12)


@pytest.mark.parametrize("homogeneous", [False, True])
def test_vmap_equals_loop(homogeneous):
    rng, matrix = problem(4, homogeneous=homogeneous)
    x, v = jnp.asarray(rng.normal(size=(5, 13))), jnp.asarray(rng.normal(size=(5, 17)))
    scale = jnp.asarray(rng.normal(size=5))
    data = jax.vmap(lambda s: s * matrix.data)(scale)
    d = dense(matrix)

    def left(x, data):
        return x @ with_data(matrix, data)

    def right(v, data):
        return with_data(matrix, data) @ v

    for spikes in (x, x > 0):
        s = np.asarray(spikes).astype(float)
        np.testing.assert_allclose(
            jax.vmap(left, (0, None))(spikes, matrix.data), s @ d, atol=1e-12
        )
        np.testing.assert_allclose(
            jax.vmap(left, (1, None))(spikes.T, matrix.data), s @ d, atol=1e-12
        )
        np.testing.assert_allclose(
            jax.vmap(left, (None, 0))(spikes[0], data),
            scale[:, None] * (s[0] @ d)[None],
            atol=1e-12,
        )
        np.testing.assert_allclose(
            jax.jit(jax.vmap(left))(spikes, data), scale[:, None] * (s @ d), atol=1e-12
        )
    np.testing.assert_allclose(jax.vmap(right, (0, None))(v, matrix.data), v @ d.T, atol=1e-12)
    np.testing.assert_allclose(jax.vmap(right)(v, data), scale[:, None] * (v @ d.T), atol=1e-12)


def test_nested_vmap_folds_without_copies():
    rng, matrix = problem(5)
    x = jnp.asarray(rng.normal(size=(4, 13)))
    data = jnp.asarray(rng.normal(size=(3, matrix.nnz)))

    def product(x, data):
        return x @ with_data(matrix, data)

    both = jax.vmap(jax.vmap(product, (0, None)), (None, 0))
    wanted = np.stack([np.asarray(x) @ dense(with_data(matrix, d)) for d in data])
    np.testing.assert_allclose(both(x, data), wanted, atol=1e-12)
    np.testing.assert_allclose(
        jax.vmap(jax.vmap(product, (None, 0)), (0, None), out_axes=1)(x, data), wanted, atol=1e-12
    )
    # Neither spikes nor weights nor the structure are widened: operands keep their own size.
    jaxpr = jax.make_jaxpr(both)(x, data).jaxpr
    (call,) = [e for e in jaxpr.eqns if e.primitive.name == "event_scatter"]
    shapes = [v.aval.shape for v in call.invars]
    assert shapes == [(4, 13), (3, 4, 17), (3, matrix.nnz), (matrix.nnz,), (14,)]


def test_batched_structure_loops():
    rng = np.random.default_rng(6)
    rows = np.stack([np.sort(rng.integers(0, 9, (6, 4)), axis=1).reshape(-1) for _ in range(3)])
    indptr = jnp.arange(0, 25, 4, dtype=jnp.int32)
    x = jnp.asarray(rng.normal(size=(3, 6)))

    def product(x, indices):
        return x @ ev.CSR(jnp.float64(0.5), indices, indptr, shape=(6, 9))

    out = jax.vmap(product)(x, jnp.asarray(rows, jnp.int32))
    for i in range(3):
        d = dense_of(np.full(24, 0.5), rows[i], np.asarray(indptr), (6, 9))
        np.testing.assert_allclose(out[i], x[i] @ d, atol=1e-12)


@pytest.mark.parametrize("homogeneous", [False, True])
def test_gradients_equal_formulas(homogeneous):
    rng, matrix = problem(7, homogeneous=homogeneous)
    x, ct = jnp.asarray(rng.normal(size=13)), jnp.asarray(rng.normal(size=17))
    rows, cols = coordinates(matrix)

    def left(x, data):
        return jnp.vdot(ct, x @ with_data(matrix, data))

    def right(x, data):
        return jnp.vdot(x, with_data(matrix, data) @ ct)

    per_synapse = np.asarray(x)[rows] * np.asarray(ct)[cols]
    wanted = per_synapse.sum() if homogeneous else per_synapse
    for f in (left, right):
        for g in (jax.grad(f, (0, 1)), jax.jit(jax.grad(f, (0, 1)))):
            gx, gd = g(x, matrix.data)
            np.testing.assert_allclose(gx, dense(matrix) @ ct, atol=1e-12)
            np.testing.assert_allclose(gd, wanted, atol=1e-12)
        # Forward over reverse and reverse over forward agree, and the mixed derivative is exact.
        hessian = jax.jacfwd(jax.grad(f, 1), 1)(x, matrix.data)
        np.testing.assert_allclose(hessian, np.zeros_like(hessian), atol=1e-12)
        mixed = jax.jacfwd(jax.grad(f, 1), 0)(x, matrix.data)
        np.testing.assert_allclose(
            mixed, jnp.moveaxis(jax.jacrev(jax.grad(f, 0), 1)(x, matrix.data), 0, -1), atol=1e-12
        )
        eps = 1e-6
        dx, dd = rng.normal(size=13), rng.normal(size=matrix.data.shape)
        _, tangent = jax.jvp(f, (x, matrix.data), (jnp.asarray(dx), jnp.asarray(dd)))
        ends = [f(x + e * dx, matrix.data + e * dd) for e in (eps, -eps)]
        np.testing.assert_allclose(tangent, (ends[0] - ends[1]) / (2 * eps), rtol=1e-6)
        np.testing.assert_allclose(tangent, jnp.vdot(gx, dx) + jnp.sum(gd * dd), rtol=1e-12)


def test_bool_spikes_have_no_tangent():
    rng, matrix = problem(8)
    s, ct = jnp.asarray(rng.random(13) < 0.4), jnp.asarray(rng.normal(size=17))
    rows, cols = coordinates(matrix)

    def f(data):
        return jnp.vdot(ct, s @ with_data(matrix, data))

    np.testing.assert_allclose(
        jax.grad(f)(matrix.data), np.asarray(s)[rows] * np.asarray(ct)[cols], atol=1e-12
    )
    _, tangent = jax.jvp(
        lambda s, d: s @ with_data(matrix, d),
        (s, matrix.data),
        (np.zeros(13, jax.dtypes.float0), jnp.ones_like(matrix.data)),
    )
    np.testing.assert_allclose(
        tangent, np.asarray(s) @ dense(with_data(matrix, jnp.ones(matrix.nnz))), atol=1e-12
    )


@pytest.mark.parametrize("homogeneous", [False, True])
def test_vmap_of_grad_and_grad_of_vmap(homogeneous):
    rng, matrix = problem(9, homogeneous=homogeneous)
    x, ct = jnp.asarray(rng.normal(size=(5, 13))), jnp.asarray(rng.normal(size=(5, 17)))
    rows, cols = coordinates(matrix)

    def loss(x, ct, data):
        return jnp.vdot(ct, jnp.tanh(x @ with_data(matrix, data)))

    each = jax.vmap(jax.grad(loss, (0, 2)), (0, 0, None))(x, ct, matrix.data)
    slope = np.asarray(ct) * (1 - np.tanh(np.asarray(x) @ dense(matrix)) ** 2)
    per_synapse = np.asarray(x)[:, rows] * slope[:, cols]
    wanted = per_synapse.sum(-1) if homogeneous else per_synapse
    np.testing.assert_allclose(each[0], slope @ dense(matrix).T, atol=1e-12)
    np.testing.assert_allclose(each[1], wanted, atol=1e-12)
    total = jax.jit(jax.grad(lambda data: jnp.sum(jax.vmap(loss, (0, 0, None))(x, ct, data))))(
        matrix.data
    )
    np.testing.assert_allclose(total, wanted.sum(0), atol=1e-12)
    # The sum over the batch happens inside the kernel: nothing of size batch x nnz exists.
    jaxpr = jax.make_jaxpr(
        jax.grad(lambda data: jnp.sum(jax.vmap(loss, (0, 0, None))(x, ct, data)))
    )(matrix.data)
    assert f"{5},{matrix.nnz}]" not in str(jaxpr)


@settings(max_examples=4)
@given(seed=st.integers(0, 2**31), homogeneous=st.booleans())
def test_transposes_are_adjoint(seed, homogeneous):
    """<A u, w> = <u, A^T w> for each of the three primitives and each of its operands."""
    rng, matrix = problem(seed, 11, 14, 4, homogeneous)
    x, v = jnp.asarray(rng.normal(size=11)), jnp.asarray(rng.normal(size=14))

    def scatter(x, data):
        return x @ with_data(matrix, data)

    def gather(v, data):
        return with_data(matrix, data) @ v

    def sddmm(x, v):
        return jax.vjp(lambda d: x @ with_data(matrix, d), matrix.data)[1](v)[0]

    for f, args in (
        (scatter, (x, matrix.data)),
        (gather, (v, matrix.data)),
        (sddmm, (x, v)),
    ):
        for i in range(2):
            linear = ft.partial(lambda f, i, args, u: f(*args[:i], u, *args[i + 1 :]), f, i, args)
            u = jnp.asarray(rng.normal(size=args[i].shape))
            out = linear(u)
            w = jnp.asarray(rng.normal(size=out.shape))
            (back,) = jax.linear_transpose(linear, u)(w)
            np.testing.assert_allclose(jnp.sum(out * w), jnp.sum(u * back), rtol=1e-12, atol=1e-12)


def test_reverse_mode_through_scan():
    rng, matrix = problem(10, 12, 12)
    y0 = jnp.asarray(rng.normal(size=12))

    def step(y, data):
        (y,) = ev.block_matvec((0.5 * y,), (jnp.tanh(y),), (ev.Block(with_data(matrix, data)),))
        return y

    def looped(data, y):
        return jnp.sum(jax.lax.scan(lambda y, _: (step(y, data), None), y, None, length=6)[0] ** 2)

    def unrolled(data, y):
        for _ in range(6):
            y = step(y, data)
        return jnp.sum(y**2)

    got = jax.grad(looped, (0, 1))(matrix.data, y0)
    for a, b in zip(got, jax.grad(unrolled, (0, 1))(matrix.data, y0), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    direction, eps = jnp.asarray(rng.normal(size=matrix.nnz)), 1e-6
    ends = [looped(matrix.data + e * direction, y0) for e in (eps, -eps)]
    np.testing.assert_allclose(
        jnp.vdot(got[0], direction), (ends[0] - ends[1]) / (2 * eps), rtol=1e-6
    )
    remat = jax.grad(
        lambda d: jnp.sum(
            jax.lax.scan(jax.checkpoint(lambda y, _: (step(y, d), None)), y0, None, length=6)[0]
            ** 2
        )
    )(matrix.data)
    np.testing.assert_allclose(remat, got[0], rtol=1e-12)


def test_shard_map_over_batch_and_over_columns():
    mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    rng, matrix = problem(11, 10, 8)
    x, ct = jnp.asarray(rng.normal(size=(6, 10))), jnp.asarray(rng.normal(size=(6, 8)))
    d = dense(matrix)

    def loss(data, x, ct):
        return jnp.sum(ct * (x @ with_data(matrix, data)))

    def total(data, x, ct):
        return jax.lax.psum(loss(data, x, ct), "d")

    by_batch = jax.shard_map(
        lambda data, x: x @ with_data(matrix, data),
        mesh=mesh,
        in_specs=(P(), P("d")),
        out_specs=P("d"),
    )
    np.testing.assert_allclose(jax.jit(by_batch)(matrix.data, x), np.asarray(x) @ d, atol=1e-12)
    sharded = jax.shard_map(total, mesh=mesh, in_specs=(P(), P("d"), P("d")), out_specs=P())
    got = jax.jit(jax.grad(sharded, (0, 1)))(matrix.data, x, ct)
    for a, b in zip(got, jax.grad(loss, (0, 1))(matrix.data, x, ct), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    # Each device holds the columns of its own half, padded to the same number of elements.
    halves = [ev.CSR.fromdense(d[:, :4]), ev.CSR.fromdense(d[:, 4:])]
    length = max(h.nnz for h in halves)
    data = jnp.stack([jnp.pad(h.data, (0, length - h.nnz)) for h in halves])
    indices = jnp.stack([jnp.pad(h.indices, (0, length - h.nnz)) for h in halves])
    indptr = jnp.stack([h.indptr for h in halves])

    def by_columns(data, indices, indptr, x):
        return x @ ev.CSR(data[0], indices[0], indptr[0], shape=(10, 4))

    out = jax.shard_map(
        by_columns,
        mesh=mesh,
        in_specs=(P("d"), P("d"), P("d"), P()),
        out_specs=P(None, "d"),
    )(data, indices, indptr, x)
    np.testing.assert_allclose(out, np.asarray(x) @ d, atol=1e-12)


def test_large_vmap_with_reduction():
    """jax issue 39103: a jitted vmap of a matrix product with a reduction after it, at a large
    size."""
    n, k, batch = 20000, 20, 16
    rng = np.random.default_rng(12)
    indices = np.sort(rng.integers(0, n, (n, k)), axis=1).astype(np.int32)
    data = rng.normal(size=n * k)
    matrix = ev.CSR(
        jnp.asarray(data),
        indices.reshape(-1),
        np.arange(0, n * k + 1, k, dtype=np.int32),
        shape=(n, n),
    )
    x = rng.normal(size=(batch, n)) * (rng.random((batch, n)) < 0.3)
    wanted = np.zeros((batch, n))
    for b in range(batch):
        np.add.at(wanted[b], indices.reshape(-1), np.repeat(x[b], k) * data)
    out = jax.jit(jax.vmap(lambda x: jnp.sum(jnp.square(x @ matrix))))(jnp.asarray(x))
    np.testing.assert_allclose(out, np.sum(wanted**2, axis=1), rtol=1e-12)
    v = rng.normal(size=(batch, n))
    back = np.einsum("bnk,nk->bn", v[:, indices], data.reshape(n, k))
    out = jax.jit(jax.vmap(lambda v: jnp.sum(jnp.square(matrix @ v))))(jnp.asarray(v))
    np.testing.assert_allclose(out, np.sum(back**2, axis=1), rtol=1e-12)


_BITS = """
import hashlib
import jax, jax.numpy as jnp, numpy as np
import brainfn.event as ev

rng = np.random.default_rng(0)
digest = hashlib.sha256()
for n, k in ((30000, 30), (3000, 400)):  # long rows are split between threads, short ones are not
    indices = np.sort(rng.integers(0, n, (n, k)), axis=1).reshape(-1).astype(np.int32)
    indptr = np.arange(0, n * k + 1, k, dtype=np.int32)
    for data in (jnp.float32(0.3), jnp.asarray(rng.normal(size=n * k).astype(np.float32))):
        for batch in ((), (3,)):
            x = rng.normal(size=(*batch, n)) * (rng.random((*batch, n)) < 0.3)
            y, pullback = jax.vjp(
                lambda x, d: x @ ev.CSR(d, indices, indptr, shape=(n, n)),
                jnp.asarray(x.astype(np.float32)),
                data,
            )
            for out in (y, *pullback(y)):
                digest.update(np.asarray(out).tobytes())
print(digest.hexdigest())
"""


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(ev.kernels()["scatter"] == "reference", reason="no native library")
def test_same_bits_for_any_number_of_threads():
    digests = {run_python(_BITS, BRAINFN_NUM_THREADS=n) for n in ("1", "2", "5")}
    assert len(digests) == 1


def test_native_can_be_turned_off():
    code = (
        "import jax.numpy as jnp, brainfn.event as ev;"
        "w = ev.CSR.fromdense([[0.0, 2.0], [3.0, 0.0]]);"
        "print(set(ev.kernels().values()), jnp.ones(2) @ w)"
    )
    assert run_python(code, BRAINFN_NATIVE="0") == "{'reference'} [3. 2.]"
