"""Delayed rectifiers of potassium."""

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
    inf_tau,
    millivolts,
)
from ._linoid import linoid
from ._temperature import celsius, factor, speed


class PotassiumTraubMiles(AbstractOhmicChannel):
    r"""The potassium channel of Traub and Miles, $I = g\,n^4\,(v - E)$, with $u = v - v_T$.

    $$\alpha_n = \frac{0.032\,(u - 15)}{1 - e^{-(u - 15)/5}},\quad
    \beta_n = 0.5\,e^{(10 - u)/40}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `v_t`, `temperature`, `q10`, `reference`: as for [`brainfn.channel.SodiumTraubMiles`][].

    ??? cite

        As [`brainfn.channel.SodiumTraubMiles`][].
    """

    g: Parameter = conductance(30.0)
    reversal: Parameter = millivolts(-90.0)
    v_t: Parameter = millivolts(-63.0)
    temperature: Parameter = celsius(36.0)
    q10: Parameter = factor(3.0)
    reference: Parameter = celsius(36.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        u = v - self.v_t
        n = alpha_beta(0.032 * linoid(u - 15, 5.0), 0.5 * jnp.exp((10 - u) / 40))
        return {"n": n.faster(speed(self.q10, self.temperature, self.reference))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["n"] ** 4


class PotassiumWangBuzsaki(AbstractOhmicChannel):
    r"""The potassium channel of hippocampal interneurons, $I = g\,n^4\,(v - E)$.

    $$\alpha_n = \frac{0.01\,\phi\,(v + 34)}{1 - e^{-(v + 34)/10}},\quad
    \beta_n = 0.125\,\phi\,e^{-(v + 44)/80}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `phi`: factor of the rates.

    ??? cite

        As [`brainfn.channel.SodiumWangBuzsaki`][].
    """

    g: Parameter = conductance(9.0)
    reversal: Parameter = millivolts(-90.0)
    phi: Parameter = factor(5.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        n = alpha_beta(0.01 * linoid(v + 34, 10.0), 0.125 * jnp.exp(-(v + 44) / 80))
        return {"n": n.faster(self.phi)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["n"] ** 4


class PotassiumConnorStevens(AbstractOhmicChannel):
    r"""The delayed rectifier of the crustacean axon, $I = g\,n^4\,(v - E)$.

    $$\alpha_n = \frac{0.02\,(v + 45.7)}{1 - e^{-(v + 45.7)/10}},\quad
    \beta_n = 0.25\,e^{-0.0125\,(v + 55.7)}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.

    ??? cite

        As [`brainfn.channel.SodiumConnorStevens`][].
    """

    g: Parameter = conductance(20.0)
    reversal: Parameter = millivolts(-72.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        alpha = 0.02 * linoid(v + 45.7, 10.0)
        return {"n": alpha_beta(alpha, 0.25 * jnp.exp(-0.0125 * (v + 55.7)))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["n"] ** 4


class PotassiumMainen(AbstractOhmicChannel):
    r"""The delayed rectifier of neocortical pyramidal cells, $I = q\,g\,n\,(v - E)$, with
    $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$\alpha_n = \frac{0.02\,q\,(v - 25)}{1 - e^{-(v - 25)/9}},\quad
    \beta_n = \frac{-0.002\,q\,(v - 25)}{1 - e^{(v - 25)/9}}$$

    **Arguments:**

    - `g`: maximal conductance in nS at the reference temperature (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        Mainen and Sejnowski (1996), "Influence of dendritic structure on firing pattern in model
        neocortical neurons", Nature 382:363-366, doi:10.1038/382363a0; ModelDB 2488 (`kv.mod`).
    """

    g: Parameter = conductance(20.0)
    reversal: Parameter = millivolts(-90.0)
    temperature: Parameter = celsius(37.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(23.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        x = v - 25
        n = alpha_beta(0.02 * linoid(x, 9.0), 0.002 * linoid(-x, 9.0))
        return {"n": n.faster(speed(self.q10, self.temperature, self.reference))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return speed(self.q10, self.temperature, self.reference) * gates["n"]


class PotassiumRettig(AbstractOhmicChannel):
    r"""The Kv3.1 (Shaw-related) potassium channel of rat brain, $I = g\,m\,(v - E)$.

    $$m_\infty = \frac{1}{1 + e^{-(v - 18.7)/9.7}},\quad
    \tau_m = \frac{4}{1 + e^{-(v + 46.56)/44.14}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.

    ??? cite

        Rettig et al. (1992), "Characterization of a Shaw-related potassium channel family in rat
        brain", EMBO J. 11:2473-2486, doi:10.1002/j.1460-2075.1992.tb05312.x, as `SKv3_1` in Hay,
        Hill, Schurmann, Markram and Segev (2011), "Models of neocortical layer 5b pyramidal cells
        capturing a wide range of dendritic and perisomatic active properties", PLoS Comput. Biol.
        7:e1002107, doi:10.1371/journal.pcbi.1002107.
    """

    g: Parameter = conductance(100.0)
    reversal: Parameter = millivolts(-85.0)
    carries: ClassVar[str | None] = "k"

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        tau = 4 * jax.nn.sigmoid((v + 46.56) / 44.14)
        return {"m": inf_tau(jax.nn.sigmoid((v - 18.7) / 9.7), tau)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["m"]
