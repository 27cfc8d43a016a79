"""Nodes of other formats that brainfn and Equinox have no layer for."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .._custom_types import Key
from .._model import Clock
from ..nn import AbstractTimed, Packed, Response
from ..surrogate import AbstractSurrogate, FastSigmoid


class Scale(eqx.Module):
    """Each entry times a factor of its own: `scale`, of the shape of the input."""

    scale: Float[Array, "..."]

    def __call__(self, x: Array) -> Array:
        return jnp.asarray(x, self.scale.dtype) * self.scale


class Threshold(eqx.Module):
    """1 where the input reaches `threshold`, of the shape of the input, and 0 elsewhere. The
    derivative is that of `surrogate`, in the unit of the input."""

    threshold: Float[Array, "..."]
    surrogate: AbstractSurrogate = FastSigmoid(25.0)

    def __call__(self, x: Array) -> Array:
        return self.surrogate(jnp.asarray(x, self.threshold.dtype) - self.threshold)


class Flatten(eqx.Module):
    """The axes from `first` to `last`, both included, as one."""

    first: int = eqx.field(static=True, default=0)
    last: int = eqx.field(static=True, default=-1)

    def __call__(self, x: Array) -> Array:
        last = self.last % x.ndim
        return x.reshape(*x.shape[: self.first], -1, *x.shape[last + 1 :])


class Pool2d(eqx.Module):
    """Sums, or with `mean` means, of windows of an image `(channels, height, width)`. What lies
    outside counts as zero."""

    kernel: tuple[int, int] = eqx.field(static=True)
    stride: tuple[int, int] = eqx.field(static=True)
    padding: tuple[int, int] = eqx.field(static=True)
    mean: bool = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        x = jnp.asarray(x, jnp.result_type(float)) if x.dtype == bool else x
        pads = ((0, 0), *((p, p) for p in self.padding))
        zero = jnp.zeros((), x.dtype)
        out = lax.reduce_window(x, zero, lax.add, (1, *self.kernel), (1, *self.stride), pads)
        return out * (1 / (self.kernel[0] * self.kernel[1])) if self.mean else out


class Accumulator(AbstractTimed[Array]):
    r"""Integrators without a leak, which emit their potential: $\dot v = R\,I$.

    **Arguments:**

    - `gain`: $R$ per ms, of the shape of the input.
    """

    gain: Float[Array, "..."]

    def init(self, *, key: Key | None = None) -> Array:
        del key
        return jnp.zeros_like(self.gain)

    def step(
        self, state: Array, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Array, Array]:
        del key
        new = state + self.gain * clock.dt * jnp.asarray(inputs, state.dtype)
        return new, new

    def over_time(self, state: Array, inputs: Any, dt: float, *, key: Key | None) -> Response:
        del key
        x = inputs.unpack() if isinstance(inputs, Packed) else inputs
        out = state[None] + jnp.cumsum(self.gain[None] * dt * jnp.asarray(x, state.dtype), axis=0)
        return Response(out, jnp.concatenate([state[None], out])[-1], out.sum(axis=0))
