"""Poisson spike trains."""

import math
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import random
from .._custom_types import Key, Parameter
from .._errors import is_concrete
from .._field import flag, float_dtype, param, size as size_field
from .._model import Clock
from ._source import AbstractSource


class PoissonState(eqx.Module):
    """A Poisson process has no memory."""


class Poisson(AbstractSource[PoissonState, Any]):
    r"""Independent Poisson spike trains, binned to steps.

    In each step a unit spikes with probability $1 - e^{-r\,\Delta t}$: that of at least one event
    of a Poisson process of rate $r$ in the step. With `counts` it emits the number of events, so
    that none are lost at high rates.

    **Arguments:**

    - `size`: number of trains.
    - `rate`: rate in 1/ms (`20*Hz`), a scalar or one for each train. An input to the population
      (`inputs={"name": ...}`, a series or a function of time) is added to it; a negative sum counts
      as zero.
    - `start`, `stop`: the trains are silent before `start` and from `stop` on, in ms. Both are
      rounded to the nearest step.
    - `counts`: whether it emits numbers of events, in the dtype of the rate, instead of bool
      spikes.

    Its `step` needs a `key`.

    **Raises:** `ValueError` or `TypeError` naming the argument: a negative rate, `stop < start`.
    Warns, when a simulation starts, if more than a tenth of the events would be lost without
    `counts`.
    """

    size: int = size_field()
    rate: Parameter = param(unit="1/ms", sign="nonnegative", positional=True)
    start: float = eqx.field(static=True, default=0.0, kw_only=True)
    stop: float = eqx.field(static=True, default=math.inf, kw_only=True)
    counts: bool = flag(False)

    def __check_init__(self):
        for name, value in (("start", self.start), ("stop", self.stop)):
            if isinstance(value, bool) or not isinstance(value, int | float | np.generic):
                raise TypeError(f"`{name}` must be a Python number in ms, got {value!r}.")
        if not self.start <= self.stop:
            raise ValueError(
                f"`stop` must not be before `start`, got {self.stop} < {self.start} ms."
            )

    @property
    def elementwise(self) -> bool:
        return True

    def emits(self) -> jax.ShapeDtypeStruct:
        dtype = float_dtype(self) if self.counts else jnp.dtype(bool)
        return jax.ShapeDtypeStruct((self.size,), dtype)

    def init(self, *, key: Key | None = None) -> PoissonState:
        del key
        return PoissonState()

    def step(
        self, state: PoissonState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[PoissonState, Bool[Array, " size"] | Float[Array, " size"]]:
        if key is None:
            raise ValueError(
                "`key` is needed: Poisson spikes are random. Try key=jax.random.key(0)."
            )
        rate = self.rate
        if inputs is not None:
            added = jnp.asarray(inputs, rate.dtype)
            # NaN marks a population without input when others of its kind have one.
            rate = jnp.maximum(rate + jnp.where(jnp.isnan(added), 0, added), 0)
        on = _inside(clock, self.start, self.stop)
        mean = rate * clock.dt
        if self.counts:
            number = random.poisson(key, mean, self.size).astype(rate.dtype)
            return state, jnp.where(on, number, jnp.zeros_like(number))
        return state, random.bernoulli(key, -jnp.expm1(-mean), self.size) & on

    def prepare(self, dt: float) -> "Poisson":
        if not self.counts and is_concrete(self.rate):
            most = float(np.max(np.asarray(self.rate, np.float64), initial=0.0)) * dt
            if most > 0.2:
                warnings.warn(
                    f"Poisson: a `rate` of {most / dt:g} per ms is {most:.3g} events in a step of "
                    f"{dt} ms, but a bool spike counts at most one: "
                    f"{1 + math.expm1(-most) / most:.0%} of them are lost. Give counts=True, a "
                    "smaller `dt`, or the rate in 1/ms (20*Hz is 0.02).",
                    stacklevel=2,
                )
        return self


def _inside(clock: Clock, start: float, stop: float) -> Bool[Array, ""]:
    """Whether the step lies in a window in ms, counted in whole steps: exact after hours."""
    first = math.ceil(start / clock.dt - 0.5)
    inside = clock.step >= min(first, 2**31 - 1)
    if not math.isinf(stop):
        last = math.ceil(stop / clock.dt - 0.5)
        inside = inside & (clock.step < min(last, 2**31 - 1))
    return inside
