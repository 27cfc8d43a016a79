"""The base class of external inputs."""

import abc
from typing import Any, Generic, TypeVar

from .._custom_types import Key
from .._field import AbstractPart
from .._model import Clock

State = TypeVar("State")


class AbstractInput(AbstractPart, Generic[State]):
    """A value for each step of a simulation: an injected current in pA, a rate, spikes.

    An input may have a state and draw random numbers, as noise does; most have none. Inputs can be
    added: `Constant(200.0) + OrnsteinUhlenbeck(50.0, 5.0)`.

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

    def __add__(self, other: Any) -> "AbstractInput":
        from ._input import Sum, as_input

        return Sum((self, as_input("input", other)))

    def __radd__(self, other: Any) -> "AbstractInput":
        from ._input import Sum, as_input

        return Sum((as_input("input", other), self))
