"""Dense matrices whose products skip silent rows."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._check import as_weights, check_weights
from ._csr import CSR
from ._matrix import AbstractMatrix


class Dense(AbstractMatrix):
    r"""A dense matrix; `spikes @ W` reads only the rows of neurons that spike."""

    data: Float[Array, "n_rows n_cols"]
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(self, data: Any):
        """**Arguments:**

        - `data`: weights `(n_rows, n_cols)`, that is `(n_pre, n_post)`.

        Raises `ValueError` or `TypeError` for anything but a matrix of finite floats.
        """
        data = as_weights(data, "Dense")
        if data.ndim != 2:
            raise ValueError(f"Dense: data must be a matrix (n_rows, n_cols), got {data.shape}.")
        if data.size > np.iinfo(np.int32).max:
            raise ValueError(f"Dense: {data.size} elements are too many; use CSR or a JIT matrix.")
        check_weights(data, "Dense")
        self.data = data
        self.shape = (data.shape[0], data.shape[1])

    def checked(self) -> "Dense":
        return Dense(self.data)

    @property
    def kind(self) -> str:
        return "dense"

    @property
    def structure(self) -> tuple[Array, ...]:
        return ()

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.shape

    def with_weight(self, weight: Any) -> "Dense":
        if weight is not None and jnp.shape(weight) == ():
            weight = jnp.broadcast_to(jnp.asarray(weight), self.shape)
        return AbstractMatrix.with_weight(self, weight)

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return self.data

    def tocsr(self) -> CSR:
        """As a `CSR` that stores every element, including zeros."""
        n_rows, n_cols = self.shape
        indices = jnp.tile(jnp.arange(n_cols, dtype=jnp.int32), n_rows)
        indptr = jnp.arange(n_rows + 1, dtype=jnp.int32) * n_cols
        return CSR(self.data.reshape(-1), indices, indptr, shape=self.shape)

    @property
    def T(self) -> "Dense":
        return Dense(self.data.T)
