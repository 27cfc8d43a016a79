"""Layers with a way of their own over all steps."""

import abc
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array

from .._custom_types import Key
from .._model import AbstractModel
from ._packed import Packed

State = TypeVar("State")


class Response(NamedTuple):
    """What layers make of their inputs.

    - `output`: the outputs of the last layer in each step, time first.
    - `state`: after the last step, to go on from.
    - `totals`: the sum of the outputs of each layer of neurons over the steps (numbers of spikes),
      `None` for what has no state. A chain has a tuple of them, other containers a structure of
      their own.
    """

    output: Any
    state: Any
    totals: Any


class AbstractTimed(AbstractModel[State, Any, Array]):
    """A model that has a better way over all steps than one after the other.

    Subclasses define `over_time` besides `step`, with the same results up to the order of sums.
    They can be called, and a [`brainfn.nn.Chain`][] runs them by `over_time`.
    """

    @abc.abstractmethod
    def over_time(self, state: State, inputs: Any, dt: float, *, key: Key | None) -> Response:
        """All steps at once.

        **Arguments:**

        - `state`: before the first step. As with `step`, `self` comes from `prepare(dt)`.
        - `inputs`: in each step, time first; numbers, or spikes as [`brainfn.nn.Packed`][].
        - `dt`: step size in ms.
        - `key`: a JAX random key or `None`.
        """

    def __call__(
        self, inputs: Any, *, dt: Any = 1.0, state: Any = None, key: Key | None = None
    ) -> Response:
        """All steps of one example; use `jax.vmap` for batches.

        **Arguments:**

        - `inputs`: in each step, time first: spikes as numbers or bools, currents, or packed spikes
            ([`brainfn.nn.pack`][]).
        - `dt`: step size in ms.
        - `state`: where to begin, the `state` of a response; by default at rest.
        - `key`: a JAX random key, for layers that draw random numbers.

        **Returns:** a [`brainfn.nn.Response`][].

        **Raises:** `ValueError` or `TypeError` naming the argument.
        """
        if not isinstance(inputs, Packed):
            if not (eqx.is_array_like(inputs) and jnp.ndim(inputs) >= 1):
                raise TypeError(
                    "`inputs` must be an array with time as first axis, got "
                    f"{type(inputs).__name__}."
                )
            inputs = jnp.asarray(inputs)
        if isinstance(dt, bool) or not isinstance(dt, int | float) or not dt > 0:
            raise ValueError(f"`dt` must be a positive number of ms, got {dt!r}.")
        return _run(self, inputs, float(dt), state, key)


@eqx.filter_jit
def _run(given: AbstractTimed[Any], inputs: Any, dt: float, state: Any, key: Any) -> Response:
    begin = None
    if key is not None:
        begin, key = jr.split(key)
    model: Any = given.prepare(dt)
    if state is None:
        state = model.init(key=begin)
    return model.over_time(state, inputs, dt, key=key)
