"""Populations whose signal does not depend on currents."""

from .._custom_types import Spikes
from .._model import Inputs, State
from .._population import AbstractPopulation


class AbstractSource(AbstractPopulation[State, Inputs, Spikes]):
    """A population of `size` units whose signal comes from outside the network.

    Projections can start from it, but not target it. Its `step` gets as `inputs` the user's input
    for it (a varying rate, spikes), or `None`.
    """

    def ports(self) -> dict[str, int]:
        return {}
