"""Sodium channels of neocortical pyramidal cells."""

from typing import ClassVar

import jax

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


class SodiumTransientAxonal(AbstractOhmicChannel):
    r"""The transient sodium channel of the axon, $I = g\,m^3 h\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$\alpha_m = \frac{0.182\,q\,(v + 38)}{1 - e^{-(v + 38)/6}},\quad
    \beta_m = \frac{-0.124\,q\,(v + 38)}{1 - e^{(v + 38)/6}}$$

    $$\alpha_h = \frac{-0.015\,q\,(v + 66)}{1 - e^{(v + 66)/6}},\quad
    \beta_h = \frac{0.015\,q\,(v + 66)}{1 - e^{-(v + 66)/6}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        Colbert and Pan (2002), "Ion channel properties underlying axonal action potential
        initiation in pyramidal neurons", Nat. Neurosci. 5:533-538, doi:10.1038/nn0602-857, as
        `NaTa_t` in Hay, Hill, Schurmann, Markram and Segev (2011), "Models of neocortical layer 5b
        pyramidal cells capturing a wide range of dendritic and perisomatic active properties",
        PLoS Comput. Biol. 7:e1002107, doi:10.1371/journal.pcbi.1002107.
    """

    g: Parameter = conductance(3000.0)
    reversal: Parameter = millivolts(50.0)
    temperature: Parameter = celsius(34.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(21.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        return _transient(v + 38, v + 66, speed(self.q10, self.temperature, self.reference))

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 3 * gates["h"]


class SodiumTransientSomatic(AbstractOhmicChannel):
    r"""The transient sodium channel of the soma, $I = g\,m^3 h\,(v - E)$: as in the axon
    ([`brainfn.channel.SodiumTransientAxonal`][]), with both gates shifted by 6 mV to the right.

    **Arguments:** as for [`brainfn.channel.SodiumTransientAxonal`][].

    ??? cite

        As [`brainfn.channel.SodiumTransientAxonal`][]; `NaTs2_t` in Hay et al. (2011).
    """

    g: Parameter = conductance(1000.0)
    reversal: Parameter = millivolts(50.0)
    temperature: Parameter = celsius(34.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(21.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        return _transient(v + 32, v + 60, speed(self.q10, self.temperature, self.reference))

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 3 * gates["h"]


def _transient(x: Values, y: Values, phi: Parameter) -> dict[str, Gate]:
    m = alpha_beta(0.182 * linoid(x, 6.0), 0.124 * linoid(-x, 6.0))
    h = alpha_beta(0.015 * linoid(-y, 6.0), 0.015 * linoid(y, 6.0))
    return {"m": m.faster(phi), "h": h.faster(phi)}


class SodiumPersistent(AbstractOhmicChannel):
    r"""The persistent sodium current, $I = g\,m^3 h\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 52.6)/4.6}},\quad
    \tau_m = \frac{6/q}{\frac{0.182\,(v + 38)}{1 - e^{-(v + 38)/6}} -
    \frac{0.124\,(v + 38)}{1 - e^{(v + 38)/6}}}$$

    $$h_\infty = \frac{1}{1 + e^{(v + 48.8)/10}},\quad
    \tau_h = \frac{1/q}{\frac{-2.88 \cdot 10^{-6}\,(v + 17)}{1 - e^{(v + 17)/4.63}} +
    \frac{6.94 \cdot 10^{-6}\,(v + 64.4)}{1 - e^{-(v + 64.4)/2.63}}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        Magistretti and Alonso (1999), "Biophysical properties and slow voltage-dependent
        inactivation of a sustained sodium current in entorhinal cortex layer-II principal neurons",
        J. Gen. Physiol. 114:491-509, doi:10.1085/jgp.114.4.491, as `Nap_Et2` in Hay et al. (2011),
        PLoS Comput. Biol. 7:e1002107, doi:10.1371/journal.pcbi.1002107.
    """

    g: Parameter = conductance(2.0)
    reversal: Parameter = millivolts(50.0)
    temperature: Parameter = celsius(34.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(21.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        x = v + 38
        rate_m = (0.182 * linoid(x, 6.0) + 0.124 * linoid(-x, 6.0)) / 6
        rate_h = 2.88e-6 * linoid(-(v + 17), 4.63) + 6.94e-6 * linoid(v + 64.4, 2.63)
        return {
            "m": Gate(jax.nn.sigmoid((v + 52.6) / 4.6), rate_m).faster(phi),
            "h": Gate(jax.nn.sigmoid(-(v + 48.8) / 10), rate_h).faster(phi),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 3 * gates["h"]


class SodiumMainen(AbstractOhmicChannel):
    r"""The sodium channel of neocortical pyramidal cells, $I = q\,g\,m^3 h\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$ and $w = v + v_\mathrm{shift}$.

    $$\alpha_m = \frac{0.182\,q\,(w + 35)}{1 - e^{-(w + 35)/9}},\quad
    \beta_m = \frac{-0.124\,q\,(w + 35)}{1 - e^{(w + 35)/9}},\quad
    h_\infty = \frac{1}{1 + e^{(w + 65)/6.2}}$$

    $$\tau_h = \frac{1/q}{\frac{0.024\,(w + 50)}{1 - e^{-(w + 50)/5}} -
    \frac{0.0091\,(w + 75)}{1 - e^{(w + 75)/5}}}$$

    **Arguments:**

    - `g`: maximal conductance in nS at the reference temperature (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"na"`.
    - `v_shift`: $v_\mathrm{shift}$ in mV; -10 in ModelDB 2488, -5 in others.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        As [`brainfn.channel.PotassiumMainen`][] (`na.mod`).
    """

    g: Parameter = conductance(2.0)
    reversal: Parameter = millivolts(60.0)
    v_shift: Parameter = millivolts(-10.0)
    temperature: Parameter = celsius(37.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(23.0)
    carries: ClassVar[str | None] = "na"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        phi = speed(self.q10, self.temperature, self.reference)
        w = v + self.v_shift
        m = alpha_beta(0.182 * linoid(w + 35, 9.0), 0.124 * linoid(-(w + 35), 9.0))
        rate_h = 0.024 * linoid(w + 50, 5.0) + 0.0091 * linoid(-(w + 75), 5.0)
        h = Gate(jax.nn.sigmoid(-(w + 65) / 6.2), rate_h)
        return {"m": m.faster(phi), "h": h.faster(phi)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return speed(self.q10, self.temperature, self.reference) * gates["m"] ** 3 * gates["h"]
