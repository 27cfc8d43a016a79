"""Networks: populations and the projections between them."""

from ._check import check as check
from ._drive import Term as Term
from ._local import advance_group as advance_group
from ._near import has_marks as has_marks, near_threshold as near_threshold
from ._network import Network as Network, Projections as Projections
from ._pathway import ProjectionView as ProjectionView
from ._projection import Projection as Projection
from ._state import NetworkState as NetworkState
from ._stepper import UPDATES as UPDATES, NetworkStepper as NetworkStepper, learn as learn
