"""Populations that spike without being driven by currents."""

from .._custom_types import Spikes
from .._model import Inputs, State
from .._population import AbstractPopulation


class AbstractSource(AbstractPopulation[State, Inputs, Spikes]):
    """A population of `size` units whose signal comes from outside of the network.

    Projections can leave it, none can reach it. Its `step` gets as `inputs` what the user gives for
    it (a rate that varies, spikes), `None` if nothing.
    """

    def ports(self) -> dict[str, int]:
        return {}
