"""Compressed sparse rows."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ._check import as_weights, check_columns, check_shape, check_weights, index_array
from ._matrix import AbstractMatrix
from ._reference import row_ids
from ._transpose import transpose_structure


class CSR(AbstractMatrix):
    r"""A sparse matrix in compressed sparse rows, whose products skip silent rows.

    `spikes @ W` computes $y_j = \sum_i s_i W_{ij}$ and touches only the rows with $s_i \neq 0$;
    `W @ x` computes $y_i = \sum_j W_{ij} x_j$. Both are differentiable in `W.data` and in the
    vector, and batch under `jax.vmap` without copying what is not batched.
    """

    data: Float[Array, "*nnz"]
    indices: Int[Array, " nnz"]
    indptr: Int[Array, " n_rows_plus_one"]
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(self, data: Any, indices: Any, indptr: Any, *, shape: tuple[int, ...]):
        r"""**Arguments:**

        - `data`: weights, `(nnz,)`, or one number for all stored elements.
        - `indices`: integers `(nnz,)`, the column of each stored element, ascending within each row
          (a column may occur more than once: the elements add).
        - `indptr`: integers `(n_rows + 1,)`, where each row starts; int64 for more than $2^{31}$
          stored elements.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.

        Raises `ValueError` or `TypeError` where these do not fit together; values are checked when
        they are concrete.
        """
        shape = check_shape(shape, "CSR")
        indices = index_array("indices", indices, shape, "CSR")
        indptr = index_array("indptr", indptr, shape, "CSR")
        data = as_weights(data, "CSR")
        if data.ndim > 1:
            raise ValueError(
                f"CSR: data must be one number or a vector (nnz,), got shape {data.shape}."
            )
        if indices.ndim != 1 or indptr.ndim != 1:
            raise ValueError(
                f"CSR: indices and indptr must have one dimension, got shapes {indices.shape} "
                f"and {indptr.shape}."
            )
        if indptr.shape[0] != shape[0] + 1:
            raise ValueError(
                f"CSR: indptr must have shape (n_rows + 1,) = ({shape[0] + 1},) for "
                f"shape={shape}, got {indptr.shape}. Is the shape transposed?"
            )
        if data.ndim > 0 and data.shape != indices.shape:
            raise ValueError(
                f"CSR: data must be one number or have the shape of indices {indices.shape}, "
                f"got {data.shape}."
            )
        if indices.shape[0] > np.iinfo(indptr.dtype).max:
            raise ValueError(
                f"CSR: {indices.shape[0]} stored elements overflow indptr of dtype "
                f"{indptr.dtype}; use int64 (jax_enable_x64)."
            )
        check_weights(data, "CSR")
        check_columns(indices, indptr, shape, "CSR")
        self.data = data
        self.indices = indices
        self.indptr = indptr
        self.shape = shape

    @classmethod
    def fromdense(cls, matrix: Any) -> "CSR":
        """The nonzero elements of a concrete matrix `(n_rows, n_cols)`."""
        dense = np.asarray(matrix)
        if dense.ndim != 2:
            raise ValueError(
                f"CSR.fromdense: expected a matrix with two dimensions, got shape {dense.shape}."
            )
        rows, cols = np.nonzero(dense)
        indptr = np.zeros(dense.shape[0] + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=dense.shape[0]), out=indptr[1:])
        return cls(jnp.asarray(dense[rows, cols]), cols.astype(np.int32), indptr, shape=dense.shape)

    @classmethod
    def fromcoo(cls, data: Any, rows: Any, cols: Any, *, shape: tuple[int, int]) -> "CSR":
        """From coordinates in any order.

        **Arguments:**

        - `data`: weights `(nnz,)` or one number.
        - `rows`, `cols`: integers `(nnz,)`, row and column of each element; a pair may occur more
          than once.
        - `shape`: `(n_rows, n_cols)`.
        """
        shape = check_shape(shape, "CSR.fromcoo")
        rows, cols = np.asarray(rows), np.asarray(cols)
        if rows.ndim != 1 or rows.shape != cols.shape:
            raise ValueError(
                f"CSR.fromcoo: rows and cols must be vectors of one length, got shapes "
                f"{rows.shape} and {cols.shape}."
            )
        for name, index, size in (("rows", rows, shape[0]), ("cols", cols, shape[1])):
            if not np.issubdtype(index.dtype, np.integer):
                raise TypeError(f"CSR.fromcoo: {name} must be integers, got dtype {index.dtype}.")
            if index.size and (index.min() < 0 or index.max() >= size):
                raise ValueError(
                    f"CSR.fromcoo: {name} must lie in [0, {size}), got values from "
                    f"{index.min()} to {index.max()}."
                )
        order = np.lexsort((cols, rows))
        indptr = np.zeros(shape[0] + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=shape[0]), out=indptr[1:])
        if rows.size <= np.iinfo(np.int32).max:
            indptr = indptr.astype(np.int32)
        data = as_weights(data, "CSR.fromcoo")
        data = data if data.ndim == 0 else data[jnp.asarray(order.astype(np.int32))]
        return cls(data, cols[order].astype(np.int32), indptr, shape=shape)

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        """The dense matrix; elements that are stored more than once add."""
        rows = row_ids(self.indptr, self.nnz)
        values = jnp.broadcast_to(self.data, self.indices.shape)
        return jnp.zeros(self.shape, self.dtype).at[rows, self.indices].add(values)

    @property
    def nnz(self) -> int:
        """Number of stored elements."""
        return self.indices.shape[0]

    @property
    def kind(self) -> str:
        return "csr"

    @property
    def structure(self) -> tuple[Array, ...]:
        return (self.indices, self.indptr)

    def tocsr(self) -> "CSR":
        """The matrix itself."""
        return self

    @property
    def T(self) -> "CSR":
        """The transposed matrix, again in compressed rows; costs a sort in O(nnz)."""
        indices, indptr, order = transpose_structure(self.indices, self.indptr, self.shape[1])
        assert order is not None
        data = self.data if self.data.ndim == 0 else self.data[order]
        return CSR(data, indices, indptr, shape=(self.shape[1], self.shape[0]))
