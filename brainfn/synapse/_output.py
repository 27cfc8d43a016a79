"""Outputs: from the variable of a receptor to a current."""

from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._field import param, replace
from ._base import AbstractOutput


class Current(AbstractOutput):
    """The variable of the receptor is itself the current: $I = g$. Weights are in pA."""

    def __call__(
        self, g: Float[Array, " n_post"], v: Float[Array, " n_post"]
    ) -> Float[Array, " n_post"]:
        del v
        return g


class Conductance(AbstractOutput):
    r"""The variable of the receptor is a conductance: $I = g\,(E - v)$. Weights are in nS.

    **Arguments:**

    - `reversal`: reversal potential $E$ in mV.

    **Raises:** `TypeError` or `ValueError` if `reversal` is not a finite number.
    """

    reversal: Parameter = param(unit="mV", positional=True)

    def __call__(
        self, g: Float[Array, " n_post"], v: Float[Array, " n_post"]
    ) -> Float[Array, " n_post"]:
        return g * (self.reversal - v)


class Diffusive(AbstractOutput):
    r"""Coupling by differences: gap junctions, diffusive coupling of masses.

    $$I_j = \sum_i w_{ij}\,(x_i - v_j) = g_j - v_j \sum_i w_{ij}$$

    with the arriving signals $g_j = \sum_i w_{ij} x_i$ and the sum of the weights onto each neuron,
    which a network computes before the loop. Weights are in nS. Use it with `release=Graded(lambda
    s: s.v)` and `synapse=Instant()`.
    """

    uses_total: ClassVar[bool] = True
    total: Any = eqx.field(default=None, init=False)

    def __call__(
        self, g: Float[Array, " n_post"], v: Float[Array, " n_post"]
    ) -> Float[Array, " n_post"]:
        if self.total is None:
            raise ValueError(
                "Diffusive needs the sum of the weights onto each neuron, which a network "
                "provides. Try Diffusive().with_total(weights.sum(0))."
            )
        return g - self.total * v

    def with_total(self, total: Float[Array, " n_post"]) -> "Diffusive":
        return replace(self, total=total)
