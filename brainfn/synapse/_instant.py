"""A receptor without memory."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Key
from ._base import AbstractReceptor
from ._exponential import Conducting


class Instant(AbstractReceptor[Conducting]):
    """What arrives in a step acts during that step and is gone: for rates, gap junctions, graded
    synapses and gates that live on the presynaptic side."""

    def init(self, size: int, *, key: Key | None = None) -> Conducting:
        del key
        return Conducting(jnp.zeros(size))

    def value(self, state: Conducting, t: FloatScalarLike) -> Float[Array, " n_post"]:
        del t
        return state.g

    def advance(self, state: Conducting, dt: float) -> Conducting:
        del dt
        return Conducting(jnp.zeros_like(state.g))

    def held(self, state: Conducting, rate: Any, dt: float) -> Float[Array, " n_post"]:
        del rate, dt
        return state.g
