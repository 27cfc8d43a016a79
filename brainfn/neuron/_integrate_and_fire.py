"""The template of integrate-and-fire neurons."""

import abc
import math
from typing import Any, Generic, TypeVar

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .. import random
from .._custom_types import FloatArrayLike, FloatScalarLike, Key, Spikes
from .._errors import is_concrete, whole_steps
from .._field import float_dtype, replace
from .._model import Clock
from ..event import materialize
from ..solver import AbstractLocalSolver, increment, integrate
from ..surrogate import AbstractSurrogate
from ._base import AbstractNeuron
from ._drive import AbstractDrive, as_drive

Y = TypeVar("Y")


class Voltage(eqx.Module):
    """The variables of a neuron that has only a membrane potential: `v` in mV."""

    v: Float[Array, " size"]


class SpikingState(eqx.Module, Generic[Y]):
    """State of an integrate-and-fire neuron.

    - `y`: the variables of its equations; `state.v` is short for `state.y.v`.
    - `refractory`: refractory steps remaining, int32.
    - `residue`: the rounding error of the last additions to `y`; `None` unless steps are so small
      that it matters (see [`brainfn.neuron.AbstractIntegrateAndFire`][]).
    """

    y: Y
    refractory: Int[Array, " size"]
    residue: Y | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "y":
            raise AttributeError(name)
        return getattr(self.y, name)


