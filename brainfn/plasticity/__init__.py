"""Plasticity: weights that change with activity."""

from ._base import AbstractPlasticity as AbstractPlasticity
from ._stdp import STDP as STDP, PairTraces as PairTraces
