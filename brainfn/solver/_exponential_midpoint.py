from collections.abc import Callable
from typing import ClassVar

import jax.numpy as jnp
import jax.tree_util as jtu
from diffrax import RESULTS, AbstractTerm, LocalLinearInterpolation, ODETerm
from jaxtyping import PyTree

from .._custom_types import Args, BoolScalarLike, RealScalarLike, Y
from ._base import AbstractLocalSolver
from ._exponential_euler import change, slope_and_rate, slope_from, without_growth


class ExponentialMidpoint(AbstractLocalSolver):
    r"""Exponential midpoint with a diagonal linearisation: order 2, never stiff; for Hodgkin-Huxley
    cells.

    $$y_m = y_0 + \tfrac h2\,\varphi_1(\tfrac h2\lambda_0)\,f(t_0, y_0), \qquad
    y_1 = y_0 + h\,\varphi_1(h\lambda_m)\,\bigl(f(t_m, y_m) + \lambda_m (y_0 - y_m)\bigr),$$

    with $\lambda = \operatorname{diag}\,\partial f/\partial y$ at $y_0$ and at the midpoint $y_m$.
    A half step of [`brainfn.solver.ExponentialEuler`][] gives the coefficients in the middle of the
    step; with them, the linear equation of each variable is solved exactly over the whole step from
    $y_0$. It costs two evaluations and has an error of $O(h^2)$. Where $\lambda_m > 0$, as on the
    upswing of a spike, it is replaced by 0 in the second formula, which gives the midpoint rule: of
    the same order, and safe.

    **Arguments:** None. Fixed steps only, and no error estimate; for ordinary differential
    equations.

    **Source:** the midpoint rule, with the functions of exponential integrators instead of straight
    lines; its order is tested, not cited.
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
    ) -> tuple[Y, None, dict[str, Y], None, RESULTS]:
        del solver_state, made_jump
        h = terms.contr(t0, t1)
        half = 0.5 * h
        f, rate = slope_and_rate(terms, t0, y0, args)
        ym = jtu.tree_map(lambda y, dy: jnp.asarray(y) + dy, y0, change(half, f, rate))
        tm = t0 + 0.5 * (t1 - t0)
        f, rate = slope_and_rate(terms, tm, ym, args)
        # From a midpoint on an upswing the tangent may point down at y0: a neuron about to spike
        # would fall. Growth is not stiff, and the midpoint rule follows it.
        rate = without_growth(f, rate)
        back = jtu.tree_map(lambda y, m: jnp.asarray(y) - m, y0, ym)
        f = slope_from(f, rate, back)
        y1 = jtu.tree_map(lambda y, dy: jnp.asarray(y) + dy, y0, change(h, f, rate))
        return y1, None, {"y0": y0, "y1": y1}, None, RESULTS.successful
