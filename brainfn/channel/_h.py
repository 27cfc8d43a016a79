"""Hyperpolarisation-activated cation currents."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from .._custom_types import Parameter
from .._field import param
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
from ._bell import bell
from ._linoid import linoid
from ._scheme import Scheme
from ._temperature import celsius, factor, speed


class HCurrentHuguenard(AbstractOhmicChannel):
    r"""The h-current of thalamic relay cells, $I = g\,m\,(v - E)$.

    $$m_\infty = \frac{1}{1 + e^{(v + 75)/5.5}},\quad
    \tau_m = \frac{1}{e^{-14.59 - 0.086\,v} + e^{-1.87 + 0.0701\,v}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV.

    ??? cite

        Huguenard and McCormick (1992), "Simulation of the currents involved in rhythmic
        oscillations in thalamic relay neurons", J. Neurophysiol. 68:1373-1383,
        doi:10.1152/jn.1992.68.4.1373.
    """

    g: Parameter = conductance(0.02)
    reversal: Parameter = millivolts(-43.0)
    carries: ClassVar[str | None] = None

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        rate = jnp.exp(-14.59 - 0.086 * v) + jnp.exp(-1.87 + 0.0701 * v)
        return {"m": Gate(jax.nn.sigmoid(-(v + 75) / 5.5), rate)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"]


class HCurrentDestexhe(AbstractOhmicChannel):
    r"""The h-current of thalamic relay cells, regulated by calcium,
    $I = g\,(o_1 + f\,o_2)\,(v - E)$.

    The channel opens, $C \rightleftharpoons O$, with steady state and time constant

    $$o_\infty = \frac{1}{1 + e^{(v + 75)/5.5}},\quad
    \tau = 20 + \frac{1000}{e^{(v + 71.5)/14.2} + e^{-(v + 89)/11.6}};$$

    calcium binds to a protein, $P_0 \rightleftharpoons P_1$, at the rates
    $k_2\,(C_\mathrm{Ca}/C_{1/2})^4$ and $k_2$; and the protein to the open channel,
    $O \rightleftharpoons O_L$, at the rates $k_4\,p_1/p_{1/2}$ and $k_4$. The cell must track the
    ion `"ca"`.

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV.
    - `half`: $C_{1/2}$ in mM.
    - `k_2`, `k_4`: in 1/ms.
    - `p_half`: $p_{1/2}$.
    - `increase`: $f$, the conductance of the bound channel relative to that of the open one.
    - `temperature`: in degrees Celsius; the rates of opening and closing are multiplied by
        $Q_{10}^{(T - T_\mathrm{ref})/10}$.
    - `q10`, `reference`: $Q_{10}$, and $T_\mathrm{ref}$ in degrees Celsius.

    ??? cite

        Destexhe, Bal, McCormick and Sejnowski (1996), "Ionic mechanisms underlying synchronized
        oscillations and propagating waves in a model of ferret thalamic slices", J. Neurophysiol.
        76:2049-2070, doi:10.1152/jn.1996.76.3.2049; time constant as in ModelDB 3343.
    """

    g: Parameter = conductance(0.02)
    reversal: Parameter = millivolts(-40.0)
    half: Parameter = param(0.002, unit="mM", sign="positive")
    k_2: Parameter = param(4e-4, unit="1/ms", sign="positive")
    k_4: Parameter = param(1e-3, unit="1/ms", sign="positive")
    p_half: Parameter = factor(0.01)
    increase: Parameter = factor(2.0)
    temperature: Parameter = celsius(36.0)
    q10: Parameter = factor(3.0)
    reference: Parameter = celsius(36.0)
    carries: ClassVar[str | None] = None
    depends: ClassVar[tuple[str, ...]] = ("ca",)

    def gates(self, v: Values, ions: Ions) -> dict[str, Any]:
        tau = 20 + 1000 * bell((v + 71.5) / 14.2, -(v + 89) / 11.6)
        phi = speed(self.q10, self.temperature, self.reference) / tau
        opens, closes = (phi * jax.nn.sigmoid(s * (v + 75) / 5.5) for s in (-1, 1))
        binds = self.k_2 * (ions["ca"].inside / self.half) ** 4

        def rates(gates: Gates) -> dict[tuple[str, str], Values]:
            locks = self.k_4 / self.p_half * gates["p1"]
            return {
                ("C", "O1"): opens,
                ("O1", "C"): closes,
                ("O1", "O2"): locks,
                ("O2", "O1"): self.k_4,
            }

        return {"p1": alpha_beta(binds, self.k_2), "o": Scheme(rates)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["o"]["O1"] + self.increase * gates["o"]["O2"]


class HCurrentKole(AbstractOhmicChannel):
    r"""The h-current of layer 5 pyramidal cells, $I = g\,m\,(v - E)$.

    $$\alpha_m = \frac{0.00643\,(v + 154.9)}{e^{(v + 154.9)/11.9} - 1},\quad
    \beta_m = 0.193\,e^{v/33.1}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV.

    ??? cite

        Kole, Hallermann and Stuart (2006), "Single Ih channels in pyramidal neuron dendrites:
        properties, distribution, and impact on action potential output", J. Neurosci. 26:1677-1687,
        doi:10.1523/JNEUROSCI.3664-05.2006.
    """

    g: Parameter = conductance(0.2)
    reversal: Parameter = millivolts(-45.0)
    carries: ClassVar[str | None] = None

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        alpha = 0.00643 * linoid(-(v + 154.9), 11.9)
        return {"m": alpha_beta(alpha, 0.193 * jnp.exp(v / 33.1))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"]
