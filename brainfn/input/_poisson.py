"""Poisson spike trains."""

import math
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from .. import random
from .._custom_types import Key, Parameter
from .._errors import is_concrete
from .._field import flag, float_dtype, option, param, size as size_field
from .._model import Clock
from ._base import AbstractInput
from ._input import as_input
from ._source import AbstractSource
from ._window import check_window, moment


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
    start: float = moment(0.0)
    stop: float = moment(math.inf)
    counts: bool = flag(False)

    def __check_init__(self):
        check_window(self.start, self.stop)

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
        rate = driven_rate(self.rate, inputs)
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


class InhomogeneousPoisson(AbstractSource[Any, None]):
    r"""Independent Poisson spike trains whose rate is an input: a function of time, a series, a
    wave, noise.

    In each step a unit spikes with probability $1 - e^{-r(t)\,\Delta t}$; negative rates count as
    zero. A random rate makes a doubly stochastic (Cox) process.

    ```python
    bf.input.InhomogeneousPoisson(100, lambda t: 20 * Hz * (1 + jnp.sin(0.05 * t)))
    bf.input.InhomogeneousPoisson(100, bf.input.TimeSeries(rates, interval=10.0))
    bf.input.InhomogeneousPoisson(100, 20 * Hz + bf.input.Sine(15 * Hz, 8 * Hz))
    ```

    **Arguments:**

    - `size`: number of trains.
    - `rate`: $r$ in 1/ms: a function of the time in ms, any input of `brainfn.input`, a number, or
        an array with one number for each train.
    - `counts`: whether it emits numbers of events instead of bool spikes, as
        [`brainfn.input.Poisson`][] does.

    Its `step` needs a `key`.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    size: int = size_field()
    rate: AbstractInput = option(
        cls=AbstractInput, convert=lambda x: as_input("rate", x), positional=True
    )
    counts: bool = flag(False)

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(
            (self.size,), jnp.result_type(float) if self.counts else jnp.dtype(bool)
        )

    def init(self, *, key: Key | None = None) -> Any:
        return self.rate.init(self.size, key=key)

    def step(
        self, state: Any, inputs: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[Any, Bool[Array, " size"] | Float[Array, " size"]]:
        if inputs is not None:
            raise ValueError(
                "`inputs`: an InhomogeneousPoisson takes no input; its rate is its own. Try "
                "brainfn.input.Poisson."
            )
        if key is None:
            raise ValueError(
                "`key` is needed: Poisson spikes are random. Try key=jax.random.key(0)."
            )
        state, rate = self.rate.step(state, clock, key=random.fold_in(key, 1))
        if not eqx.is_array_like(rate) or jnp.shape(rate) not in ((), (self.size,)):
            got = f"shape {jnp.shape(rate)}" if eqx.is_array_like(rate) else type(rate).__name__
            raise ValueError(
                f"`rate` must be a number or have one entry for each of {self.size} trains in each "
                f"step, got {got}."
            )
        mean = jnp.maximum(jnp.asarray(rate, jnp.result_type(float)), 0) * clock.dt
        if self.counts:
            number = random.poisson(key, lax.stop_gradient(mean), self.size)
            return state, number.astype(mean.dtype)
        return state, random.bernoulli(key, -jnp.expm1(-mean), self.size)


def driven_rate(rate: Float[Array, "..."], inputs: Any) -> Float[Array, "..."]:
    """The rate of a source with the user's input added to it, not negative."""
    if inputs is None:
        return rate
    if callable(inputs):
        raise TypeError(
            "`inputs` of a source of spikes must be a rate in 1/ms in each step, got a function "
            "(t, v) -> current."
        )
    added = jnp.asarray(inputs, rate.dtype)
    # NaN marks a population without input when others of its kind have one.
    return jnp.maximum(rate + jnp.where(jnp.isnan(added), 0, added), 0)


def _inside(clock: Clock, start: float, stop: float) -> Bool[Array, ""]:
    """Whether the step lies in a window in ms, counted in whole steps: exact after hours."""
    first = math.ceil(start / clock.dt - 0.5)
    inside = clock.step >= min(first, 2**31 - 1)
    if not math.isinf(stop):
        last = math.ceil(stop / clock.dt - 0.5)
        inside = inside & (clock.step < min(last, 2**31 - 1))
    return inside
