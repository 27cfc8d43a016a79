"""A-type potassium currents: transient, and inactivated at rest."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from .._custom_types import Parameter
from ._base import (
    AbstractOhmicChannel,
    Gate,
    Gates,
    Ions,
    Values,
    conductance,
    inf_tau,
    millivolts,
)


class ACurrentConnorStevens(AbstractOhmicChannel):
    r"""The A-current of the crustacean axon, $I = g\,a^3 b\,(v - E)$.

    $$a_\infty = \left(\frac{0.0761\,e^{0.0314\,(v + 94.22)}}{1 + e^{0.0346\,(v + 1.17)}}
    \right)^{1/3},\quad \tau_a = 0.3632 + \frac{1.158}{1 + e^{0.0497\,(v + 55.96)}}$$

    $$b_\infty = \frac{1}{(1 + e^{0.0688\,(v + 53.3)})^4},\quad
    \tau_b = 1.24 + \frac{2.678}{1 + e^{0.0624\,(v + 50)}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV; that of the ion, if the cell tracks `"k"`.

    ??? cite

        As [`brainfn.channel.SodiumConnorStevens`][].
    """

    g: Parameter = conductance(47.7)
    reversal: Parameter = millivolts(-75.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        closing = jax.nn.sigmoid(-0.0346 * (v + 1.17))
        a = jnp.cbrt(0.0761 * closing) * jnp.exp(0.0314 / 3 * (v + 94.22))
        b = jax.nn.sigmoid(-0.0688 * (v + 53.3)) ** 4
        return {
            "a": inf_tau(a, 0.3632 + 1.158 * jax.nn.sigmoid(-0.0497 * (v + 55.96))),
            "b": inf_tau(b, 1.24 + 2.678 * jax.nn.sigmoid(-0.0624 * (v + 50))),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["a"] ** 3 * gates["b"]
