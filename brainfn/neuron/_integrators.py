"""Neurons that only integrate: without a leak, or without spikes."""

from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, float_dtype, param, size as size_field
from .._model import Clock
from ..init import initial, start
from ..solver import AbstractLocalSolver, integrate
from ..surrogate import AbstractSurrogate
from ._base import AbstractNeuron
from ._declared import solver, surrogate
from ._drive import AbstractDrive, as_drive
from ._integrate_and_fire import AbstractIntegrateAndFire, Voltage
from ._reset import jump, reset


class IF(AbstractIntegrateAndFire[Voltage]):
    r"""Perfect integrators: integrate-and-fire neurons without a leak.

    $$\frac{dv}{dt} = \frac{I(t, v)}{C},\qquad
    v \ge v_\mathrm{threshold}:\ \text{spike},\ v \leftarrow v_\mathrm{reset}$$

    **Arguments:**

    - `size`: number of neurons.
    - `capacitance`: $C$ in pF.
    - `v_threshold`, `v_reset`: in mV.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`: initial membrane potential in mV; `v_reset` if not given.
    - `soft_reset`, `solver`, `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Lapicque (1907), J. Physiol. Pathol. Gen. 9:620-635. Potentials and capacitance are those of
        [`brainfn.neuron.LIF`][].
    """

    size: int = size_field()
    capacitance: Parameter = param(200.0, unit="pF", sign="positive")
    v_threshold: Parameter = param(-50.0, unit="mV")
    v_reset: Parameter = param(-60.0, unit="mV")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    soft_reset: bool = flag(False)
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_reset", "v_threshold")

    def initial(self, key: Key | None) -> Voltage:
        return Voltage(start(self.v_init, self.v_reset, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Voltage, drive: AbstractDrive) -> Voltage:
        return Voltage(jnp.broadcast_to(drive(t, y.v) * (1 / self.capacitance), y.v.shape))

    def leak_rate(self) -> Float[Array, " *size"]:
        return jnp.zeros_like(self.capacitance)

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_threshold) / (self.v_threshold - self.v_reset)

    def on_spike(self, y: Voltage, spikes: Spikes) -> Voltage:
        if self.soft_reset:
            return Voltage(jump(y.v, spikes, self.v_reset - self.v_threshold))
        return Voltage(reset(y.v, spikes, self.v_reset))


class LeakyIntegrator(AbstractNeuron[Voltage]):
    r"""Leaky integrators: a readout that emits its potential, and never spikes.

    $$\frac{dv}{dt} = \frac{v_\mathrm{rest} - v}{\tau} + \frac{I(t, v)}{C}$$

    Its signal is $v$ at the end of the step, in mV. Without a threshold or a reset, gradients
    through it are exact.

    **Arguments:**

    - `size`: number of units.
    - `tau`: time constant in ms; `capacitance`: $C$ in pF; `v_rest` in mV.
    - `v_init`: initial potential in mV; `v_rest` if not given.
    - `solver`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Bellec et al. (2018), "Long short-term memory and learning-to-learn in networks of spiking
        neurons", NeurIPS 31, arXiv:1803.09574, reads a network out in this way. Zero at rest, and 1
        pF, so that a current of 1 pA is 1 mV/ms.
    """

    size: int = size_field()
    tau: Parameter = param(20.0, unit="ms", sign="positive")
    capacitance: Parameter = param(1.0, unit="pF", sign="positive")
    v_rest: Parameter = param(0.0, unit="mV")
    v_init: Initial = initial()
    solver: dfx.AbstractSolver = solver()

    @property
    def elementwise(self) -> bool:
        return True

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), float_dtype(self))

    def init(self, *, key: Key | None = None) -> Voltage:
        return Voltage(start(self.v_init, self.v_rest, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Voltage, drive: AbstractDrive) -> Voltage:
        """$dy/dt$ per ms; `drive(t, y.v)` is the current in pA."""
        leak = (self.v_rest - y.v) * (1 / self.tau)
        return Voltage(leak + drive(t, y.v) * (1 / self.capacitance))

    def step(
        self, state: Voltage, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Voltage, Float[Array, " size"]]:
        del key
        drive = as_drive(inputs, state.v)
        if isinstance(self.solver, AbstractLocalSolver) and self.solver.holds_inputs:
            drive = drive.held(1 / self.tau, clock.dt)
        new = integrate(self.solver, self.vector_field, state, clock.dt, drive)
        return new, new.v
