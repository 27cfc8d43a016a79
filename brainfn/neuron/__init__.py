"""Neurons: models that turn currents into spikes."""

from ._adex import Adapting as Adapting, AdEx as AdEx
from ._base import AbstractNeuron as AbstractNeuron
from ._declared import solver as solver, surrogate as surrogate
from ._drive import (
    AbstractDrive as AbstractDrive,
    ConstantDrive as ConstantDrive,
    FunctionDrive as FunctionDrive,
    as_drive as as_drive,
)
from ._integrate_and_fire import (
    AbstractIntegrateAndFire as AbstractIntegrateAndFire,
    PreparedNeuron as PreparedNeuron,
    SpikingState as SpikingState,
    Voltage as Voltage,
)
from ._intrinsic import Intrinsic as Intrinsic, IntrinsicState as IntrinsicState
from ._izhikevich import Izhikevich as Izhikevich, Recovering as Recovering
from ._lif import LIF as LIF
from ._point import PointNeuron as PointNeuron, PointState as PointState
from ._reset import jump as jump, reset as reset
