"""Rules that connect neurons, drawn on the host from a key."""

from ._csr import csr as csr
from ._degree import FixedInDegree as FixedInDegree, FixedOutDegree as FixedOutDegree
from ._given import FromMask as FromMask, FromPairs as FromPairs
from ._just_in_time import JustInTime as JustInTime
from ._probability import FixedProbability as FixedProbability
from ._rule import AbstractRule as AbstractRule
from ._simple import AllToAll as AllToAll, OneToOne as OneToOne
from ._total import FixedTotalNumber as FixedTotalNumber
