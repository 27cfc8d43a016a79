"""Populations that spike without being driven."""

import abc
from typing import Any

import equinox as eqx

from .._model import AbstractModel


class AbstractSource(AbstractModel):
    """A population of `size` units whose spikes come from outside of the network.

    Its `step` takes no `inputs` (they are `None`); its output is spikes, shape `(size,)`. In a
    [`brainfn.Network`][] it stands among the populations, as the `pre` of projections.
    """

    size: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def spike_dtype(self) -> Any:
        """The dtype of the spikes, usually `bool`."""
