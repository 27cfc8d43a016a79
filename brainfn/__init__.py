"""brainfn: a functional, differentiable brain simulator on JAX."""

from . import (
    channel as channel,
    connect as connect,
    data as data,
    delay as delay,
    event as event,
    init as init,
    input as input,
    io as io,
    kernel as kernel,
    learn as learn,
    measure as measure,
    network as network,
    neuron as neuron,
    nn as nn,
    plasticity as plasticity,
    plot as plot,
    random as random,
    rate as rate,
    record as record,
    solver as solver,
    surrogate as surrogate,
    synapse as synapse,
    tasks as tasks,
    units as units,
    zoo as zoo,
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
from ._named import Emitted as Emitted
from ._population import AbstractPopulation as AbstractPopulation
from .delay import Delay as Delay, DelayState as DelayState
from .driver import (
    Loaded as Loaded,
    NonFiniteError as NonFiniteError,
    Run as Run,
    Simulation as Simulation,
    Snapshot as Snapshot,
    StoredArray as StoredArray,
    load as load,
    run as run,
    simulate as simulate,
)
from .network import (
    Network as Network,
    NetworkState as NetworkState,
    Projection as Projection,
    check as check,
)

__version__ = "0.1.0"
