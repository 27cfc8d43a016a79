"""The channels of the squid axon."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._field import param
from ._base import AbstractChannel, Gate, alpha_beta
from ._linoid import linoid


class SodiumHH(AbstractChannel):
    r"""The sodium channel of Hodgkin and Huxley, $I = g\,m^3 h\,(v - E)$, at 6.3 degrees Celsius.

    $$\alpha_m = \frac{0.1\,(v + 40)}{1 - e^{-(v + 40)/10}},\quad
    \beta_m = 4\,e^{-(v + 65)/18},\quad \alpha_h = 0.07\,e^{-(v + 65)/20},\quad
    \beta_h = \frac{1}{1 + e^{-(v + 35)/10}}$$

    **Arguments:**

    - `g`: maximal conductance in nS; 120 mS/cm2 in the squid.
    - `reversal`: reversal potential in mV.

    ??? cite

        Hodgkin and Huxley (1952), "A quantitative description of membrane current and its
        application to conduction and excitation in nerve", J. Physiol. 117:500-544,
        doi:10.1113/jphysiol.1952.sp004764, with the modern sign convention and a resting potential
        of -65 mV.
    """

    g: Parameter = param(120.0, unit="nS", sign="nonnegative")
    reversal: Parameter = param(50.0, unit="mV")

    def gates(self, v: Float[Array, "*size"], ions: dict[str, Any]) -> dict[str, Gate]:
        del ions
        return {
            "m": alpha_beta(0.1 * linoid(v + 40, 10.0), 4 * jnp.exp(-(v + 65) / 18)),
            "h": alpha_beta(0.07 * jnp.exp(-(v + 65) / 20), jax.nn.sigmoid((v + 35) / 10)),
        }

    def current(
        self,
        gates: dict[str, Float[Array, "*size"]],
        v: Float[Array, "*size"],
        ions: dict[str, Any],
    ) -> Float[Array, "*size"]:
        del ions
        return self.g * gates["m"] ** 3 * gates["h"] * (v - self.reversal)


class PotassiumHH(AbstractChannel):
    r"""The potassium channel of Hodgkin and Huxley, $I = g\,n^4\,(v - E)$, at 6.3 degrees Celsius.

    $$\alpha_n = \frac{0.01\,(v + 55)}{1 - e^{-(v + 55)/10}},\quad
    \beta_n = 0.125\,e^{-(v + 65)/80}$$

    **Arguments:**

    - `g`: maximal conductance in nS; 36 mS/cm2 in the squid.
    - `reversal`: reversal potential in mV.

    ??? cite

        As [`brainfn.channel.SodiumHH`][].
    """

    g: Parameter = param(36.0, unit="nS", sign="nonnegative")
    reversal: Parameter = param(-77.0, unit="mV")

    def gates(self, v: Float[Array, "*size"], ions: dict[str, Any]) -> dict[str, Gate]:
        del ions
        return {"n": alpha_beta(0.01 * linoid(v + 55, 10.0), 0.125 * jnp.exp(-(v + 65) / 80))}

    def current(
        self,
        gates: dict[str, Float[Array, "*size"]],
        v: Float[Array, "*size"],
        ions: dict[str, Any],
    ) -> Float[Array, "*size"]:
        del ions
        return self.g * gates["n"] ** 4 * (v - self.reversal)


class Leak(AbstractChannel):
    r"""A conductance that is always open, $I = g\,(v - E)$.

    **Arguments:**

    - `g`: conductance in nS; 0.3 mS/cm2 in the squid.
    - `reversal`: reversal potential in mV.

    ??? cite

        As [`brainfn.channel.SodiumHH`][].
    """

    g: Parameter = param(0.3, unit="nS", sign="nonnegative")
    reversal: Parameter = param(-54.387, unit="mV")

    def gates(self, v: Float[Array, "*size"], ions: dict[str, Any]) -> dict[str, Gate]:
        del v, ions
        return {}

    def current(
        self,
        gates: dict[str, Float[Array, "*size"]],
        v: Float[Array, "*size"],
        ions: dict[str, Any],
    ) -> Float[Array, "*size"]:
        del gates, ions
        return self.g * (v - self.reversal)
