"""High-threshold (L-type) calcium currents."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from .._custom_types import Parameter
from .._field import param
from ._base import (
    AbstractChannel,
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
from ._reversal import ghk
from ._temperature import celsius


class LCurrentReuveni(AbstractOhmicChannel):
    r"""The high-threshold calcium current of neocortical pyramidal cells,
    $I = g\,m^2 h\,(v - E)$, at 36 degrees Celsius.

    $$\alpha_m = \frac{0.055\,(v + 27)}{1 - e^{-(v + 27)/3.8}},\quad
    \beta_m = 0.94\,e^{-(v + 75)/17},\quad \alpha_h = 4.57 \cdot 10^{-4}\,e^{-(v + 13)/50},\quad
    \beta_h = \frac{0.0065}{1 + e^{-(v + 15)/28}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"ca"` and that has one.

    ??? cite

        Reuveni, Friedman, Amitai and Gutnick (1993), "Stepwise repolarization from Ca2+ plateaus in
        neocortical pyramidal cells: evidence for nonhomogeneous distribution of HVA Ca2+ channels
        in dendrites", J. Neurosci. 13:4609-4621, doi:10.1523/JNEUROSCI.13-11-04609.1993; default
        conductance and reversal potential as in ModelDB 123623, where the latter does not change.
    """

    g: Parameter = conductance(0.17)
    reversal: Parameter = millivolts(120.0)
    carries: ClassVar[str | None] = "ca"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        return {
            "m": alpha_beta(0.055 * linoid(v + 27, 3.8), 0.94 * jnp.exp(-(v + 75) / 17)),
            "h": alpha_beta(
                4.57e-4 * jnp.exp(-(v + 13) / 50), 0.0065 * jax.nn.sigmoid((v + 15) / 28)
            ),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 2 * gates["h"]


class LCurrentHuguenard(AbstractChannel):
    r"""The high-threshold calcium current of thalamic relay cells, through a permeability.

    $$I = P\,m^2\,z F x\,\frac{c_\mathrm{i} - c_\mathrm{o} e^{-x}}{1 - e^{-x}},\quad
    x = \frac{z F v}{R T}$$

    $$\alpha_m = \frac{1.6}{1 + e^{-0.072\,(v - 5)}},\quad
    \beta_m = \frac{0.02\,(v - 1.31)}{e^{(v - 1.31)/5.36} - 1}$$

    The cell must track the ion `"ca"` with a concentration outside, such as
    `CalciumPool(reversal=Nernst())`.

    **Arguments:**

    - `permeability`: maximal permeability $P$ in cm/s; the current is then in uA/cm2.
    - `temperature`: $T$ in degrees Celsius.

    ??? cite

        McCormick and Huguenard (1992), "A model of the electrophysiological properties of
        thalamocortical relay neurons", J. Neurophysiol. 68:1384-1400,
        doi:10.1152/jn.1992.68.4.1384.
    """

    permeability: Parameter = param(1e-4, unit="cm/s", sign="nonnegative")
    temperature: Parameter = celsius(36.0)

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        beta = 0.02 * linoid(1.31 - v, 5.36)
        return {"m": alpha_beta(1.6 * jax.nn.sigmoid(0.072 * (v - 5)), beta)}

    def current(self, gates: Gates, v: Values, ions: Ions) -> Values:
        ca = ions["ca"]
        flow = ghk(v, ca.inside, ca.outside, 2.0, self.temperature)
        return self.permeability * gates["m"] ** 2 * flow

    def ion(self) -> str:
        return "ca"


class LCurrentInoue(AbstractOhmicChannel):
    r"""The L-type calcium current of granule cells of the olfactory bulb,
    $I = g\,m^2 h\,(v - E)$.

    $$m_\infty = \frac{1}{1 + e^{-(v + 10)/4}},\quad
    \tau_m = 0.4 + \frac{0.7}{e^{(v + 5)/15} + e^{-(v + 5)/15}}$$

    $$h_\infty = \frac{1}{1 + e^{(v + 25)/2}},\quad
    \tau_h = 300 + \frac{100}{e^{(v + 40)/9.5} + e^{-(v + 40)/9.5}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"ca"` and that has one.

    ??? cite

        Inoue and Strowbridge (2008), "Transient activity induces a long-lasting increase in the
        excitability of olfactory bulb interneurons", J. Neurophysiol. 99:187-199,
        doi:10.1152/jn.00526.2007.
    """

    g: Parameter = conductance(0.1)
    reversal: Parameter = millivolts(120.0)
    carries: ClassVar[str | None] = "ca"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        x, y = (v + 5) / 15, (v + 40) / 9.5
        return {
            "m": inf_tau(jax.nn.sigmoid((v + 10) / 4), 0.4 + 0.7 * bell(x, -x)),
            "h": inf_tau(jax.nn.sigmoid(-(v + 25) / 2), 300 + 100 * bell(y, -y)),
        }

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"] ** 2 * gates["h"]
