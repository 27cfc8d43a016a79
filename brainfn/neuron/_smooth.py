"""The template of neurons that spike by their equations alone, without a reset."""

import abc
import math
from typing import Any, Generic, TypeVar

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, FloatScalarLike, Key, Spikes
from .._field import float_dtype, replace
from .._model import Clock
from ..event import materialize
from ..solver import AbstractLocalSolver, integrate
from ..surrogate import AbstractSurrogate
from ._base import AbstractNeuron
from ._drive import AbstractDrive, as_drives

Y = TypeVar("Y")


class Recovery(eqx.Module):
    """Variables of neurons with two: the membrane potential `v` and the recovery `w`."""

    v: Float[Array, " size"]
    w: Float[Array, " size"]


class AbstractSmoothNeuron(AbstractNeuron[Y], Generic[Y]):
    r"""The template of neurons without a reset: a model gives its equations, the template does the
    rest.

    A model declares its parameters and two methods, `initial` and `vector_field`. From these the
    template makes `init` and `step`: one step of any Diffrax solver, and a spike, with a surrogate
    derivative, where `v` crosses `v_threshold` upwards; jumps of `v` by delta synapses come after
    the integration. The state is what `initial` returns.

    ```python
    class VanDerPol(bf.neuron.AbstractSmoothNeuron):
        size: int = bf.size()
        tau: Float[Array, "*n"] = bf.param(20.0, unit="ms", sign="positive")
        v_threshold: Float[Array, "*n"] = bf.param(0.0, unit="")
        width: Float[Array, "*n"] = bf.param(1.0, unit="", sign="positive")
        v_init: Any = bf.init.initial(1.0)
        solver: Any = bf.neuron.solver(bf.solver.Heun)
        surrogate: Any = bf.neuron.surrogate()

        def initial(self, key):
            v = bf.init.start(self.v_init, self.tau, self.size, key)
            return bf.neuron.Recovery(v, jnp.zeros_like(v))

        def vector_field(self, t, y, drive):
            return bf.neuron.Recovery(y.v - y.v**3 / 3 - y.w + drive(t, y.v), y.v / self.tau)
    ```

    The vector field also runs under `diffrax.diffeqsolve`, with a drive as its argument, e.g.
    `bf.neuron.as_drive(10.0, y.v)`.

    **Several compartments.** A model with named `ports` gets a dictionary of drives by port. A
    current that is given without a port goes to the first one.
    """

    v_threshold: eqx.AbstractVar[Float[Array, " *size"]]
    width: eqx.AbstractVar[Float[Array, " *size"]]
    solver: eqx.AbstractVar[dfx.AbstractSolver]
    surrogate: eqx.AbstractVar[AbstractSurrogate | None]

    @abc.abstractmethod
    def initial(self, key: Key | None) -> Y:
        """The initial state: a module of arrays of shape `(size,)`, with a field `v`, the membrane
        potential where spikes are detected."""

    @abc.abstractmethod
    def vector_field(self, t: FloatScalarLike, y: Y, drive: Any) -> Y:
        """$dy/dt$ per ms; `drive(t, y.v)` is the current in pA, or for a model with named ports
        `drive[port](t, v)`. `t` is the time since the beginning of the step in ms."""

    @property
    def elementwise(self) -> bool:
        return True

    @property
    def jumps(self) -> bool:
        return tuple(self.ports()) == ("",)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf if self.surrogate is None else self.surrogate.support

    def emits(self) -> jax.ShapeDtypeStruct:
        dtype = jnp.dtype(bool) if self.surrogate is None else float_dtype(self)
        return jax.ShapeDtypeStruct((self.size,), dtype)

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_threshold) / self.width

    def init(self, *, key: Key | None = None) -> Y:
        return self.initial(key)

    def step(
        self, state: Any, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Y, Spikes]:
        del key
        drive = as_drives(inputs, self.ports(), state.v)
        jump = drive.jump(state.v) if isinstance(drive, AbstractDrive) else None
        if isinstance(self.solver, AbstractLocalSolver) and self.solver.holds_inputs:
            drive = jtu.tree_map(lambda d: d.held(0.0, clock.dt), drive, is_leaf=_is_drive)
        new = integrate(self.solver, self.vector_field, state, clock.dt, drive)
        if jump is not None:
            new = replace(new, v=new.v + jump)
        new = materialize(new)
        fired = (state.v < self.v_threshold) & (new.v >= self.v_threshold)
        if self.surrogate is None:
            return new, fired
        return new, self.surrogate(self.distance(new), fired)


def _is_drive(x: Any) -> bool:
    return isinstance(x, AbstractDrive)
