"""Solvers that Diffrax lacks, as Diffrax solvers, and the one step of a simulation."""

from ._base import AbstractLocalSolver as AbstractLocalSolver
from ._exponential_euler import ExponentialEuler as ExponentialEuler
from ._phi import phi1 as phi1
