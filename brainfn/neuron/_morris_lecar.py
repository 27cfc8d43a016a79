"""Morris-Lecar neurons."""

import diffrax as dfx
import jax.numpy as jnp

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._field import param, size as size_field
from ..init import initial, start
from ..solver import Heun
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._smooth import AbstractSmoothNeuron, Recovery


class MorrisLecar(AbstractSmoothNeuron[Recovery]):
    r"""Morris-Lecar neurons: the barnacle muscle fibre, with one calcium and one potassium current.

    $$C \frac{dv}{dt} = I - g_L (v - E_L) - g_\mathrm{Ca}\, m_\infty (v - E_\mathrm{Ca})
    - g_K\, w\, (v - E_K), \qquad
    \frac{dw}{dt} = \phi \cosh\!\Bigl(\frac{v - v_3}{2 v_4}\Bigr) (w_\infty - w)$$

    $$m_\infty = \tfrac12 \Bigl(1 + \tanh \frac{v - v_1}{v_2}\Bigr), \qquad
    w_\infty = \tfrac12 \Bigl(1 + \tanh \frac{v - v_3}{v_4}\Bigr)$$

    The default values are the type of excitability with a Hopf bifurcation, at $I$ = 93.9. With
    `g_calcium=4.0, v3=12.0, v4=17.4, phi=0.067` spikes begin at arbitrarily low rates (a
    saddle-node bifurcation on the circle), and with `phi=0.23` in addition at a homoclinic orbit.
    The numbers are those of 1 cm2, in mS, uF and uA; here they are read as nS, pF and pA. For
    another membrane multiply conductances and capacitance by the same factor.

    **Arguments:**

    - `size`: number of neurons.
    - `capacitance`: $C$ in pF.
    - `g_leak`, `g_calcium`, `g_potassium`: maximal conductances in nS.
    - `v_rest`, `reversal_calcium`, `reversal_potassium`: $E_L$, $E_\mathrm{Ca}$ and $E_K$ in mV.
    - `v1`, `v2`: half activation and slope of the calcium current in mV; `v3`, `v4`: of the
        potassium current.
    - `phi`: rate of the potassium current in 1/ms.
    - `v_threshold`: a spike is an upward crossing of this potential, in mV.
    - `width`: one unit of distance for the surrogate, in mV.
    - `v_init`, `w_init`: initial values, in mV and dimensionless.
    - `solver`: [`brainfn.solver.Heun`][] by default, of order 2: the equations are not stiff.
    - `surrogate`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Morris and Lecar (1981), "Voltage oscillations in the barnacle giant muscle fiber", Biophys.
        J. 35:193-213, doi:10.1016/S0006-3495(81)84782-0. The sets of values are those of Rinzel and
        Ermentrout (1998), "Analysis of neural excitability and oscillations", in Koch and Segev,
        Methods in Neuronal Modeling, 2nd edition, MIT Press.
    """

    size: int = size_field()
    capacitance: Parameter = param(20.0, unit="pF", sign="positive")
    g_leak: Parameter = param(2.0, unit="nS", sign="nonnegative")
    g_calcium: Parameter = param(4.4, unit="nS", sign="nonnegative")
    g_potassium: Parameter = param(8.0, unit="nS", sign="nonnegative")
    v_rest: Parameter = param(-60.0, unit="mV")
    reversal_calcium: Parameter = param(120.0, unit="mV")
    reversal_potassium: Parameter = param(-84.0, unit="mV")
    v1: Parameter = param(-1.2, unit="mV")
    v2: Parameter = param(18.0, unit="mV", sign="positive")
    v3: Parameter = param(2.0, unit="mV")
    v4: Parameter = param(30.0, unit="mV", sign="positive")
    phi: Parameter = param(0.04, unit="1/ms", sign="positive")
    v_threshold: Parameter = param(0.0, unit="mV")
    width: Parameter = param(10.0, unit="mV", sign="positive")
    v_init: Initial = initial(-60.0)
    w_init: Initial = initial(0.015)
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()

    def initial(self, key: Key | None) -> Recovery:
        zero = jnp.zeros_like(self.capacitance)
        v = start(self.v_init, zero, self.size, key)
        return Recovery(v, start(self.w_init, zero, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Recovery, drive: AbstractDrive) -> Recovery:
        v = y.v
        calcium = self.g_calcium * (1 + jnp.tanh((v - self.v1) / self.v2)) / 2
        current = (
            drive(t, v)
            - self.g_leak * (v - self.v_rest)
            - calcium * (v - self.reversal_calcium)
            - self.g_potassium * y.w * (v - self.reversal_potassium)
        )
        steady = (1 + jnp.tanh((v - self.v3) / self.v4)) / 2
        rate = self.phi * jnp.cosh((v - self.v3) / (2 * self.v4))
        return Recovery(current / self.capacitance, rate * (steady - y.w))
