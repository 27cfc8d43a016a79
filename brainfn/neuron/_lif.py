"""Leaky integrate-and-fire neurons."""

from typing import Any

import diffrax as dfx
from jaxtyping import Array, Bool, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, param, size as size_field
from ..init import initial, start
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire, Voltage
from ._reset import jump, reset


class LIF(AbstractIntegrateAndFire[Voltage]):
    r"""Leaky integrate-and-fire neurons with an absolute refractory period.

    $$\frac{dv}{dt} = \frac{v_\mathrm{rest} - v}{\tau} + \frac{I(t, v)}{C},\qquad
    v \ge v_\mathrm{threshold}:\ \text{spike},\ v \leftarrow v_\mathrm{reset}$$

    After a spike $v$ is held at the reset potential for `refractory` ms: a spike in step $n$ and a
    refractory period of $k$ steps mean that $v$ is held in steps $n+1 \dots n+k$.

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: membrane time constant in ms.
    - `capacitance`: membrane capacitance in pF; the leak conductance is `capacitance / tau`.
    - `v_rest`, `v_threshold`, `v_reset`: resting, threshold and reset potential in mV.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`: initial membrane potential in mV: a number, an array of shape `(size,)` or an
        initializer of [`brainfn.init`][]; `v_rest` if not given.
    - `soft_reset`: whether a spike lowers $v$ by $v_\mathrm{threshold} - v_\mathrm{reset}$ instead
        of setting it, so that what exceeds the threshold at the end of a step is not lost.
    - `solver`: the Diffrax solver that integrates the membrane equation over a step.
        [`brainfn.solver.ExponentialEuler`][], the default, is exact for constant currents and for
        the currents of exponential, alpha and dual exponential synapses.
    - `surrogate`: the derivative of a spike with respect to the membrane potential, as a function
        of $(v - v_\mathrm{threshold}) / (v_\mathrm{threshold} - v_\mathrm{reset})$. With `None`
        spikes are `bool` and carry no derivative, which takes a quarter of the memory.
    - `detach_reset`: whether gradients exclude the path through the reset.

    Each parameter is a scalar or an array of shape `(size,)`, and a leaf for `jax.grad` and
    `eqx.tree_at`. `refractory` counts steps, so it has no gradient.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for wrong shapes, values that are not finite,
    non-positive `tau` or `capacitance`, negative `refractory`, `v_reset >= v_threshold`; at the
    start of a simulation, for a refractory period that is not a multiple of `dt`.

    ??? cite

        Lapicque (1907), J. Physiol. Pathol. Gen. 9:620-635. The default values are those of Vogels
        and Abbott (2005), "Signal propagation and logic gating in networks of integrate-and-fire
        neurons", doi:10.1523/JNEUROSCI.3508-05.2005, as listed by Brette et al. (2007),
        doi:10.1007/s10827-007-0038-6.
    """

    size: int = size_field()
    tau: Parameter = param(20.0, unit="ms", sign="positive")
    capacitance: Parameter = param(200.0, unit="pF", sign="positive")
    v_rest: Parameter = param(-60.0, unit="mV")
    v_threshold: Parameter = param(-50.0, unit="mV")
    v_reset: Parameter = param(-60.0, unit="mV")
    refractory: Parameter = param(5.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    soft_reset: bool = flag(False)
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_reset", "v_threshold")

    def initial(self, key: Key | None) -> Voltage:
        return Voltage(start(self.v_init, self.v_rest, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Voltage, drive: AbstractDrive) -> Voltage:
        leak = (self.v_rest - y.v) * (1 / self.tau)
        return Voltage(leak + drive(t, y.v) * (1 / self.capacitance))

    def leak_rate(self) -> Float[Array, " *size"]:
        return 1 / self.tau

    def fired(self, y: Voltage) -> Bool[Array, " size"]:
        return y.v >= self.v_threshold

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_threshold) / (self.v_threshold - self.v_reset)

    def on_spike(self, y: Voltage, spikes: Spikes) -> Voltage:
        if self.soft_reset:
            return Voltage(jump(y.v, spikes, self.v_reset - self.v_threshold))
        return Voltage(reset(y.v, spikes, self.v_reset))