class AbstractIntegrateAndFire(AbstractNeuron[SpikingState[Y]], Generic[Y]):
    r"""The template of integrate-and-fire neurons: a model gives the physics, the template does the
    rest.

    A model declares its parameters and five methods: `initial`, `vector_field`, `fired`, `distance`
    and `on_spike`. From these the template makes `init` and `step`: one step of any Diffrax solver;
    an absolute refractory period during which $v$ is held (a spike in step $n$ and a refractory
    period of $k$ steps hold it in steps $n+1\dots n+k$; other variables continue to evolve); jumps
    of $v$ by delta synapses, after the integration and before the threshold is tested; spikes with
    a surrogate derivative; a reset with exact value and correct derivative.

    Other methods have defaults: `margin` for models that [`brainfn.neuron.Interpolated`][] refines,
    `log_hazard` for spikes at random, `clamped` for membranes that a refractory period does not
    hold, `leak_rate` for linear ones.

    ```python
    class QIF(bf.neuron.AbstractIntegrateAndFire):
        size: int = bf.size()
        tau: Float[Array, "*n"] = bf.param(10.0, unit="ms", sign="positive")
        v_peak: Float[Array, "*n"] = bf.param(10.0, unit="")
        v_reset: Float[Array, "*n"] = bf.param(-10.0, unit="")
        refractory: Float[Array, "*n"] = bf.param(0.0, unit="ms", sign="nonnegative")
        v_init: Any = bf.init.initial()
        solver: Any = bf.neuron.solver()
        surrogate: Any = bf.neuron.surrogate()
        detach_reset: bool = bf.flag(False)

        def initial(self, key):
            return bf.neuron.Voltage(bf.init.start(self.v_init, self.v_reset, self.size, key))

        def vector_field(self, t, y, drive):
            return bf.neuron.Voltage((y.v**2 + drive(t, y.v)) / self.tau)

        def fired(self, y):
            return y.v >= self.v_peak

        def distance(self, state):
            return state.v / self.v_peak

        def on_spike(self, y, spikes):
            return bf.neuron.Voltage(bf.neuron.reset(y.v, spikes, self.v_reset))
    ```

    **Small steps in float32.** A membrane potential whose change in one step is below half a unit
    in the last place would not move, nor would a slow threshold. If `dt` is below $10^{-4}$ of the
    slowest time constant (`1 / slowest_rate()`), a float32 state carries the rounding error along
    and adds it to the next step (Kahan summation).
    """

    refractory: eqx.AbstractVar[Float[Array, " *size"]]
    solver: eqx.AbstractVar[dfx.AbstractSolver]
    surrogate: eqx.AbstractVar[AbstractSurrogate | None]
    detach_reset: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def initial(self, key: Key | None) -> Y:
        """The initial variables: a module of arrays of shape `(size,)`, with a field `v`, the
        membrane potential in mV, which is held while a neuron is refractory."""

    @abc.abstractmethod
    def vector_field(self, t: FloatScalarLike, y: Y, drive: AbstractDrive) -> Y:
        """$dy/dt$ per ms; `drive(t, y.v)` is the current in pA. `t` is the time since the beginning
        of the step in ms."""

    @abc.abstractmethod
    def distance(self, state: Any) -> Float[Array, " size"]:
        """How far from threshold the neurons are, dimensionless, as passed to the surrogate: zero
        at threshold. If $v$ diverges from a threshold to a peak within a step, the threshold is
        where the upswing begins. `state` is `y`, or a state that holds one."""

    @abc.abstractmethod
    def on_spike(self, y: Y, spikes: Spikes) -> Y:
        """`y` after the spikes; use [`brainfn.neuron.reset`][] to set a variable, and
        [`brainfn.neuron.jump`][] to let it jump."""

    def margin(self, y: Y) -> Float[Array, " size"]:
        """A smooth function of `y`, of any unit, that rises through zero where a neuron spikes, by
        which the time of a spike within a step is interpolated. By default `distance`: a model
        whose upswing begins there and ends elsewhere defines its own."""
        return self.distance(y)

    def fired(self, y: Y) -> Bool[Array, " size"]:
        """Which neurons spike at `y`: by default, those with a `margin` that is not negative."""
        return self.margin(y) >= 0

    def log_hazard(self, y: Y) -> Float[Array, " size"] | None:
        """For neurons that spike at random, the logarithm of the rate in 1/ms at which they do;
        `None`, as here, if they spike where `fired` says. Then `step` needs a `key`, and the
        surrogate gets the logarithm of the expected number of spikes in a step; try
        [`brainfn.surrogate.LogHazard`][]."""
        del y
        return None

    @property
    def clamped(self) -> bool:
        """Whether $v$ is held while a neuron is refractory. If not, it only does not spike then."""
        return True

    def leak_rate(self) -> Float[Array, " *size"] | None:
        """The rate in 1/ms at which the effect of a current decays, if the membrane equation is
        linear; `None` otherwise. With it, a solver that holds its inputs over a step is exact for
        exponentially decaying currents."""
        return None

    def slowest_rate(self) -> FloatArrayLike:
        """The rate in 1/ms of the slowest variable, by which small steps are told: by default that
        of the membrane, 1/20 per ms if it has none."""
        rate = self.leak_rate()
        return 1 / 20 if rate is None else rate

    @property
    def elementwise(self) -> bool:
        return True

    @property
    def jumps(self) -> bool:
        return True

    def emits(self) -> jax.ShapeDtypeStruct:
        dtype = jnp.dtype(bool) if self.surrogate is None else float_dtype(self)
        return jax.ShapeDtypeStruct((self.size,), dtype)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf if self.surrogate is None else self.surrogate.support

    def prepare(self, dt: float) -> "PreparedNeuron":
        if is_concrete(self.refractory):
            for value in np.unique(np.asarray(self.refractory, np.float64)):
                whole_steps("refractory", float(value), dt)
        rate = self.slowest_rate()
        known = is_concrete(rate)
        slowest = float(np.min(np.asarray(rate), initial=np.inf)) if known else 1 / 20
        small = float_dtype(self) == jnp.float32 and dt * slowest < 1e-4
        return PreparedNeuron(self.size, self, small)

    def init(self, *, key: Key | None = None) -> SpikingState[Y]:
        return PreparedNeuron(self.size, self, False).init(key=key)

    def step(
        self, state: SpikingState[Y], inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[SpikingState[Y], Spikes]:
        return PreparedNeuron(self.size, self, False).step(state, inputs, clock, key=key)


class PreparedNeuron(AbstractNeuron[Any]):
    """An integrate-and-fire neuron prepared for steps of a fixed size, made by its `prepare`.

    - `model`: the neuron.
    - `compensated`: whether states carry the rounding error.
    """

    size: int = eqx.field(static=True)
    model: AbstractIntegrateAndFire[Any]
    compensated: bool = eqx.field(static=True)

    @property
    def elementwise(self) -> bool:
        return self.model.elementwise

    @property
    def jumps(self) -> bool:
        return True

    @property
    def support(self) -> FloatArrayLike:
        return self.model.support

    def emits(self) -> jax.ShapeDtypeStruct:
        return self.model.emits()

    def distance(self, state: SpikingState[Any]) -> Float[Array, " size"]:
        return self.model.distance(state.y)

    def init(self, *, key: Key | None = None) -> SpikingState[Any]:
        y = self.model.initial(key)
        residue = jtu.tree_map(jnp.zeros_like, y) if self.compensated else None
        return SpikingState(y, jnp.zeros(self.size, jnp.int32), residue)

    def step(
        self, state: SpikingState[Any], inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[SpikingState[Any], Spikes]:
        model = self.model
        resting = state.refractory > 0
        drive = as_drive(inputs, state.v)
        jump = drive.jump(state.v)
        drive = drive_of(model, drive, state.v, clock.dt)

        def field(t: Any, y: Any, drive: Any) -> Any:
            dy = model.vector_field(t, y, drive)
            if not model.clamped:
                return dy
            return replace(dy, v=jnp.where(resting, jnp.zeros_like(dy.v), dy.v))

        def jumped(y: Any) -> Any:
            if jump is None:
                return y
            held = resting & model.clamped
            return replace(y, v=y.v + jnp.where(held, jnp.zeros_like(jump), jump))

        residue = state.residue
        if residue is None:
            y = jumped(integrate(model.solver, field, state.y, clock.dt, drive))
        else:
            change = jumped(increment(model.solver, field, state.y, clock.dt, drive))
            change = jtu.tree_map(jnp.add, change, residue)
            y = jtu.tree_map(jnp.add, state.y, change)
            residue = jtu.tree_map(lambda a, b, d: d - (b - a), state.y, y, change)
        # Everything below reads this value; `materialize` makes XLA compute it only once.
        y = materialize(y)
        fired, spikes = emitted(model, y, resting, clock.dt, key)
        after = model.on_spike(y, lax.stop_gradient(spikes) if model.detach_reset else spikes)
        if residue is not None:
            residue = jtu.tree_map(lambda r: jnp.where(fired, jnp.zeros_like(r), r), residue)
        steps = jnp.round(model.refractory * (1 / clock.dt)).astype(jnp.int32)
        left = jnp.where(fired, steps, jnp.maximum(state.refractory - 1, 0))
        return SpikingState(after, left, residue), spikes


def drive_of(model: AbstractIntegrateAndFire[Any], inputs: Any, v: Any, dt: float) -> AbstractDrive:
    """The inputs of a step as a drive, held constant if the solver evaluates them only once."""
    drive = as_drive(inputs, v)
    if isinstance(model.solver, AbstractLocalSolver) and model.solver.holds_inputs:
        rate = model.leak_rate()
        drive = drive.held(0.0 if rate is None else rate, dt)
    return drive


def emitted(
    model: AbstractIntegrateAndFire[Any],
    y: Any,
    resting: Bool[Array, " size"],
    dt: float,
    key: Key | None,
) -> tuple[Bool[Array, " size"], Spikes]:
    """Which neurons spike at `y`, the end of a step; and their spikes, with a derivative."""
    log_rate = model.log_hazard(y)
    if log_rate is None:
        expected, fired = None, model.fired(y)
    else:
        if key is None:
            raise ValueError(
                f"`key` is needed: {type(model).__name__} spikes at random. Try "
                "key=jax.random.key(0)."
            )
        expected = log_rate + math.log(dt)
        fired = random.bernoulli(key, probability(expected), model.size)
    # A membrane that is held lies below a fixed threshold: nothing to do there.
    free = expected is not None or not model.clamped
    if free:
        fired = fired & ~resting
    if model.surrogate is None:
        return fired, fired
    spikes = model.surrogate(model.distance(y) if expected is None else expected, fired)
    return fired, jnp.where(resting, jnp.zeros_like(spikes), spikes) if free else spikes


def probability(expected: Float[Array, " size"]) -> Float[Array, " size"]:
    """That of at least one event, from the logarithm of the expected number."""
    # At e^5 = 148 events it is 1 in every precision, and the exponential must not overflow.
    return -jnp.expm1(-jnp.exp(jnp.minimum(expected, 5)))
