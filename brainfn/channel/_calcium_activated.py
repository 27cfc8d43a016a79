"""Currents that calcium inside the cell activates. The cell must track the ion `"ca"`."""

from typing import ClassVar

import jax

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
from ._bell import bell, hill
from ._temperature import celsius, factor, speed


class SKCurrentKohler(AbstractOhmicChannel):
    r"""The small-conductance (SK) potassium current, $I = g\,z\,(v - E)$.

    $$z_\infty = \frac{C^{4.8}}{C^{4.8} + C_{1/2}^{4.8}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `half`: $C_{1/2}$ in mM.
    - `tau`: time constant of $z$ in ms.

    ??? cite

        Kohler et al. (1996), "Small-conductance, calcium-activated potassium channels from
        mammalian brain", Science 273:1709-1714, doi:10.1126/science.273.5282.1709, as `SK_E2` in
        Hay et al. (2011), PLoS Comput. Biol. 7:e1002107, doi:10.1371/journal.pcbi.1002107.
    """

    g: Parameter = conductance(0.1)
    reversal: Parameter = millivolts(-85.0)
    half: Parameter = param(4.3e-4, unit="mM", sign="positive")
    tau: Parameter = param(1.0, unit="ms", sign="positive")
    carries: ClassVar[str | None] = "k"
    depends: ClassVar[tuple[str, ...]] = ("ca",)

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del v
        return {"z": inf_tau(hill(ions["ca"].inside, self.half, 4.8), self.tau)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["z"]


class AHPCurrentDestexhe(AbstractOhmicChannel):
    r"""The slow after-hyperpolarisation of thalamic reticular cells, $I = g\,p^2\,(v - E)$, opened
    by two calcium ions.

    $$\alpha_p = a\,C^2,\qquad \beta_p = b$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `opening`: $a$ in 1/(ms mM2).
    - `closing`: $b$ in 1/ms.

    ??? cite

        Destexhe, Contreras, Sejnowski and Steriade (1994), "A model of spindle rhythmicity in the
        isolated thalamic reticular nucleus", J. Neurophysiol. 72:803-818,
        doi:10.1152/jn.1994.72.2.803.
    """

    g: Parameter = conductance(10.0)
    reversal: Parameter = millivolts(-95.0)
    opening: Parameter = param(48.0, unit="1/(ms mM2)", sign="nonnegative")
    closing: Parameter = param(0.03, unit="1/ms", sign="positive")
    carries: ClassVar[str | None] = "k"
    depends: ClassVar[tuple[str, ...]] = ("ca",)

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del v
        return {"p": alpha_beta(self.opening * ions["ca"].inside ** 2, self.closing)}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return gates["p"] ** 2


class KCaCurrentMainen(AbstractOhmicChannel):
    r"""The calcium-activated potassium current of neocortical pyramidal cells,
    $I = q\,g\,n\,(v - E)$, with $q = Q_{10}^{(T - T_\mathrm{ref})/10}$.

    $$\alpha_n = q\,a\,C,\qquad \beta_n = q\,b$$

    **Arguments:**

    - `g`: maximal conductance in nS at the reference temperature (default in mS/cm2).
    - `reversal`: reversal potential in mV, unless the cell tracks the ion `"k"`.
    - `opening`: $a$ in 1/(ms mM).
    - `closing`: $b$ in 1/ms.
    - `temperature`, `q10`, `reference`: $T$ and $T_\mathrm{ref}$ in degrees Celsius, and $Q_{10}$.

    ??? cite

        As [`brainfn.channel.PotassiumMainen`][] (`kca.mod`, as shipped).
    """

    g: Parameter = conductance(0.3)
    reversal: Parameter = millivolts(-90.0)
    opening: Parameter = param(0.01, unit="1/(ms mM)", sign="nonnegative")
    closing: Parameter = param(0.02, unit="1/ms", sign="positive")
    temperature: Parameter = celsius(37.0)
    q10: Parameter = factor(2.3)
    reference: Parameter = celsius(23.0)
    carries: ClassVar[str | None] = "k"
    depends: ClassVar[tuple[str, ...]] = ("ca",)

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del v
        n = alpha_beta(self.opening * ions["ca"].inside, self.closing)
        return {"n": n.faster(speed(self.q10, self.temperature, self.reference))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v, ions
        return speed(self.q10, self.temperature, self.reference) * gates["n"]


class CANCurrentInoue(AbstractOhmicChannel):
    r"""The calcium-activated nonspecific cation current of granule cells of the olfactory bulb,
    $I = g\,\frac{C}{C + C_{1/2}}\,p\,(v - E)$.

    $$p_\infty = \frac{1}{1 + e^{-(v + 43)/5.2}},\quad
    \tau_p = 1.6 + \frac{2.7}{e^{(v + 55)/15} + e^{-(v + 55)/15}}$$

    **Arguments:**

    - `g`: maximal conductance in nS (default in mS/cm2).
    - `reversal`: reversal potential in mV.
    - `half`: $C_{1/2}$ in mM.

    ??? cite

        As [`brainfn.channel.LCurrentInoue`][].
    """

    g: Parameter = conductance(0.1)
    reversal: Parameter = millivolts(10.0)
    half: Parameter = param(0.2, unit="mM", sign="positive")
    carries: ClassVar[str | None] = None
    depends: ClassVar[tuple[str, ...]] = ("ca",)

    def gates(self, v: Values, ions: Ions) -> dict[str, Gate]:
        del ions
        x = (v + 55) / 15
        return {"p": inf_tau(jax.nn.sigmoid((v + 43) / 5.2), 1.6 + 2.7 * bell(x, -x))}

    def opened(self, gates: Gates, v: Values, ions: Ions) -> Values:
        del v
        inside = ions["ca"].inside
        return inside / (inside + self.half) * gates["p"]
