from collections.abc import Callable
from typing import ClassVar

import jax.tree_util as jtu
from diffrax import RESULTS, AbstractTerm, LocalLinearInterpolation, ODETerm
from jaxtyping import PyTree

from .._custom_types import Args, BoolScalarLike, RealScalarLike, Y
from ._base import AbstractLocalSolver, times

# Diffrax runs the stages of a Runge-Kutta method as a loop over a buffer. That keeps compilation
# short for large vector fields, but the stages of a small one then cannot be fused into one pass
# over the neurons. With two stages there is nothing to gain from a loop.


class Heun(AbstractLocalSolver):
    r"""Heun's method of order 2, with its two stages written out.

    $$k_1 = f(t_0, y_0), \qquad k_2 = f(t_1, y_0 + h k_1), \qquad
    y_1 = y_0 + \tfrac{h}{2}(k_1 + k_2)$$

    The same numbers as `diffrax.Heun`, faster in a loop over many small steps. The difference to
    Euler's method serves as an error estimate for adaptive steps.

    **Arguments:** None. For ordinary differential equations.

    **Source:** E. Hairer, S. P. Norsett, G. Wanner (1993), "Solving Ordinary Differential Equations
    I", 2nd ed., section II.1, DOI 10.1007/978-3-540-78862-1.
    """

    holds_inputs: ClassVar[bool] = False
    term_structure: ClassVar = ODETerm
    interpolation_cls: ClassVar[Callable[..., LocalLinearInterpolation]] = LocalLinearInterpolation

    def order(self, terms: PyTree[AbstractTerm]) -> int:
        return 2

    def step(
        self,
        terms: AbstractTerm,
        t0: RealScalarLike,
        t1: RealScalarLike,
        y0: Y,
        args: Args,
        solver_state: None,
        made_jump: BoolScalarLike,
    ) -> tuple[Y, Y, dict[str, Y], None, RESULTS]:
        del solver_state, made_jump
        h = terms.contr(t0, t1)
        k1 = terms.vf(t0, y0, args)
        k2 = terms.vf(t1, jtu.tree_map(lambda y, k: y + times(h, k), y0, k1), args)
        y1 = jtu.tree_map(lambda y, a, b: y + times(h, 0.5 * (a + b)), y0, k1, k2)
        error = jtu.tree_map(lambda a, b: times(h, 0.5 * (b - a)), k1, k2)
        return y1, error, {"y0": y0, "y1": y1}, None, RESULTS.successful


class Midpoint(AbstractLocalSolver):
    r"""The explicit midpoint method of order 2, with its two stages written out.

    $$k_1 = f(t_0, y_0), \qquad
    y_1 = y_0 + h\,f\!\left(t_0 + \tfrac{h}{2},\, y_0 + \tfrac{h}{2} k_1\right)$$

    The same numbers as `diffrax.Midpoint`, faster in a loop over many small steps. The difference
    to Euler's method serves as an error estimate for adaptive steps.

    **Arguments:** None. For ordinary differential equations.

    **Source:** E. Hairer, S. P. Norsett, G. Wanner (1993), "Solving Ordinary Differential Equations
    I", 2nd ed., section II.1, DOI 10.1007/978-3-540-78862-1.
    """

    holds_inputs: ClassVar[bool] = False
    term_structure: ClassVar = ODETerm
    interpolation_cls: ClassVar[Callable[..., LocalLinearInterpolation]] = LocalLinearInterpolation

    def order(self, terms: PyTree[AbstractTerm]) -> int:
        return 2

    def step(
        self,
        terms: AbstractTerm,
        t0: RealScalarLike,
        t1: RealScalarLike,
        y0: Y,
        args: Args,
        solver_state: None,
        made_jump: BoolScalarLike,
    ) -> tuple[Y, Y, dict[str, Y], None, RESULTS]:
        del solver_state, made_jump
        h = terms.contr(t0, t1)
        k1 = terms.vf(t0, y0, args)
        middle = jtu.tree_map(lambda y, k: y + times(h, 0.5 * k), y0, k1)
        k2 = terms.vf(t0 + 0.5 * (t1 - t0), middle, args)
        y1 = jtu.tree_map(lambda y, k: y + times(h, k), y0, k2)
        error = jtu.tree_map(lambda a, b: times(h, b - a), k1, k2)
        return y1, error, {"y0": y0, "y1": y1}, None, RESULTS.successful
