"""Spiking neural networks: layers of neurons, beside those of `equinox.nn`."""

from ._attention import SelfAttention as SelfAttention
from ._chain import Chain as Chain
from ._delays import Delayed as Delayed, Delays as Delays
from ._echo_state import EchoState as EchoState, spectral_radius as spectral_radius
from ._fluctuation import fluctuation_driven as fluctuation_driven
from ._graph import Graph as Graph, GraphState as GraphState
from ._layer import Layer as Layer, LayerState as LayerState
from ._liquid_state import LiquidState as LiquidState, LiquidStateState as LiquidStateState
from ._neurons import alif as alif, integrator as integrator, lif as lif
from ._packed import Packed as Packed, pack as pack, pack_steps as pack_steps
from ._residual import Residual as Residual
from ._timed import AbstractTimed as AbstractTimed, Response as Response
