"""Neurons: models that turn currents into spikes."""

from ._adaptive_threshold import ALIF as ALIF, MAT2 as MAT2, Raised as Raised, Twice as Twice
from ._adex import Adapting as Adapting, AdEx as AdEx
from ._base import AbstractNeuron as AbstractNeuron
from ._cells import (
    connor_stevens as connor_stevens,
    hodgkin_huxley as hodgkin_huxley,
    traub_miles as traub_miles,
    wang_buzsaki as wang_buzsaki,
)
from ._cortical import (
    POSPISCHIL as POSPISCHIL,
    Pospischil as Pospischil,
    pospischil as pospischil,
)
from ._dead_time import DeadTime as DeadTime, DeadTimeState as DeadTimeState
from ._declared import solver as solver, surrogate as surrogate
from ._drive import (
    AbstractDrive as AbstractDrive,
    ConstantDrive as ConstantDrive,
    FunctionDrive as FunctionDrive,
    as_drive as as_drive,
    as_drives as as_drives,
)
from ._expif import ExpIF as ExpIF
from ._fitzhugh_nagumo import FitzHughNagumo as FitzHughNagumo
from ._gif import GIF as GIF, Escaping as Escaping, SpikeTriggered as SpikeTriggered
from ._hindmarsh_rose import Bursting as Bursting, HindmarshRose as HindmarshRose
from ._integrate_and_fire import (
    AbstractIntegrateAndFire as AbstractIntegrateAndFire,
    PreparedNeuron as PreparedNeuron,
    SpikingState as SpikingState,
    Voltage as Voltage,
)
from ._integrators import IF as IF, LeakyIntegrator as LeakyIntegrator
from ._interpolated import Interpolated as Interpolated, InterpolatedState as InterpolatedState
from ._intrinsic import Intrinsic as Intrinsic, IntrinsicState as IntrinsicState
from ._izhikevich import (
    Izhikevich as Izhikevich,
    Izhikevich2007 as Izhikevich2007,
    Recovering as Recovering,
)
from ._lif import LIF as LIF
from ._mihalas_niebur import Induced as Induced, MihalasNiebur as MihalasNiebur
from ._morris_lecar import MorrisLecar as MorrisLecar
from ._pinsky_rinzel import PinskyRinzel as PinskyRinzel, TwoCompartments as TwoCompartments
from ._point import PointNeuron as PointNeuron, PointState as PointState
from ._quadratic import QIF as QIF, AdaptiveQIF as AdaptiveQIF
from ._reset import jump as jump, reset as reset
from ._smooth import AbstractSmoothNeuron as AbstractSmoothNeuron, Recovery as Recovery
from ._thalamic import (
    thalamic_relay as thalamic_relay,
    thalamic_reticular as thalamic_reticular,
)
