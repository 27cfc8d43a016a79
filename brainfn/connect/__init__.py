"""Rules that connect neurons, built on the device from a key."""

from ._probability import FixedProbability as FixedProbability
from ._rule import AbstractRule as AbstractRule
from ._simple import AllToAll as AllToAll, OneToOne as OneToOne
