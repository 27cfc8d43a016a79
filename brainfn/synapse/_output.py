"""How the variable of a receptor becomes a current."""

from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._field import param
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
