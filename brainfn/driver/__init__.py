"""Running models: `simulate`, a pure function, and `run`, its driver for long work."""

from ._files import write_whole as write_whole
from ._load import Loaded as Loaded, load as load
from ._progress import Interrupt as Interrupt, is_watched as is_watched
from ._result import Simulation as Simulation, Snapshot as Snapshot
from ._run import NonFiniteError as NonFiniteError, Run as Run, run as run
from ._simulate import simulate as simulate
from ._stream import StoredArray as StoredArray
