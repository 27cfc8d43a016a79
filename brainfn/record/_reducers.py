"""Summaries computed step by step, and the simplest recorders."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._model import Clock
from .._named import AbstractNamed, Emitted, Places


class AbstractReducer(eqx.Module):
    """Summarises a simulation step by step, in memory that does not grow with its length.

    A reducer sees every step, regardless of `every=`. It is pure: its state is carried through the
    loop.
    """

    @abc.abstractmethod
    def init(self, state: Any, output: Any) -> Any:
        """The summary before the first step; `state` and `output` are examples (of zeros)."""

    @abc.abstractmethod
    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        """The summary updated with one more step: the state after it, and its output."""

    @abc.abstractmethod
    def finish(self, summary: Any) -> Any:
        """What is returned in `outputs`."""


def outputs(state: Any, output: Any) -> Any:
    """Record the output of each step, the default of [`brainfn.simulate`][]."""
    del state
    return output


def nothing(state: Any, output: Any) -> None:
    """Record nothing; the final state is still returned."""
    del state, output


class SpikeCount(AbstractReducer):
    """The number of spikes of each neuron: int32, in the structure of the model's output.

    Integers have no derivative: `jax.grad` of anything computed from these counts is zero. For a
    count with the derivative of the spikes use [`brainfn.record.Sum`][].
    """

    def init(self, state: Any, output: Any) -> Any:
        del state
        return jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.int32), output)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del state, clock
        # A graded signal counts as an event where it is nonzero, as in every other recorder.
        return jax.tree.map(lambda n, x: n + x.astype(bool).astype(jnp.int32), summary, output)

    def finish(self, summary: Any) -> Any:
        return summary


class Sum(AbstractReducer):
    r"""The sum over time of a function of state and output, $\sum_n f(s_n, o_n)$.

    By default it sums the spikes: a differentiable spike count. It uses compensated (Kahan)
    summation, so it stays accurate over $10^8$ steps in float32.

    **Arguments:**

    - `function`: `(state, output) -> pytree` of arrays; bool spikes count as 0 and 1.
    """

    function: Any = eqx.field(static=True, default=outputs)

    def __check_init__(self):
        check_function(self.function)

    def init(self, state: Any, output: Any) -> Any:
        zero = jax.tree.map(lambda x: jnp.zeros_like(as_float(x)), self.function(state, output))
        return zero, zero

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        new = jax.tree.map(as_float, self.function(state, output))
        return add(summary, new)

    def finish(self, summary: Any) -> Any:
        total, _ = summary
        return total


class Mean(AbstractReducer):
    r"""The mean over time of a function of state and output, $\frac1T \sum_n f(s_n, o_n)$, with
    compensated (Kahan) summation.

    **Arguments:**

    - `function`: `(state, output) -> pytree` of arrays; bool spikes count as 0 and 1.
    """

    function: Any = eqx.field(static=True)

    def __check_init__(self):
        check_function(self.function)

    def init(self, state: Any, output: Any) -> Any:
        zero = jax.tree.map(lambda x: jnp.zeros_like(as_float(x)), self.function(state, output))
        return (zero, zero), jnp.zeros((), jnp.int32)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        total, n = summary
        new = jax.tree.map(as_float, self.function(state, output))
        return add(total, new), n + 1

    def finish(self, summary: Any) -> Any:
        (total, _), n = summary
        return jax.tree.map(lambda x: x / n.astype(x.dtype), total)


def add(summary: Any, new: Any) -> Any:
    """A sum and its rounding error, after adding one more term (Kahan)."""
    total, lost = summary
    term = jax.tree.map(lambda x, c: x - c, new, lost)
    after = jax.tree.map(jnp.add, total, term)
    lost = jax.tree.map(lambda a, b, y: (b - a) - y, total, after, term)
    return after, lost


def check_function(function: Any) -> None:
    if not callable(function):
        raise TypeError(
            "`function` must be a function (state, output) -> pytree, got "
            f"{function!r}. Try lambda state, output: output."
        )


def as_float(x: Any) -> Any:
    x = jnp.asarray(x)
    if x.dtype in (jnp.float16, jnp.bfloat16):
        return x.astype(jnp.float32)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))


class ByPopulation(AbstractNamed):
    """One number for each population: a mapping by name, like [`brainfn.Emitted`][].

    - `groups`: arrays of shape `(..., populations of the group)`.
    """

    groups: tuple[Any, ...]
    places: Places

    def __getitem__(self, name: str) -> Array:
        group, _, _ = self.places[name]
        members = [member for member, _, _ in self.places.members(group)]
        return self.groups[group][..., members.index(name)]

    def keys(self) -> tuple[str, ...]:
        return self.places.names

    def items(self) -> list[tuple[str, Array]]:
        return [(name, self[name]) for name in self.places.names]

    def named(self) -> dict[str, Any]:
        return dict(self.items())


def spike_fraction(state: Any, output: Any) -> Any:
    """Record the fraction of neurons that spike in each step, for each population."""
    del state
    if not isinstance(output, Emitted):
        return jax.tree.map(_fraction, output)
    groups = []
    for g, x in enumerate(output.groups):
        members = output.places.members(g)
        if len(members) == 1:
            groups.append(_fraction(x)[None])
            continue
        # Sums over adjacent ranges, with few kernels regardless of their number.
        ends = np.cumsum([size for _, _, size in members])
        sizes = np.maximum([size for _, _, size in members], 1)
        whole = jnp.concatenate([jnp.zeros(1, as_float(x).dtype), jnp.cumsum(as_float(x))])
        sums = whole[ends] - whole[np.concatenate([[0], ends[:-1]])]
        groups.append(sums / jnp.asarray(sizes, sums.dtype))
    return ByPopulation(tuple(groups), output.places)


def _fraction(x: Any) -> Float[Array, ""]:
    return jnp.mean(as_float(x), axis=-1)
