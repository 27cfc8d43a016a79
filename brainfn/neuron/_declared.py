"""Fields common to neurons, so that each is declared in one line."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx

from .._field import option
from ..solver import ExponentialEuler
from ..surrogate import AbstractSurrogate, ReluGrad


def solver(default: Callable[[], dfx.AbstractSolver] = ExponentialEuler) -> Any:
    """The field of a Diffrax solver; [`brainfn.solver.ExponentialEuler`][] by default."""
    return option(
        cls=dfx.AbstractSolver,
        factory=default,
        hint="Try brainfn.solver.ExponentialEuler() or diffrax.Heun().",
    )


def surrogate(default: AbstractSurrogate | None = ReluGrad(alpha=0.3, width=0.2)) -> Any:
    """The field of a surrogate derivative, or `None` for bool spikes without one. The default is
    narrow: with steps of 0.1 ms a neuron is near its threshold for many steps, and wide surrogates
    make gradients through a recurrent network grow without bound."""
    return option(
        default, AbstractSurrogate, none=True, hint="Try brainfn.surrogate.ReluGrad() or None."
    )
