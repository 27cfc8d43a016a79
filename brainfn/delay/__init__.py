"""Delay lines."""

from ._delay import Delay as Delay, DelayState as DelayState
