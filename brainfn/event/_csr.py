"""Compressed sparse rows."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._errors import is_concrete
from ._check import (
    as_weights,
    check_columns,
    check_shape,
    check_weights,
    guarded,
    index_array,
)
from ._matrix import AbstractMatrix, unchecked
from ._reference import row_ids
from ._transpose import transpose_structure


class ColumnIndex(eqx.Module):
    """The positions of the stored elements of compressed rows, column by column, without weights.

    Made by [`brainfn.event.CSR.column_index`][] for [`brainfn.event.on_post`][].
    """

    rows: Int[Array, " nnz"]
    indptr: Int[Array, " n_cols_plus_one"]
    order: Int[Array, " nnz"]
    n_rows: int = eqx.field(static=True)


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

        - `data`: weights, `(nnz,)`, or one number for all stored elements. Weights of 16 bits
          (bfloat16, float16) are multiplied and added up in float32; their gradient has 16 bits
          too, so train with float32 weights and convert them before the loop.
        - `indices`: integers `(nnz,)`, the column of each stored element, ascending within each row
          (a column may occur more than once: the elements add).
        - `indptr`: integers `(n_rows + 1,)`, where each row starts; int64 for more than $2^{31}$
          stored elements.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.

        Raises `ValueError` or `TypeError` where these do not fit together. Values are checked when
        they are concrete. Traced indices and row pointers are clipped to the allowed range, and all
        weights become NaN if any was out of range.
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
        data, indices, starts = guarded(data, indices, shape[1], indptr)
        assert starts is not None
        self.data = data
        self.indices = indices
        self.indptr = starts
        self.shape = shape

    def checked(self) -> "CSR":
        return CSR(self.data, self.indices, self.indptr, shape=self.shape)

    @classmethod
    def fromdense(cls, matrix: Any) -> "CSR":
        """The nonzero elements of a concrete matrix `(n_rows, n_cols)`."""
        _check_known("matrix", matrix, "CSR.fromdense")
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
        _check_known("rows", rows, "CSR.fromcoo")
        _check_known("cols", cols, "CSR.fromcoo")
        rows, cols = np.asarray(rows), np.asarray(cols)
        if rows.size == cols.size == 0:
            rows, cols = rows.astype(np.int32), cols.astype(np.int32)
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
        if data.shape not in ((), rows.shape):
            raise ValueError(
                f"CSR.fromcoo: data must be one number or have the shape of rows {rows.shape}, got "
                f"{data.shape}."
            )
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

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.indices.shape

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list[AbstractMatrix]:
        if list(bounds) == [(0, self.shape[1])]:
            return [self]
        if not (is_concrete(self.indices) and is_concrete(self.indptr)):
            raise TypeError(
                "CSR: columns can't be split while indices are traced; make the matrix outside of "
                "`jax.jit`."
            )
        indices, indptr = np.asarray(self.indices), np.asarray(self.indptr)
        out: list[AbstractMatrix] = []
        for low, high in bounds:
            keep = (indices >= low) & (indices < high)
            kept = np.concatenate([[0], np.cumsum(keep)])[indptr].astype(indptr.dtype)
            data = self.data if self.data.ndim == 0 else self.data[np.flatnonzero(keep)]
            shape = (self.shape[0], high - low)
            out.append(CSR(data, indices[keep] - low, kept, shape=shape))
        return out

    def tocsr(self) -> "CSR":
        """The matrix itself."""
        return self

    def tocoo(self) -> tuple[Float[Array, "*nnz"], Int[Array, " nnz"], Int[Array, " nnz"]]:
        """`(data, rows, cols)`: the weights (one number if there is only one), and the row and the
        column of each stored element, ascending; the inverse of `fromcoo`."""
        return self.data, row_ids(self.indptr, self.nnz), self.indices

    def column_index(self) -> ColumnIndex:
        """Where the stored elements of each column are; costs a sort in O(nnz)."""
        rows, indptr, order = transpose_structure(self.indices, self.indptr, self.shape[1])
        assert order is not None
        return ColumnIndex(rows, indptr, order, self.shape[0])

    def tocsc(self) -> "CSC":
        """The same matrix with its weights stored column by column: a permuted copy."""
        index = self.column_index()
        data = self.data if self.data.ndim == 0 else self.data[index.order]
        back = unchecked(
            CSR,
            data=data,
            indices=index.rows,
            indptr=index.indptr,
            shape=(self.shape[1], self.shape[0]),
        )
        return back.T

    @property
    def T(self) -> "CSC":
        """The transposed matrix with the same weights in the same order, nothing copied; costs a
        sort of the indices in O(nnz), so make it once, outside of a loop."""
        return unchecked(
            CSC,
            data=self.data,
            indices=self.indices,
            indptr=self.indptr,
            index=self.column_index(),
            shape=(self.shape[1], self.shape[0]),
        )


def _check_known(name: str, value: Any, what: str) -> None:
    if not is_concrete(value):
        raise TypeError(
            f"{what}: {name} is traced, but the positions of the elements depend on its values. "
            "Call it outside of jit, and only `data` inside."
        )


class CSC(AbstractMatrix):
    r"""A sparse matrix in compressed sparse columns, with an index that finds its rows.

    The weights are stored column by column, and a second set of indices says where the elements of
    each row are, so that both products are event-driven: `spikes @ W` touches only the rows of
    neurons that spike, `W @ x` only the columns with $x_j \neq 0$. The transpose of a
    [`brainfn.event.CSR`][] has this format and shares its weights: `W.T` of either copies no
    weights.
    """

    data: Float[Array, "*nnz"]
    indices: Int[Array, " nnz"]
    indptr: Int[Array, " n_cols_plus_one"]
    index: ColumnIndex
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(self, data: Any, indices: Any, indptr: Any, *, shape: tuple[int, ...]):
        r"""**Arguments:**

        - `data`: weights `(nnz,)` column by column, or one number for all stored elements.
        - `indices`: integers `(nnz,)`, the row of each stored element, ascending within each
          column.
        - `indptr`: integers `(n_cols + 1,)`, where each column starts.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.

        Raises `ValueError` or `TypeError` where these do not fit together; messages refer to the
        transposed matrix, as a CSR.
        """
        shape = check_shape(shape, "CSC")
        by_columns = CSR(data, indices, indptr, shape=(shape[1], shape[0]))
        self.data = by_columns.data
        self.indices = by_columns.indices
        self.indptr = by_columns.indptr
        self.index = by_columns.column_index()
        self.shape = shape

    @property
    def nnz(self) -> int:
        """Number of stored elements."""
        return self.indices.shape[0]

    @property
    def kind(self) -> str:
        return "permuted"

    @property
    def structure(self) -> tuple[Array, ...]:
        return (self.index.rows, self.index.indptr, self.index.order)

    @property
    def by_columns(self) -> CSR:
        return self.T

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.indices.shape

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return self.T.todense().T

    def tocsr(self) -> CSR:
        """The same matrix with its weights stored row by row: a permuted copy."""
        data = self.data if self.data.ndim == 0 else self.data[self.index.order]
        return unchecked(
            CSR, data=data, indices=self.index.rows, indptr=self.index.indptr, shape=self.shape
        )

    @property
    def T(self) -> CSR:
        """The transposed matrix with the same weights; costs nothing."""
        return unchecked(
            CSR,
            data=self.data,
            indices=self.indices,
            indptr=self.indptr,
            shape=(self.shape[1], self.shape[0]),
        )
