"""Neurons: populations that turn currents into spikes."""

from ._base import AbstractNeuron as AbstractNeuron
from ._lif import LIF as LIF, LIFState as LIFState
