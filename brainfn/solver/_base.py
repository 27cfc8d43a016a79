import equinox as eqx
import jax.numpy as jnp
from diffrax import AbstractSolver, AbstractTerm
from jaxtyping import Array

from .._custom_types import VF, Args, RealScalarLike, Y


class AbstractLocalSolver(AbstractSolver[None]):
    """A Diffrax solver without memory between steps that computes in the dtype of the state.

    Such a solver may be called with times that are Python floats, and passes them on to the vector
    field unchanged. Inside brainfn's loop a step runs from `0.0` to `dt`, so a drive may use `t ==
    0.0` while tracing, and no number in the step is promoted. [`brainfn.solver.integrate`][] relies
    on both; every other Diffrax solver gets arrays.

    `holds_inputs` says whether it evaluates the vector field only at the beginning of a step: a
    neuron then replaces inputs that change over the step by constants of the same effect.
    """

    holds_inputs: eqx.AbstractClassVar[bool]

    def init(
        self, terms: AbstractTerm, t0: RealScalarLike, t1: RealScalarLike, y0: Y, args: Args
    ) -> None:
        return None

    def func(self, terms: AbstractTerm, t0: RealScalarLike, y0: Y, args: Args) -> VF:
        return terms.vf(t0, y0, args)


def times(h: RealScalarLike, x: Array) -> Array:
    """`h * x` in the dtype of `x`, where `ODETerm.prod` would take the dtype of a Python float."""
    # Not `isinstance`: NumPy's float64 is a float too, but would promote.
    return (h if type(h) is float else jnp.astype(h, x.dtype)) * x
