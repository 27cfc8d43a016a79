"""The channels of the squid axon, and leaks."""

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
    alpha_beta,
    conductance,
    millivolts,
)
from ._linoid import linoid
from ._temperature import celsius, factor, speed


class SodiumHH(AbstractOhmicChannel):
    r"""The sodium channel of Hodgkin and Huxley, $I = g\,m^3 h\,(v - E)$.

    $$\alpha_m = \frac{0.1\,(v + 40)}{1 - e^{-(v + 40)/10}},\quad
    \beta_m = 4\,e^{-(v + 65)/18},\quad \alpha_h = 0.07\,e^{-(v + 65)/20},\quad
    \beta_h = \frac{1}{1 + e^{-(v + 35)/10}}$$

    **Arguments:**

    - `g`: maximal conductance in nS; 120 mS/cm2 in the squid.
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.
    - `temperature`: in degrees Celsius; the rates are multiplied by
        $Q_{10}^{(T - T_\mathrm{ref})/10}$.
    - `q10`, `reference`: $Q_{10}$, and $T_\mathrm{ref}$ in degrees Celsius.

    ??? cite

        Hodgkin and Huxley (1952), "A quantitative description of membrane current and its
        application to conduction and excitation in nerve", J. Physiol. 117:500-544,
        doi:10.1113/jphysiol.1952.sp004764, with the modern sign convention and a resting potential
        of -65 mV.
    """

    g: Parameter = conductance(120.0)
    reversal: Parameter = millivolts(50.0)
    temperature: Parameter = celsius(6.3)
    q10: Parameter = factor(3.0)
    reference: Parameter = celsius(6.3)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        m = alpha_beta(0.1 * linoid(v + 40, 10.0), 4 * jnp.exp(-(v + 65) / 18))
        h = alpha_beta(0.07 * jnp.exp(-(v + 65) / 20), jax.nn.sigmoid((v + 35) / 10))
        return {"m": m.faster(phi), "h": h.faster(phi)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 3 * gates["h"]


class PotassiumHH(AbstractOhmicChannel):
    r"""The potassium channel of Hodgkin and Huxley, $I = g\,n^4\,(v - E)$.

    $$\alpha_n = \frac{0.01\,(v + 55)}{1 - e^{-(v + 55)/10}},\quad
    \beta_n = 0.125\,e^{-(v + 65)/80}$$

    **Arguments:**

    - `g`: maximal conductance in nS; 36 mS/cm2 in the squid.
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `temperature`, `q10`, `reference`: as for [`brainfn.channel.SodiumHH`][].

    ??? cite

        As [`brainfn.channel.SodiumHH`][].
    """

    g: Parameter = conductance(36.0)
    reversal: Parameter = millivolts(-77.0)
    temperature: Parameter = celsius(6.3)
    q10: Parameter = factor(3.0)
    reference: Parameter = celsius(6.3)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        n = alpha_beta(0.01 * linoid(v + 55, 10.0), 0.125 * jnp.exp(-(v + 65) / 80))
        return {"n": n.faster(phi)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["n"] ** 4


class Leak(AbstractOhmicChannel):
    r"""A conductance that is always open, $I = g\,(v - E)$.

    **Arguments:**

    - `g`: conductance in nS; 0.3 mS/cm2 in the squid.
    - `reversal`: reversal potential in mV.

    ??? cite

        As [`brainfn.channel.SodiumHH`][].
    """

    g: Parameter = conductance(0.3)
    reversal: Parameter = millivolts(-54.387)
    carries: ClassVar[str | None] = None

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del v, ions
        return {}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del gates, ions
        return jnp.ones_like(v)


class PotassiumLeak(AbstractOhmicChannel):
    r"""A potassium conductance that is always open, $I = g\,(v - E)$.

    **Arguments:**

    - `g`: conductance in nS.
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.

    ??? cite

        Default values for a thalamic relay cell: Destexhe, Bal, McCormick and Sejnowski (1996),
        "Ionic mechanisms underlying synchronized oscillations and propagating waves in a model of
        ferret thalamic slices", J. Neurophysiol. 76:2049-2070, doi:10.1152/jn.1996.76.3.2049: 4 nS
        in 28953 um2.
    """

    g: Parameter = conductance(0.0138155)
    reversal: Parameter = millivolts(-100.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del v, ions
        return {}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del gates, ions
        return jnp.ones_like(v)
