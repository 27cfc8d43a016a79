"""Rules that connect neurons, drawn on the host from a key."""

from ._blocks import Blocks as Blocks, OfBlocks as OfBlocks, clustered as clustered
from ._by_distance import ByDistance as ByDistance
from ._convolution import Convolution as Convolution
from ._csr import csr as csr, known_pairs as known_pairs
from ._degree import FixedInDegree as FixedInDegree, FixedOutDegree as FixedOutDegree
from ._given import FromMask as FromMask, FromPairs as FromPairs
from ._just_in_time import JustInTime as JustInTime
from ._kernel import (
    AbstractKernel as AbstractKernel,
    BoxKernel as BoxKernel,
    DiscKernel as DiscKernel,
    DoughnutKernel as DoughnutKernel,
    ExponentialKernel as ExponentialKernel,
    FunctionKernel as FunctionKernel,
    GaborKernel as GaborKernel,
    GaussianKernel as GaussianKernel,
    MexicanHatKernel as MexicanHatKernel,
)
from ._matrix import check_format as check_format, matrix as matrix
from ._of_distance import (
    AbstractOfSynapses as AbstractOfSynapses,
    Conduction as Conduction,
    OfDistance as OfDistance,
)
from ._positions import (
    Positions as Positions,
    grid as grid,
    ring as ring,
    scattered as scattered,
)
from ._probability import FixedProbability as FixedProbability
from ._rule import AbstractRule as AbstractRule
from ._scale_free import ScaleFree as ScaleFree
from ._simple import AllToAll as AllToAll, OneToOne as OneToOne
from ._small_world import SmallWorld as SmallWorld
from ._table import FromScipy as FromScipy, FromTable as FromTable
from ._total import FixedTotalNumber as FixedTotalNumber
