"""CSR: construction, conversions, and everything that may be wrong with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn.event as ev


def small():
    return np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, -3.0]])


def test_round_trips():
    dense = small()
    matrix = ev.CSR.fromdense(dense)
    assert matrix.nnz == 3 and matrix.shape == (3, 3) and matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix.indptr, [0, 1, 1, 3])
    np.testing.assert_array_equal(matrix.indices, [1, 0, 2])
    np.testing.assert_array_equal(matrix.todense(), dense)
    np.testing.assert_array_equal(matrix.T.todense(), dense.T)
    np.testing.assert_array_equal(jax.jit(lambda m: m.T.T.todense())(matrix), dense)
    assert ev.CSR.fromdense(dense.astype(np.float32)).dtype == np.float32


def test_from_coordinates_in_any_order():
    rng = np.random.default_rng(0)
    rows, cols, data = rng.integers(0, 9, 60), rng.integers(0, 5, 60), rng.normal(size=60)
    dense = np.zeros((9, 5))
    np.add.at(dense, (rows, cols), data)
    matrix = ev.CSR.fromcoo(data, rows, cols, shape=(9, 5))
    assert matrix.nnz == 60
    np.testing.assert_allclose(matrix.todense(), dense, atol=1e-14)
    np.testing.assert_allclose(matrix.T.todense(), dense.T, atol=1e-14)
    counts = ev.CSR.fromcoo(1.0, rows, cols, shape=(9, 5))
    assert counts.data.shape == () and float(counts.todense().sum()) == 60


def test_transpose_is_differentiable():
    matrix = ev.CSR.fromdense(small())
    x = jnp.array([1.0, 2.0, 3.0])

    def f(data):
        w = ev.CSR(data, matrix.indices, matrix.indptr, shape=matrix.shape)
        return jnp.sum(x @ w.T * x), jnp.sum(w @ x * x)

    a, b = jax.jacrev(f)(matrix.data)
    np.testing.assert_allclose(a, b, atol=1e-14)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (1, 1)])
def test_empty(shape):
    matrix = ev.CSR(np.zeros(0), [], np.zeros(shape[0] + 1, np.int32), shape=shape)
    assert matrix.todense().shape == shape and matrix.T.shape == shape[::-1]
    np.testing.assert_array_equal(np.ones(shape[0]) @ matrix, np.zeros(shape[1]))
    np.testing.assert_array_equal(matrix @ np.ones(shape[1]), np.zeros(shape[0]))
    grad = jax.grad(lambda x: jnp.sum(x @ matrix))(jnp.ones(shape[0]))
    np.testing.assert_array_equal(grad, np.zeros(shape[0]))


def test_passes_through_transformations_unvalidated():
    matrix = ev.CSR.fromdense(small())
    twice = jax.jit(lambda m: jax.tree.map(lambda x: x + x if x.dtype == jnp.float64 else x, m))
    np.testing.assert_array_equal(twice(matrix).todense(), 2 * small())
    zeroed = jax.tree.unflatten(jax.tree.structure(matrix), [None, None, None])
    assert zeroed.shape == (3, 3)


def test_wide_row_pointers():
    dense = small()
    narrow = ev.CSR.fromdense(dense)
    wide = ev.CSR(
        narrow.data, narrow.indices, np.asarray(narrow.indptr).astype(np.int64), shape=(3, 3)
    )
    assert wide.indptr.dtype == np.int64 and wide.T.indptr.dtype == np.int64
    x = np.array([1.0, -1.0, 2.0])
    np.testing.assert_array_equal(x @ wide, x @ dense)
    np.testing.assert_array_equal(wide @ x, dense @ x)
    grad = jax.grad(lambda d: jnp.sum(x @ ev.CSR(d, wide.indices, wide.indptr, shape=(3, 3))))
    np.testing.assert_array_equal(grad(wide.data), [1.0, 2.0, 2.0])


NAN = np.array([1.0, np.nan, 2.0])
GOOD = {"data": np.ones(3), "indices": [1, 0, 2], "indptr": [0, 1, 1, 3], "shape": (3, 3)}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"data": NAN}, ValueError, "data must be finite, got nan at position 1"),
        ({"data": np.ones(2)}, ValueError, "data must be one number or have the shape of indices"),
        ({"data": np.ones((3, 1))}, ValueError, "data must be one number or a vector"),
        ({"data": np.ones(3, np.int32)}, TypeError, "data must be floating point"),
        (
            {"indices": [1, 0, 3]},
            ValueError,
            r"indices must lie in .* got 3 at position 2 \(row 2\)",
        ),
        ({"indices": [1, -1, 2]}, ValueError, r"indices must lie in .* got -1 at position 1"),
        (
            {"indices": [1, 2, 0]},
            ValueError,
            r"indices must ascend .*row 2\) holds 0 after 2\. Use CSR.fromcoo",
        ),
        ({"indices": [1.0, 0.0, 2.0]}, TypeError, "indices must be integers"),
        ({"indices": [[1, 0, 2]]}, ValueError, "must have one dimension"),
        ({"indptr": [0, 1, 3]}, ValueError, r"indptr must have shape \(n_rows \+ 1,\) = \(4,\)"),
        ({"indptr": [1, 1, 1, 3]}, ValueError, "indptr must start with 0"),
        ({"indptr": [0, 1, 1, 2]}, ValueError, "end with nnz = 3"),
        (
            {"indptr": [0, 2, 1, 3]},
            ValueError,
            "indptr must not decrease, but it does after position 1",
        ),
        ({"indptr": [0.0, 1.0, 1.0, 3.0]}, TypeError, "indptr must be integers"),
        ({"shape": (3, 3, 3)}, ValueError, "shape must be two non-negative integers"),
        ({"shape": (-3, 3)}, ValueError, "shape must be two non-negative integers"),
        ({"shape": (2**31, 3)}, ValueError, r"shape must be below 2\*\*31"),
        ({"shape": (4, 3)}, ValueError, "Is the shape transposed"),
    ],
)
@pytest.mark.parametrize("native", [True, False])
def test_wrong_parts_raise(monkeypatch, native, change, error, words):
    if not native:
        monkeypatch.setattr("brainfn.event._check.library", lambda: None)
    assert ev.CSR(**GOOD).nnz == 3
    with pytest.raises(error, match=words):
        ev.CSR(**{**GOOD, **change})


def test_indices_beyond_int32_raise():
    wide = np.array([1, 0, 2**40])
    with pytest.raises(ValueError, match="indices has values outside the range of int32"):
        ev.CSR(**{**GOOD, "indices": wide})


def test_wrong_conversions_raise():
    with pytest.raises(ValueError, match=r"fromdense: expected a matrix with two dimensions"):
        ev.CSR.fromdense(np.ones(3))
    with pytest.raises(
        ValueError, match=r"fromcoo: cols must lie in \[0, 2\), got values from 0 to 2"
    ):
        ev.CSR.fromcoo(1.0, [0, 1], [0, 2], shape=(2, 2))
    with pytest.raises(ValueError, match=r"fromcoo: rows and cols must be vectors of one length"):
        ev.CSR.fromcoo(1.0, [0, 1], [0], shape=(2, 2))
    with pytest.raises(TypeError, match=r"fromcoo: rows must be integers"):
        ev.CSR.fromcoo(1.0, [0.0, 1.0], [0, 1], shape=(2, 2))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda w: np.ones(4) @ w, ValueError, r"x @ W: W has shape \(3, 3\).*last dimension 3"),
        (lambda w: w @ np.ones(4), ValueError, r"W @ x: W has shape \(3, 3\).*first dimension 3"),
        (lambda w: np.ones((2, 2, 3)) @ w, ValueError, "one or two dimensions"),
        (lambda w: np.ones(3, np.float32) @ w, TypeError, "float32 but the weights have float64"),
        (lambda w: w @ np.ones(3, np.float32), TypeError, "float32 but the weights have float64"),
        (lambda w: ev.matvec(np.ones((2, 3)), w), ValueError, "use matmat"),
        (lambda w: ev.matmat(np.ones(3), w), ValueError, "use matvec"),
    ],
)
def test_wrong_products_raise(call, error, words):
    with pytest.raises(error, match=words):
        call(ev.CSR.fromdense(small()))


def test_validation_is_one_pass():
    # 2e6 stored elements are checked natively or in vectorised chunks: no Python loop would end
    # here.
    n = 2_000_000
    indices = np.tile(np.arange(100, dtype=np.int32), n // 100)
    indptr = np.arange(0, n + 1, 100, dtype=np.int32)
    indices[1_500_050] = 7
    with pytest.raises(ValueError, match=r"position 1500050 \(row 15000\) holds 7 after 49"):
        ev.CSR(1.0, indices, indptr, shape=(n // 100, 100))
