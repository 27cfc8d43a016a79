"""Neurons that send no spike for some time after the last one."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._custom_types import FloatArrayLike, Key, Parameter, Spikes
from .._errors import is_concrete, whole_steps
from .._field import as_parameter, check_fields, param, replace
from .._model import Clock
from ._base import AbstractNeuron
from ._smooth import AbstractSmoothNeuron


class DeadTimeState(eqx.Module):
    """State of [`brainfn.neuron.DeadTime`][]: that of the `neuron`, and the steps without spikes
    that remain, `silent`, shape `(size,)`, int32."""

    neuron: Any
    silent: Int[Array, " size"]

    @property
    def v(self) -> Float[Array, " size"]:
        """Membrane potential in mV."""
        return self.neuron.v


class DeadTime(AbstractNeuron[DeadTimeState]):
    r"""Smooth neurons that spike where they are above their threshold, but not within a dead time
    after their last spike.

    $$v \ge v_\mathrm{threshold} \ \text{and}\ t - t_\mathrm{last} > T:\ \text{spike}$$

    The membrane is not touched: a refractory period of Hodgkin-Huxley cells in other simulators
    means this. Under strong synapses such cells cross their threshold again within 3 ms; without a
    dead time ([`brainfn.neuron.AbstractSmoothNeuron`][]) each upward crossing is a spike. Here a
    cell that is above the threshold at the end of the dead time spikes then, and one that stays
    there spikes again and again. With a spike in step $n$ and a dead time of $k$ steps there is
    none in steps $n+1 \dots n+k$.

    ```python
    bf.neuron.DeadTime(bf.neuron.traub_miles(100), 3 * ms)
    ```

    **Arguments:**

    - `neuron`: neurons without a reset ([`brainfn.neuron.AbstractSmoothNeuron`][]); others have a
        refractory period of their own.
    - `dead_time`: $T$ in ms, a whole number of steps.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Brette et al. (2007), "Simulation of networks of spiking neurons: a review of tools and
        strategies", doi:10.1007/s10827-007-0038-6; 3 ms as in the scripts of its benchmark 3 for
        Brian and NEST.
    """

    neuron: AbstractSmoothNeuron
    dead_time: Parameter = param(3.0, unit="ms", sign="positive")

    def __init__(self, neuron: AbstractSmoothNeuron, dead_time: Any = 3.0):
        if not isinstance(neuron, AbstractSmoothNeuron):
            raise TypeError(
                "`neuron` must be a neuron without a reset, got "
                f"{getattr(neuron, '__name__', type(neuron).__name__)}. Try "
                "brainfn.neuron.traub_miles(100)."
            )
        self.neuron = neuron
        self.dead_time = as_parameter(dead_time)

    def __check_init__(self):
        check_fields(self, self.size)

    @property
    def size(self) -> int:
        return self.neuron.size

    def ports(self) -> dict[str, int]:
        return self.neuron.ports()

    @property
    def elementwise(self) -> bool:
        return self.neuron.elementwise

    @property
    def jumps(self) -> bool:
        return self.neuron.jumps

    @property
    def support(self) -> FloatArrayLike:
        return self.neuron.support

    def distance(self, state: DeadTimeState) -> Float[Array, " size"] | None:
        return self.neuron.distance(state.neuron)

    def emits(self) -> jax.ShapeDtypeStruct:
        return self.neuron.emits()

    def prepare(self, dt: float) -> "DeadTime":
        if is_concrete(self.dead_time):
            for value in np.unique(np.asarray(self.dead_time, np.float64)):
                whole_steps("dead_time", float(value), dt)
        return replace(self, neuron=self.neuron.prepare(dt))

    def init(self, *, key: Key | None = None) -> DeadTimeState:
        return DeadTimeState(self.neuron.init(key=key), jnp.zeros(self.size, jnp.int32))

    def step(
        self, state: DeadTimeState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[DeadTimeState, Spikes]:
        new, _ = self.neuron.step(state.neuron, inputs, clock, key=key)
        silent = state.silent > 0
        fired = (new.v >= self.neuron.v_threshold) & ~silent
        steps = jnp.round(self.dead_time * (1 / clock.dt)).astype(jnp.int32)
        left = jnp.where(fired, steps, jnp.maximum(state.silent - 1, 0))
        after = DeadTimeState(new, left)
        if self.neuron.surrogate is None:
            return after, fired
        spikes = self.neuron.surrogate(self.neuron.distance(new), fired)
        return after, jnp.where(silent, jnp.zeros_like(spikes), spikes)
