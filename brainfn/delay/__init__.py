"""Delay lines, and delays of projections."""

from ._delay import Delay as Delay, DelayState as DelayState
from ._given import Axonal as Axonal, Synaptic as Synaptic
