"""Neurons: models that turn currents into spikes."""

from ._adaptive_threshold import ALIF as ALIF, MAT2 as MAT2, Raised as Raised, Twice as Twice
from ._adex import Adapting as Adapting, AdEx as AdEx
from ._base import AbstractNeuron as AbstractNeuron
from ._declared import solver as solver, surrogate as surrogate
from ._drive import (
    AbstractDrive as AbstractDrive,
    ConstantDrive as ConstantDrive,
    FunctionDrive as FunctionDrive,
    as_drive as as_drive,
)
from ._expif import ExpIF as ExpIF
from ._gif import GIF as GIF, Escaping as Escaping, SpikeTriggered as SpikeTriggered
from ._integrate_and_fire import (
    AbstractIntegrateAndFire as AbstractIntegrateAndFire,
    PreparedNeuron as PreparedNeuron,
    SpikingState as SpikingState,
    Voltage as Voltage,
)
from ._integrators import IF as IF, LeakyIntegrator as LeakyIntegrator
from ._interpolated import Interpolated as Interpolated, InterpolatedState as InterpolatedState
from ._izhikevich import (
    Izhikevich as Izhikevich,
    Izhikevich2007 as Izhikevich2007,
    Recovering as Recovering,
)
from ._lif import LIF as LIF
from ._mihalas_niebur import Induced as Induced, MihalasNiebur as MihalasNiebur
from ._point import PointNeuron as PointNeuron, PointState as PointState
from ._quadratic import QIF as QIF, AdaptiveQIF as AdaptiveQIF
from ._reset import jump as jump, reset as reset
