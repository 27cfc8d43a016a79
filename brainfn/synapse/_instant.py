"""A receptor without memory."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Key, Parameter
from .._field import param
from ._base import AbstractReceptor
from ._exponential import Conducting


class Instant(AbstractReceptor[Conducting]):
    r"""A signal acts only during the step in which it arrives: for rates, gap junctions, graded
    synapses, gates on the presynaptic side, and delta synapses.

    $$g_n = c \sum_k w_k, \qquad k \text{ over what arrives in step } n$$

    **Arguments:**

    - `scale`: $c$, a common factor of all weights, such as a global coupling strength; a number or
      one for each postsynaptic neuron, dimensionless.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    memory: ClassVar[bool] = False
    scale: Parameter = param(1.0, unit="")

    def init(self, size: int, *, key: Key | None = None) -> Conducting:
        del key
        return Conducting(jnp.zeros(size, self.scale.dtype))

    def value(self, state: Conducting, t: FloatScalarLike) -> Float[Array, " n_post"]:
        del t
        return self.scale * state.g

    def advance(self, state: Conducting, dt: float) -> Conducting:
        del dt
        return Conducting(jnp.zeros_like(state.g))

    def held(self, state: Conducting, rate: Any, dt: float) -> Float[Array, " n_post"]:
        del rate, dt
        return self.scale * state.g
