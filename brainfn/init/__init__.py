"""Initial values: how states and weights are filled."""

from ._declared import initial as initial, start as start
from ._draw import draw as draw
from ._initializers import (
    AbstractInitializer as AbstractInitializer,
    Beta as Beta,
    Clipped as Clipped,
    Constant as Constant,
    Exponential as Exponential,
    Gamma as Gamma,
    LogNormal as LogNormal,
    Normal as Normal,
    TruncatedNormal as TruncatedNormal,
    Uniform as Uniform,
    as_initializer as as_initializer,
)
