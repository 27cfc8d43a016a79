"""Every sparse format as one case: the operator, and where its elements are, by NumPy.

A case is drawn as coordinates first; the matrix under test is built from them. The oracle is the
dense matrix that NumPy adds up from the same coordinates, so a new format is one more function.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import brainfn.event as ev


@dataclasses.dataclass
class Case:
    """`left(x, data)` is `x @ A` and `right(v, data)` is `A @ v`, where `A` has `data[k]` added at
    `(rows[k], cols[k])`, or `data[order[k]]`."""

    data: jax.Array
    rows: np.ndarray
    cols: np.ndarray
    shape: tuple[int, int]
    left: Callable
    right: Callable
    matrix: ev.AbstractMatrix | None = None
    order: np.ndarray | None = None

    def dense(self, data=None) -> np.ndarray:
        data = np.asarray(self.data if data is None else data, np.float64)
        out = np.zeros((*data.shape[: data.ndim - self.data.ndim], *self.shape))
        flat = data.reshape(*out.shape[:-2], -1)
        flat = flat if self.order is None else flat[..., self.order]
        np.add.at(out, (..., self.rows, self.cols), flat)
        return out

    def weight_gradient(self, x, ct) -> np.ndarray:
        """Of `sum(ct * (x @ A))`, for one `x` or summed over several."""
        x, ct = np.atleast_2d(np.asarray(x)), np.atleast_2d(np.asarray(ct))
        each = np.sum(x[:, self.rows] * ct[:, self.cols], axis=0)
        return self.by_weight(each)

    def by_weight(self, each) -> np.ndarray:
        """Numbers by coordinate, in the last axis, summed over those with the same weight."""
        if self.data.ndim == 0:
            return each.sum(-1)
        if self.order is not None:
            each = each @ np.eye(self.data.size)[self.order]
        return each.reshape(*each.shape[:-1], *self.data.shape)


def with_data(matrix, data):
    """The same matrix with other weights, as `eqx.tree_at` would do it."""
    leaves, structure = jax.tree.flatten(matrix)
    return jax.tree.unflatten(structure, [data if x is matrix.data else x for x in leaves])


def of_matrix(matrix, rows, cols):
    return Case(
        matrix.data,
        rows,
        cols,
        matrix.shape,
        lambda x, data: x @ with_data(matrix, data),
        lambda v, data: with_data(matrix, data) @ v,
        matrix,
    )


def draw(rng, n, m, nnz):
    """Coordinates in row-major order, with repetitions."""
    nnz = nnz if n and m else 0
    rows, cols = rng.integers(0, max(n, 1), nnz), rng.integers(0, max(m, 1), nnz)
    order = np.lexsort((cols, rows))
    return rows[order], cols[order]


def pointers(rows, n, dtype=np.int32):
    return np.searchsorted(rows, np.arange(n + 1)).astype(dtype)


def weights(rng, shape, scalar, dtype):
    return jnp.asarray(np.asarray(rng.normal(size=() if scalar else shape), dtype))


def csr(rng, n, m, scalar, dtype, wide=np.int32):
    rows, cols = draw(rng, n, m, 3 * n + 2)
    data = weights(rng, rows.shape, scalar, dtype)
    indptr = pointers(rows, n, wide)
    return of_matrix(ev.CSR(data, cols.astype(np.int32), indptr, shape=(n, m)), rows, cols)


def csc(rng, n, m, scalar, dtype, wide=np.int32):
    cols, rows = draw(rng, m, n, 3 * m + 2)
    data = weights(rng, rows.shape, scalar, dtype)
    indptr = pointers(cols, m, wide)
    return of_matrix(ev.CSC(data, rows.astype(np.int32), indptr, shape=(n, m)), rows, cols)


def csr_transposed(rng, n, m, scalar, dtype):
    case = csr(rng, m, n, scalar, dtype)
    indptr = pointers(case.rows, m)
    matrix = ev.CSR(case.data, case.cols.astype(np.int32), indptr, shape=(m, n)).T
    return of_matrix(matrix, case.cols, case.rows)


def wide_csc(rng, n, m, scalar, dtype):
    return csc(rng, n, m, scalar, dtype, np.int64)


def equal_rows(rng, n, m):
    k = 3 if m else 0
    return np.sort(rng.integers(0, max(m, 1), (n, k)), axis=1).astype(np.int32)


def fan_out(rng, n, m, scalar, dtype):
    indices = equal_rows(rng, n, m)
    data = weights(rng, indices.shape, scalar, dtype)
    rows = np.repeat(np.arange(n), indices.shape[1])
    return of_matrix(ev.FixedFanout(data, indices, shape=(n, m)), rows, indices.reshape(-1))


def fan_in(rng, n, m, scalar, dtype):
    indices = equal_rows(rng, m, n)
    data = weights(rng, indices.shape, scalar, dtype)
    cols = np.repeat(np.arange(m), indices.shape[1])
    return of_matrix(ev.FixedFanin(data, indices, shape=(n, m)), indices.reshape(-1), cols)


def fan_out_transposed(rng, n, m, scalar, dtype):
    indices = equal_rows(rng, m, n)
    data = weights(rng, indices.shape, scalar, dtype)
    cols = np.repeat(np.arange(m), indices.shape[1])
    return of_matrix(ev.FixedFanout(data, indices, shape=(m, n)).T, indices.reshape(-1), cols)


def dense(rng, n, m, scalar, dtype):
    assert not scalar
    rows, cols = np.divmod(np.arange(n * m), max(m, 1))
    return of_matrix(ev.Dense(weights(rng, (n, m), False, dtype)), rows, cols)


def one_to_one(rng, n, m, scalar, dtype):
    both = np.arange(n)
    return of_matrix(ev.OneToOne(weights(rng, n, scalar, dtype), n), both, both)


def all_to_all(rng, n, m, scalar, dtype):
    assert scalar
    rows, cols = np.divmod(np.arange(n * m), max(m, 1))
    return of_matrix(ev.AllToAll(weights(rng, (), True, dtype), shape=(n, m)), rows, cols)


def all_to_all_but_own(rng, n, m, scalar, dtype):
    """Without a diagonal that begins at the second column."""
    case = all_to_all(rng, n, m, scalar, dtype)
    there = case.cols != case.rows + 1
    matrix = ev.AllToAll(case.data, shape=(n, m), diagonal=1)
    return of_matrix(matrix, case.rows[there], case.cols[there])


def circulant(rng, n, m, scalar, dtype):
    assert not scalar
    rows, cols = np.divmod(np.arange(n * n), max(n, 1))
    case = of_matrix(ev.Circulant(weights(rng, n, False, dtype)), rows, cols)
    return dataclasses.replace(case, order=(cols - rows) % max(n, 1))


def delayed(rng, n, m, scalar, dtype, longest=4, now=11):
    rows, cols = draw(rng, n, m, 3 * n + 2)
    delays = rng.integers(1, longest + 1, rows.size)
    base = ev.CSR(
        weights(rng, rows.shape, scalar, dtype), cols.astype(np.int32), pointers(rows, n),
        shape=(n, m),
    )  # fmt: skip
    matrix = ev.Delayed(base, delays, longest=longest)
    length = longest + 2

    def replaced(data):
        return ev.Delayed(with_data(base, data), delays, longest=longest)

    def left(x, data):
        def one(x):
            ring = jnp.zeros((length, m), matrix.vector_dtype)
            return ev.delayed_matvec(ring, x, replaced(data), now).reshape(-1)

        return jax.vmap(one)(x) if jnp.ndim(x) == 2 else one(x)

    def right(v, data):
        zero = jnp.zeros(n, matrix.vector_dtype)

        def one(v):
            return jax.vjp(lambda x: left(x, data), zero)[1](v)[0]

        return jax.vmap(one, 1, 1)(v) if jnp.ndim(v) == 2 else one(v)

    places = (now + delays) % length * m + cols
    return Case(base.data, rows, places, (n, length * m), left, right)


def long_delayed(rng, n, m, scalar, dtype):
    """Delays of two bytes."""
    return delayed(rng, n, m, scalar, dtype, 300, -5)


FORMATS = {
    f.__name__: f
    for f in (
        csr,
        csc,
        csr_transposed,
        wide_csc,
        fan_out,
        fan_in,
        fan_out_transposed,
        dense,
        one_to_one,
        all_to_all,
        all_to_all_but_own,
        circulant,
        delayed,
        long_delayed,
    )
}
# Formats with one weight only, with many only, and those without a kernel.
SCALAR = ("all_to_all", "all_to_all_but_own")
MANY = ("dense", "circulant")
NO_KERNEL = (*SCALAR, "circulant")


def is_scalar(name, scalar):
    """Whether the weight is one number, where either is possible as wished."""
    return name in SCALAR or (scalar and name not in MANY)
