"""Argument checks shared by the sparse formats."""

import ctypes
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .._errors import from_host, is_concrete
from ._native import library

_CHUNK = 1 << 22


def check_shape(shape: Any, what: str) -> tuple[int, int]:
    """`shape` as two integers that fit the kernels' 32-bit indices."""
    if not isinstance(shape, tuple | list) or not all(map(_is_integer, shape)):
        raise TypeError(f"{what}: shape must be two integers (n_rows, n_cols), got {shape!r}.")
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(
            f"{what}: shape must be two non-negative integers (n_rows, n_cols), got {shape!r}."
        )
    if max(shape) > np.iinfo(np.int32).max:
        raise ValueError(f"{what}: shape must be below 2**31 in each dimension, got {shape!r}.")
    return int(shape[0]), int(shape[1])


def _is_integer(n: Any) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool)


def whole_number(name: str, value: Any, least: int, what: str) -> int:
    """A Python integer, at least `least`."""
    if not _is_integer(value):
        raise TypeError(f"{what}: {name} must be a whole number (int), got {value!r}.")
    if value < least:
        raise ValueError(f"{what}: {name} must be at least {least}, got {value}.")
    return int(value)


def as_array(name: str, value: Any, what: str, dtype: Any = None) -> jax.Array:
    """As an array of numbers; raises naming the argument."""
    try:
        if isinstance(value, np.ndarray):
            known = dtype is None or np.dtype(dtype) == value.dtype
            return from_host(value if known else value.astype(dtype), copy=known)
        return jnp.asarray(value, dtype)
    except (TypeError, ValueError, OverflowError) as e:
        raise TypeError(
            f"{what}: {name} must be an array of numbers, got {type(value).__name__}. {e}"
        ) from None


def concrete(x: Any) -> bool:
    """Whether `x` is an array whose values can be inspected."""
    return isinstance(x, (np.ndarray, jax.Array)) and is_concrete(x)


def index_array(name: str, index: Any, shape: tuple[int, int], what: str) -> jax.Array:
    """Integers as int32, or as int64 for row pointers that need it."""
    if not isinstance(index, (np.ndarray, jax.Array)):
        index = _host_integers(name, index, what)
        index = index.astype(np.int32) if index.dtype == np.int64 and _fits_int32(index) else index
    if not np.issubdtype(index.dtype, np.integer):
        raise TypeError(
            f"{what}: {name} must be integers of dtype int32 or int64, got dtype {index.dtype}."
        )
    wide = name == "indptr" and index.dtype == np.int64
    if wide and (not concrete(index) or jnp.asarray(0).dtype == np.int64):
        return _staged(index)
    if index.dtype != np.int32:
        if concrete(index) and not _fits_int32(np.asarray(index)):
            raise ValueError(
                f"{what}: {name} has values outside the range of int32 (shape={shape}); "
                "int64 row pointers need jax_enable_x64."
            )
        index = index.astype(np.int32)
    return _staged(index)


def _staged(index: Any) -> jax.Array:
    return from_host(index, copy=True) if isinstance(index, np.ndarray) else jnp.asarray(index)


def _host_integers(name: str, index: Any, what: str) -> np.ndarray:
    """A list of integers as an array; an empty one becomes int32."""
    try:
        host = np.asarray(index)
    except (TypeError, ValueError) as e:
        raise TypeError(
            f"{what}: {name} must be an array of integers, got {index!r}. {e}"
        ) from None
    return host if host.size else host.astype(np.int32)


def _fits_int32(index: np.ndarray) -> bool:
    info = np.iinfo(np.int32)
    return index.size == 0 or (int(index.min()) >= info.min and int(index.max()) <= info.max)


def as_weights(data: Any, what: str) -> jax.Array:
    """Weights as a floating-point array."""
    data = float(data) if isinstance(data, (int, float)) else data
    data = as_array("data", data, what)
    if not jnp.issubdtype(data.dtype, jnp.floating):
        raise TypeError(
            f"{what}: data must be floating point, got dtype {data.dtype}; convert it with .astype."
        )
    return data


