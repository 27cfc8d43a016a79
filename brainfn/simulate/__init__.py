"""Running models: `simulate`, a pure function, and what to record."""

from ._result import Simulation as Simulation, Snapshot as Snapshot
from ._simulate import simulate as simulate
