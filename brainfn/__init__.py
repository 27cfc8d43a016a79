"""brainfn: a functional, differentiable brain simulator on JAX."""

from . import (
    _random as random,
    connect as connect,
    event as event,
    init as init,
    input as input,
    neuron as neuron,
    plasticity as plasticity,
    solver as solver,
    surrogate as surrogate,
    synapse as synapse,
    units as units,
)
from ._config import config_dict as config_dict, show_config as show_config
from ._field import (
    AbstractPart as AbstractPart,
    astype as astype,
    flag as flag,
    integer as integer,
    option as option,
    param as param,
    size as size,
)
from ._model import AbstractModel as AbstractModel, Clock as Clock
from ._population import AbstractPopulation as AbstractPopulation
from .delay import Delay as Delay, DelayState as DelayState

__version__ = "0.1.0"
