"""How the state of a synapse becomes a current."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from .._errors import parameter


class AbstractOutput(eqx.Module):
    """Turns the state of a synapse and the membrane potential into a current."""

    @abc.abstractmethod
    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        """Current in pA for the synaptic variable `g` at membrane potentials `v` (mV)."""


class Current(AbstractOutput):
    """The synaptic variable is itself the current: $I = g$. Weights are in pA."""

    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        del v
        return g


class Conductance(AbstractOutput):
    r"""The synaptic variable is a conductance: $I = g\,(E - v)$. Weights are in nS.

    **Arguments:**

    - `reversal`: reversal potential $E$ in mV.

    **Raises:** `TypeError` or `ValueError` if `reversal` is no finite number.
    """

    reversal: Float[Array, "..."]

    def __init__(self, reversal: FloatArrayLike, *, dtype: Any = None):
        shape = getattr(reversal, "shape", ())
        size = shape[0] if len(shape) == 1 else None
        self.reversal = parameter("reversal", reversal, unit="mV", size=size, dtype=dtype)

    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        return g * (self.reversal - v)
