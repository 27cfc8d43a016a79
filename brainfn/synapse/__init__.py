"""Synapses: presynaptic release, postsynaptic receptors, and the resulting current."""

from ._alpha import Alpha as Alpha, DualExponential as DualExponential, Rising as Rising
from ._base import (
    AbstractOutput as AbstractOutput,
    AbstractReceptor as AbstractReceptor,
    AbstractRelease as AbstractRelease,
    Activity as Activity,
)
from ._delta import Delta as Delta
from ._exponential import Conducting as Conducting, Exponential as Exponential
from ._hill import Hill as Hill
from ._instant import Instant as Instant
from ._kinds import (
    ampa as ampa,
    gaba_a as gaba_a,
    gaba_b as gaba_b,
    gap_junction as gap_junction,
    nmda as nmda,
)
from ._kinetic import (
    GABAB as GABAB,
    GABABState as GABABState,
    TwoState as TwoState,
    TwoStateState as TwoStateState,
)
from ._nmda import (
    GateState as GateState,
    MagnesiumBlock as MagnesiumBlock,
    NMDAGate as NMDAGate,
    woodhull_block as woodhull_block,
)
from ._output import Conductance as Conductance, Current as Current, Diffusive as Diffusive
from ._quantal import Quanta as Quanta, Quantal as Quantal
from ._release import Graded as Graded, Spikes as Spikes
from ._sigmoid_gate import Opening as Opening, SigmoidGate as SigmoidGate
from ._three_state import ThreeStates as ThreeStates, TsodyksUzielMarkram as TsodyksUzielMarkram
from ._tsodyks_markram import ShortTerm as ShortTerm, TsodyksMarkram as TsodyksMarkram