def check_weights(data: jax.Array, what: str) -> None:
    """Raises where concrete weights are not finite."""
    if not concrete(data):
        return
    weights = np.asarray(data).reshape(-1)
    for start in range(0, weights.size, _CHUNK):
        bad = ~np.isfinite(_wide(weights[start : start + _CHUNK]))
        if bad.any():
            at = start + int(bad.argmax())
            raise ValueError(f"{what}: data must be finite, got {weights[at]} at position {at}.")


def _wide(x: np.ndarray) -> np.ndarray:
    """Half-precision numbers as float32: NumPy does not know all of them."""
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


def check_columns(indices, indptr, shape: tuple[int, int], what: str) -> None:
    """Raises if concrete row pointers or column indices are not valid compressed rows."""
    if not concrete(indptr):
        return
    starts = np.asarray(indptr)
    nnz = indices.size
    if starts[0] != 0 or starts[-1] != nnz:
        raise ValueError(
            f"{what}: indptr must start with 0 and end with nnz = {nnz} (the length of indices), "
            f"got {starts[0]} and {starts[-1]}."
        )
    falls = np.flatnonzero(starts[1:] < starts[:-1])
    if falls.size:
        raise ValueError(
            f"{what}: indptr must not decrease, but it does after position {falls[0]}."
        )
    if not concrete(indices) or nnz == 0:
        return
    columns = np.asarray(indices).reshape(-1)
    trouble, where = _first_offence(columns, starts, shape[1])
    row = int(np.searchsorted(starts, where, side="right")) - 1 if trouble else 0
    if trouble == 1:
        raise ValueError(
            f"{what}: indices must lie in [0, n_cols) = [0, {shape[1]}), got {columns[where]} at "
            f"position {where} (row {row})."
        )
    if trouble == 2:
        raise ValueError(
            f"{what}: indices must ascend within each row, but position {where} (row {row}) holds "
            f"{columns[where]} after {columns[where - 1]}. Use CSR.fromcoo, which sorts, or sort "
            "each row."
        )


def guarded(
    data: jax.Array, indices: jax.Array, n_cols: int, indptr: jax.Array | None = None
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Weights, indices and row pointers with which no kernel accesses memory out of bounds.

    Concrete values have been checked already. Traced indices and row pointers can't be inspected,
    so they are clipped to the allowed range; if that changes any of them, all weights become NaN,
    so that the mistake shows in every result.
    """
    wrong = []
    if not concrete(indices):
        inside = jnp.clip(indices, 0, max(n_cols - 1, 0))
        wrong.append(jnp.any(inside != indices))
        indices = inside
    if indptr is not None and not concrete(indptr):
        nnz = indices.shape[0]
        # Elements stored beyond the last row are padding (see `split_columns`).
        rising = jnp.clip(lax.cummax(indptr), 0, nnz).at[0].set(0)
        wrong.append(jnp.any(rising != indptr))
        # If they are wrong every row gets some elements, so that no row hides that these are NaN.
        rows = indptr.shape[0] - 1
        spread = np.arange(rows + 1, dtype=np.int64) * nnz // max(rows, 1)
        indptr = jnp.where(wrong[-1], spread.astype(indptr.dtype), rising)
    for one in wrong:
        data = jnp.where(one, jnp.full_like(data, jnp.nan), data)
    return data, indices, indptr


def _first_offence(columns: np.ndarray, starts: np.ndarray, n_cols: int) -> tuple[int, int]:
    """First violation: (1, position) out of range, (2, position) descending, (0, 0) none."""
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
        # A decrease is allowed where a row starts.
        falls = falls[starts[np.minimum(np.searchsorted(starts, falls), starts.size - 1)] != falls]
        if falls.size:
            return 2, int(falls[0])
    return 0, 0
