"""Fast sodium channels of vertebrate neurons."""

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


class SodiumTraubMiles(AbstractOhmicChannel):
    r"""The sodium channel of Traub and Miles, $I = g\,m^3 h\,(v - E)$, with $u = v - v_T$.

    $$\alpha_m = \frac{0.32\,(u - 13)}{1 - e^{-(u - 13)/4}},\quad
    \beta_m = \frac{0.28\,(40 - u)}{1 - e^{-(40 - u)/5}},\quad
    \alpha_h = 0.128\,e^{(17 - u)/18},\quad \beta_h = \frac{4}{1 + e^{(40 - u)/5}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.
    - `v_t`: $v_T$ in mV, which moves the threshold: -63 in the COBAHH benchmark, -55 in cortical
        cells, -25 in thalamic relay cells.
    - `temperature`: in degrees Celsius; the rates are multiplied by
        $Q_{10}^{(T - T_\mathrm{ref})/10}$.
    - `q10`, `reference`: $Q_{10}$, and $T_\mathrm{ref}$ in degrees Celsius.

    ??? cite

        Traub and Miles (1991), Neuronal Networks of the Hippocampus, Cambridge University Press,
        doi:10.1017/CBO9780511895401. Defaults as in Brette et al. (2007), "Simulation of networks
        of spiking neurons", J. Comput. Neurosci. 23:349-398, doi:10.1007/s10827-007-0038-6.
    """

    g: Parameter = conductance(100.0)
    reversal: Parameter = millivolts(50.0)
    v_t: Parameter = millivolts(-63.0)
    temperature: Parameter = celsius(36.0)
    q10: Parameter = factor(3.0)
    reference: Parameter = celsius(36.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        u = v - self.v_t
        m = alpha_beta(0.32 * linoid(u - 13, 4.0), 0.28 * linoid(40 - u, 5.0))
        h = alpha_beta(0.128 * jnp.exp((17 - u) / 18), 4 * jax.nn.sigmoid((u - 40) / 5))
        return {"m": m.faster(phi), "h": h.faster(phi)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 3 * gates["h"]


class SodiumWangBuzsaki(AbstractOhmicChannel):
    r"""The sodium channel of hippocampal interneurons, $I = g\,m_\infty^3 h\,(v - E)$, whose
    activation is instantaneous.

    $$\alpha_m = \frac{0.1\,(v + 35)}{1 - e^{-(v + 35)/10}},\quad
    \beta_m = 4\,e^{-(v + 60)/18},\quad \alpha_h = 0.07\,\phi\,e^{-(v + 58)/20},\quad
    \beta_h = \frac{\phi}{1 + e^{-(v + 28)/10}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.
    - `phi`: factor of the rates of $h$.

    ??? cite

        Wang and Buzsaki (1996), "Gamma oscillation by synaptic inhibition in a hippocampal
        interneuronal network model", J. Neurosci. 16:6402-6413,
        doi:10.1523/JNEUROSCI.16-20-06402.1996.
    """

    g: Parameter = conductance(35.0)
    reversal: Parameter = millivolts(55.0)
    phi: Parameter = factor(5.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        h = alpha_beta(0.07 * jnp.exp(-(v + 58) / 20), jax.nn.sigmoid((v + 28) / 10))
        return {"h": h.faster(self.phi)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del ions
        m = alpha_beta(0.1 * linoid(v + 35, 10.0), 4 * jnp.exp(-(v + 60) / 18)).steady
        return m**3 * gates["h"]


class SodiumConnorStevens(AbstractOhmicChannel):
    r"""The sodium channel of the crustacean axon, $I = g\,m^3 h\,(v - E)$.

    $$\alpha_m = \frac{0.38\,(v + 29.7)}{1 - e^{-(v + 29.7)/10}},\quad
    \beta_m = 15.2\,e^{-0.0556\,(v + 54.7)},\quad \alpha_h = 0.266\,e^{-0.05\,(v + 48)},\quad
    \beta_h = \frac{3.8}{1 + e^{-(v + 18)/10}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.

    ??? cite

        Connor, Walter and McKown (1977), "Neural repetitive firing: modifications of the
        Hodgkin-Huxley axon suggested by experimental results from crustacean axons", Biophys. J.
        18:81-102, doi:10.1016/S0006-3495(77)85598-7, as in Dayan and Abbott (2001), Theoretical
        Neuroscience, MIT Press, section 6.2: their temperature factor of 3.8 is in the rates.
    """

    g: Parameter = conductance(120.0)
    reversal: Parameter = millivolts(55.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        return {
            "m": alpha_beta(0.38 * linoid(v + 29.7, 10.0), 15.2 * jnp.exp(-0.0556 * (v + 54.7))),
            "h": alpha_beta(0.266 * jnp.exp(-0.05 * (v + 48)), 3.8 * jax.nn.sigmoid((v + 18) / 10)),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 3 * gates["h"]


class SodiumHuguenard(AbstractOhmicChannel):
    r"""The sodium channel of thalamic relay cells, $I = g\,m^3 h\,(v - E)$.

    $$\alpha_m = \frac{0.091\,(v + 38)}{1 - e^{-(v + 38)/5}},\quad
    \beta_m = \frac{-0.062\,(v + 38)}{1 - e^{(v + 38)/5}},\quad
    \alpha_h = 0.016\,e^{-(v + 55)/15},\quad \beta_h = \frac{2.07}{1 + e^{-(v - 17)/21}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.

    ??? cite

        Huguenard and McCormick (1992), "Simulation of the currents involved in rhythmic
        oscillations in thalamic relay neurons", J. Neurophysiol. 68:1373-1383,
        doi:10.1152/jn.1992.68.4.1373; McCormick and Huguenard (1992), ibid. 1384-1400,
        doi:10.1152/jn.1992.68.4.1384.
    """

    g: Parameter = conductance(90.0)
    reversal: Parameter = millivolts(45.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        x = v + 38
        return {
            "m": alpha_beta(0.091 * linoid(x, 5.0), 0.062 * linoid(-x, 5.0)),
            "h": alpha_beta(0.016 * jnp.exp(-(v + 55) / 15), 2.07 * jax.nn.sigmoid((v - 17) / 21)),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 3 * gates["h"]
