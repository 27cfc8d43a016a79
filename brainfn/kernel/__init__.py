"""Steps of a group of neurons in one pass over memory, where a kernel for them exists."""

from ._base import AbstractFusedStep as AbstractFusedStep
from ._find import find as find
