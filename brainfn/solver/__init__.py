"""Solvers that Diffrax lacks, as Diffrax solvers, and the one step of a simulation."""

from ._base import AbstractLocalSolver as AbstractLocalSolver
from ._exponential_euler import ExponentialEuler as ExponentialEuler
from ._exponential_midpoint import ExponentialMidpoint as ExponentialMidpoint
from ._independent import Coupled as Coupled, Independent as Independent
from ._integrate import (
    check_solver as check_solver,
    increment as increment,
    integrate as integrate,
)
from ._phi import phi1 as phi1
from ._runge_kutta import Heun as Heun, Midpoint as Midpoint
from ._substeps import Substeps as Substeps
