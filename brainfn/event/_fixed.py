"""Matrices whose rows, or columns, all have the same number of elements."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ._check import (
    as_weights,
    check_columns,
    check_shape,
    check_weights,
    guarded,
    index_array,
    whole_number,
)
from ._csr import CSR, ColumnIndex
from ._matrix import AbstractMatrix, unchecked
from ._transpose import transpose_structure


class FixedFanout(AbstractMatrix):
    """A sparse matrix with `fan_out` elements in each row (the ELL format): no row pointers."""

    data: Float[Array, "..."]
    indices: Int[Array, "n_rows fan_out"]
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(self, data: Any, indices: Any, *, shape: tuple[int, ...]):
        """**Arguments:**

        - `data`: weights `(n_rows, fan_out)`, or one number for all elements.
        - `indices`: integers `(n_rows, fan_out)`, the columns, ascending within each row.
        - `shape`: `(n_rows, n_cols)`.

        Raises `ValueError` or `TypeError` where these do not fit together.
        """
        shape = check_shape(shape, "FixedFanout")
        self.data, self.indices = _checked(data, indices, shape, "FixedFanout")
        self.shape = shape

    def checked(self) -> "FixedFanout":
        return FixedFanout(self.data, self.indices, shape=self.shape)

    @property
    def fan_out(self) -> int:
        """Number of elements in each row."""
        return self.indices.shape[1]

    @property
    def kind(self) -> str:
        return "ell"

    @property
    def structure(self) -> tuple[Array, ...]:
        return (self.indices,)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.indices.shape

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return self.tocsr().todense()

    def tocsr(self) -> CSR:
        data = self.data if self.data.ndim == 0 else self.data.reshape(-1)
        return unchecked(
            CSR,
            data=data,
            indices=self.indices.reshape(-1),
            indptr=_starts(self.indices),
            shape=self.shape,
        )

    def column_index(self) -> ColumnIndex:
        """Where the elements of each column are; costs a sort in O(n_rows fan_out)."""
        return _column_index(self.indices, self.shape[1])

    @property
    def T(self) -> "FixedFanin":
        """The transposed matrix with the same weights, nothing copied; costs a sort of the indices,
        so make it once, outside of a loop."""
        return unchecked(
            FixedFanin,
            data=self.data,
            indices=self.indices,
            index=self.column_index(),
            shape=(self.shape[1], self.shape[0]),
        )


class FixedFanin(AbstractMatrix):
    r"""A sparse matrix with `fan_in` elements in each column: each neuron has `fan_in` inputs.

    Weights are stored by postsynaptic neuron, and an index made at construction says where the
    elements of each row are, so that both products are event-driven: `spikes @ W` touches only rows
    of neurons that spike, `W @ x` only columns with $x_j \neq 0$. It is the transpose of a
    [`brainfn.event.FixedFanout`][]: `W.T` copies no weights.
    """

    data: Float[Array, "..."]
    indices: Int[Array, "n_cols fan_in"]
    index: ColumnIndex
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(self, data: Any, indices: Any, *, shape: tuple[int, ...]):
        """**Arguments:**

        - `data`: weights `(n_cols, fan_in)`, that is `(n_post, fan_in)`, or one number for all.
        - `indices`: integers `(n_cols, fan_in)`, the rows (presynaptic neurons) of each column's
          elements, ascending.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.

        Raises `ValueError` or `TypeError` where these do not fit together.
        """
        shape = check_shape(shape, "FixedFanin")
        self.data, self.indices = _checked(data, indices, (shape[1], shape[0]), "FixedFanin")
        self.index = _column_index(self.indices, shape[0])
        self.shape = shape

    def checked(self) -> "FixedFanin":
        return FixedFanin(self.data, self.indices, shape=self.shape)

    @property
    def fan_in(self) -> int:
        """Number of elements in each column."""
        return self.indices.shape[1]

    @property
    def kind(self) -> str:
        return "permuted"

    @property
    def structure(self) -> tuple[Array, ...]:
        return (self.index.rows, self.index.indptr, self.index.order)

    @property
    def by_columns(self) -> FixedFanout:
        return self.T

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.indices.shape

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return self.T.todense().T

    def tocsr(self) -> CSR:
        """The same matrix with its weights stored row by row: a permuted copy."""
        data = self.data if self.data.ndim == 0 else self.data.reshape(-1)[self.index.order]
        return unchecked(
            CSR, data=data, indices=self.index.rows, indptr=self.index.indptr, shape=self.shape
        )

    @property
    def T(self) -> FixedFanout:
        """The transposed matrix with the same weights; costs nothing."""
        shape = (self.shape[1], self.shape[0])
        return unchecked(FixedFanout, data=self.data, indices=self.indices, shape=shape)


def _checked(data: Any, indices: Any, shape: tuple[int, int], what: str):
    """Weights and indices of the elements of each of `shape[0]` neurons."""
    indices = index_array("indices", indices, shape, what)
    data = as_weights(data, what)
    each = "fan_out" if what == "FixedFanout" else "fan_in"
    if indices.ndim != 2 or indices.shape[0] != shape[0]:
        whole = shape if what == "FixedFanout" else shape[::-1]
        raise ValueError(
            f"{what}: indices must have shape ({shape[0]}, {each}) for shape={whole}, got "
            f"{indices.shape}."
        )
    if data.ndim > 0 and data.shape != indices.shape:
        raise ValueError(
            f"{what}: data must be one number or have the shape of indices {indices.shape}, got "
            f"{data.shape}."
        )
    check_weights(data, what)
    starts = np.arange(shape[0] + 1, dtype=np.int64) * indices.shape[1]
    check_columns(indices, starts, shape, what)
    data, indices, _ = guarded(data, indices, shape[1])
    return data, indices


def _starts(indices: jax.Array) -> jax.Array:
    """The row pointers of rows that are equally long."""
    wide = indices.size > np.iinfo(np.int32).max
    return (
        jnp.arange(indices.shape[0] + 1, dtype=jnp.int64 if wide else jnp.int32)
        * (indices.shape[1])
    )


def _column_index(indices: jax.Array, n_cols: int) -> ColumnIndex:
    rows, indptr, order = transpose_structure(indices.reshape(-1), _starts(indices), n_cols)
    assert order is not None
    return ColumnIndex(rows, indptr, order, indices.shape[0])


class OneToOne(AbstractMatrix):
    """A diagonal matrix: neuron i to neuron i."""

    data: Float[Array, "..."]
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(self, data: Any, size: int | None = None):
        """**Arguments:**

        - `data`: weights `(size,)`, or one number for all.
        - `size`: number of neurons; needed where `data` is one number.

        Raises `ValueError` or `TypeError` where these do not fit together.
        """
        data = as_weights(data, "OneToOne")
        if data.ndim > 1:
            raise ValueError(f"OneToOne: data must be one number or a vector, got {data.shape}.")
        if size is None and data.ndim == 0:
            raise ValueError("OneToOne: size is needed where data is one number.")
        n = data.shape[0] if size is None else size
        if data.ndim == 1 and data.shape[0] != n:
            raise ValueError(f"OneToOne: data has shape {data.shape} but size is {size}.")
        n = whole_number("size", n, 0, "OneToOne")
        self.shape = check_shape((n, n), "OneToOne")
        check_weights(data, "OneToOne")
        self.data = data

    def checked(self) -> "OneToOne":
        return OneToOne(self.data, self.shape[0])

    @property
    def kind(self) -> str:
        return "one_to_one"

    @property
    def structure(self) -> tuple[Array, ...]:
        return ()

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.shape[:1]

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return jnp.diag(jnp.broadcast_to(self.data, self.shape[:1]))

    def tocsr(self) -> CSR:
        n = self.shape[0]
        indptr = jnp.arange(n + 1, dtype=jnp.int32)
        return CSR(self.data, indptr[:-1], indptr, shape=self.shape)

    @property
    def T(self) -> "OneToOne":
        return self
