"""A delay line on a ring buffer."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int, Shaped

from .._custom_types import Key
from .._errors import count, is_concrete
from .._model import AbstractModel, Clock


class DelayState(eqx.Module):
    """The last `steps` values of a signal: row `n % steps` holds what was written in step `n`."""

    buffer: Shaped[Array, "steps ..."]


class Delay(AbstractModel):
    """A delay line: a value written in step $n$ can be read in steps $n+1 \\dots n+$`steps`.

    Its memory is a ring buffer indexed by the step number, so nothing is ever moved. Within a step,
    read first ([`brainfn.Delay.read`][]), then write ([`brainfn.Delay.write`][]): the oldest row is
    the one that `write` overwrites. `step` does both: it returns the value written `steps` steps
    ago and writes its `inputs`.

    **Arguments:**

    - `steps`: the longest delay in steps, at least 1.
    - `shape`: shape of the signal.
    - `dtype`: dtype of the signal, e.g. `bool` for spikes without a derivative.

    **Raises:** `TypeError` or `ValueError` if `steps` is not a whole number or is less than 1.
    """

    steps: int = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)

    def __init__(self, steps: int, shape: int | tuple[int, ...] = (), dtype: Any = None):
        self.steps = count("steps", steps, minimum=1)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.dtype = jnp.dtype(jnp.result_type(float) if dtype is None else dtype)

    def init(self, *, key: Key | None = None) -> DelayState:
        """An empty line: zeros (no spikes)."""
        del key
        return DelayState(jnp.zeros((self.steps, *self.shape), self.dtype))

    def read(
        self, state: DelayState, clock: Clock, steps: int | Int[Array, "..."]
    ) -> Shaped[Array, "..."]:
        """The value written `steps` steps before `clock.step`.

        **Arguments:**

        - `state`: the line, before this step's `write`.
        - `clock`: the present step.
        - `steps`: the delay in steps, from 1 to `self.steps`: one for the whole signal, or an
            array of shape `self.shape` with one for each entry.

        **Raises:** `ValueError` if `steps` is out of range or of another shape. A traced entry out
        of range gives NaN.
        """
        if isinstance(steps, int):
            if not 1 <= steps <= self.steps:
                raise ValueError(
                    f"`steps` must be from 1 to {self.steps}, the length of the line, got {steps}."
                )
            if self.steps == 1:
                return state.buffer[0]
            row = (clock.step - steps) % self.steps
            return lax.dynamic_index_in_dim(state.buffer, row, keepdims=False)
        if is_concrete(steps) and steps.size:
            host = np.asarray(steps)
            if host.min() < 1 or host.max() > self.steps:
                raise ValueError(
                    f"`steps` must be from 1 to {self.steps}, the length of the line, got values "
                    f"from {host.min()} to {host.max()}."
                )
        if steps.shape != self.shape:
            raise ValueError(
                f"`steps` must be one number or have the shape of the signal {self.shape}, got "
                f"{steps.shape}."
            )
        rows = (clock.step - steps.astype(clock.step.dtype)) % self.steps
        out = jnp.take_along_axis(state.buffer, rows[None], axis=0)[0]
        if is_concrete(steps) or not jnp.issubdtype(out.dtype, jnp.floating):
            return out
        # Traced delays can't raise an error: values that the line does not hold are NaN.
        held = (steps >= 1) & (steps <= self.steps)
        return jnp.where(held, out, jnp.asarray(jnp.nan, out.dtype))

    def write(self, state: DelayState, value: Shaped[Array, "..."], clock: Clock) -> DelayState:
        """The line with `value` written for the present step."""
        if jnp.shape(value) != self.shape:
            raise ValueError(
                f"`value` must have the shape of the signal {self.shape}, got {jnp.shape(value)}."
            )
        value = value.astype(self.dtype)
        if self.steps == 1:
            return DelayState(value[None])
        row = clock.step % self.steps
        return DelayState(lax.dynamic_update_index_in_dim(state.buffer, value, row, axis=0))

    def step(
        self, state: DelayState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[DelayState, Shaped[Array, "..."]]:
        del key
        out = self.read(state, clock, self.steps)
        return self.write(state, inputs, clock), out
