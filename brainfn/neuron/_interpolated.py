"""Spike times within a step."""

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
    and rates are of order one in `dt`. Here the time of the crossing is interpolated linearly,
    reset and refractory period begin there, and the rest of the step is integrated from there: of
    order two, whatever the solver, for twice its work. A spike at `state.offset` in step $n$
    happened at $n\,\Delta t$ + `offset`. The refractory period may be any number.

    - What follows a spike is a smooth function of its time, and `offset` has exact derivatives too:
      with `surrogate=None` or `detach_reset` in the model, gradients are those of the spike times.
    - A neuron spikes at most once in a step. In a network spikes are sent in the step of their
      time, and arrive at the beginning of a step.
    - The order shows once `dt` resolves the upswing: for AdEx, whose potential runs from -40 mV to
      its peak within microseconds, an interval is as late as without.

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
        y = materialize(_advanced(model, state.y, moving, jnp.ones_like(left), dt, drive))
        fired, spikes = emitted(model, y, left >= dt, dt, key)
        part = _crossing(model, state.y, y, dt, key)
        at = jnp.where(fired, jnp.maximum(dt - (1 - part) * moving * dt, left), dt)
        passed = jnp.where(fired, at / dt, jnp.ones_like(at))
        crossed = jtu.tree_map(lambda a, b: _between(a, b, passed, fired), state.y, y)
        crossed = replace(crossed, v=_between(state.v, y.v, part, fired))
        if not model.clamped:
            crossed = replace(crossed, v=_between(state.v, y.v, passed, fired))
        after = model.on_spike(crossed, lax.stop_gradient(spikes) if model.detach_reset else spikes)
        # The rest of the step, which is nothing where there was no spike.
        rest = dt - at
        refractory = jnp.asarray(model.refractory, at.dtype)
        free = jnp.maximum(rest - refractory, 0) if model.clamped else rest
        after = _advanced(model, after, free / dt, rest / dt, dt, drive)
        left = jnp.maximum(jnp.where(fired, refractory - rest, left - dt), 0)
        return InterpolatedState(after, left, jnp.where(fired, at, state.offset)), spikes


def _advanced(
    model: AbstractIntegrateAndFire[Any],
    y: Any,
    moving: Float[Array, " size"],
    passing: Float[Array, " size"],
    dt: float,
    drive: AbstractDrive,
) -> Any:
    """`y` after a step in which the time of each neuron passes at its own rate, and that of its
    potential, which may be held for a part of the step, at another."""

    def field(t: Any, y: Any, drive: Any) -> Any:
        dy = model.vector_field(t, y, drive)
        return replace(jtu.tree_map(lambda x: passing * x, dy), v=moving * dy.v)

    return integrate(model.solver, field, y, dt, drive)


def _crossing(
    model: AbstractIntegrateAndFire[Any], y0: Any, y1: Any, dt: float, key: Key | None
) -> Float[Array, " size"]:
    """The part of the step at which a neuron that spikes does so; arbitrary for others."""
    log_rate = model.log_hazard(y1)
    if log_rate is not None:
        # The first event of a Poisson process that has one.
        expected = jnp.exp(jnp.minimum(log_rate + jnp.log(jnp.asarray(dt, y1.v.dtype)), 5))
        u = random.uniform(random.fold_in(key, 1), model.size, y1.v.dtype)
        return -jnp.log1p(-u * probability(jnp.log(expected))) / expected
    before, after = model.margin(y0), model.margin(y1)
    rises = after > before
    part = -before / jnp.where(rises, after - before, jnp.ones_like(before))
    return jnp.clip(jnp.where(rises, part, jnp.zeros_like(part)), 0, 1)


def _between(a: Any, b: Any, part: Any, fired: Any) -> Any:
    return jnp.where(fired, a + part * (b - a), b)
