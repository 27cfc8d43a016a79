"""Inputs of a network: currents as functions of time, noise, and spike trains."""

from ._arrival import Arrival as Arrival, Several as Several, total as total
from ._base import AbstractInput as AbstractInput
from ._given import Empty as Empty, Signal as Signal, SpikeTimes as SpikeTimes
from ._input import (
    Constant as Constant,
    Function as Function,
    Sum as Sum,
    TimeSeries as TimeSeries,
    as_input as as_input,
)
from ._noise import OrnsteinUhlenbeck as OrnsteinUhlenbeck, PoissonArrivals as PoissonArrivals
from ._poisson import Poisson as Poisson, PoissonState as PoissonState
from ._source import AbstractSource as AbstractSource
