"""Inputs delivered directly to receptors, bypassing axons and delay lines."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float


class Arrival(eqx.Module):
    """An input value that is not a current: it is added to the receptor of a projection, as if that
    amount had arrived, in the population that the input drives.

    - `amount`: in the unit of the weights, a number or one for each neuron.
    - `into`: the name of a projection onto that population.
    """

    amount: Float[Array, " *size"]
    into: str = eqx.field(static=True)


class Several(eqx.Module):
    """Values of inputs to be summed later: currents, functions `(t, v) -> current`, and
    arrivals."""

    values: tuple[Any, ...]


def total(values: Sequence[Any]) -> Any:
    """The sum of values of inputs."""
    flat: list[Any] = []
    for value in values:
        flat += value.values if isinstance(value, Several) else [value]
    arrivals = [value for value in flat if isinstance(value, Arrival)]
    functions = [value for value in flat if callable(value)]
    numbers = [value for value in flat if not (isinstance(value, Arrival) or callable(value))]
    current = sum(numbers[1:], numbers[0]) if numbers else None
    if functions:
        current = _Added(tuple(functions), 0.0 if current is None else current)
    if not arrivals:
        return current
    return Several((*arrivals, *([] if current is None else [current])))


def product(a: Any, b: Any) -> Any:
    """The product of two values of inputs: an arrival can be multiplied only by numbers."""
    if isinstance(a, Several):
        return total([product(value, b) for value in a.values])
    if isinstance(b, Several):
        return total([product(a, value) for value in b.values])
    if isinstance(b, Arrival):
        a, b = b, a
    if isinstance(a, Arrival):
        if isinstance(b, Arrival) or callable(b):
            what = "a function (t, v) -> current" if callable(b) else "other arrivals"
            raise TypeError(
                f"`input`: arrivals into {a.into!r} can be multiplied by numbers, not by {what}."
            )
        return Arrival(a.amount * b, a.into)
    if callable(a) or callable(b):
        return _Multiplied(a, b)
    return a * b


class _Multiplied(eqx.Module):
    a: Any
    b: Any

    def __call__(self, t: Any, v: Any) -> Any:
        a: Any = self.a(t, v) if callable(self.a) else self.a
        b: Any = self.b(t, v) if callable(self.b) else self.b
        return a * b


class _Added(eqx.Module):
    functions: tuple[Any, ...]
    current: Any

    def __call__(self, t: Any, v: Any) -> Any:
        return self.current + sum(f(t, v) for f in self.functions)
