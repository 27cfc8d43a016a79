"""Correlated Poisson spike trains."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from .. import random
from .._custom_types import Key, Parameter
from .._field import check_number, param, size as size_field
from .._model import Clock
from ._noise import _needed
from ._poisson import PoissonState, driven_rate
from ._source import AbstractSource


class MultipleInteraction(AbstractSource[PoissonState, Any]):
    r"""Poisson trains with a correlation between each pair: each event of a common process, of rate
    $r/c$, is copied to each train with probability $c$.

    An event reaches a binomial number of trains, $n c$ on average. In a step with $N$ events of the
    common process a train spikes with probability $1 - (1 - c)^N$, at most once; the correlation of
    steps is then

    $$\frac{e^{c r \Delta t} - 1}{e^{r \Delta t} - 1} = c + O(r\,\Delta t).$$

    **Arguments:**

    - `size`: number of trains.
    - `rate`: $r$ of each train in 1/ms (`20*Hz`), one number for all. An input to the population is
        added to it; a negative sum counts as zero.
    - `correlation`: $c$ from 0 to 1, one number for all.

    Its `step` needs a `key`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Kuhn, Aertsen and Rotter (2003), "Higher-order statistics of input ensembles and the
        response of simple model neurons", Neural Comput. 15:67-101, doi:10.1162/089976603321043702.
    """

    size: int = size_field()
    rate: Parameter = param(unit="1/ms", sign="nonnegative", shared=True, positional=True)
    correlation: Parameter = param(unit="", sign="probability", shared=True, positional=True)

    def __check_init__(self):
        check_number(self, "rate", "correlation")

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.dtype(bool))

    def init(self, *, key: Key | None = None) -> PoissonState:
        del key
        return PoissonState()

    def step(
        self, state: PoissonState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[PoissonState, Bool[Array, " size"]]:
        key = _needed(key, "MultipleInteraction")
        mean = lax.stop_gradient(_one_rate(self.rate, inputs) * clock.dt)
        c = lax.stop_gradient(self.correlation)
        k1, k2 = random.fold_in(key, 0), random.fold_in(key, 1)
        number = random.poisson(k1, mean / jnp.where(c == 0, 1, c), 1)[0].astype(mean.dtype)
        shared = 1 - jnp.where(number == 0, jnp.ones_like(c), (1 - c) ** number)
        p = jnp.where(c == 0, -jnp.expm1(-mean), shared)
        return state, random.bernoulli(k2, p, self.size)


class SingleInteraction(AbstractSource[PoissonState, Any]):
    r"""Poisson trains with a correlation between each pair: each train is the union of its own
    process, of rate $(1 - c)\,r$, and of a common one, of rate $c\,r$, whose events reach all
    trains.

    The pairs are correlated as those of [`brainfn.input.MultipleInteraction`][], but correlations
    of higher order are as strong as possible: now and then all trains spike together.

    **Arguments**, **Raises** and source: as for [`brainfn.input.MultipleInteraction`][].
    """

    size: int = size_field()
    rate: Parameter = param(unit="1/ms", sign="nonnegative", shared=True, positional=True)
    correlation: Parameter = param(unit="", sign="probability", shared=True, positional=True)

    def __check_init__(self):
        check_number(self, "rate", "correlation")

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.dtype(bool))

    def init(self, *, key: Key | None = None) -> PoissonState:
        del key
        return PoissonState()

    def step(
        self, state: PoissonState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[PoissonState, Bool[Array, " size"]]:
        key = _needed(key, "SingleInteraction")
        mean = _one_rate(self.rate, inputs) * clock.dt
        k1, k2 = random.fold_in(key, 0), random.fold_in(key, 1)
        common = random.bernoulli(k1, -jnp.expm1(-self.correlation * mean), 1)
        own = random.bernoulli(k2, -jnp.expm1(-(1 - self.correlation) * mean), self.size)
        return state, own | common[0]


def _one_rate(rate: Any, inputs: Any) -> Any:
    if inputs is not None and not callable(inputs) and jnp.ndim(inputs) != 0:
        raise ValueError(
            "`inputs` of correlated trains must be one rate for all trains in each step, got shape "
            f"{jnp.shape(inputs)}."
        )
    return driven_rate(rate, inputs)
