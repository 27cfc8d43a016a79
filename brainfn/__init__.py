"""brainfn: a functional, differentiable brain simulator on JAX."""

from . import (
    connect as connect,
    event as event,
    init as init,
    input as input,
    learn as learn,
    measure as measure,
    neuron as neuron,
    plot as plot,
    record as record,
    solver as solver,
    surrogate as surrogate,
    synapse as synapse,
    units as units,
    zoo as zoo,
)
from ._config import config_dict as config_dict, show_config as show_config
from ._model import AbstractModel as AbstractModel, Clock as Clock
from .delay import Delay as Delay, DelayState as DelayState
from .network import (
    Network as Network,
    NetworkState as NetworkState,
    Projection as Projection,
)
from .simulate import (
    NonFiniteError as NonFiniteError,
    Run as Run,
    Simulation as Simulation,
    Snapshot as Snapshot,
    StoredArray as StoredArray,
    run as run,
    simulate as simulate,
)

__version__ = "0.1.0"
