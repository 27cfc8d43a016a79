"""Transposition of a CSR structure by counting sort."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ._check import as_array, concrete, whole_number
from ._prim import Native, define
from ._reference import row_ids


def transpose_structure(
    indices: Int[Array | np.ndarray, "..."],
    indptr: Int[Array | np.ndarray, "..."],
    n_cols: int,
    *,
    permutation: bool = True,
) -> tuple[Int[Array, " nnz"], Int[Array, " n_cols_plus_one"], Int[Array, " nnz"] | None]:
    r"""Turns compressed rows into compressed columns, in $O(\text{nnz})$.

    The sort is stable: row indices ascend within each column of the result, regardless of the order
    of the input.

    **Arguments:**

    - `indices`: int32 `(nnz,)`, the column of each stored element.
    - `indptr`: int32 or int64 `(n_rows + 1,)`, where each row starts.
    - `n_cols`: number of columns.
    - `permutation`: whether the permutation is wanted; without it a transposition of $10^8$
      elements needs half of the memory.

    **Returns:** `(indices_T, indptr_T, permutation)`: the rows of the stored elements column by
    column, where each column starts (dtype of `indptr`), and the position of each element in the
    input (so that `data_T = data[permutation]`), or None.

    Raises `ValueError` or `TypeError` for wrong shapes or dtypes.
    """
    what = "transpose_structure"
    indices, indptr = as_array("indices", indices, what), as_array("indptr", indptr, what)
    n_cols = whole_number("n_cols", n_cols, 0, what)
    if indices.ndim != 1 or indptr.ndim != 1 or indptr.shape[0] < 1:
        raise ValueError(
            "transpose_structure: expected indices (nnz,) and indptr (n_rows + 1,), got shapes "
            f"{indices.shape} and {indptr.shape}."
        )
    if indices.dtype != np.int32 or indptr.dtype not in (np.int32, np.int64):
        raise TypeError(
            "transpose_structure: expected indices of dtype int32 and indptr of dtype int32 or "
            "int64, got "
            f"{indices.dtype} and {indptr.dtype}; convert them with .astype."
        )
    if n_cols > np.iinfo(np.int32).max:
        raise ValueError(f"transpose_structure: n_cols must lie in [0, 2**31), got {n_cols}.")
    if concrete(indices) and concrete(indptr):
        starts, columns = np.asarray(indptr), np.asarray(indices)
        if starts[0] != 0 or starts[-1] != columns.size or np.any(np.diff(starts) < 0):
            raise ValueError(
                "transpose_structure: indptr must rise from 0 to nnz = "
                f"{columns.size}, the length of indices."
            )
        if columns.size and not (columns.min() >= 0 and columns.max() < n_cols):
            raise ValueError(
                f"transpose_structure: indices must lie in [0, n_cols) = [0, {n_cols}), got values "
                f"from {columns.min()} to {columns.max()}."
            )
    out = _operator(indices, indptr, n_cols=n_cols, permutation=bool(permutation))
    return out[0], out[1], out[2] if permutation else None


def _outputs(indices, indptr, *, n_cols, permutation):
    shapes = [(indices.shape, indices.dtype), ((n_cols + 1,), indptr.dtype)]
    return shapes + [(indices.shape, indptr.dtype)] * permutation


def _reference(indices, indptr, *, n_cols, permutation):
    order = jnp.argsort(indices, stable=True)
    rows = row_ids(indptr, indices.shape[0])[order]
    counts = jnp.zeros(n_cols, indptr.dtype).at[indices].add(1)
    starts = jnp.concatenate([jnp.zeros(1, indptr.dtype), jnp.cumsum(counts, dtype=indptr.dtype)])
    return [rows, starts] + [order.astype(indptr.dtype)] * permutation


def _native(indices, indptr, *, n_cols, permutation):
    del indices, indptr, n_cols, permutation
    return Native("brainfn_transpose", {}, {})


_operator = define("csr_transpose", reference=_reference, outputs=_outputs, native=_native)
