"""Readouts that learn, and losses and checks for gradients through spikes."""

from ._check import SilentGradientWarning as SilentGradientWarning, check_gradient as check_gradient
from ._force import Force as Force, ForceState as ForceState
from ._memory import gradient_memory as gradient_memory
from ._memory_capacity import memory_capacity as memory_capacity
from ._ridge import NormalEquations as NormalEquations, Readout as Readout, ridge as ridge
from ._rls import (
    LMS as LMS,
    RLS as RLS,
    AbstractOnlineReadout as AbstractOnlineReadout,
    LMSState as LMSState,
    RLSState as RLSState,
)
from ._silence import (
    NearThreshold as NearThreshold,
    NearThresholdStatistics as NearThresholdStatistics,
    SilencePenalty as SilencePenalty,
)
