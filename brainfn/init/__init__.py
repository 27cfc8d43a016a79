"""Initial values: how states and weights are filled."""

from ._declared import initial as initial, start as start
from ._draw import draw as draw
from ._initializers import (
    AbstractInitializer as AbstractInitializer,
    Constant as Constant,
    Normal as Normal,
    TruncatedNormal as TruncatedNormal,
    Uniform as Uniform,
    as_initializer as as_initializer,
)
