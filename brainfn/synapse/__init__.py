"""Synapses: what is released, what it does to the postsynaptic neuron, and what current results."""

from ._base import (
    AbstractOutput as AbstractOutput,
    AbstractReceptor as AbstractReceptor,
    AbstractRelease as AbstractRelease,
    Activity as Activity,
)
from ._exponential import Conducting as Conducting, Exponential as Exponential
from ._output import Conductance as Conductance, Current as Current
from ._release import Spikes as Spikes
