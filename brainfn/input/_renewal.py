"""Spike trains with memory of the last spike: gamma processes, Poisson processes with dead time."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from .. import random
from .._custom_types import Key, Parameter
from .._errors import describe, is_concrete
from .._field import check_fields, float_dtype, param, size as size_field
from .._model import Clock
from ._noise import _needed
from ._poisson import driven_rate
from ._source import AbstractSource


class RenewalState(eqx.Module):
    """State of a [`brainfn.input.GammaProcess`][].

    - `left`: mean intervals until the next spike.
    - `residue`: the rounding error of `left`.
    """

    left: Float[Array, " size"]
    residue: Float[Array, " size"]


class GammaProcess(AbstractSource[RenewalState, Any]):
    r"""Independent gamma processes: trains whose intervals are gamma distributed, more regular than
    Poisson trains for shapes above 1, more irregular below.

    $$p(\Delta) = \frac{(k r)^k \Delta^{k-1}}{\Gamma(k)}\,e^{-k r \Delta}, \qquad
    \mathrm{CV} = \frac{1}{\sqrt{k}}$$

    The trains are in equilibrium from the start. A rate that varies stretches time: the intervals
    are gamma distributed in $\int r\,dt$. A step has at most one spike; a second one is emitted in
    the next step, so none is lost, and intervals are right to a step.

    **Arguments:**

    - `size`: number of trains.
    - `rate`: $r$ in 1/ms (`20*Hz`); an input to the population is added to it, and a negative sum
        counts as zero.
    - `shape`: $k$; 1 is a Poisson process.

    Its `init` and `step` need a `key`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Cox (1962), "Renewal theory", Methuen; Nawrot et al. (2008), "Measurement of variability
        dynamics in cortical spike trains", J. Neurosci. Methods 169:374-390,
        doi:10.1016/j.jneumeth.2007.10.013.
    """

    size: int = size_field()
    rate: Parameter = param(unit="1/ms", sign="nonnegative", positional=True)
    shape: Parameter = param(unit="", sign="positive", positional=True)

    @property
    def elementwise(self) -> bool:
        return True

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.dtype(bool))

    def init(self, *, key: Key | None = None) -> RenewalState:
        key, dtype = _needed(key, "GammaProcess"), float_dtype(self)
        # The interval that contains the beginning is drawn in proportion to its length.
        interval = random.gamma(key, self.shape + 1, self.size, dtype) / self.shape
        left = random.uniform(random.fold_in(key, 1), self.size, dtype) * interval
        return RenewalState(lax.stop_gradient(left), jnp.zeros_like(left))

    def step(
        self, state: RenewalState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[RenewalState, Bool[Array, " size"]]:
        key = _needed(key, "GammaProcess")
        passed = driven_rate(self.rate, inputs) * clock.dt
        # At low rates the change of a step is below the precision of `left` (Kahan summation).
        change = state.residue - passed
        left = state.left + change
        residue = change - (left - state.left)
        spikes = left < 0

        def draw() -> Float[Array, " size"]:
            return random.gamma(key, self.shape, self.size, left.dtype) / self.shape

        interval = lax.cond(jnp.any(spikes), draw, lambda: jnp.zeros_like(left))
        left = jnp.where(spikes, left + lax.stop_gradient(interval), left)
        return RenewalState(left, residue), spikes


class DeadTimeState(eqx.Module):
    """State of a [`brainfn.input.PoissonDeadTime`][]: `left`, the rest of the dead time in ms."""

    left: Float[Array, " size"]


class PoissonDeadTime(AbstractSource[DeadTimeState, Any]):
    r"""Independent Poisson processes with a dead time: after a spike a train is silent for $d$.

    $$p(\Delta) = \lambda\,e^{-\lambda (\Delta - d)} \ \text{ for } \Delta \ge d, \qquad
    \lambda = \frac{r}{1 - r d}, \qquad \mathrm{CV} = 1 - r d$$

    `rate` is that of the spikes, as for NEST's `ppd_sup_generator`, not that of the Poisson process
    $\lambda$ between dead times. The trains are in equilibrium from the start. Spikes have exact
    times within steps, of which the step is emitted: intervals are right to a step. A step has at
    most one spike, so dead times below `dt` act as `dt`.

    **Arguments:**

    - `size`: number of trains.
    - `rate`: $r$ in 1/ms (`20*Hz`), below 1 / `dead_time`; an input to the population is added to
        it, and the sum limited to the range from 0 to 1 / `dead_time`.
    - `dead_time`: $d$ in ms.

    Its `init` and `step` need a `key`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Deger, Helias, Boucsein and Rotter (2012), "Statistical properties of superimposed
        stationary spike trains", J. Comput. Neurosci. 32:443-463, doi:10.1007/s10827-011-0362-8.
    """

    size: int = size_field()
    rate: Parameter = param(unit="1/ms", sign="nonnegative", positional=True)
    dead_time: Parameter = param(unit="ms", sign="nonnegative", positional=True)

    def __check_init__(self):
        check_fields(self)
        if not (is_concrete(self.rate) and is_concrete(self.dead_time)):
            return
        share = np.asarray(np.asarray(self.rate) * np.asarray(self.dead_time), np.float64)
        if not np.all(share < 1):
            raise ValueError(
                f"`rate` must be below 1 / `dead_time`, got rate * dead_time = {describe(share)}."
            )

    @property
    def elementwise(self) -> bool:
        return True

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), jnp.dtype(bool))

    def init(self, *, key: Key | None = None) -> DeadTimeState:
        key, dtype = _needed(key, "PoissonDeadTime"), float_dtype(self)
        # A share r d of the time is dead; then the rest of the dead time is uniform.
        u = random.uniform(key, self.size, dtype)
        share = jnp.broadcast_to(self.rate * self.dead_time, u.shape)
        return DeadTimeState(
            jnp.where(u < share, self.dead_time * u / jnp.where(u < share, share, 1), 0)
        )

    def step(
        self, state: DeadTimeState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[DeadTimeState, Bool[Array, " size"]]:
        key = _needed(key, "PoissonDeadTime")
        rate = driven_rate(self.rate, inputs)
        alive = jnp.maximum(1 - rate * self.dead_time, jnp.finfo(rate.dtype).eps)
        free = jnp.maximum(clock.dt - state.left, 0)
        wait = random.exponential(key, self.size, rate.dtype) * alive
        spikes = wait < rate * free
        # The time from the spike to the end of the step, to be taken off the dead time.
        after = free - wait / jnp.where(spikes, rate, 1)
        left = jnp.maximum(jnp.where(spikes, self.dead_time - after, state.left - clock.dt), 0)
        return DeadTimeState(left), spikes
