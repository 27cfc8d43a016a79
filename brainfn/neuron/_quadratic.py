"""Quadratic integrate-and-fire neurons, with and without adaptation."""

from typing import Any

import diffrax as dfx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, param, size as size_field
from ..init import initial, start
from ..solver import Heun
from ..surrogate import AbstractSurrogate
from ._adex import Adapting
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire, Voltage
from ._reset import jump, reset


class QIF(AbstractIntegrateAndFire[Voltage]):
    r"""Quadratic integrate-and-fire neurons.

    $$\frac{dv}{dt} = \frac{(v - v_\mathrm{rest})(v - v_\mathrm{critical})}
    {\tau\,(v_\mathrm{critical} - v_\mathrm{rest})} + \frac{I(t, v)}{C}$$

    $$v \ge v_\mathrm{peak}:\ \text{spike},\ v \leftarrow v_\mathrm{reset}$$

    $\tau$ is the membrane time constant at rest, and $v_\mathrm{critical}$ the potential beyond
    which $v$ diverges without input. The surrogate gets the distance from there, $(v -
    v_\mathrm{critical}) / (v_\mathrm{critical} - v_\mathrm{rest})$.

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: $\tau$ in ms; `capacitance`: $C$ in pF.
    - `v_rest`, `v_critical`: the two fixed points without input, in mV.
    - `v_peak`, `v_reset` in mV: where a spike is cut off, and the value that $v$ is reset to.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`: initial membrane potential in mV; `v_rest` if not given.
    - `solver`: [`brainfn.solver.Heun`][] by default: the equation is nonlinear.
    - `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Latham, Richmond, Nelson and Nirenberg (2000), "Intrinsic dynamics in neuronal networks. I.
        Theory", J. Neurophysiol. 83:808-827, doi:10.1152/jn.2000.83.2.808, with its time constant
        and the distance of its fixed points; other values are those of [`brainfn.neuron.LIF`][],
        with a peak far above.
    """

    size: int = size_field()
    tau: Parameter = param(10.0, unit="ms", sign="positive")
    capacitance: Parameter = param(200.0, unit="pF", sign="positive")
    v_rest: Parameter = param(-65.0, unit="mV")
    v_critical: Parameter = param(-50.0, unit="mV")
    v_peak: Parameter = param(0.0, unit="mV")
    v_reset: Parameter = param(-65.0, unit="mV")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_rest", "v_critical")
        check_below(self, "v_critical", "v_peak")
        check_below(self, "v_reset", "v_peak")

    def initial(self, key: Key | None) -> Voltage:
        return Voltage(start(self.v_init, self.v_rest, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Voltage, drive: AbstractDrive) -> Voltage:
        return Voltage(_parabola(self, y.v) + drive(t, y.v) / self.capacitance)

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_critical) / (self.v_critical - self.v_rest)

    def margin(self, y: Voltage) -> Float[Array, " size"]:
        return y.v - self.v_peak

    def on_spike(self, y: Voltage, spikes: Spikes) -> Voltage:
        return Voltage(reset(y.v, spikes, self.v_reset))


class AdaptiveQIF(AbstractIntegrateAndFire[Adapting]):
    r"""Quadratic integrate-and-fire neurons with adaptation.

    $$\frac{dv}{dt} = \frac{(v - v_\mathrm{rest})(v - v_\mathrm{critical})}
    {\tau\,(v_\mathrm{critical} - v_\mathrm{rest})} + \frac{I(t, v) - w}{C}, \qquad
    \tau_w \frac{dw}{dt} = a (v - v_\mathrm{rest}) - w$$

    $$v \ge v_\mathrm{peak}:\ \text{spike},\ v \leftarrow v_\mathrm{reset},\ w \leftarrow w + b$$

    [`brainfn.neuron.QIF`][] with the adaptation of [`brainfn.neuron.AdEx`][].

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: $\tau$ in ms; `capacitance`: $C$ in pF.
    - `v_rest`, `v_critical`: the two fixed points without input and adaptation, in mV.
    - `a` in nS, `tau_w` in ms, `b` in pA: the adaptation.
    - `v_peak`, `v_reset` in mV: where a spike is cut off, and the value that $v$ is reset to.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`, `w_init`: initial values in mV and pA; `v_rest` and 0 if not given.
    - `solver`: [`brainfn.solver.Heun`][] by default: the equation is nonlinear.
    - `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Izhikevich (2004), "Which model to use for cortical spiking neurons?", IEEE Trans. Neural
        Networks 15:1063-1070, doi:10.1109/TNN.2004.832719, compares it with others. The adaptation
        is that of Brette and Gerstner (2005), doi:10.1152/jn.00686.2005, other values those of
        [`brainfn.neuron.QIF`][].
    """

    size: int = size_field()
    tau: Parameter = param(10.0, unit="ms", sign="positive")
    capacitance: Parameter = param(200.0, unit="pF", sign="positive")
    v_rest: Parameter = param(-65.0, unit="mV")
    v_critical: Parameter = param(-50.0, unit="mV")
    a: Parameter = param(4.0, unit="nS")
    b: Parameter = param(80.5, unit="pA")
    tau_w: Parameter = param(144.0, unit="ms", sign="positive")
    v_peak: Parameter = param(0.0, unit="mV")
    v_reset: Parameter = param(-65.0, unit="mV")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    w_init: Initial = initial(0.0)
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_rest", "v_critical")
        check_below(self, "v_critical", "v_peak")
        check_below(self, "v_reset", "v_peak")

    def initial(self, key: Key | None) -> Adapting:
        v = start(self.v_init, self.v_rest, self.size, key)
        return Adapting(v, start(self.w_init, jnp.zeros_like(self.v_rest), self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Adapting, drive: AbstractDrive) -> Adapting:
        slope = _parabola(self, y.v) + (drive(t, y.v) - y.w) / self.capacitance
        above = jnp.minimum(y.v, self.v_peak) - self.v_rest
        return Adapting(slope, (self.a * above - y.w) / self.tau_w)

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_critical) / (self.v_critical - self.v_rest)

    def margin(self, y: Adapting) -> Float[Array, " size"]:
        return y.v - self.v_peak

    def on_spike(self, y: Adapting, spikes: Spikes) -> Adapting:
        return Adapting(reset(y.v, spikes, self.v_reset), jump(y.w, spikes, self.b))


def _parabola(cell: QIF | AdaptiveQIF, v: Float[Array, " size"]) -> Float[Array, " size"]:
    # Clipped above the peak, where the spike ends: the square must not diverge within a step.
    v = jnp.minimum(v, cell.v_peak)
    return (v - cell.v_rest) * (v - cell.v_critical) / (cell.tau * (cell.v_critical - cell.v_rest))
