"""Fused steps: a group of neurons in one pass over memory, where a kernel for it exists."""

from ._base import AbstractFusedStep as AbstractFusedStep
from ._find import find as find
