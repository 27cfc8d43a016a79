"""Delays that are learned."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from .._custom_types import Key
from .._errors import is_concrete
from .._model import Clock
from ..init import AbstractInitializer, as_initializer
from ._chain import unpacked
from ._timed import AbstractTimed, Response


class Delayed(eqx.Module):
    """The last inputs of [`brainfn.nn.Delays`][], as a ring: row `position` is the oldest."""

    buffer: Float[Array, "steps size"]
    position: Int[Array, ""]


class Delays(AbstractTimed[Delayed]):
    r"""A delay for each channel, which may be a fraction of a step and can be learned.

    $$y_i(t) = (1 - f)\,x_i(t - k\,\Delta t) + f\,x_i(t - (k + 1)\,\Delta t), \qquad
    d_i = (k + f)\,\Delta t$$

    Linear interpolation between steps. Its derivative with respect to the delay,
    $(x_i(t - (k + 1) \Delta t) - x_i(t - k\,\Delta t)) / \Delta t$, is that of the interpolated
    signal; at a whole number of steps, that of a longer delay. Behind a layer that integrates, such
    as [`brainfn.nn.lif`][], a delayed spike acts in two steps by its parts, so that the loss is
    continuous in the delay.

    **Arguments:**

    - `size`: the number of channels.
    - `delay`: in ms, from 0 to `max_delay`: a number, an array of shape `(size,)`, or an
        initializer of [`brainfn.init`][]; by default uniformly distributed over the whole range.
        Delays that learning moves out of the range act as those at its ends, with a derivative of
        zero: apply `clipped` after an update.
    - `max_delay`: the longest delay in ms; memory grows with it.
    - `steps`: the longest delay in steps, which otherwise follows from the step size.
    - `key`: a JAX random key, if delays are drawn.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        I. Hammouamri, I. Khalfaoui-Hassani, T. Masquelier (2024), "Learning delays in spiking
        neural networks using dilated convolutions with learnable spacings", ICLR,
        arXiv:2306.17670, whose interpolation is linear in its final, narrowest stage.
    """

    delay: Float[Array, " size"]
    size: int = eqx.field(static=True)
    max_delay: float = eqx.field(static=True)
    steps: int | None = eqx.field(static=True)

    def __init__(
        self,
        size: Any,
        delay: Any = None,
        *,
        max_delay: Any = 25.0,
        steps: int | None = None,
        key: Key | None = None,
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"`size` must be a positive integer, got {size!r}.")
        real = isinstance(max_delay, int | float) and not isinstance(max_delay, bool)
        if not real or not 0 < max_delay < math.inf:
            raise ValueError(f"`max_delay` must be a positive number of ms, got {max_delay!r}.")
        self.size, self.max_delay, self.steps = size, float(max_delay), steps
        dtype = jnp.result_type(float)
        if delay is None or isinstance(delay, AbstractInitializer):
            if key is None:
                raise ValueError("`key` is needed to draw `delay`. Try key=jax.random.key(0).")
            if delay is None:
                delay = jr.uniform(key, (size,), dtype) * self.max_delay
            else:
                delay = as_initializer(delay)((size,), dtype, key=key)
        if not eqx.is_array_like(delay):
            raise TypeError(f"`delay` must be numbers in ms, got {type(delay).__name__}.")
        if jnp.shape(delay) not in ((), (size,)):
            raise ValueError(
                f"`delay` must be one number or have shape ({size},), got {jnp.shape(delay)}."
            )
        if is_concrete(delay) and steps is None:
            host = np.asarray(delay)
            if not np.all((host >= 0) & (host <= self.max_delay)):
                raise ValueError(
                    f"`delay` must be from 0 to `max_delay` = {max_delay} ms, got values from "
                    f"{host.min()} to {host.max()}."
                )
        self.delay = jnp.broadcast_to(jnp.asarray(delay, dtype), (size,)) * 1

    def clipped(self) -> "Delays":
        """With all delays in the range from 0 to `max_delay`."""
        return eqx.tree_at(lambda m: m.delay, self, jnp.clip(self.delay, 0.0, self.max_delay))

    def prepare(self, dt: float) -> "Delays":
        # A longest delay of 3 * 0.1 ms is 3 steps, not 4.
        steps = max(1, math.ceil(self.max_delay / dt - 1e-6))
        return Delays(self.size, self.delay, max_delay=self.max_delay, steps=steps)

    def init(self, *, key: Key | None = None) -> Delayed:
        del key
        if self.steps is None:
            raise ValueError("delays know their steps after `prepare(dt)`.")
        buffer = jnp.zeros((self.steps, self.size), self.delay.dtype)
        return Delayed(buffer, jnp.zeros((), jnp.int32))

    def step(
        self, state: Delayed, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Delayed, Array]:
        del key
        now = self._checked(inputs)
        whole, part = self._split(clock.dt)
        n = state.buffer.shape[0]
        line = jnp.concatenate([state.buffer, now[None]])

        def ago(k: Array) -> Array:
            rows = jnp.where(k == 0, n, (state.position - k) % n)
            return jnp.take_along_axis(line, rows[None], axis=0)[0]

        out = (1 - part) * ago(whole) + part * ago(jnp.minimum(whole + 1, n))
        buffer = lax.dynamic_update_index_in_dim(state.buffer, now, state.position, axis=0)
        return Delayed(buffer, (state.position + 1) % n), out

    def over_time(self, state: Delayed, inputs: Any, dt: float, *, key: Key | None) -> Response:
        del key
        x = self._checked(unpacked(inputs))
        whole, part = self._split(dt)
        n, time = state.buffer.shape[0], x.shape[0]
        line = jnp.concatenate([jnp.roll(state.buffer, -state.position, axis=0), x])

        def ago(k: Array) -> Array:
            rows = jnp.arange(n, n + time, dtype=k.dtype)[:, None] - k[None]
            return jnp.take_along_axis(line, rows, axis=0)

        f = part[None]
        out = (1 - f) * ago(whole) + f * ago(jnp.minimum(whole + 1, n))
        position = (state.position + time) % n
        end = Delayed(jnp.roll(line[time:], position, axis=0), position)
        return Response(out, end, None)

    def _split(self, dt: float) -> tuple[Array, Array]:
        """The delays as whole steps and what is left over."""
        steps = jnp.clip(self.delay, 0.0, self.max_delay) * (1 / dt)
        whole = lax.stop_gradient(jnp.floor(steps + 1e-6))  # 0.3 / 0.1 is a little less than 3
        return whole.astype(jnp.int32), steps - whole

    def _checked(self, inputs: Any) -> Array:
        if jnp.shape(inputs)[-1:] != (self.size,):
            raise ValueError(
                f"`inputs` of delays must be {self.size} in each step, got {jnp.shape(inputs)}."
            )
        return jnp.asarray(inputs, self.delay.dtype)
