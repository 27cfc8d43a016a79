"""Low-threshold (T-type) calcium currents."""

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
from ._bell import bell
from ._temperature import celsius, factor, speed


class TCurrentHuguenard(AbstractOhmicChannel):
    r"""The T-current of thalamic relay cells, $I = g\,m^2 h\,(v - E)$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 57)/6.2}},\quad
    \tau_m = 0.612 + \frac{1}{e^{-(v + 132)/16.7} + e^{(v + 16.8)/18.2}}$$

    $$h_\infty = \frac{1}{1 + e^{(v + 81)/4}},\quad
    \tau_h = e^{(v + 467)/66.6} \text{ below } -80 \text{ mV},\quad
    28 + e^{-(v + 22)/10.5} \text{ above}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"ca"` and that has one.
    - `temperature`: in degrees Celsius; the rates are multiplied by
        $Q_{10}^{(T - T_\mathrm{ref})/10}$.
    - `q10_m`, `q10_h`, `reference`: $Q_{10}$ of the gates, and $T_\mathrm{ref}$ in degrees Celsius.

    ??? cite

        Huguenard and McCormick (1992), J. Neurophysiol. 68:1373-1383,
        doi:10.1152/jn.1992.68.4.1373. $Q_{10}$ of 3.55 and 3 as in later models; others take 5
        and 3.
    """

    g: Parameter = conductance(2.0)
    reversal: Parameter = millivolts(120.0)
    temperature: Parameter = celsius(24.0)
    q10_m: Parameter = factor(3.55)
    q10_h: Parameter = factor(3.0)
    reference: Parameter = celsius(24.0)
    carries: ClassVar[str | None] = "ca"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        tau_m = 0.612 + bell(-(v + 132) / 16.7, (v + 16.8) / 18.2)
        # Each branch sees only voltages on its own side, where it can't overflow.
        low = v < -80
        edge = jnp.full_like(v, -80)
        rising = jnp.exp((jnp.where(low, v, edge) + 467) / 66.6)
        falling = 28 + jnp.exp(-(jnp.where(low, edge, v) + 22) / 10.5)
        m = inf_tau(jax.nn.sigmoid((v + 57) / 6.2), tau_m)
        h = inf_tau(jax.nn.sigmoid(-(v + 81) / 4), jnp.where(low, rising, falling))
        return {
            "m": m.faster(speed(self.q10_m, self.temperature, self.reference)),
            "h": h.faster(speed(self.q10_h, self.temperature, self.reference)),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 2 * gates["h"]


class TCurrentDestexhe(AbstractOhmicChannel):
    r"""The T-current of thalamic relay and cortical LTS cells, $I = g\,m_\infty^2 h\,(v - E)$,
    whose activation is instantaneous; with $w = v + v_\mathrm{shift}$.

    $$m_\infty = \frac{1}{1 + e^{-(w + 57)/6.2}},\quad h_\infty = \frac{1}{1 + e^{(w + 81)/4}},\quad
    \tau_h = 30.8 + \frac{211.4 + e^{(w + 113.2)/5}}{1 + e^{(w + 84)/3.2}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"ca"` and that has one.
    - `v_shift`: $v_\mathrm{shift}$ in mV, for the surface charge of 2 mM calcium.
    - `temperature`: in degrees Celsius; the rate is multiplied by
        $Q_{10}^{(T - T_\mathrm{ref})/10}$.
    - `q10`, `reference`: $Q_{10}$, and $T_\mathrm{ref}$ in degrees Celsius.

    ??? cite

        Destexhe, Neubig, Ulrich and Huguenard (1998), "Dendritic low-threshold calcium currents in
        thalamic relay cells", J. Neurosci. 18:3574-3588, doi:10.1523/JNEUROSCI.18-10-03574.1998;
        the time constant as in ModelDB 3343 and 123623, on which the print is ambiguous.
    """

    g: Parameter = conductance(2.0)
    reversal: Parameter = millivolts(120.0)
    v_shift: Parameter = millivolts(2.0)
    temperature: Parameter = celsius(36.0)
    q10: Parameter = factor(3.0)
    reference: Parameter = celsius(24.0)
    carries: ClassVar[str | None] = "ca"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        w = v + self.v_shift
        x, y = (w + 84) / 3.2, (w + 113.2) / 5
        tau = 30.8 + 211.4 * jax.nn.sigmoid(-x) + bell(-y, x - y)
        h = inf_tau(jax.nn.sigmoid(-(w + 81) / 4), tau)
        return {"h": h.faster(speed(self.q10, self.temperature, self.reference))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del ions
        return jax.nn.sigmoid((v + self.v_shift + 57) / 6.2) ** 2 * gates["h"]


class TCurrentHuguenardPrince(AbstractOhmicChannel):
    r"""The T-current of thalamic reticular cells, $I = g\,m^2 h\,(v - E)$, with
    $w = v + v_\mathrm{shift}$.

    $$m_\infty = \frac{1}{1 + e^{-(w + 50)/7.4}},\quad
    \tau_m = 3 + \frac{1}{e^{(w + 25)/10} + e^{-(w + 100)/15}}$$

    $$h_\infty = \frac{1}{1 + e^{(w + 78)/5}},\quad
    \tau_h = 85 + \frac{1}{e^{(w + 46)/4} + e^{-(w + 405)/50}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"ca"` and that has one.
    - `v_shift`: $v_\mathrm{shift}$ in mV, for the surface charge of 2 mM calcium.
    - `temperature`: in degrees Celsius; the rates are multiplied by
        $Q_{10}^{(T - T_\mathrm{ref})/10}$.
    - `q10_m`, `q10_h`, `reference`: $Q_{10}$ of the gates, and $T_\mathrm{ref}$ in degrees Celsius.

    ??? cite

        Huguenard and Prince (1992), "A novel T-type current underlies prolonged Ca2+-dependent
        burst firing in GABAergic neurons of rat thalamic reticular nucleus", J. Neurosci.
        12:3804-3817, doi:10.1523/JNEUROSCI.12-10-03804.1992. $Q_{10}$ of 2.5 as in ModelDB 3343; 5
        and 3 in Destexhe et al. (1994), J. Neurophysiol. 72:803-818, doi:10.1152/jn.1994.72.2.803.
    """

    g: Parameter = conductance(3.0)
    reversal: Parameter = millivolts(120.0)
    v_shift: Parameter = millivolts(2.0)
    temperature: Parameter = celsius(36.0)
    q10_m: Parameter = factor(2.5)
    q10_h: Parameter = factor(2.5)
    reference: Parameter = celsius(24.0)
    carries: ClassVar[str | None] = "ca"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        w = v + self.v_shift
        tau_m = 3 + bell((w + 25) / 10, -(w + 100) / 15)
        tau_h = 85 + bell((w + 46) / 4, -(w + 405) / 50)
        m = inf_tau(jax.nn.sigmoid((w + 50) / 7.4), tau_m)
        h = inf_tau(jax.nn.sigmoid(-(w + 78) / 5), tau_h)
        return {
            "m": m.faster(speed(self.q10_m, self.temperature, self.reference)),
            "h": h.faster(speed(self.q10_h, self.temperature, self.reference)),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 2 * gates["h"]


class TCurrentAvery(AbstractOhmicChannel):
    r"""The low-voltage-activated calcium current of hippocampal pyramidal cells,
    $I = g\,m^2 h\,(v - E)$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 40)/6}},\quad \tau_m = 5 + \frac{20}{1 + e^{(v + 35)/5}}$$

    $$h_\infty = \frac{1}{1 + e^{(v + 90)/6.4}},\quad \tau_h = 20 + \frac{50}{1 + e^{(v + 50)/7}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"ca"` and that has one.
    - `temperature`: in degrees Celsius; the rates are multiplied by
        $Q_{10}^{(T - T_\mathrm{ref})/10}$.
    - `q10`, `reference`: $Q_{10}$, and $T_\mathrm{ref}$ in degrees Celsius.

    ??? cite

        Avery and Johnston (1996), "Multiple channel types contribute to the low-voltage-activated
        calcium current in hippocampal CA3 pyramidal neurons", J. Neurosci. 16:5567-5582,
        doi:10.1523/JNEUROSCI.16-18-05567.1996, as `Ca_LVAst` in Hay et al. (2011), PLoS Comput.
        Biol. 7:e1002107, doi:10.1371/journal.pcbi.1002107.
    """

    g: Parameter = conductance(3.0)
    reversal: Parameter = millivolts(120.0)
    temperature: Parameter = celsius(34.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(21.0)
    carries: ClassVar[str | None] = "ca"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        tau_m = 5 + 20 * jax.nn.sigmoid(-(v + 35) / 5)
        tau_h = 20 + 50 * jax.nn.sigmoid(-(v + 50) / 7)
        return {
            "m": inf_tau(jax.nn.sigmoid((v + 40) / 6), tau_m).faster(phi),
            "h": inf_tau(jax.nn.sigmoid(-(v + 90) / 6.4), tau_h).faster(phi),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 2 * gates["h"]
