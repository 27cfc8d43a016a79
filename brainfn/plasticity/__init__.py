"""Plasticity: weights that change with activity."""

from ._base import AbstractPlasticity as AbstractPlasticity
