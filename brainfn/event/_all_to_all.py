"""All pairs connected with one weight: a matrix of rank one, whose products cost O(N)."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import from_host
from ._check import as_weights, check_shape, check_weights, whole_number
from ._csr import CSR
from ._matrix import AbstractMatrix, unchecked
from ._reference import left_out


class AllToAll(AbstractMatrix):
    r"""A matrix with the same weight everywhere, or everywhere but on a diagonal.

    $$ W_{ij} = w \quad\text{or}\quad W_{ij} = w\,(1 - \delta_{j, i + o}) $$

    It is of rank one (plus a diagonal), so that products, their derivatives and their batches cost
    $O(n_\mathrm{rows} + n_\mathrm{cols})$ in time and memory: a sum that is spread to all. The
    weight is one number; for weights that differ, or change by plasticity, use `tocsr()` or
    [`brainfn.event.Dense`][].
    """

    data: Float[Array, ""]
    shape: tuple[int, int] = eqx.field(static=True)
    diagonal: int | None = eqx.field(static=True)

    def __init__(self, data: Any, *, shape: tuple[int, ...], diagonal: Any = None):
        """**Arguments:**

        - `data`: the weight, one number.
        - `shape`: `(n_rows, n_cols)`.
        - `diagonal`: the offset $o$ if the elements $(i, i + o)$ are left out, as where neurons do
          not connect to themselves; `None` if every element is there.

        Raises `ValueError` or `TypeError` where these do not fit.
        """
        data = as_weights(data, "AllToAll")
        if data.ndim != 0:
            raise ValueError(
                f"AllToAll: data must be one number, got shape {data.shape}; use Dense for weights "
                "that differ."
            )
        check_weights(data, "AllToAll")
        self.data = data
        self.shape = check_shape(shape, "AllToAll")
        least = -np.iinfo(np.int32).max
        self.diagonal = (
            None if diagonal is None else whole_number("diagonal", diagonal, least, "AllToAll")
        )

    def checked(self) -> "AllToAll":
        return AllToAll(self.data, shape=self.shape, diagonal=self.diagonal)

    @property
    def kind(self) -> str:
        return "all_to_all"

    @property
    def structure(self) -> tuple[Array, ...]:
        return ()

    @property
    def extra(self) -> tuple[int, ...]:
        return () if self.diagonal is None else (self.diagonal,)

    @property
    def weight_shape(self) -> None:
        return None

    @property
    def synapses(self) -> int:
        n_rows, n_cols = self.shape
        start, stop = left_out(self.shape, self.extra)
        return n_rows * n_cols - (stop - start)

    def with_weight(self, weight: Any) -> "AllToAll":
        if weight is not None and eqx.is_array_like(weight) and jnp.shape(weight) != ():
            raise ValueError(
                "`weight` of all-to-all connections must have shape (), one number for all "
                f"synapses, got {jnp.shape(weight)}. Build them with format='csr' for weights that "
                "differ."
            )
        return AbstractMatrix.with_weight(self, weight)

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list[AbstractMatrix]:
        return [
            unchecked(
                AllToAll,
                data=self.data,
                shape=(self.shape[0], high - low),
                diagonal=None if self.diagonal is None else self.diagonal - low,
            )
            for low, high in bounds
        ]

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        dense = jnp.broadcast_to(self.data, self.shape)
        if self.diagonal is None:
            return dense
        own = jnp.eye(*self.shape, self.diagonal, dtype=bool)
        return jnp.where(own, jnp.zeros_like(dense), dense)

    def tocsr(self) -> CSR:
        """As a `CSR` that lists every element and stores the weight once."""
        if self.synapses > np.iinfo(np.int32).max:
            raise ValueError(f"AllToAll.tocsr: {self.synapses} elements are too many to be listed.")
        n_rows = self.shape[0]
        start, stop = left_out(self.shape, self.extra)
        rows = np.arange(n_rows)
        there = np.ones(self.shape, bool)
        if self.diagonal is not None:
            there[rows[start:stop], rows[start:stop] + self.diagonal] = False
        indptr = np.zeros(n_rows + 1, np.int32)
        np.cumsum(there.sum(1), out=indptr[1:])
        indices = np.nonzero(there)[1].astype(np.int32)
        return unchecked(
            CSR, data=self.data, indices=from_host(indices), indptr=from_host(indptr),
            shape=self.shape,
        )  # fmt: skip

    @property
    def T(self) -> "AllToAll":
        """The transposed matrix; costs nothing."""
        return unchecked(
            AllToAll,
            data=self.data,
            shape=(self.shape[1], self.shape[0]),
            diagonal=None if self.diagonal is None else -self.diagonal,
        )
