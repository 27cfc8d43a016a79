"""Connections on a ring whose weights depend on the distance only: products by FFT."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._check import as_weights, check_weights
from ._csr import CSR
from ._dense import Dense
from ._matrix import AbstractMatrix, unchecked


class Circulant(AbstractMatrix):
    r"""A matrix with the same weights in each row, shifted by one from row to row.

    $$ W_{ij} = k_{(j - i) \bmod n} $$

    Neurons on a ring that connect by their distance, as in ring attractors. Products are
    convolutions around the ring, computed by FFT: they, their derivatives and their batches cost
    $O(n \log n)$ in time and $O(n)$ in memory, whether few neurons are active or all. The result
    has an error of some ulp of the largest product, not of each. If few spikes arrive and weights
    are zero beyond a short distance, a `CSR` is faster.

    ```python
    angle = 2 * np.pi * np.arange(n) / n
    W = bf.event.Circulant(np.exp(4.0 * (np.cos(angle) - 1)))
    ```
    """

    data: Float[Array, " n"]
    shape: tuple[int, int] = eqx.field(static=True)

    def __init__(self, data: Any):
        """**Arguments:**

        - `data`: the weights $k$ from a neuron to those at the distances 0, 1, ..., $n - 1$ in the
            direction of growing indices, shape `(n,)`.

        Raises `ValueError` or `TypeError` for anything but a vector of finite floats.
        """
        data = as_weights(data, "Circulant")
        if data.ndim != 1:
            raise ValueError(
                "Circulant: data must have one weight for each distance, shape (n,), got "
                f"{data.shape}."
            )
        check_weights(data, "Circulant")
        self.data = data
        self.shape = (data.shape[0], data.shape[0])

    def checked(self) -> "Circulant":
        return Circulant(self.data)

    @property
    def kind(self) -> str:
        return "circulant"

    @property
    def structure(self) -> tuple[Array, ...]:
        return ()

    @property
    def weight_shape(self) -> None:
        return None

    @property
    def synapses(self) -> int:
        return self.shape[0] ** 2

    def with_weight(self, weight: Any) -> "Circulant":
        if weight is None or not eqx.is_array_like(weight):
            return AbstractMatrix.with_weight(self, weight)
        n = self.shape[0]
        if jnp.shape(weight) not in ((), (n,)):
            raise ValueError(
                f"`weight` of a Circulant must have shape () or ({n},), one number for each "
                f"distance, got {jnp.shape(weight)}. Try `todense()` for weights that differ."
            )
        data = jnp.broadcast_to(jnp.asarray(weight), (n,))
        return unchecked(Circulant, data=data, shape=self.shape)

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list[AbstractMatrix]:
        if list(bounds) == [(0, self.shape[1])]:
            return [self]
        return [Dense(self.todense()[:, low:high]) for low, high in bounds]

    def todense(self) -> Float[Array, "n n"]:
        i = np.arange(self.shape[0])
        return self.data[(i - i[:, None]) % max(self.shape[0], 1)]

    def tocsr(self) -> CSR:
        """As a `CSR` that stores every element."""
        return Dense(self.todense()).tocsr()

    @property
    def T(self) -> "Circulant":
        """The transposed matrix."""
        data = jnp.roll(jnp.flip(self.data), 1)
        return unchecked(Circulant, data=data, shape=self.shape)
