"""Training: losses, a loop, and checks for gradients through spikes."""

from ._check import SilentGradientWarning as SilentGradientWarning, check_gradient as check_gradient
from ._fit import Fit as Fit, fit as fit
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
