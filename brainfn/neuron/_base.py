"""The base class of neurons."""

from typing import Any

from .._custom_types import Spikes
from .._model import State
from .._population import AbstractPopulation


class AbstractNeuron(AbstractPopulation[State, Any, Spikes]):
    """A population of point neurons of one kind.

    The `inputs` of its `step` are the current in pA: `None` for no current, a number, one number
    for each neuron, or a function `(t, v) -> current`, where `t` is the time in ms since the
    beginning of the step and `v` the membrane potential in mV ([`brainfn.neuron.as_drive`][]
    converts all of these). Its output is the spikes, shape `(size,)`.
    """

    def ports(self) -> dict[str, int]:
        return {"": self.size}
