"""Losses and checks for gradients through spikes."""

from ._check import SilentGradientWarning as SilentGradientWarning, check_gradient as check_gradient
from ._memory import gradient_memory as gradient_memory
from ._silence import (
    NearThreshold as NearThreshold,
    NearThresholdStatistics as NearThresholdStatistics,
    SilencePenalty as SilencePenalty,
)
