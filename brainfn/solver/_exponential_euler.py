from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from diffrax import RESULTS, AbstractTerm, LocalLinearInterpolation, ODETerm
from jaxtyping import Array, PyTree

from .._custom_types import Args, BoolScalarLike, RealScalarLike, Y
from ._base import AbstractLocalSolver, times
from ._coupled import phi1_times, product
from ._independent import Coupled, Independent
from ._phi import phi1


class ExponentialEuler(AbstractLocalSolver):
    r"""Exponential Euler with a diagonal linearisation: exact for linear membranes, never stiff.

    $$y_1 = y_0 + h\,\varphi_1(h\lambda)\,f(t_0, y_0, \mathrm{args}), \qquad
    \lambda = \operatorname{diag}\frac{\partial f}{\partial y}(t_0, y_0, \mathrm{args})$$

    with $\varphi_1(z) = (e^z - 1)/z$. Each variable follows the exact solution of its equation
    linearised at $t_0$. So a leaky membrane or a gating variable that depends linearly on itself is
    exact while its input is constant over the step, however large the step compared with its time
    constant. One evaluation of the vector field and one `jvp` per leaf of the state, or one for all
    leaves of an [`brainfn.solver.Independent`][]. For the variables of a
    [`brainfn.solver.Coupled`][], $\lambda$ is the matrix of their derivatives by each other.

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
        y1 = jtu.tree_map(lambda y, dy: jnp.asarray(y) + dy, y0, change(h, f, rate))
        return y1, None, {"y0": y0, "y1": y1}, None, RESULTS.successful


def slope_and_rate(
    terms: AbstractTerm, t: RealScalarLike, y: Y, args: Args
) -> tuple[PyTree, PyTree]:
    """The vector field at `y` and the diagonal of its Jacobian, in the structure of `y`; in place
    of a `Coupled` of `n` variables the matrix of shape `(n, n, *size)`."""
    parts, structure = jtu.tree_flatten(y, is_leaf=lambda x: isinstance(x, Independent | Coupled))
    slopes, rates = [], []
    for i, part in enumerate(parts):
        # Differentiating one part at a time leaves the tangents of all others symbolically zero, so
        # nothing is computed for them. XLA merges the repeated evaluations of f.
        def field(x: PyTree, i: int = i) -> PyTree:
            whole = structure.unflatten([*parts[:i], x, *parts[i + 1 :]])
            slope = terms.vf(t, whole, args)
            return structure.flatten_up_to(slope)[i]

        f, rate = _derivatives(field, jtu.tree_map(jnp.asarray, part))
        slopes.append(f)
        rates.append(rate)
    return structure.unflatten(slopes), structure.unflatten(rates)


def _derivatives(field: Callable[[PyTree], PyTree], part: PyTree) -> tuple[PyTree, PyTree]:
    """`field` at a leaf, an `Independent` or a `Coupled`, and its derivative by each variable."""
    variables, structure = jtu.tree_flatten(part, is_leaf=_is_coupled)
    counts = [len(jtu.tree_leaves(x)) if _is_coupled(x) else 0 for x in variables]

    def along(k: int) -> tuple[PyTree, list[PyTree]]:
        """The derivative by variable `k` of each `Coupled`, or by all others for -1."""

        def tangent(x: PyTree, count: int) -> PyTree:
            if not _is_coupled(x):
                return (jnp.ones_like if k < 0 else jnp.zeros_like)(x)
            leaves, inner = jtu.tree_flatten(x)
            return inner.unflatten(
                [jnp.ones_like(v) if j == k else jnp.zeros_like(v) for j, v in enumerate(leaves)]
            )

        tangents = structure.unflatten([tangent(*x) for x in zip(variables, counts, strict=True)])
        f, d = jax.jvp(field, (part,), (tangents,))
        return f, structure.flatten_up_to(d)

    if all(counts) and counts:
        f, plain = field(part), variables
    else:
        f, plain = along(-1)
    columns = [along(k)[1] for k in range(max(counts, default=0))]
    rates = [
        jnp.stack([jnp.stack(jtu.tree_leaves(column[i])) for column in columns[:count]], 1)
        if count
        else plain[i]
        for i, count in enumerate(counts)
    ]
    return f, structure.unflatten(rates)


def _is_coupled(x: Any) -> bool:
    return isinstance(x, Coupled)


def each(plain: Callable[..., Array], coupled: Callable[..., Array], *trees: PyTree) -> PyTree:
    """`plain` of the leaves of trees, or `coupled` of the stacked variables of a `Coupled`; in the
    structure of the first."""

    def one(x: PyTree, *others: PyTree) -> PyTree:
        if not _is_coupled(x):
            return plain(x, *others)
        leaves, structure = jtu.tree_flatten(x)
        stacked = [jnp.stack(jtu.tree_leaves(y)) if _is_coupled(y) else y for y in others]
        return structure.unflatten(list(coupled(jnp.stack(leaves), *stacked)))

    return jtu.tree_map(one, *trees, is_leaf=_is_coupled)


def change(h: RealScalarLike, f: PyTree, rate: PyTree) -> PyTree:
    """The change over `h` of variables with slope `f` that follow linear equations of `rate`."""

    def together(f: Array, matrix: Array) -> Array:
        return times(h, phi1_times(times(h, matrix), f))

    return each(lambda f, rate: relaxed(h, f, rate), together, f, rate)


def slope_from(f: PyTree, rate: PyTree, shift: PyTree) -> PyTree:
    """The slope at a distance `shift` from where it is `f`, on the tangent."""
    return each(
        lambda f, rate, shift: f + rate * shift,
        lambda f, matrix, shift: f + product(matrix, shift),
        f,
        rate,
        shift,
    )


def without_growth(f: PyTree, rate: PyTree) -> PyTree:
    """`rate` with zero where it is positive; that of a `Coupled` is left as it is."""

    def one(f: PyTree, rate: Array) -> Array:
        return rate if _is_coupled(f) else jnp.where(rate < 0, rate, jnp.zeros_like(rate))

    return jtu.tree_map(one, f, rate, is_leaf=_is_coupled)


def relaxed(h: RealScalarLike, f: Array, rate: Array) -> Array:
    """The change over `h` of one variable.

    Growth in one step is limited to e^40, for an upswing that diverges: the result is then
    meaningless but finite, so that the derivatives of the value that replaces it are finite.
    """
    z = jnp.minimum(times(h, rate), jnp.asarray(_MOST, f.dtype))
    return times(h, phi1(z) * f)


_MOST = 40.0
