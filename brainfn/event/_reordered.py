"""Compressed rows whose weights are stored in another order."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._errors import from_host, is_concrete
from ._check import check_weights, guarded
from ._csr import CSR
from ._matrix import AbstractMatrix, unchecked


class Reordered(AbstractMatrix):
    """A CSR matrix whose columns were renumbered, with its weights left in place.

    Kernels need the columns of a row in ascending order. Renumbering changes that order; `order`
    then maps each element to its weight, so the weights stay as in the original matrix and are not
    copied. `CSR.with_columns` makes it.

    - `indices`, `indptr`: the structure, columns ascending within each row.
    - `order`: where the weight of each element is in `data`.
    """

    data: Float[Array, "*nnz"]
    indices: Int[Array, " nnz"]
    indptr: Int[Array, " n_rows_plus_one"]
    order: Int[Array, " nnz"]
    shape: tuple[int, int] = eqx.field(static=True)

    @property
    def kind(self) -> str:
        return "permuted"

    @property
    def structure(self) -> tuple[Array, ...]:
        return (self.indices, self.indptr, self.order)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.indices.shape

    def checked(self) -> "Reordered":
        rows = CSR(0.0, self.indices, self.indptr, shape=self.shape)
        nnz = rows.nnz
        data, order = self.data, self.order
        check_weights(data, "Reordered")
        if order.shape != (nnz,) or data.shape not in ((), (nnz,)):
            raise ValueError(
                f"Reordered: order and data must have shape ({nnz},), that of indices, got "
                f"{order.shape} and {data.shape}."
            )
        if is_concrete(order):
            host = np.asarray(order)
            if host.size and (host.min() < 0 or host.max() >= nnz):
                raise ValueError(
                    f"Reordered: order must lie in [0, {nnz}), got values from {host.min()} to "
                    f"{host.max()}."
                )
        if not is_concrete(rows.data):  # NaN if the structure is traced and wrong
            data = data + rows.data.astype(data.dtype)
        data, order, _ = guarded(data, order, nnz)
        return unchecked(
            Reordered,
            data=data,
            indices=rows.indices,
            indptr=rows.indptr,
            order=order,
            shape=self.shape,
        )

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return self.tocsr().todense()

    def tocsr(self) -> CSR:
        """The same matrix with its weights in the order of the structure: a permuted copy."""
        data = self.data if self.data.ndim == 0 else self.data[self.order]
        return unchecked(CSR, data=data, indices=self.indices, indptr=self.indptr, shape=self.shape)

    @property
    def T(self) -> AbstractMatrix:
        return self.tocsr().T


def with_columns(matrix: CSR, columns: Any, n_cols: int) -> Reordered:
    """`matrix` with column `j` moved to `columns[j]` of `n_cols`; its weights are shared.

    **Arguments:**

    - `matrix`: a matrix `(n_rows, n_cols)`.
    - `columns`: int32 `(matrix.shape[1],)`, all distinct.
    - `n_cols`: the new number of columns.
    """
    columns = np.asarray(columns)
    if is_concrete(matrix.indices) and is_concrete(matrix.indptr):
        moved = columns[np.asarray(matrix.indices)]
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(np.asarray(matrix.indptr)))
        order = np.lexsort((moved, rows)).astype(np.int32)
        indices: Array = from_host(moved[order].astype(np.int32))
        place: Array = from_host(order)
    else:
        new = jnp.asarray(columns)[matrix.indices]
        rows = jnp.searchsorted(matrix.indptr, jnp.arange(new.shape[0]), side="right")
        place = jnp.lexsort((new, rows)).astype(jnp.int32)
        indices = new[place].astype(jnp.int32)
    return unchecked(
        Reordered,
        data=matrix.data,
        indices=indices,
        indptr=matrix.indptr,
        order=place,
        shape=(matrix.shape[0], n_cols),
    )
