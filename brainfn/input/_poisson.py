"""Poisson spike trains."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float

from .._custom_types import FloatArrayLike, Key
from .._errors import count, parameter
from .._model import Clock
from ._source import AbstractSource


class PoissonState(eqx.Module):
    """A Poisson process remembers nothing."""


class Poisson(AbstractSource[PoissonState, None]):
    r"""Independent Poisson spike trains, binned to steps.

    In each step a unit spikes with probability $1 - e^{-r\,\Delta t}$: at least one event of a
    Poisson process of rate $r$ falls into the step.

    **Arguments:**

    - `size`: number of trains.
    - `rate`: rate in 1/ms (`20*Hz`), a scalar or one for each train.
    - `start`, `stop`: the trains are silent before `start` and from `stop` on, in ms.

    Its `step` needs a `key`; its output is `bool` spikes, shape `(size,)`.

    **Raises:** `ValueError` or `TypeError` naming the argument: a negative rate, `stop < start`.
    """

    rate: Float[Array, "..."] = eqx.field(metadata={"sign": "nonnegative"})
    size: int = eqx.field(static=True)
    start: float = eqx.field(static=True)
    stop: float = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        rate: FloatArrayLike,
        *,
        start: float = 0.0,
        stop: float = math.inf,
        dtype: Any = None,
    ):
        self.size = count("size", size)
        self.rate = parameter(
            "rate", rate, unit="1/ms", nonnegative=True, size=self.size, dtype=dtype
        )
        for name, value in (("start", start), ("stop", stop)):
            if isinstance(value, bool) or not isinstance(value, int | float | np.generic):
                raise TypeError(f"`{name}` must be a Python number in ms, got {value!r}.")
        if not start <= stop:
            raise ValueError(f"`stop` must not be before `start`, got {stop} < {start} ms.")
        self.start, self.stop = float(start), float(stop)

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.dtype(bool))

    def init(self, *, key: Key | None = None) -> PoissonState:
        del key
        return PoissonState()

    def step(
        self, state: PoissonState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[PoissonState, Bool[Array, "..."]]:
        del inputs
        if key is None:
            raise ValueError(
                "`key` is needed: Poisson spikes are random. Try key=jax.random.key(0)."
            )
        probability = -jnp.expm1(-self.rate * clock.dt)
        spikes = jr.bernoulli(key, probability, (self.size,))
        # Half a step of tolerance, so that the edges do not hang on rounding.
        step, half = clock.step.astype(jnp.result_type(float)), 0.5
        on = (step > self.start / clock.dt - half) & (step < self.stop / clock.dt - half)
        return state, spikes & on
