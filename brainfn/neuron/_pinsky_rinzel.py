"""Pinsky-Rinzel cells: a soma and a dendrite."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._errors import describe, is_concrete
from .._field import check_fields, param, size as size_field
from ..channel import Gate, alpha_beta, linoid
from ..init import initial, start
from ..solver import Heun, Independent
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._smooth import AbstractSmoothNeuron


class TwoCompartments(eqx.Module):
    """State of [`brainfn.neuron.PinskyRinzel`][] cells.

    - `v`, `v_dendrite`: membrane potentials of soma and dendrite in mV.
    - `gates`: `h`, `n`, `s`, `c` and `q`, in `gates.values`.
    - `calcium`: in the dendrite, in arbitrary units.
    """

    v: Float[Array, " size"]
    v_dendrite: Float[Array, " size"]
    gates: Independent
    calcium: Float[Array, " size"]


class PinskyRinzel(AbstractSmoothNeuron[TwoCompartments]):
    r"""Pinsky-Rinzel cells: pyramidal cells of CA3 with a soma that spikes and a dendrite that
    bursts.

    $$C \dot v = -I_L - g_\mathrm{Na} m_\infty^2 h\,(v - E_\mathrm{Na}) - g_K n\,(v - E_K)
    + \frac{g_c}{p} (v_d - v) + \frac{I_s}{p}$$

    $$C \dot v_d = -I_L - I_\mathrm{Ca} - \bigl(g_{KC}\, c\,\chi + g_\mathrm{AHP}\, q\bigr)
    (v_d - E_K) + \frac{g_c}{1 - p} (v - v_d) + \frac{I_d}{1 - p}$$

    $$I_\mathrm{Ca} = g_\mathrm{Ca} s^2 (v_d - E_\mathrm{Ca}),\quad
    \dot{\mathrm{Ca}} = -0.13\, I_\mathrm{Ca} - 0.075\, \mathrm{Ca},\quad
    \chi = \min(\mathrm{Ca}/250,\, 1)$$

    It has two ports, `"soma"` and `"dendrite"`, for `inputs={"cells.dendrite": ...}` and
    `Projection(..., port="dendrite")`. A current that is given without a port goes to the soma.

    Conductances are in mS/cm2 and the capacitance in uF/cm2, as published; currents into the cell
    are in pA, and `area` converts. With the default of 100 um2, 1 pA is 1 uA/cm2.

    **Arguments:**

    - `size`: number of cells.
    - `area`: membrane area of the cell in um2.
    - `proportion`: $p$, the part of it that is soma.
    - `capacitance`: $C$ in uF/cm2.
    - `g_coupling`: $g_c$ in mS/cm2 of the whole area.
    - `g_leak`, `g_sodium`, `g_potassium`: of the soma, in mS/cm2; `g_leak` also of the dendrite.
    - `g_calcium`, `g_potassium_calcium`, `g_ahp`: of the dendrite, in mS/cm2.
    - `v_rest`: reversal potential of the leak in mV; the voltages of all gates are relative to it.
    - `reversal_sodium`, `reversal_potassium`, `reversal_calcium`: in mV.
    - `v_threshold`: a spike is an upward crossing of this potential in the soma, in mV.
    - `width`: one unit of distance for the surrogate, in mV.
    - `v_init`, `v_dendrite_init`: initial potentials in mV; other variables start near rest.
    - `solver`: [`brainfn.solver.Heun`][] by default, of order 2: the equations are not stiff.
    - `surrogate`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Pinsky and Rinzel (1994), "Intrinsic and network rhythmogenesis in a reduced Traub model for
        CA3 neurons", J. Comput. Neurosci. 1:39-60, doi:10.1007/BF00962717, with its values; there,
        potentials are relative to the rest, which is -60 mV here.
    """

    size: int = size_field()
    area: Parameter = param(100.0, unit="um2", sign="positive")
    proportion: Parameter = param(0.5, unit="", sign="positive")
    capacitance: Parameter = param(3.0, unit="uF/cm2", sign="positive")
    g_coupling: Parameter = param(2.1, unit="mS/cm2", sign="nonnegative")
    g_leak: Parameter = param(0.1, unit="mS/cm2", sign="nonnegative")
    g_sodium: Parameter = param(30.0, unit="mS/cm2", sign="nonnegative")
    g_potassium: Parameter = param(15.0, unit="mS/cm2", sign="nonnegative")
    g_calcium: Parameter = param(10.0, unit="mS/cm2", sign="nonnegative")
    g_potassium_calcium: Parameter = param(15.0, unit="mS/cm2", sign="nonnegative")
    g_ahp: Parameter = param(0.8, unit="mS/cm2", sign="nonnegative")
    v_rest: Parameter = param(-60.0, unit="mV")
    reversal_sodium: Parameter = param(60.0, unit="mV")
    reversal_potassium: Parameter = param(-75.0, unit="mV")
    reversal_calcium: Parameter = param(80.0, unit="mV")
    v_threshold: Parameter = param(-30.0, unit="mV")
    width: Parameter = param(10.0, unit="mV", sign="positive")
    v_init: Initial = initial(-64.6)
    v_dendrite_init: Initial = initial(-64.5)
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()

    def __check_init__(self):
        check_fields(self)
        p = self.proportion
        if is_concrete(p) and not np.all(np.asarray(p) < 1):
            raise ValueError(
                f"`proportion` must lie between 0 and 1, got {describe(np.asarray(p))}."
            )

    def ports(self) -> dict[str, int]:
        return {"soma": self.size, "dendrite": self.size}

    def initial(self, key: Key | None) -> TwoCompartments:
        zero = jnp.zeros_like(self.capacitance)
        v, vd = (start(x, zero, self.size, key) for x in (self.v_init, self.v_dendrite_init))
        rest = {"h": 0.999, "n": 0.001, "s": 0.009, "c": 0.007, "q": 0.01}
        gates = {name: jnp.full_like(v, value) for name, value in rest.items()}
        return TwoCompartments(v, vd, Independent(gates), jnp.full_like(v, 0.2))

    def gates(self, y: TwoCompartments) -> dict[str, Gate]:
        """The kinetics of the five gates."""
        u, w = y.v - self.v_rest, y.v_dendrite - self.v_rest
        # The published rates of c add up to its rate here; its steady state saturates at 50 mV.
        steady = jnp.exp((jnp.minimum(w, 50) - 10) / 11) / 37.95
        return {
            "h": alpha_beta(0.128 * jnp.exp((17 - u) / 18), 4 * jax.nn.sigmoid((u - 40) / 5)),
            "n": alpha_beta(0.016 * linoid(u - 35.1, 5.0), 0.25 * jnp.exp(0.5 - 0.025 * u)),
            "s": alpha_beta(1.6 * jax.nn.sigmoid(0.072 * (w - 65)), 0.02 * linoid(51.1 - w, 5.0)),
            "c": Gate(jnp.minimum(steady, 1), 2 * jnp.exp((6.5 - w) / 27)),
            "q": alpha_beta(jnp.minimum(2e-5 * y.calcium, 0.01), jnp.full_like(w, 0.001)),
        }

    def vector_field(self, t: FloatScalarLike, y: TwoCompartments, drive: Any) -> TwoCompartments:
        v, vd, x = y.v, y.v_dendrite, y.gates.values
        u = v - self.v_rest
        m = alpha_beta(0.32 * linoid(u - 13.1, 4.0), 0.28 * linoid(40.1 - u, 5.0)).steady
        # Divided, not multiplied: of two products in a sum the compiler may round either one, and
        # cells that are stored together could differ in the last bit.
        scale = 0.01 * self.area
        into_soma = self.g_coupling * (vd - v) + drive["soma"](t, v) / scale
        into_dendrite = self.g_coupling * (v - vd) + drive["dendrite"](t, vd) / scale
        soma = (
            self.g_leak * (v - self.v_rest)
            + self.g_sodium * m**2 * x["h"] * (v - self.reversal_sodium)
            + self.g_potassium * x["n"] * (v - self.reversal_potassium)
        )
        calcium = self.g_calcium * x["s"] ** 2 * (vd - self.reversal_calcium)
        open_ = self.g_potassium_calcium * x["c"] * jnp.minimum(y.calcium / 250, 1)
        potassium = (open_ + self.g_ahp * x["q"]) * (vd - self.reversal_potassium)
        dendrite = self.g_leak * (vd - self.v_rest) + calcium + potassium
        return TwoCompartments(
            (into_soma / self.proportion - soma) / self.capacitance,
            (into_dendrite / (1 - self.proportion) - dendrite) / self.capacitance,
            Independent({n: g.rate * (g.steady - x[n]) for n, g in self.gates(y).items()}),
            -0.13 * calcium - 0.075 * y.calcium,
        )
