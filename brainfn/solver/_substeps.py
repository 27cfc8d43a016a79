from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import jax.tree_util as jtu
from diffrax import RESULTS, AbstractSolver, AbstractTerm, LocalLinearInterpolation, ODETerm
from jax import lax
from jaxtyping import PyTree

from .._custom_types import Args, BoolScalarLike, RealScalarLike, Y
from .._errors import count
from ._base import AbstractLocalSolver
from ._integrate import check_solver, integrate


class Substeps(AbstractLocalSolver):
    r"""Divides each step of another solver into several equal steps.

    A network exchanges spikes once per `dt`; stiff or fast cells may take `n` steps in between:
    `solver=bf.solver.Substeps(bf.solver.ExponentialMidpoint(), 4)`. The order is that of the
    solver, the error that of steps of `dt / n`.

    **Arguments:**

    - `solver`: a Diffrax solver for ordinary differential equations.
    - `n`: number of steps, at least 1.

    **Raises:** `TypeError` or `ValueError` naming the argument.
    """

    solver: AbstractSolver
    n: int = eqx.field(static=True)
    holds_inputs: ClassVar[bool] = False
    term_structure: ClassVar = ODETerm
    interpolation_cls: ClassVar[Callable[..., LocalLinearInterpolation]] = LocalLinearInterpolation

    def __init__(self, solver: AbstractSolver, n: int):
        check_solver(solver)
        self.solver = solver
        self.n = count("n", n, minimum=1)

    def order(self, terms: PyTree[AbstractTerm]) -> int | None:
        return self.solver.order(terms)

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
        h = (t1 - t0) / self.n

        def one(y: Y, i: Any) -> tuple[Y, None]:
            start = t0 + i * h

            def field(t: RealScalarLike, y: Y, args: Args) -> Any:
                return terms.vf(start + t, y, args)

            return integrate(self.solver, field, y, h, args), None

        y = y0
        if self.n <= 8:
            for i in range(self.n):
                y, _ = one(y, i)
        else:
            y0 = jtu.tree_map(jnp.asarray, y0)
            dtype = jtu.tree_leaves(y0)[0].dtype
            y, _ = lax.scan(one, y0, jnp.arange(self.n).astype(dtype))
        return y, None, {"y0": y0, "y1": y}, None, RESULTS.successful
