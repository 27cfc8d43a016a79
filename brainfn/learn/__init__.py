"""Losses and checks for gradients through spikes."""

from ._check import SilentGradientWarning as SilentGradientWarning, check_gradient as check_gradient
from ._silence import (
    NearThreshold as NearThreshold,
    NearThresholdStatistics as NearThresholdStatistics,
    SilencePenalty as SilencePenalty,
)
