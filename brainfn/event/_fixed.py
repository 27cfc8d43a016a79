"""Matrices whose rows all have the same number of elements."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ._check import as_weights, check_columns, check_shape, check_weights, index_array
from ._csr import CSR
from ._matrix import AbstractMatrix


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
        indices = index_array("indices", indices, shape, "FixedFanout")
        data = as_weights(data, "FixedFanout")
        if indices.ndim != 2 or indices.shape[0] != shape[0]:
            raise ValueError(
                f"FixedFanout: indices must have shape ({shape[0]}, fan_out) for shape={shape}, "
                f"got {indices.shape}."
            )
        if data.ndim > 0 and data.shape != indices.shape:
            raise ValueError(
                "FixedFanout: data must be one number or have the shape of indices "
                f"{indices.shape}, got {data.shape}."
            )
        check_weights(data, "FixedFanout")
        starts = np.arange(shape[0] + 1, dtype=np.int64) * indices.shape[1]
        check_columns(indices, starts, shape, "FixedFanout")
        self.data = data
        self.indices = indices
        self.shape = shape

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

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return self.tocsr().todense()

    def tocsr(self) -> CSR:
        indptr = jnp.arange(self.shape[0] + 1, dtype=jnp.int32) * self.fan_out
        data = self.data if self.data.ndim == 0 else self.data.reshape(-1)
        return CSR(data, self.indices.reshape(-1), indptr, shape=self.shape)

    @property
    def T(self) -> CSR:
        return self.tocsr().T


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
        self.shape = check_shape((n, n), "OneToOne")
        check_weights(data, "OneToOne")
        self.data = data

    @property
    def kind(self) -> str:
        return "one_to_one"

    @property
    def structure(self) -> tuple[Array, ...]:
        return ()

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return jnp.diag(jnp.broadcast_to(self.data, self.shape[:1]))

    def tocsr(self) -> CSR:
        n = self.shape[0]
        indptr = jnp.arange(n + 1, dtype=jnp.int32)
        return CSR(self.data, indptr[:-1], indptr, shape=self.shape)

    @property
    def T(self) -> "OneToOne":
        return self
