"""Sources with a given signal."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64, Int32, UInt32

from .._custom_types import Key
from .._errors import count, describe, from_host, is_concrete
from .._field import size as size_field
from .._model import Clock
from ._source import AbstractSource

# Spikes of a step are emitted so many at a time.
_BLOCK = 256


class Empty(eqx.Module):
    """An empty state."""


class SpikeTimes(AbstractSource[Empty, None]):
    r"""Spikes at given times.

    A spike at time $t$ is emitted in the step $[n\,\Delta t, (n + 1)\,\Delta t)$ that contains it.
    A time on the grid belongs to the step that begins there; NEST stamps a spike with the end of
    the step in which the threshold was crossed, so use `stamp="end"` for its spikes. Several spikes
    of one neuron in one step become one event with that number as its value.

    Times are kept in float64, also where JAX computes in float32. They are data: a model with as
    many other spikes needs no new compilation.

    **Arguments:**

    - `size`: number of units.
    - `times`: in ms, shape `(spikes,)`, in any order.
    - `units`: the unit of each spike, in `[0, size)`, shape `(spikes,)`.
    - `stamp`: `"beginning"` or `"end"`.

    **Raises:** `ValueError` or `TypeError` naming the argument: lists of different lengths, units
    out of range, times that are negative or not finite.
    """

    size: int = eqx.field(static=True)
    # The times as pairs of words: as floats `jit` would round them to float32, and `bf.astype`,
    # derivatives and optimisers would take them for parameters.
    words: UInt32[Array, "spikes 2"]
    units: Int32[Array, " spikes"]
    stamp: str = eqx.field(static=True)

    def __init__(self, size: int, times: Any, units: Any, *, stamp: str = "beginning"):
        self.size = count("size", size)
        when, which = np.asarray(times, np.float64), np.asarray(units)
        if when.ndim != 1 or when.shape != which.shape:
            raise ValueError(
                "`times` and `units` must be lists of equal length, got shapes "
                f"{when.shape} and {which.shape}."
            )
        if not np.all(np.isfinite(when) & (when >= 0)):
            raise ValueError(
                f"`times` must be finite and not negative (in ms), got {describe(when)}."
            )
        if which.size and which.dtype.kind not in "iu":
            raise TypeError(f"`units` must be whole numbers, got dtype {which.dtype}.")
        if which.size and not (which.min() >= 0 and which.max() < self.size):
            raise ValueError(
                f"`units` must lie in [0, {self.size}), got values from {which.min()} to "
                f"{which.max()}."
            )
        if stamp not in ("beginning", "end"):
            raise ValueError(f"`stamp` must be 'beginning' or 'end', got {stamp!r}.")
        if stamp == "end" and np.any(when == 0):
            raise ValueError("`times` must be positive with stamp='end', got 0.")
        self.words = from_host(np.array(when, "<f8").view("<u4").reshape(-1, 2).astype(np.uint32))
        self.units = from_host(which.astype(np.int32))
        self.stamp = stamp

    @property
    def times(self) -> Float64[np.ndarray, " spikes"]:
        """Times of the spikes in ms, as they were given."""
        return np.asarray(self.words).astype("<u4").view("<f8").reshape(-1).astype(np.float64)

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.result_type(float))

    def prepare(self, dt: float) -> "PreparedSpikeTimes":
        if is_concrete(self.words) and is_concrete(self.units):
            steps = _steps(np, self.times, dt, self.stamp).astype(np.int32)
            order = np.argsort(steps, kind="stable")
            units = np.asarray(self.units)[order]
            return PreparedSpikeTimes(self.size, from_host(steps[order]), from_host(units))
        with jax.enable_x64(True):
            times = lax.bitcast_convert_type(self.words, jnp.float64)
            steps = _steps(jnp, times, dt, self.stamp).astype(jnp.int32)
            order = jnp.argsort(steps, stable=True)
            return PreparedSpikeTimes(self.size, steps[order], self.units[order])

    def init(self, *, key: Key | None = None) -> Empty:
        del key
        return Empty()

    def step(
        self, state: Empty, inputs: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[Empty, Float[Array, " size"]]:
        return self.prepare(clock.dt).step(state, inputs, clock, key=key)


def _steps(xp: Any, times: Any, dt: float, stamp: str) -> Any:
    """In which step each spike is emitted, as whole numbers in float64."""
    steps = times / dt
    whole = xp.rint(steps)
    # Times on the grid are off by some ulp of the division.
    on_grid = xp.abs(steps - whole) < 1e-6 * xp.maximum(1.0, xp.abs(steps))
    steps = xp.where(on_grid, whole - float(stamp == "end"), xp.floor(steps))
    return xp.minimum(steps, 2.0**31 - 1)


class PreparedSpikeTimes(AbstractSource[Empty, None]):
    """Given spikes in the order of steps; made by [`brainfn.input.SpikeTimes`][]."""

    size: int = eqx.field(static=True)
    steps: Int32[Array, " spikes"]
    units: Int32[Array, " spikes"]

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.result_type(float))

    def init(self, *, key: Key | None = None) -> Empty:
        del key
        return Empty()

    def step(
        self, state: Empty, inputs: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[Empty, Float[Array, " size"]]:
        del inputs, key
        out = jnp.zeros(self.size, jnp.result_type(float))
        spikes = self.steps.shape[0]
        if spikes == 0:
            return state, out

        def is_now(at: Any) -> Any:
            return (at < spikes) & (self.steps[jnp.minimum(at, spikes - 1)] == clock.step)

        def emit(carry: Any) -> Any:
            first, out = carry
            at = first + jnp.arange(_BLOCK, dtype=jnp.int32)
            units = self.units[jnp.minimum(at, spikes - 1)]
            return first + _BLOCK, out.at[units].add(is_now(at).astype(out.dtype))

        # The spikes of a step are contiguous. Their number may differ from set to set, so it is
        # not a shape.
        first = jnp.searchsorted(self.steps, clock.step).astype(jnp.int32)
        _, out = lax.while_loop(lambda carry: is_now(carry[0]), emit, (first, out))
        return state, out


class Signal(AbstractSource[Empty, Any]):
    """A source that emits its input: rates, images, a reward.

    `inputs={"name": series}`, with one number for all units or one for each; silent without an
    input.

    **Arguments:**

    - `size`: number of units.
    """

    size: int = size_field()

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.result_type(float))

    def init(self, *, key: Key | None = None) -> Empty:
        del key
        return Empty()

    def step(
        self, state: Empty, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Empty, Float[Array, " size"]]:
        del clock, key
        value = jnp.asarray(0.0 if inputs is None else inputs, jnp.result_type(float))
        if value.shape not in ((), (self.size,)):
            raise ValueError(
                f"`inputs` of a Signal of {self.size} units must be a number or have one for each, "
                f"got shape {value.shape}."
            )
        return state, jnp.broadcast_to(value, (self.size,))
