from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from diffrax import RESULTS, AbstractTerm, LocalLinearInterpolation, ODETerm
from jaxtyping import Array, PyTree

from .._custom_types import Args, BoolScalarLike, RealScalarLike, Y
from ._base import AbstractLocalSolver, times
from ._phi import phi1


class ExponentialEuler(AbstractLocalSolver):
    r"""Exponential Euler with a diagonal linearisation: exact for linear membranes, never stiff.

    $$y_1 = y_0 + h\,\varphi_1(h\lambda)\,f(t_0, y_0, \mathrm{args}), \qquad
    \lambda = \operatorname{diag}\frac{\partial f}{\partial y}(t_0, y_0, \mathrm{args})$$

    with $\varphi_1(z) = (e^z - 1)/z$. Each variable is solved exactly for the linear equation that
    touches it at $t_0$. So a leaky membrane or a gating variable that depends linearly on itself
    is exact while its input is constant over the step, however large the step is compared
    with its time constant. One evaluation of the vector field and one `jvp` per leaf of the state.

    The order is 1 in general, and 2 where the equation is autonomous and its Jacobian diagonal.

    A leaf stands for many equal variables, one per neuron, and its diagonal is taken by one `jvp`
    with a tangent of ones. If the entries *of one leaf* act on each other directly, as in diffusive
    coupling, $\lambda$ is the row sum of that block: still consistent and of order 1, but stability
    for large steps is then no longer granted.

    Derivatives flow through $\lambda$ as well, and are finite where $\lambda = 0$.

    **Arguments:** None. Fixed steps only, and no error estimate; for ordinary differential
    equations.

    **Source:** S. Rush, H. Larsen (1978), "A practical algorithm for solving dynamic membrane
    equations", IEEE Transactions on Biomedical Engineering 25, 389-392,
    DOI 10.1109/TBME.1978.326270; D. A. Pope (1963), "An exponential method of numerical integration
    of ordinary differential equations", Communications of the ACM 6, 491-493,
    DOI 10.1145/366707.367592.
    """

    term_structure: ClassVar = ODETerm
    interpolation_cls: ClassVar[Callable[..., LocalLinearInterpolation]] = LocalLinearInterpolation

    def order(self, terms: PyTree[AbstractTerm]) -> int:
        return 1

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
        leaves, treedef = jtu.tree_flatten(y0)

        def advance(i: int, leaf: Array) -> Array:
            # Differentiating one leaf at a time leaves the tangents of all others symbolically
            # zero, so nothing is computed for them. XLA merges the repeated evaluations of f.
            def slope(x):
                y = treedef.unflatten([*leaves[:i], x, *leaves[i + 1 :]])
                return jtu.tree_leaves(terms.vf(t0, y, args))[i]

            f, rate = jax.jvp(slope, (leaf,), (jnp.ones_like(leaf),))
            return leaf + times(h, phi1(times(h, rate)) * f)

        y1 = treedef.unflatten([advance(i, jnp.asarray(leaf)) for i, leaf in enumerate(leaves)])
        return y1, None, {"y0": y0, "y1": y1}, None, RESULTS.successful
