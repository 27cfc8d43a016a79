"""Synapses: what arriving spikes do to the post neuron."""

from ._base import AbstractLinearSynapse as AbstractLinearSynapse
from ._exponential import Exponential as Exponential, ExponentialState as ExponentialState
from ._output import (
    AbstractOutput as AbstractOutput,
    Conductance as Conductance,
    Current as Current,
)
