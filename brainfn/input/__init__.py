"""What drives a network: currents as functions of time, and spike trains."""

from ._input import (
    AbstractInput as AbstractInput,
    Constant as Constant,
    Function as Function,
    TimeSeries as TimeSeries,
    as_input as as_input,
)
from ._poisson import Poisson as Poisson, PoissonState as PoissonState
from ._source import AbstractSource as AbstractSource
