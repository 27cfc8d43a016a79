"""Matrices that are stored by columns: they share weights with their transpose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _event_cases import with_data

import brainfn.event as ev


def small(dtype=np.float64):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(6, 9)) * (rng.random((6, 9)) < 0.4)).astype(dtype)


def test_transposing_shares_the_weights():
    dense = small()
    rows = ev.CSR.fromdense(dense)
    back = rows.T
    assert isinstance(back, ev.CSC) and back.data is rows.data and back.shape == (9, 6)
    np.testing.assert_array_equal(back.todense(), dense.T)
    assert isinstance(back.T, ev.CSR) and back.T.data is rows.data
    np.testing.assert_array_equal(back.T.indices, rows.indices)
    indices = np.sort(np.random.default_rng(1).integers(0, 6, (9, 3)), axis=1)
    fan_in = ev.FixedFanin(np.ones((9, 3)), indices, shape=(6, 9))
    assert isinstance(fan_in.T, ev.FixedFanout) and fan_in.T.data is fan_in.data
    assert isinstance(fan_in.T.T, ev.FixedFanin) and fan_in.T.T.data is fan_in.data
    np.testing.assert_array_equal(fan_in.T.todense(), np.asarray(fan_in.todense()).T)
    assert fan_in.fan_in == 3 and fan_in.T.fan_out == 3
    np.testing.assert_array_equal(np.asarray(fan_in.todense()).sum(0), np.full(9, 3))


def test_conversions():
    dense = small()
    rows = ev.CSR.fromdense(dense)
    columns = rows.tocsc()
    assert columns.nnz == rows.nnz and columns.shape == rows.shape
    np.testing.assert_array_equal(columns.todense(), dense)
    # Column by column, as NumPy reads the transposed matrix.
    np.testing.assert_array_equal(columns.data, dense.T[dense.T != 0])
    np.testing.assert_array_equal(columns.tocsr().data, rows.data)
    np.testing.assert_array_equal(columns.tocsr().indptr, rows.indptr)
    data, r, c = rows.tocoo()
    np.testing.assert_array_equal(np.stack([r, c]), np.nonzero(dense))
    np.testing.assert_array_equal(ev.CSR.fromcoo(data, r, c, shape=(6, 9)).data, rows.data)
    one = ev.CSR(2.0, rows.indices, rows.indptr, shape=(6, 9))
    assert one.tocsc().data.shape == () and one.T.tocsr().data.shape == ()
    np.testing.assert_array_equal(one.T.tocsr().todense(), 2.0 * (dense.T != 0))
    index = rows.column_index()
    np.testing.assert_array_equal(rows.data[index.order], columns.data)


def test_both_products_skip_what_is_silent():
    """Weights of rows and columns that are silent are not read: NaN there does not show."""
    if ev.kernels()["scatter"] == "reference":
        pytest.skip("the reference multiplies by zero")
    dense = small()
    x, v = np.zeros(6), np.zeros(9)
    x[2], v[4] = 2.0, -1.0
    for matrix in (ev.CSR.fromdense(dense).tocsc(), ev.CSR.fromdense(dense.T).T):
        _, c, r = matrix.T.tocoo()
        left = with_data(matrix, jnp.where(r == 2, matrix.data, jnp.nan))
        right = with_data(matrix, jnp.where(c == 4, matrix.data, jnp.nan))
        np.testing.assert_allclose(x @ left, x @ dense, rtol=0, atol=1e-12)
        np.testing.assert_allclose(right @ v, dense @ v, rtol=0, atol=1e-12)


def test_gradients_reach_the_shared_weights():
    """A matrix used in both directions collects both gradients in one array."""
    rows = ev.CSR.fromdense(small())
    index = rows.column_index()
    rng = np.random.default_rng(2)
    x, v = jnp.asarray(rng.normal(size=6)), jnp.asarray(rng.normal(size=9))

    def loss(data):
        w = ev.CSR(data, rows.indices, rows.indptr, shape=rows.shape)
        return jnp.sum((x @ w) ** 2) + jnp.sum((v @ w.T) ** 2) + jnp.sum((w.T @ x) ** 3)

    got = jax.grad(loss)(rows.data)
    d = np.asarray(rows.todense())
    x, v = np.asarray(x), np.asarray(v)
    wanted = 2 * np.outer(x, x @ d) + 2 * np.outer(d @ v, v) + 3 * np.outer(x, (x @ d) ** 2)
    np.testing.assert_allclose(got, wanted[d != 0], rtol=0, atol=1e-10)
    assert index.order.dtype == np.int32


def test_needed_rows_only():
    """The spike derivative of a matrix that is stored by columns is computed where it is needed."""
    rng = np.random.default_rng(3)
    dense = small()
    need = jnp.asarray([True, False, True, True, False, False])
    x, ct = jnp.asarray(rng.normal(size=6)), jnp.asarray(rng.normal(size=9))
    matrix = ev.CSR.fromdense(dense).tocsc()

    def f(x, data):
        return ev.matvec(x, with_data(matrix, data), need=need)

    y, pullback = jax.vjp(f, x, matrix.data)
    gx, gd = pullback(ct)
    np.testing.assert_allclose(y, np.asarray(x) @ dense, rtol=0, atol=1e-12)
    np.testing.assert_allclose(gx, np.where(need, dense @ np.asarray(ct), 0), rtol=0, atol=1e-12)
    full = np.outer(x, ct).T[dense.T != 0]
    np.testing.assert_allclose(gd, full, rtol=0, atol=1e-12)
    _, tangent = jax.jvp(lambda x: f(x, matrix.data), (x,), (ct[:6],))
    np.testing.assert_allclose(tangent, np.where(need, ct[:6], 0) @ dense, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: ev.CSC(1.0, [0, 3], [0, 2], shape=(3, 1)), ValueError, "got 3 at position 1"),
        (lambda: ev.CSC(1.0, [2, 0], [0, 2], shape=(3, 1)), ValueError, "must ascend within"),
        (lambda: ev.CSC(1.0, [0], [0, 1], shape=(1, 3)), ValueError, "indptr must have shape"),
        (lambda: ev.FixedFanin(1.0, [[0, 3]], shape=(3, 1)), ValueError, "got 3 at position 1"),
        (lambda: ev.FixedFanin(1.0, [[2, 0]], shape=(3, 1)), ValueError, "must ascend within"),
        (
            lambda: ev.FixedFanin(1.0, [[0]], shape=(3, 2)),
            ValueError,
            r"indices must have shape \(2, fan_in\) for shape=\(3, 2\)",
        ),
        (
            lambda: ev.FixedFanin(np.ones(2), [[0, 1]], shape=(3, 1)),
            ValueError,
            "FixedFanin: data must be one number or have the shape of indices",
        ),
    ],
)
def test_wrong_parts_raise(build, error, words):
    with pytest.raises(error, match=words):
        build()
