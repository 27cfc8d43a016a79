"""Noise currents, and Poisson events delivered directly to receptors."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import random
from .._custom_types import Key, Parameter
from .._field import param
from .._model import Clock
from ._arrival import Arrival
from ._base import AbstractInput


class OrnsteinUhlenbeck(AbstractInput[Float[Array, " size"]]):
    r"""Ornstein-Uhlenbeck noise, independent for each neuron.

    $$d\eta = \frac{\mu - \eta}{\tau}\,dt + \sigma \sqrt{\frac{2}{\tau}}\,dW$$

    It is stationary from the start, with mean $\mu$, standard deviation $\sigma$ and
    autocorrelation $\sigma^2 e^{-|t|/\tau}$. The update is exact,
    $\eta \leftarrow \mu + (\eta - \mu) e^{-\Delta t/\tau} + \sigma\sqrt{1 - e^{-2\Delta t/\tau}}\,
    \xi$; the value is held during the step.

    **Arguments:**

    - `sigma`: standard deviation, e.g. in pA; `tau`: correlation time in ms; `mean`: $\mu$.

    **Raises:** `ValueError` or `TypeError` naming the argument; if the number of driven neurons is
    unknown, or no `key` was given.

    ??? cite

        Uhlenbeck and Ornstein (1930), "On the theory of the Brownian motion", Phys. Rev.
        36:823-841, doi:10.1103/PhysRev.36.823; the exact step: Gillespie (1996), Phys. Rev. E
        54:2084-2091, doi:10.1103/PhysRevE.54.2084.
    """

    sigma: Parameter = param(unit="pA", sign="nonnegative", positional=True)
    tau: Parameter = param(unit="ms", sign="positive", positional=True)
    mean: Parameter = param(0.0, unit="pA")

    def init(self, size: int | None, *, key: Key | None = None) -> Float[Array, " size"]:
        size = _known(size, "OrnsteinUhlenbeck")
        xi = random.normal(_needed(key, "OrnsteinUhlenbeck"), size, self.sigma.dtype)
        return self.mean + self.sigma * xi

    def step(
        self, state: Float[Array, " size"], clock: Clock, *, key: Key | None = None
    ) -> tuple[Float[Array, " size"], Any]:
        key = _needed(key, "OrnsteinUhlenbeck")
        xi = random.normal(key, state.shape[0], state.dtype)
        decay = jnp.exp(-clock.dt / self.tau)
        spread = self.sigma * jnp.sqrt(-jnp.expm1(-2 * clock.dt / self.tau))
        return self.mean + (state - self.mean) * decay + spread * xi, state


class PoissonArrivals(AbstractInput[None]):
    r"""Poisson events delivered directly to the receptor of a projection, independent for each
    neuron.

    In each step each neuron gets a Poisson number of events with mean $r\,\Delta t$ (not at most
    one), times `weight`: the effect of thousands of independent afferents, without simulating them.
    It acts in the step in which it is drawn.

    ```python
    inputs = {"exc": bf.input.PoissonArrivals(rate=8 * Hz * 1000, weight=0.5 * nS, into="exc")}
    ```

    **Arguments:**

    - `rate`: total rate of all afferents in 1/ms, a number or one for each neuron.
    - `weight`: weight of one event, in nS or pA.
    - `into`: name of the projection whose receptor receives it, in the population that is driven.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    rate: Parameter = param(unit="1/ms", sign="nonnegative", positional=True)
    weight: Parameter = param(unit="nS or pA", positional=True)
    into: str = eqx.field(static=True, kw_only=True)

    def __check_init__(self):
        if not isinstance(self.into, str):
            raise TypeError(f"`into` must be the name of a projection, got {self.into!r}.")

    # Its state is the number of neurons, which is needed for drawing.
    def init(self, size: int | None, *, key: Key | None = None) -> Any:
        _needed(key, "PoissonArrivals")
        return jnp.zeros(_known(size, "PoissonArrivals"), bool)

    def step(self, state: Any, clock: Clock, *, key: Key | None = None) -> tuple[Any, Arrival]:
        key = _needed(key, "PoissonArrivals")
        number = random.poisson(key, self.rate * clock.dt, state.shape[0])
        return state, Arrival(number.astype(self.weight.dtype) * self.weight, self.into)


def _known(size: int | None, name: str) -> int:
    if size is None:
        raise ValueError(
            f"`inputs`: {name} needs to know how many neurons it drives. Give a dictionary by "
            "population, e.g. inputs={'exc': ...}."
        )
    return size


def _needed(key: Any, name: str) -> Any:
    if key is None:
        raise ValueError(f"`key` is needed: {name} is random. Try key=jax.random.key(0).")
    return key
