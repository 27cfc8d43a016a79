"""Compressed sparse rows."""

import ctypes
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._errors import is_concrete
from ._matrix import AbstractMatrix
from ._native import library
from ._reference import row_ids
from ._transpose import transpose_structure

_CHUNK = 1 << 22


class CSR(AbstractMatrix):
    r"""A sparse matrix in compressed sparse rows, whose products skip silent rows.

    `spikes @ W` computes $y_j = \sum_i s_i W_{ij}$ and touches only the rows with $s_i \neq 0$; `W
    @ x` computes $y_i = \sum_j W_{ij} x_j$. Both are differentiable in `W.data` and in the vector,
    and batch under `jax.vmap` without copying what is not batched.
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
        shape = _check_shape(shape)
        indices, indptr = (
            _index_array("indices", indices, shape),
            _index_array("indptr", indptr, shape),
        )
        data = _weights(data)
        if indices.ndim != 1 or indptr.ndim != 1:
            raise ValueError(
                f"CSR: indices and indptr must have one dimension, got shapes {indices.shape} "
                f"and {indptr.shape}."
            )
        if indptr.shape[0] != shape[0] + 1:
            raise ValueError(
                f"CSR: indptr must have shape (n_rows + 1,) = ({shape[0] + 1},) for "
                f"shape={shape}, got "
                f"{indptr.shape}. Is the shape transposed?"
            )
        if data.ndim > 0 and data.shape != indices.shape:
            raise ValueError(
                f"CSR: data must be one number or have the shape of indices {indices.shape}, "
                f"got {data.shape}."
            )
        if indices.shape[0] > np.iinfo(indptr.dtype).max:
            raise ValueError(
                f"CSR: {indices.shape[0]} stored elements overflow indptr of dtype "
                f"{indptr.dtype}; use int64 "
                "(jax_enable_x64)."
            )
        _check_values(data, indices, indptr, shape)
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
        shape = _check_shape(shape)
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
        data = _weights(data)
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
    def T(self) -> "CSR":
        """The transposed matrix, again in compressed rows; costs a sort in O(nnz)."""
        indices, indptr, order = transpose_structure(self.indices, self.indptr, self.shape[1])
        assert order is not None
        data = self.data if self.data.ndim == 0 else self.data[order]
        return CSR(data, indices, indptr, shape=(self.shape[1], self.shape[0]))


def _check_shape(shape: Any) -> tuple[int, int]:
    if len(shape) != 2 or any(int(n) != n or n < 0 for n in shape):
        raise ValueError(
            f"CSR: shape must be two non-negative integers (n_rows, n_cols), got {shape!r}."
        )
    if max(shape) > np.iinfo(np.int32).max:
        raise ValueError(f"CSR: shape must be below 2**31 in each dimension, got {shape!r}.")
    return int(shape[0]), int(shape[1])


def _concrete(x: Any) -> bool:
    return isinstance(x, (np.ndarray, jax.Array)) and is_concrete(x)


def _index_array(name: str, index: Any, shape: tuple[int, int]) -> jax.Array:
    if not isinstance(index, (np.ndarray, jax.Array)):
        index = np.asarray(index) if len(index) else np.zeros(0, np.int32)
        index = index.astype(np.int32) if index.dtype == np.int64 and _fits_int32(index) else index
    if not np.issubdtype(index.dtype, np.integer):
        raise TypeError(
            f"CSR: {name} must be integers of dtype int32 or int64, got dtype {index.dtype}."
        )
    wide = name == "indptr" and index.dtype == np.int64
    if wide and (not _concrete(index) or jnp.asarray(0).dtype == np.int64):
        return jnp.asarray(index)
    if index.dtype != np.int32:
        if _concrete(index) and not _fits_int32(np.asarray(index)):
            raise ValueError(
                f"CSR: {name} has values outside the range of int32 (shape={shape}); "
                "int64 row pointers need jax_enable_x64."
            )
        index = index.astype(np.int32)
    return jnp.asarray(index)


def _fits_int32(index: np.ndarray) -> bool:
    info = np.iinfo(np.int32)
    return index.size == 0 or (int(index.min()) >= info.min and int(index.max()) <= info.max)


def _weights(data: Any) -> jax.Array:
    data = jnp.asarray(float(data)) if isinstance(data, (int, float)) else jnp.asarray(data)
    if not jnp.issubdtype(data.dtype, jnp.floating):
        raise TypeError(
            f"CSR: data must be floating point, got dtype {data.dtype}; convert it with .astype."
        )
    if data.ndim > 1:
        raise ValueError(
            f"CSR: data must be one number or a vector (nnz,), got shape {data.shape}."
        )
    return data


def _check_values(data, indices, indptr, shape: tuple[int, int]) -> None:
    if _concrete(data):
        weights = np.asarray(data).reshape(-1)
        for start in range(0, weights.size, _CHUNK):
            bad = np.isnan(weights[start : start + _CHUNK])
            if bad.any():
                raise ValueError(f"CSR: data has NaN at position {start + int(bad.argmax())}.")
    if not _concrete(indptr):
        return
    starts = np.asarray(indptr)
    nnz = indices.shape[0]
    if starts[0] != 0 or starts[-1] != nnz:
        raise ValueError(
            f"CSR: indptr must start with 0 and end with nnz = {nnz} (the length of indices), "
            f"got {starts[0]} and "
            f"{starts[-1]}."
        )
    falls = np.flatnonzero(starts[1:] < starts[:-1])
    if falls.size:
        raise ValueError(f"CSR: indptr must not decrease, but it does after position {falls[0]}.")
    if not _concrete(indices) or nnz == 0:
        return
    columns = np.asarray(indices)
    trouble, where = _check_columns(columns, starts, shape[1])
    row = int(np.searchsorted(starts, where, side="right")) - 1 if trouble else 0
    if trouble == 1:
        raise ValueError(
            f"CSR: indices must lie in [0, n_cols) = [0, {shape[1]}), got {columns[where]} at "
            f"position {where} (row {row})."
        )
    if trouble == 2:
        raise ValueError(
            f"CSR: indices must ascend within each row, but position {where} (row {row}) holds "
            f"{columns[where]} after "
            f"{columns[where - 1]}. Use CSR.fromcoo, which sorts, or sort each row."
        )


def _check_columns(columns: np.ndarray, starts: np.ndarray, n_cols: int) -> tuple[int, int]:
    """First offence: (1, position) out of range, (2, position) descending, (0, 0) none."""
    lib = library()
    columns, starts = np.ascontiguousarray(columns), np.ascontiguousarray(starts)
    if lib is not None:
        where = ctypes.c_int64(0)
        code = lib.brainfn_check_csr(
            columns.ctypes.data_as(ctypes.c_void_p),
            starts.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int(starts.dtype == np.int64),
            ctypes.c_int64(starts.size - 1),
            ctypes.c_int64(n_cols),
            ctypes.byref(where),
        )
        return int(code), int(where.value)
    for start in range(0, columns.size, _CHUNK):
        part = columns[max(start - 1, 0) : start + _CHUNK]
        first = max(start - 1, 0)
        outside = np.flatnonzero((part < 0) | (part >= n_cols))
        if outside.size:
            return 1, first + int(outside[0])
        falls = first + 1 + np.flatnonzero(part[1:] < part[:-1])
        # A fall is allowed where a row starts.
        falls = falls[starts[np.minimum(np.searchsorted(starts, falls), starts.size - 1)] != falls]
        if falls.size:
            return 2, int(falls[0])
    return 0, 0
