"""The base class of external inputs."""

import abc
from typing import Any, Generic, TypeVar

from .._custom_types import Key
from .._field import AbstractPart
from .._model import Clock

State = TypeVar("State")


class AbstractInput(AbstractPart, Generic[State]):
    """A value for each step of a simulation: an injected current in pA, a rate, spikes.

    An input may have a state and draw random numbers, as noise does; most have none.

    Inputs combine by `+`, `-` and `*` with each other and with numbers, arrays (one entry for each
    neuron) and functions of time or of `(t, v)`: `200.0 + Sine(50.0, 8 * Hz) * Step(start=100.0)`.

    ```python
    class Ramp(bf.input.AbstractInput[None]):
        slope: Float[Array, "*size"] = bf.param(1.0, unit="pA/ms", positional=True)

        def init(self, size, *, key=None):
            return None

        def step(self, state, clock, *, key=None):
            return None, self.slope * clock.t
    ```
    """

    @abc.abstractmethod
    def init(self, size: int | None, *, key: Key | None = None) -> State:
        """The initial state, for a population of `size` neurons (`None` if the model does not
        define their number)."""

    @abc.abstractmethod
    def step(self, state: State, clock: Clock, *, key: Key | None = None) -> tuple[State, Any]:
        """The state after this step, and the value during it: a number, an array of shape
        `(size,)`, or a function `(t, v) -> current` of the time since the beginning of the step in
        ms and the membrane potential in mV."""

    # NumPy arrays then leave `array * input` to the input.
    __array_ufunc__ = None

    def __add__(self, other: Any) -> "AbstractInput":
        return _combined("Sum", self, other)

    def __radd__(self, other: Any) -> "AbstractInput":
        return _combined("Sum", other, self)

    def __sub__(self, other: Any) -> "AbstractInput":
        return _combined("Sum", self, -_as_input(other))

    def __rsub__(self, other: Any) -> "AbstractInput":
        return _combined("Sum", other, -self)

    def __mul__(self, other: Any) -> "AbstractInput":
        return _combined("Product", self, other)

    def __rmul__(self, other: Any) -> "AbstractInput":
        return _combined("Product", other, self)

    def __neg__(self) -> "AbstractInput":
        from . import _combine

        return _combine.Negative(self)


def _as_input(value: Any) -> AbstractInput:
    from ._input import as_input

    return as_input("input", value)


def _combined(how: str, a: Any, b: Any) -> AbstractInput:
    from . import _combine

    return getattr(_combine, how)((_as_input(a), _as_input(b)))
