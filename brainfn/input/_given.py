"""Sources with a given signal."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .._custom_types import Key
from .._errors import count, describe
from .._field import size as size_field
from .._model import Clock
from ._source import AbstractSource


class Empty(eqx.Module):
    """An empty state."""


class SpikeTimes(AbstractSource[Empty, None]):
    r"""Spikes at given times.

    A spike at time $t$ is emitted in the step $[n\,\Delta t, (n + 1)\,\Delta t)$ that contains it.
    A time on the grid belongs to the step that begins there; NEST stamps a spike with the end of
    the step in which the threshold was crossed, so use `stamp="end"` for its spikes. Several spikes
    of one neuron in one step become one event with that number as its value.

    **Arguments:**

    - `size`: number of units.
    - `times`: in ms, shape `(spikes,)`, in any order.
    - `units`: the unit of each spike, in `[0, size)`, shape `(spikes,)`.
    - `stamp`: `"beginning"` or `"end"`.

    **Raises:** `ValueError` or `TypeError` naming the argument: lists of different lengths, units
    out of range, times that are negative or not finite.
    """

    size: int = eqx.field(static=True)
    times: tuple[float, ...] = eqx.field(static=True)
    units: tuple[int, ...] = eqx.field(static=True)
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
        self.times, self.units = tuple(when.tolist()), tuple(which.tolist())
        self.stamp = stamp

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.result_type(float))

    def prepare(self, dt: float) -> "PreparedSpikeTimes":
        # Times on the grid are off by a few ulp after the division.
        steps = np.asarray(self.times, np.float64) / dt
        whole = np.rint(steps)
        on_grid = np.abs(steps - whole) < 1e-6 * np.maximum(1, np.abs(steps))
        steps = np.where(on_grid, whole, np.floor(steps)).astype(np.int64)
        if self.stamp == "end":
            steps = np.where(on_grid, steps - 1, steps)
        order = np.argsort(steps, kind="stable")
        steps, units = steps[order], np.asarray(self.units, np.int64)[order]
        _, per_step = np.unique(steps, return_counts=True)
        return PreparedSpikeTimes(
            self.size,
            jnp.asarray(np.minimum(steps, 2**31 - 1), jnp.int32),
            jnp.asarray(units, jnp.int32),
            int(per_step.max(initial=0)),
        )

    def init(self, *, key: Key | None = None) -> Empty:
        del key
        return Empty()

    def step(
        self, state: Empty, inputs: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[Empty, Float[Array, " size"]]:
        return self.prepare(clock.dt).step(state, inputs, clock, key=key)


class PreparedSpikeTimes(AbstractSource[Empty, None]):
    """Given spikes in the order of steps; made by [`brainfn.input.SpikeTimes`][]."""

    size: int = eqx.field(static=True)
    steps: Int[Array, " spikes"]
    units: Int[Array, " spikes"]
    most: int = eqx.field(static=True)  # spikes in one step

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
        if self.most == 0:
            return state, out
        # The spikes of a step are contiguous: inspect as many as the fullest step has.
        first = jnp.searchsorted(self.steps, clock.step)
        at = first + jnp.arange(self.most, dtype=first.dtype)
        inside = at < self.steps.shape[0]
        at = jnp.minimum(at, self.steps.shape[0] - 1)
        now: Bool[Array, " most"] = inside & (self.steps[at] == clock.step)
        return state, out.at[self.units[at]].add(now.astype(out.dtype))


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
