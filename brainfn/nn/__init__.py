"""Spiking neural networks: layers of neurons, beside those of `equinox.nn`."""

from ._chain import Chain as Chain, Response as Response
from ._echo_state import EchoState as EchoState, spectral_radius as spectral_radius
from ._layer import Layer as Layer, LayerState as LayerState
from ._liquid_state import LiquidState as LiquidState, LiquidStateState as LiquidStateState
from ._neurons import integrator as integrator, lif as lif
from ._packed import Packed as Packed, pack as pack
