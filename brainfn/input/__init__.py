"""What drives a network: currents as functions of time, and spike trains."""

from ._arrival import Arrival as Arrival, Several as Several, total as total
from ._base import AbstractInput as AbstractInput
from ._input import (
    Constant as Constant,
    Function as Function,
    Sum as Sum,
    TimeSeries as TimeSeries,
    as_input as as_input,
)
from ._poisson import Poisson as Poisson, PoissonState as PoissonState
from ._source import AbstractSource as AbstractSource
