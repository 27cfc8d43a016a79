"""Spiking neural networks: layers of neurons, beside those of `equinox.nn`."""

from ._chain import Chain as Chain
from ._layer import Layer as Layer, LayerState as LayerState
from ._neurons import integrator as integrator, lif as lif
from ._packed import Packed as Packed, pack as pack
from ._timed import AbstractTimed as AbstractTimed, Response as Response
