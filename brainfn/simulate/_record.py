"""What to keep of a simulation."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from .._custom_types import Spikes
from .._model import Clock


class AbstractReducer(eqx.Module):
    """Summarises a simulation step by step, in memory that does not grow with its length.

    A reducer sees every step, also where `every=` keeps fewer. It is pure: its state travels
    through the loop.
    """

    @abc.abstractmethod
    def init(self, state: Any, output: Any) -> Any:
        """The summary before the first step; `state` and `output` are examples (of zeros)."""

    @abc.abstractmethod
    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        """The summary with one more step: the state after it, and its output."""

    @abc.abstractmethod
    def finish(self, summary: Any) -> Any:
        """What is returned in `outputs`."""


def outputs(state: Any, output: Any) -> Any:
    """Record the output of each step, the default of [`brainfn.simulate`][]."""
    del state
    return output


def nothing(state: Any, output: Any) -> None:
    """Record nothing; the final state is returned all the same."""
    del state, output


class SpikeCount(AbstractReducer):
    """How often each neuron spiked: int32, in the structure of the model's output."""

    def init(self, state: Any, output: Any) -> Any:
        del state
        return jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.int32), output)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del state, clock
        return jax.tree.map(lambda n, x: n + x.astype(jnp.int32), summary, output)

    def finish(self, summary: Any) -> Any:
        return summary


class Mean(AbstractReducer):
    r"""The mean over time of a function of state and output, $\frac1T \sum_n f(s_n, o_n)$.

    **Arguments:**

    - `function`: `(state, output) -> pytree` of arrays; bool spikes count as 0 and 1.
    """

    function: Any = eqx.field(static=True)

    def __check_init__(self):
        if not callable(self.function):
            raise TypeError(
                "`function` must be a function (state, output) -> pytree, got "
                f"{self.function!r}. Try lambda state, output: output."
            )

    def init(self, state: Any, output: Any) -> Any:
        zero = jax.tree.map(lambda x: jnp.zeros_like(_as_float(x)), self.function(state, output))
        return zero, jnp.zeros((), jnp.int32)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        total, n = summary
        new = jax.tree.map(_as_float, self.function(state, output))
        return jax.tree.map(jnp.add, total, new), n + 1

    def finish(self, summary: Any) -> Any:
        total, n = summary
        return jax.tree.map(lambda x: x / n.astype(x.dtype), total)


def _as_float(x: Any) -> Any:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))


def pack_spikes(spikes: Spikes) -> UInt8[Array, "*bytes"]:
    """Spikes as bits, 8 neurons to a byte, the first neuron in the highest bit (as NumPy does).

    **Arguments:**

    - `spikes`: bool or 0/1, shape `(..., n)`.
    """
    return jnp.packbits(spikes.astype(bool), axis=-1)


def packed_spikes(state: Any, output: Any) -> Any:
    """Record the spikes of each step as bits, 32 times smaller than the float spikes.

    [`brainfn.record.spike_times`][] decodes them.
    """
    del state
    return jax.tree.map(pack_spikes, output)


def population_rate(state: Any, output: Any) -> Float[Array, ""] | dict[str, Any]:
    """Record the fraction of neurons that spike in each step, for each population."""
    del state
    return jax.tree.map(lambda x: jnp.mean(x.astype(jnp.result_type(float)), axis=-1), output)
