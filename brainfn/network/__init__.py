"""Networks: populations and the projections between them."""

from ._network import Network as Network
from ._projection import Projection as Projection, ProjectionView as ProjectionView
from ._state import NetworkState as NetworkState
from ._stepper import NetworkStepper as NetworkStepper
