"""Slow potassium currents: M-currents, and those that inactivate over seconds."""

from typing import ClassVar

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
    inf_tau,
    millivolts,
)
from ._bell import bell
from ._linoid import linoid
from ._temperature import celsius, factor, speed


class MCurrentYamada(AbstractOhmicChannel):
    r"""The M-current of cortical cells, $I = g\,p\,(v - E)$.

    $$p_\infty = \frac{1}{1 + e^{-(v + 35)/10}},\quad
    \tau_p = \frac{\tau_\mathrm{max}}{3.3\,e^{(v + 35)/20} + e^{-(v + 35)/20}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `tau_max`: $\tau_\mathrm{max}$ in ms; 1000 in regular spiking cells, 4000 in others.
    - `temperature`, `q10`, `reference`: as for [`brainfn.channel.SodiumTraubMiles`][].

    ??? cite

        Yamada, Koch and Adams (1989), "Multiple channels and calcium dynamics", in: Koch and Segev
        (eds.), Methods in Neuronal Modeling, MIT Press, 97-133. Defaults as in Pospischil et al.
        (2008), "Minimal Hodgkin-Huxley type models for different classes of cortical and thalamic
        neurons", Biol. Cybern. 99:427-441, doi:10.1007/s00422-008-0263-8; ModelDB 123623.
    """

    g: Parameter = conductance(0.07)
    reversal: Parameter = millivolts(-100.0)
    tau_max: Parameter = param(1000.0, unit="ms", sign="positive")
    temperature: Parameter = celsius(36.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(36.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        x = v + 35
        rate = (3.3 * jnp.exp(x / 20) + jnp.exp(-x / 20)) / self.tau_max
        p = Gate(jax.nn.sigmoid(x / 10), rate)
        return {"p": p.faster(speed(self.q10, self.temperature, self.reference))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["p"]


class MCurrentAdams(AbstractOhmicChannel):
    r"""The M-current of bullfrog sympathetic neurons, $I = g\,m\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$\alpha_m = 0.0033\,q\,e^{(v + 35)/10},\quad \beta_m = 0.0033\,q\,e^{-(v + 35)/10}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        Adams, Brown and Constanti (1982), "M-currents and other potassium currents in bullfrog
        sympathetic neurones", J. Physiol. 330:537-572, doi:10.1113/jphysiol.1982.sp014357, as `Im`
        in Hay et al. (2011), PLoS Comput. Biol. 7:e1002107, doi:10.1371/journal.pcbi.1002107.
    """

    g: Parameter = conductance(0.07)
    reversal: Parameter = millivolts(-85.0)
    temperature: Parameter = celsius(34.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(21.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        x = (v + 35) / 10
        # alpha / (alpha + beta) without overflow.
        m = Gate(jax.nn.sigmoid(2 * x), 0.0033 * (jnp.exp(x) + jnp.exp(-x)))
        return {"m": m.faster(speed(self.q10, self.temperature, self.reference))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"]


class MCurrentMainen(AbstractOhmicChannel):
    r"""The M-current of neocortical pyramidal cells, $I = q\,g\,n\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$\alpha_n = \frac{0.001\,q\,(v + 30)}{1 - e^{-(v + 30)/9}},\quad
    \beta_n = \frac{-0.001\,q\,(v + 30)}{1 - e^{(v + 30)/9}}$$

    **Arguments:**

    - `g`: maximal conductance in nS at the reference temperature (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        As [`brainfn.channel.PotassiumMainen`][] (`km.mod`).
    """

    g: Parameter = conductance(0.01)
    reversal: Parameter = millivolts(-90.0)
    temperature: Parameter = celsius(37.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(23.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        x = v + 30
        n = alpha_beta(0.001 * linoid(x, 9.0), 0.001 * linoid(-x, 9.0))
        return {"n": n.faster(speed(self.q10, self.temperature, self.reference))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return speed(self.q10, self.temperature, self.reference) * gates["n"]


class K2CurrentHuguenard(AbstractOhmicChannel):
    r"""The slowly inactivating potassium current of thalamic relay cells,
    $I = g\,m\,(0.6\,h_1 + 0.4\,h_2)\,(v - E)$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 43)/17}},\quad
    \tau_m = 9.9 + \frac{1}{e^{(v - 81)/25.6} + e^{-(v + 132)/18}}$$

    $$h_{1\infty} = h_{2\infty} = \frac{1}{1 + e^{(v + 58)/10.6}},\quad
    \tau_{h_1} = 120 + \frac{1}{e^{(v - 1329)/200} + e^{-(v + 130)/7.1}}$$

    $$\tau_{h_2} = \tau_{h_1} \text{ below } -70 \text{ mV},\quad
    \tau_\mathrm{slow} \text{ above}$$

    Both parts recover together, and the second inactivates slowly. Ports of the model disagree: the
    slow time constant is above -70 mV in two for NEURON, of which one names the voltage-clamp data
    as its check, and as in the A-current of the same paper; it is below in one for XPP and one in
    C. The paper's own equation was not at hand. Some raise $m_\infty$ to the power of four.

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `tau_slow`: $\tau_\mathrm{slow}$ in ms.

    ??? cite

        Huguenard and McCormick (1992), "Simulation of the currents involved in rhythmic
        oscillations in thalamic relay neurons", J. Neurophysiol. 68:1373-1383,
        doi:10.1152/jn.1992.68.4.1373. Data: Huguenard and Prince (1991), "Slow inactivation of a
        TEA-sensitive K current in acutely isolated rat thalamic relay neurons", J. Neurophysiol.
        66:1316-1328, doi:10.1152/jn.1991.66.4.1316.
    """

    g: Parameter = conductance(2.2)
    reversal: Parameter = millivolts(-95.0)
    tau_slow: Parameter = param(8930.0, unit="ms", sign="positive")
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        tau_m = 9.9 + bell((v - 81) / 25.6, -(v + 132) / 18)
        tau_1 = 120 + bell((v - 1329) / 200, -(v + 130) / 7.1)
        tau_2 = jnp.where(v < -70, tau_1, self.tau_slow)
        h = jax.nn.sigmoid(-(v + 58) / 10.6)
        return {
            "m": inf_tau(jax.nn.sigmoid((v + 43) / 17), tau_m),
            "h1": inf_tau(h, tau_1),
            "h2": inf_tau(h, tau_2),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] * (0.6 * gates["h1"] + 0.4 * gates["h2"])


class PotassiumPersistentKorngreen(AbstractOhmicChannel):
    r"""The persistent potassium current of layer 5 pyramidal cells, $I = g\,m^2 h\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 11)/12}},\quad q\,\tau_m = 1.25 +
    175.03\,e^{0.026\,(v + 10)} \text{ below } -60 \text{ mV},\quad
    1.25 + 13\,e^{-0.026\,(v + 10)} \text{ above}$$

    $$h_\infty = \frac{1}{1 + e^{(v + 64)/11}},\quad
    q\,\tau_h = 360 + (1010 + 24\,(v + 65))\,e^{-((v + 85)/48)^2}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        Korngreen and Sakmann (2000), "Voltage-gated K+ channels in layer 5 neocortical pyramidal
        neurones from young rats: subtypes and gradients", J. Physiol. 525:621-639,
        doi:10.1111/j.1469-7793.2000.00621.x, as `K_Pst` in Hay et al. (2011), PLoS Comput. Biol.
        7:e1002107, doi:10.1371/journal.pcbi.1002107, where voltages are shifted by -10 mV.
    """

    g: Parameter = conductance(2.2)
    reversal: Parameter = millivolts(-85.0)
    temperature: Parameter = celsius(34.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(21.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        # The exponents are small enough on either side, even at 500 mV.
        rising = 175.03 * jnp.exp(0.026 * (v + 10))
        falling = 13 * jnp.exp(-0.026 * (v + 10))
        tau_m = 1.25 + jnp.where(v < -60, rising, falling)
        tau_h = 360 + (1010 + 24 * (v + 65)) * jnp.exp(-(((v + 85) / 48) ** 2))
        return {
            "m": inf_tau(jax.nn.sigmoid((v + 11) / 12), tau_m).faster(phi),
            "h": inf_tau(jax.nn.sigmoid(-(v + 64) / 11), tau_h).faster(phi),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 2 * gates["h"]
