"""Training: losses, a loop, readouts that learn, and checks for gradients through spikes."""

from ._check import SilentGradientWarning as SilentGradientWarning, check_gradient as check_gradient
from ._fit import Fit as Fit, fit as fit
from ._force import Force as Force, ForceState as ForceState
from ._losses import (
    accuracy as accuracy,
    cross_entropy as cross_entropy,
    first_spike_loss as first_spike_loss,
    first_spike_times as first_spike_times,
    lower_bound as lower_bound,
    mean_squared_error as mean_squared_error,
    rate_error as rate_error,
    readout as readout,
    upper_bound as upper_bound,
    van_rossum as van_rossum,
)
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
from ._step import (
    Step as Step,
    TrainState as TrainState,
    make_step as make_step,
    weights as weights,
)
