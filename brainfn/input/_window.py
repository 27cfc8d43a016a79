"""Windows of time, counted in whole steps, and time in float64: exact after hours."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int32

from .._errors import whole_steps
from .._model import Clock

# Steps are int32.
_LAST = 2**31 - 1


def moment(default: float) -> Any:
    """A field for a time in ms: a static Python number."""

    def convert(x: Any) -> Any:
        number = isinstance(x, int | float | np.generic) and not isinstance(x, bool)
        return float(x) if number else x

    return eqx.field(static=True, default=default, kw_only=True, converter=convert)


def as_time(name: str, value: Any) -> float:
    """`value` as a time in ms that may be infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.generic):
        raise TypeError(f"`{name}` must be a Python number in ms, got {value!r:.100}.")
    if math.isnan(value):
        raise ValueError(f"`{name}` must be a time in ms, got {value}.")
    return float(value)


def check_window(start: Any, stop: Any, *, finite: bool = False) -> None:
    """Raise unless `start` and `stop` are times with `start` before `stop` (or at it, if the window
    may be infinite)."""
    start, stop = as_time("start", start), as_time("stop", stop)
    if not start <= stop:
        raise ValueError(f"`stop` must not be before `start`, got {stop} < {start} ms.")
    if finite and not (math.isfinite(stop - start) and stop > start):
        raise ValueError(
            f"`stop` must be finite and after `start`, got start = {start} and stop = {stop} ms."
        )


def signed_steps(name: str, value: float, dt: float) -> int:
    """Whole steps in a time that may be negative or infinite; raises for a time off the grid."""
    if math.isinf(value):
        return _LAST if value > 0 else -_LAST
    steps = whole_steps(name, abs(value), dt)
    return min(steps, _LAST) if value >= 0 else -min(steps, _LAST)


def inside(clock: Clock, start: float, stop: float) -> Bool[Array, ""]:
    """Whether the step lies in `[start, stop)`; both lie on the grid of steps."""
    first, last = signed_steps("start", start, clock.dt), signed_steps("stop", stop, clock.dt)
    now = clock.step >= first
    return now if math.isinf(stop) else now & (clock.step < last)


def steps_since(clock: Clock, start: float) -> Int32[Array, ""]:
    """Whole steps since `start`, which lies on the grid."""
    return clock.step - jnp.int32(signed_steps("start", start, clock.dt))


def windowed(
    clock: Clock,
    start: float,
    stop: float,
    wave: Callable[..., Any],
    parameters: tuple[Float[Array, "..."], ...],
) -> Float[Array, "..."]:
    """`wave(t, *parameters)` in the window, zero outside, in the dtype of the first parameter.

    It is computed in float64, also where JAX computes in float32, with `t` in ms from `start` to
    the beginning of the step: phases stay right in long simulations.
    """
    since = steps_since(clock, start)
    dtype = parameters[0].dtype
    with jax.enable_x64(True):
        t = lax.convert_element_type(since, jnp.float64) * np.float64(clock.dt)
        wide = [lax.convert_element_type(p, jnp.float64) for p in parameters]
        value = lax.convert_element_type(wave(t, *wide), dtype)
    return jnp.where(inside(clock, start, stop), value, jnp.zeros_like(value))
