"""The unit of reduced decision models: a pool of neurons by its NMDA gate."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._field import float_dtype, param, size as size_field
from .._model import Clock
from .._population import AbstractPopulation
from ..event import materialize
from ..init import initial, start
from ..neuron import AbstractDrive, as_drive, solver
from ..solver import AbstractLocalSolver, integrate, phi1


class WongWangState(eqx.Module):
    """State of [`brainfn.rate.WongWang`][]: the open fraction `s` and the rate `r` in 1/ms of the
    step, shape `(size,)`."""

    s: Float[Array, " size"]
    r: Float[Array, " size"]


class _Gate(eqx.Module):
    s: Float[Array, " size"]


class WongWang(AbstractPopulation[WongWangState, Any, Float[Array, " size"]]):
    r"""A pool of spiking neurons, reduced to the mean gate of its NMDA synapses.

    $$\frac{ds}{dt} = -\frac{s}{\tau} + (1 - s)\,\gamma\,r,\qquad
    r = \frac{a I - b}{1 - e^{-d (a I - b)}}$$

    It emits the rate $r$ at the beginning of the step; pools act on each other by $s$:
    `release=Graded(lambda state: state.s), synapse=Instant(), output=Current()`, with weights in
    pA.

    **Arguments:**

    - `size`: number of pools.
    - `tau`: time constant of NMDA receptors in ms; `gamma`: dimensionless.
    - `a`: gain in 1/(pA ms); `b`: in 1/ms; `d`: in ms.
    - `s_init`: initial value of $s$: a number, an array or an initializer; 0 by default.
    - `solver`: [`brainfn.solver.ExponentialEuler`][] by default, which is exact for a constant
      rate.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Wong and Wang (2006), "A recurrent network mechanism of time integration in perceptual
        decisions", J. Neurosci. 26:1314-1328, doi:10.1523/JNEUROSCI.3733-05.2006.
    """

    size: int = size_field()
    tau: Parameter = param(100.0, unit="ms", sign="positive")
    gamma: Parameter = param(0.641, unit="", sign="nonnegative")
    a: Parameter = param(2.7e-4, unit="1/(pA ms)", sign="positive")
    b: Parameter = param(0.108, unit="1/ms")
    d: Parameter = param(154.0, unit="ms", sign="positive")
    s_init: Initial = initial(0.0)
    solver: dfx.AbstractSolver = solver()

    @property
    def elementwise(self) -> bool:
        return True

    def ports(self) -> dict[str, int]:
        return {"": self.size}

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), float_dtype(self))

    def init(self, *, key: Key | None = None) -> WongWangState:
        s = start(self.s_init, 0 * self.tau, self.size, key)
        return WongWangState(s, 0 * s)

    def rate(self, current: Any) -> Any:
        """The rate in 1/ms at a current in pA."""
        return 1 / (self.d * phi1(-self.d * (self.a * current - self.b)))

    def vector_field(self, t: FloatScalarLike, y: Any, drive: AbstractDrive) -> Any:
        """$ds/dt$ per ms."""
        r = self.rate(drive(t, y.s))
        return _Gate((1 - y.s) * self.gamma * r - y.s / self.tau)

    def step(
        self, state: WongWangState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[WongWangState, Float[Array, " size"]]:
        del key
        drive = as_drive(inputs, state.s)
        if isinstance(self.solver, AbstractLocalSolver) and self.solver.holds_inputs:
            drive = drive.held(1 / self.tau, clock.dt)
        r = jnp.broadcast_to(self.rate(drive(0.0, state.s)), state.s.shape)
        gate = integrate(self.solver, self.vector_field, _Gate(state.s), clock.dt, drive)
        new = materialize(WongWangState(gate.s, r))
        return new, new.r
