"""Spike times within a step."""

import math
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jax import lax
from jaxtyping import Array, Float

from .. import random
from .._custom_types import FloatArrayLike, Key, Spikes
from .._field import replace
from .._model import Clock
from ..event import materialize
from ..solver import integrate
from ._base import AbstractNeuron
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire, drive_of, emitted, probability

Y = TypeVar("Y")


class InterpolatedState(eqx.Module, Generic[Y]):
    """State of [`brainfn.neuron.Interpolated`][] neurons.

    - `y`: the variables of the model's equations; `state.v` is short for `state.y.v`.
    - `refractory`: refractory time remaining, in ms.
    - `offset`: time of the last spike, in ms since the beginning of its step; 0 before the first.
    """

    y: Y
    refractory: Float[Array, " size"]
    offset: Float[Array, " size"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "y":
            raise AttributeError(name)
        return getattr(self.y, name)


class Interpolated(AbstractNeuron[InterpolatedState[Any]]):
    r"""Integrate-and-fire neurons with spike times within the step.

    ```python
    cells = bf.neuron.Interpolated(bf.neuron.LIF(100))
    record = lambda state, spikes: (spikes, state.offset)
    ```

    Otherwise a spike is reset at the end of its step, so that each interval is late by up to `dt`
    and rates are of order one in `dt`. Here a parabola gives the time of the crossing, reset and
    refractory period begin there, and the rest of the step is integrated from there, for twice the
    work. Spike times are then of the order of the solver, up to three for constant currents (LIF
    with its default solver) and two for others. A spike at `state.offset` in step $n$ happened at
    $n\,\Delta t$ + `offset`. The refractory period may be any number.

    - What follows a spike is a smooth function of its time: with `surrogate=None` or `detach_reset`
      in the model, gradients are those of the spike times, of one order less.
    - A neuron spikes at most once in a step. In a network spikes are sent in the step of their
      time, and arrive at the beginning of a step.
    - The order shows once `dt` resolves the upswing: for AdEx, whose potential runs from -40 mV to
      its peak within microseconds, an interval is as late as without.
    - Delta synapses, whose jumps come at the ends of steps, can't reach them; and rounding errors
      are not carried along in float32.

    **Arguments:**

    - `model`: any [`brainfn.neuron.AbstractIntegrateAndFire`][]. Its `margin` says where a spike
        is.

    **Raises:** `TypeError` naming the argument.
    """

    size: int = eqx.field(static=True)
    model: AbstractIntegrateAndFire[Any]

    def __init__(self, model: AbstractIntegrateAndFire[Any]):
        if not isinstance(model, AbstractIntegrateAndFire):
            raise TypeError(
                "`model` must be an integrate-and-fire neuron, got "
                f"{getattr(model, '__name__', type(model).__name__)}. Try brainfn.neuron.LIF(100)."
            )
        self.size = model.size
        self.model = model

    @property
    def elementwise(self) -> bool:
        return self.model.elementwise

    @property
    def support(self) -> FloatArrayLike:
        return self.model.support

    def emits(self) -> jax.ShapeDtypeStruct:
        return self.model.emits()

    def distance(self, state: InterpolatedState[Any]) -> Float[Array, " size"]:
        return self.model.distance(state.y)

    def init(self, *, key: Key | None = None) -> InterpolatedState[Any]:
        y = self.model.initial(key)
        return InterpolatedState(y, jnp.zeros_like(y.v), jnp.zeros_like(y.v))

    def step(
        self, state: InterpolatedState[Any], inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[InterpolatedState[Any], Spikes]:
        model, dt, left = self.model, clock.dt, state.refractory
        drive = drive_of(model, inputs, state.v, dt)
        # The part of the step in which v moves; it then covers it all the slower.
        moving = jnp.maximum(1 - left / dt, 0) if model.clamped else jnp.ones_like(left)
        field = _paced(model, moving, jnp.ones_like(left))
        y = integrate(model.solver, field, state.y, dt, drive)
        slope = jtu.tree_map(lambda x: dt * x, field(0.0, state.y, drive))
        y, slope = materialize((y, slope))
        fired, spikes = emitted(model, y, left >= dt, dt, key)
        part = _crossing(model, state.y, y, slope, dt, key)
        at = jnp.where(fired, jnp.maximum(dt - (1 - part) * moving * dt, left), dt)
        passed = at / dt

        def reached(part: Any, a: Any, b: Any, change: Any) -> Any:
            middle = a + part * (change + part * (b - a - change))
            return jnp.where(fired, middle, b)

        crossed = jtu.tree_map(lambda *x: reached(passed, *x), state.y, y, slope)
        if model.clamped:
            crossed = replace(crossed, v=reached(part, state.v, y.v, slope.v))
        after = model.on_spike(crossed, lax.stop_gradient(spikes) if model.detach_reset else spikes)
        # The rest of the step, which is nothing where there was no spike.
        rest = dt - at
        refractory = jnp.asarray(model.refractory, at.dtype)
        free = jnp.maximum(rest - refractory, 0) if model.clamped else rest
        field = _paced(model, free / dt, rest / dt)
        after = integrate(model.solver, field, after, dt, drive)
        left = jnp.maximum(jnp.where(fired, refractory - rest, left - dt), 0)
        return InterpolatedState(after, left, jnp.where(fired, at, state.offset)), spikes


def _paced(
    model: AbstractIntegrateAndFire[Any],
    moving: Float[Array, " size"],
    passing: Float[Array, " size"],
) -> Any:
    """The vector field with a pace of its own for each neuron, and another one, `moving`, for its
    potential, which may be held for a part of the step."""

    def field(t: Any, y: Any, drive: AbstractDrive) -> Any:
        dy = model.vector_field(t, y, drive)
        return replace(jtu.tree_map(lambda x: passing * x, dy), v=moving * dy.v)

    return field


def _crossing(
    model: AbstractIntegrateAndFire[Any], y0: Any, y1: Any, slope: Any, dt: float, key: Key | None
) -> Float[Array, " size"]:
    """The part of the step at which a neuron that spikes does so; arbitrary for others."""
    log_rate = model.log_hazard(y1)
    if log_rate is not None:
        # The first event of a Poisson process that has one.
        expected = log_rate + math.log(dt)
        u = random.uniform(random.fold_in(key, 1), model.size, y1.v.dtype)
        return -jnp.log1p(-u * probability(expected)) / jnp.exp(jnp.minimum(expected, 5))
    # The root of the parabola through both ends, with the slope at the first.
    before, change = jax.jvp(model.margin, (y0,), (slope,))
    after = model.margin(y1)
    inside = (before < 0) & (after >= 0)
    square = change**2 - 4 * (after - before - change) * before
    root = jnp.sqrt(jnp.where(inside, square, jnp.ones_like(square)))
    part = -2 * before / jnp.where(inside, change + root, jnp.ones_like(root))
    return jnp.where(inside, jnp.clip(part, 0, 1), jnp.zeros_like(part))
