"""A-type potassium currents: transient, and inactivated at rest."""

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
    conductance,
    inf_tau,
    millivolts,
)
from ._bell import bell
from ._temperature import celsius, factor, speed


class ACurrentConnorStevens(AbstractOhmicChannel):
    r"""The A-current of the crustacean axon, $I = g\,a^3 b\,(v - E)$.

    $$a_\infty = \left(\frac{0.0761\,e^{0.0314\,(v + 94.22)}}{1 + e^{0.0346\,(v + 1.17)}}
    \right)^{1/3},\quad \tau_a = 0.3632 + \frac{1.158}{1 + e^{0.0497\,(v + 55.96)}}$$

    $$b_\infty = \frac{1}{(1 + e^{0.0688\,(v + 53.3)})^4},\quad
    \tau_b = 1.24 + \frac{2.678}{1 + e^{0.0624\,(v + 50)}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.

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


class ACurrentHuguenardFast(AbstractOhmicChannel):
    r"""The first A-current of thalamic relay cells, $I = g\,m^4 h\,(v - E)$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 60)/8.5}},\quad
    \tau_m = 0.37 + \frac{1}{e^{(v + 35.8)/19.7} + e^{-(v + 79.7)/12.7}}$$

    $$h_\infty = \frac{1}{1 + e^{(v + 78)/6}},\quad
    \tau_h = \frac{1}{e^{(v + 46)/5} + e^{-(v + 238)/37.5}} \text{ below } -63 \text{ mV},\quad
    19 \text{ above}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.

    ??? cite

        Huguenard and McCormick (1992), "Simulation of the currents involved in rhythmic
        oscillations in thalamic relay neurons", J. Neurophysiol. 68:1373-1383,
        doi:10.1152/jn.1992.68.4.1373.
    """

    g: Parameter = conductance(5.5)
    reversal: Parameter = millivolts(-95.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        return {"m": _activation(v, 60.0, 8.5), "h": _inactivation(v, -63.0, 19.0)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 4 * gates["h"]


class ACurrentHuguenardSlow(AbstractOhmicChannel):
    r"""The second A-current of thalamic relay cells, $I = g\,m^4 h\,(v - E)$: as
    [`brainfn.channel.ACurrentHuguenardFast`][], but

    $$m_\infty = \frac{1}{1 + e^{-(v + 36)/20}},\qquad
    \tau_h = 60 \text{ above } -73 \text{ mV}.$$

    **Arguments:** as for [`brainfn.channel.ACurrentHuguenardFast`][].

    ??? cite

        As [`brainfn.channel.ACurrentHuguenardFast`][].
    """

    g: Parameter = conductance(3.5)
    reversal: Parameter = millivolts(-95.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        return {"m": _activation(v, 36.0, 20.0), "h": _inactivation(v, -73.0, 60.0)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 4 * gates["h"]


def _activation(v: Values, half: float, slope: float) -> Gate:
    tau = 0.37 + bell((v + 35.8) / 19.7, -(v + 79.7) / 12.7)
    return inf_tau(jax.nn.sigmoid((v + half) / slope), tau)


def _inactivation(v: Values, edge: float, above: float) -> Gate:
    tau = jnp.where(v < edge, bell((v + 46) / 5, -(v + 238) / 37.5), jnp.full_like(v, above))
    return inf_tau(jax.nn.sigmoid(-(v + 78) / 6), tau)


class ACurrentMigliore(AbstractOhmicChannel):
    r"""The A-current of CA1 pyramidal cells, $I = g\,n\,l\,(v - E)$. With
    $\zeta = \zeta_0 - 1/(1 + e^{(v + 40)/5})$ and $x = \zeta\,(v - v_{1/2})\,F/(R T)$:

    $$n_\infty = \frac{1}{1 + e^x},\quad \tau_n = \max\left(\frac{e^{\gamma x}}
    {Q_{10}^{(T - T_\mathrm{ref})/10}\,a_0\,(1 + e^x)},\ \tau_\mathrm{min}\right)$$

    $$l_\infty = \frac{1}{1 + e^{3\,(v + 56)\,F/(R T)}},\quad
    \tau_l = \max(0.26\,(v + 50),\ 2)$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `zeta`: $\zeta_0$; `v_half`: $v_{1/2}$ in mV; `a_0`: in 1/ms; `gamma`: $\gamma$; `tau_min`:
        $\tau_\mathrm{min}$ in ms. By default those of the proximal dendrite, within 100 um of the
        soma; in the distal dendrite -1.8, -1, 0.1, 0.39 and 0.2.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        Migliore, Hoffman, Magee and Johnston (1999), "Role of an A-type K+ conductance in the
        back-propagation of action potentials in the dendrites of hippocampal pyramidal neurons",
        J. Comput. Neurosci. 7:5-15, doi:10.1023/A:1008906225285; ModelDB 2796 (`kaprox.mod`,
        `kadist.mod`).
    """

    g: Parameter = conductance(8.0)
    reversal: Parameter = millivolts(-90.0)
    zeta: Parameter = param(-1.5, unit="")
    v_half: Parameter = millivolts(11.0)
    a_0: Parameter = param(0.05, unit="1/ms", sign="positive")
    gamma: Parameter = param(0.55, unit="")
    tau_min: Parameter = param(0.1, unit="ms", sign="positive")
    temperature: Parameter = celsius(35.0)
    q10: Parameter = factor(5.0)
    reference: Parameter = celsius(24.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        # RT/F with the constants of the source, to which the steep exponents are sensitive.
        unit = (self.temperature + 273.16) * (1e3 * 8.315 / 9.648e4)
        x = (self.zeta - jax.nn.sigmoid(-(v + 40) / 5)) * (v - self.v_half) / unit
        fast = self.a_0 * speed(self.q10, self.temperature, self.reference)
        tau_n = jnp.maximum(bell(-self.gamma * x, (1 - self.gamma) * x) / fast, self.tau_min)
        tau_l = jnp.maximum(0.26 * (v + 50), 2)
        return {
            "n": inf_tau(jax.nn.sigmoid(-x), tau_n),
            "l": inf_tau(jax.nn.sigmoid(-3 * (v + 56) / unit), tau_l),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["n"] * gates["l"]


class ACurrentKorngreen(AbstractOhmicChannel):
    r"""The transient potassium current of layer 5 pyramidal cells, $I = g\,m^4 h\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 10)/19}},\quad
    \tau_m = \frac{0.34 + 0.92\,e^{-((v + 81)/59)^2}}{q}$$

    $$h_\infty = \frac{1}{1 + e^{(v + 76)/10}},\quad
    \tau_h = \frac{8 + 49\,e^{-((v + 83)/23)^2}}{q}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        Korngreen and Sakmann (2000), "Voltage-gated K+ channels in layer 5 neocortical pyramidal
        neurones from young rats: subtypes and gradients", J. Physiol. 525:621-639,
        doi:10.1111/j.1469-7793.2000.00621.x, as `K_Tst` in Hay et al. (2011), PLoS Comput. Biol.
        7:e1002107, doi:10.1371/journal.pcbi.1002107, where voltages are shifted by -10 mV.
    """

    g: Parameter = conductance(80.0)
    reversal: Parameter = millivolts(-85.0)
    temperature: Parameter = celsius(34.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(21.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        tau_m = 0.34 + 0.92 * jnp.exp(-(((v + 81) / 59) ** 2))
        tau_h = 8 + 49 * jnp.exp(-(((v + 83) / 23) ** 2))
        return {
            "m": inf_tau(jax.nn.sigmoid((v + 10) / 19), tau_m).faster(phi),
            "h": inf_tau(jax.nn.sigmoid(-(v + 76) / 10), tau_h).faster(phi),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 4 * gates["h"]
