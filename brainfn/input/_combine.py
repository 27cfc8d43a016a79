"""Sums, products and negatives of inputs."""

from collections.abc import Sequence
from typing import Any

from .. import random
from .._custom_types import Key
from .._model import Clock
from ._arrival import product, total
from ._base import AbstractInput


class Sum(AbstractInput[tuple[Any, ...]]):
    """The sum of inputs, as `+` makes it."""

    inputs: tuple[AbstractInput, ...]

    def init(self, size: int | None, *, key: Key | None = None) -> tuple[Any, ...]:
        return _init(self.inputs, size, key)

    def step(
        self, state: tuple[Any, ...], clock: Clock, *, key: Key | None = None
    ) -> tuple[tuple[Any, ...], Any]:
        state, values = _step(self.inputs, state, clock, key)
        return state, total(values)


class Product(AbstractInput[tuple[Any, ...]]):
    """The product of inputs, as `*` makes it: a wave times a window, noise times a function `(t, v)
    -> current`. Arrivals can be multiplied only by numbers."""

    inputs: tuple[AbstractInput, ...]

    def init(self, size: int | None, *, key: Key | None = None) -> tuple[Any, ...]:
        return _init(self.inputs, size, key)

    def step(
        self, state: tuple[Any, ...], clock: Clock, *, key: Key | None = None
    ) -> tuple[tuple[Any, ...], Any]:
        state, values = _step(self.inputs, state, clock, key)
        value = values[0]
        for other in values[1:]:
            value = product(value, other)
        return state, value


class Negative(AbstractInput[Any]):
    """The negative of an input, as `-` makes it."""

    input: AbstractInput

    def init(self, size: int | None, *, key: Key | None = None) -> Any:
        return self.input.init(size, key=key)

    def step(self, state: Any, clock: Clock, *, key: Key | None = None) -> tuple[Any, Any]:
        state, value = self.input.step(state, clock, key=key)
        return state, product(value, -1.0)


def _init(inputs: Sequence[AbstractInput], size: int | None, key: Any) -> tuple[Any, ...]:
    return tuple(x.init(size, key=_part(key, i)) for i, x in enumerate(inputs))


def _step(
    inputs: Sequence[AbstractInput], state: Sequence[Any], clock: Clock, key: Any
) -> tuple[tuple[Any, ...], list[Any]]:
    states, values = [], []
    for i, (x, s) in enumerate(zip(inputs, state, strict=True)):
        s, value = x.step(s, clock, key=_part(key, i))
        states.append(s)
        values.append(value)
    return tuple(states), values


def _part(key: Any, i: int) -> Any:
    return None if key is None else random.fold_in(key, i)
