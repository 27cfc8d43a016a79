from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from diffrax import RESULTS, AbstractTerm, LocalLinearInterpolation, ODETerm
from jaxtyping import Array, PyTree

from .._custom_types import Args, BoolScalarLike, RealScalarLike, Y
from ._base import AbstractLocalSolver, times
from ._independent import Independent
from ._phi import phi1


class ExponentialEuler(AbstractLocalSolver):
    r"""Exponential Euler with a diagonal linearisation: exact for linear membranes, never stiff.

    $$y_1 = y_0 + h\,\varphi_1(h\lambda)\,f(t_0, y_0, \mathrm{args}), \qquad
    \lambda = \operatorname{diag}\frac{\partial f}{\partial y}(t_0, y_0, \mathrm{args})$$

    with $\varphi_1(z) = (e^z - 1)/z$. Each variable follows the exact solution of its equation
    linearised at $t_0$. So a leaky membrane or a gating variable that depends linearly on itself is
    exact while its input is constant over the step, however large the step compared with its time
    constant. One evaluation of the vector field and one `jvp` per leaf of the state, or one for all
    leaves of an [`brainfn.solver.Independent`][].

    The order is 1 in general, and 2 if the equation is autonomous and its Jacobian diagonal.

    A leaf holds many independent variables, one per neuron, and its diagonal is taken by one `jvp`
    with a tangent of ones. If the entries *of one leaf* act on each other directly, as in diffusive
    coupling, $\lambda$ is the row sum of that block: still consistent and of order 1, but stability
    for large steps is no longer guaranteed.

    Derivatives flow through $\lambda$ as well, and are finite where $\lambda = 0$.

    **Arguments:** None. Fixed steps only, and no error estimate; for ordinary differential
    equations.

    **Source:** S. Rush, H. Larsen (1978), "A practical algorithm for solving dynamic membrane
    equations", IEEE Transactions on Biomedical Engineering 25, 389-392,
    DOI 10.1109/TBME.1978.326270; D. A. Pope (1963), "An exponential method of numerical integration
    of ordinary differential equations", Communications of the ACM 6, 491-493,
    DOI 10.1145/366707.367592.
    """

    holds_inputs: ClassVar[bool] = True
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
        f, rate = slope_and_rate(terms, t0, y0, args)
        y1 = jtu.tree_map(lambda y, a, b: jnp.asarray(y) + relaxed(h, a, b), y0, f, rate)
        return y1, None, {"y0": y0, "y1": y1}, None, RESULTS.successful


def slope_and_rate(
    terms: AbstractTerm, t: RealScalarLike, y: Y, args: Args
) -> tuple[PyTree, PyTree]:
    """The vector field at `y` and the diagonal of its Jacobian, in the structure of `y`."""
    parts, structure = jtu.tree_flatten(y, is_leaf=lambda x: isinstance(x, Independent))
    slopes, rates = [], []
    for i, part in enumerate(parts):
        # Differentiating one part at a time leaves the tangents of all others symbolically zero, so
        # nothing is computed for them. XLA merges the repeated evaluations of f.
        def field(x: PyTree, i: int = i) -> PyTree:
            whole = structure.unflatten([*parts[:i], x, *parts[i + 1 :]])
            slope = terms.vf(t, whole, args)
            return structure.flatten_up_to(slope)[i]

        part = jtu.tree_map(jnp.asarray, part)
        f, rate = jax.jvp(field, (part,), (jtu.tree_map(jnp.ones_like, part),))
        slopes.append(f)
        rates.append(rate)
    return structure.unflatten(slopes), structure.unflatten(rates)


def relaxed(h: RealScalarLike, f: Array, rate: Array) -> Array:
    """The change over `h` of a variable with slope `f` that follows a linear equation of `rate`.

    Growth in one step is limited to e^40, for an upswing that diverges: the result is then
    meaningless but finite, so that the derivatives of the value that replaces it are finite.
    """
    z = jnp.minimum(times(h, rate), jnp.asarray(_MOST, f.dtype))
    return times(h, phi1(z) * f)


_MOST = 40.0
