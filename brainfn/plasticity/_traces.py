"""What several rules need: traces of spikes, and the columns of a matrix."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike
from ..event import CSR, AbstractMatrix, ColumnIndex, FixedFanout


class PairTraces(eqx.Module):
    """Traces of rules for pairs of spikes: `pre` of shape `(n_pre,)`, `post` of `(n_post,)`.

    `columns` holds the positions of the weights onto each postsynaptic neuron, for matrices stored
    by rows.
    """

    pre: Float[Array, " n_pre"]
    post: Float[Array, " n_post"]
    columns: ColumnIndex | None


def pair_traces(matrix: AbstractMatrix) -> PairTraces:
    """Traces at rest."""
    pre, post = silent(matrix)
    return PairTraces(pre, post, columns_of(matrix))


def silent(matrix: AbstractMatrix) -> tuple[Float[Array, " n_pre"], Float[Array, " n_post"]]:
    """Zeros for each presynaptic and for each postsynaptic neuron."""
    n_pre, n_post = matrix.shape
    return jnp.zeros(n_pre, matrix.vector_dtype), jnp.zeros(n_post, matrix.vector_dtype)


def columns_of(matrix: AbstractMatrix) -> ColumnIndex | None:
    """What `on_post` needs, or `None` for a matrix that it can read by columns as it is."""
    return matrix.column_index() if isinstance(matrix, CSR | FixedFanout) else None


def decay(x: Float[Array, " n"], tau: Any, dt: float) -> Float[Array, " n"]:
    """A trace after a step without spikes."""
    return x * jnp.exp(-dt / tau)


def restarted(
    x: Float[Array, " n"], spikes: Float[Array, " n"], to: FloatScalarLike = 1.0
) -> Float[Array, " n"]:
    """A trace that each spike sets to a value, whatever it was: it knows the last spike only."""
    return x + spikes * (to - x)
