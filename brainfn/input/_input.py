"""Inputs without randomness: constants, series, functions."""

import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Shaped

from .._custom_types import FloatArrayLike, Key
from .._errors import describe, is_concrete, time_step, whole_steps
from .._model import Clock
from ._base import AbstractInput
from ._window import as_time, signed_steps


class Constant(AbstractInput[None]):
    """The same value in every step.

    **Arguments:**

    - `value`: e.g. a current in pA, a scalar or an array with one entry for each neuron.
    """

    value: Shaped[Array, "..."]

    def __init__(self, value: FloatArrayLike):
        if not eqx.is_array_like(value) or isinstance(value, complex):
            raise TypeError(f"`value` must be a number or an array of numbers, got {value!r}.")
        self.value = jnp.asarray(value, jnp.result_type(float) if _is_python(value) else None)

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(self, state: None, clock: Clock, *, key: Key | None = None) -> tuple[None, Any]:
        del state, key, clock
        return None, self.value


class TimeSeries(AbstractInput[None]):
    """Sampled values, each held for one sampling interval; zero outside.

    **Arguments:**

    - `values`: shape `(time, ...)`, e.g. currents in pA.
    - `interval`: sampling interval in ms, a whole number of steps; `None` means one step.
    - `start`: time of the first sample in ms.

    **Raises:** `ValueError` if there is no time axis, or `interval` is not positive.
    """

    values: Float[Array, "time ..."]
    interval: float | None = eqx.field(static=True)
    start: float = eqx.field(static=True)

    def __init__(
        self, values: FloatArrayLike, *, interval: float | None = None, start: float = 0.0
    ):
        values = jnp.asarray(values)
        if values.ndim == 0:
            raise ValueError(
                "`values` must have a leading time axis, got a scalar. For a constant use "
                "brainfn.input.Constant."
            )
        if values.shape[0] == 0:
            raise ValueError(f"`values` must have at least one sample, got shape {values.shape}.")
        if not jnp.issubdtype(values.dtype, jnp.floating):
            values = values.astype(jnp.result_type(float))
        if is_concrete(values) and not np.all(np.isfinite(np.asarray(values))):
            raise ValueError(f"`values` must be finite, got {describe(np.asarray(values))}.")
        self.values = values
        self.interval = None if interval is None else _positive("interval", interval)
        self.start = as_time("start", start)

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(self, state: None, clock: Clock, *, key: Key | None = None) -> tuple[None, Any]:
        del state, key
        return None, self.at(clock)

    def at(self, clock: Clock) -> Any:
        """The value during the step that begins at `clock.t`."""
        every = (
            1
            if self.interval is None
            else whole_steps("interval", self.interval, clock.dt, minimum=1)
        )
        index = (clock.step - signed_steps("start", self.start, clock.dt)) // every
        inside = (index >= 0) & (index < self.values.shape[0])
        index = jnp.clip(index, 0, self.values.shape[0] - 1)
        value = lax.dynamic_index_in_dim(self.values, index, keepdims=False)
        return jnp.where(inside, value, jnp.zeros_like(value))


class Function(AbstractInput[None]):
    """A function of time.

    The time is given in float64, even where JAX computes in float32: $n\\,\\Delta t$ is then exact
    to 16 digits, so a pulse of one step still lasts one step after hours of model time. The
    returned value is converted to JAX's default float dtype.

    **Arguments:**

    - `function`: maps the time in ms at the beginning of the step, a scalar array, to a value, e.g.
        a current in pA. It must be pure: it is traced once.
    """

    function: Callable[[Float[Array, ""]], Any]

    def __check_init__(self):
        if not callable(self.function):
            raise TypeError(
                f"`function` must be a function of the time in ms, got {self.function!r}. For a "
                "constant use brainfn.input.Constant."
            )

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(self, state: None, clock: Clock, *, key: Key | None = None) -> tuple[None, Any]:
        del state, key
        dtype = jnp.result_type(float)
        with jax.enable_x64(True):
            t = lax.convert_element_type(clock.step, jnp.float64) * np.float64(clock.dt)
            value = self.function(t)
            return None, jax.tree.map(lambda x: _narrow(x, dtype), value)


def _narrow(x: Any, dtype: Any) -> Any:
    if not eqx.is_array_like(x) or isinstance(x, complex):
        return x
    x = jnp.asarray(x)
    narrower = jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize < dtype.itemsize
    return x if narrower else lax.convert_element_type(x, dtype)


class MembraneFunction(AbstractInput[None]):
    """A function of the membrane potential.

    **Arguments:**

    - `function`: `(t, v) -> current`, of the time since the beginning of the step in ms and the
        membrane potential in mV, shape `(size,)`.
    """

    function: Callable[..., Any]

    def __check_init__(self):
        if not callable(self.function):
            raise TypeError(
                f"`function` must be a function (t, v) -> current, got {self.function!r}."
            )

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(self, state: None, clock: Clock, *, key: Key | None = None) -> tuple[None, Any]:
        del state, clock, key
        return None, self.function


def as_input(name: str, value: Any) -> AbstractInput:
    """`value` as an input whose meaning does not depend on the length of a run."""
    if isinstance(value, AbstractInput):
        return value
    if callable(value):
        return MembraneFunction(value) if _arguments(name, value) == 2 else Function(value)
    if isinstance(value, bool) or not (
        isinstance(value, int | float | jax.Array) or hasattr(value, "__array__")
    ):
        raise TypeError(
            f"`{name}` must be a number, an array with a leading time axis, a function of time, or "
            f"an input of brainfn.input; got {type(value).__name__}."
        )
    return Constant(value)


def _arguments(name: str, function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) or len(needed) == 1:
        return 1
    possible = [p for p in parameters if p.kind in positional]
    if not needed and possible:
        return 1
    if len(needed) == 2:
        return 2
    raise TypeError(
        f"`{name}` must be a function of the time in ms, or of the time since the beginning of the "
        f"step and the membrane potential, (t, v) -> current; got one of {len(needed)} arguments."
    )


def _is_python(value: Any) -> bool:
    return isinstance(value, int | float)


def _positive(name: str, value: float) -> float:
    try:
        return time_step(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`{name}` must be a positive number (in ms), got {value!r}.") from None
