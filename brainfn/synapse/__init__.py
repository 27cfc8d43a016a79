"""Synapses: presynaptic release, postsynaptic receptors, and the resulting current."""

from ._alpha import Alpha as Alpha, DualExponential as DualExponential, Rising as Rising
from ._base import (
    AbstractOutput as AbstractOutput,
    AbstractReceptor as AbstractReceptor,
    AbstractRelease as AbstractRelease,
    Activity as Activity,
)
from ._exponential import Conducting as Conducting, Exponential as Exponential
from ._instant import Instant as Instant
from ._nmda import GateState as GateState, MagnesiumBlock as MagnesiumBlock, NMDAGate as NMDAGate
from ._output import Conductance as Conductance, Current as Current, Diffusive as Diffusive
from ._release import Graded as Graded, Spikes as Spikes
from ._tsodyks_markram import ShortTerm as ShortTerm, TsodyksMarkram as TsodyksMarkram
