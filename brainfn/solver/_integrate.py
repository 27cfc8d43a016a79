import numbers
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.tree_util as jtu
from diffrax import RESULTS, AbstractImplicitSolver, AbstractSolver, ODETerm

from .._custom_types import VF, Args, BoolScalarLike, RealScalarLike, Y
from ._base import AbstractLocalSolver


def integrate(
    solver: AbstractSolver,
    vector_field: Callable[[RealScalarLike, Y, Args], VF],
    y: Y,
    dt: RealScalarLike,
    args: Args = None,
    *,
    made_jump: BoolScalarLike | None = None,
) -> Y:
    r"""One step of a Diffrax solver on local time, for use inside a loop over steps.

    $$y \mapsto y(\mathrm{dt}), \qquad \dot y(t) = f(t, y(t), \mathrm{args}), \quad t \in [0,
    \mathrm{dt}]$$

    Time is local: the step always runs over `[0, dt]`, so float32 never computes the small
    difference of two large times. A field that depends on absolute time adds its own `clock.t`.

    The step is memoryless. A neuron is reset between steps, which would leave an FSAL solver such
    as `diffrax.Tsit5` with the slope at an outdated state. So every solver is initialised afresh,
    and an FSAL solver evaluates its first stage each time (7 instead of 6 evaluations for `Tsit5`).
    Multistep methods, which rely on memory, fall back to the order of their first step.

    Everything is computed in the dtype of the state. brainfn's own solvers get Python floats for
    the times, others get arrays in that dtype, so that float32 stays float32 under
    `jax_enable_x64`.

    Reverse-mode derivatives work with every solver. Forward mode through Diffrax's Runge-Kutta
    methods needs their `scan_kind`, as in `diffrax.Tsit5(scan_kind="bounded")`. Implicit solvers
    build the Jacobian of the whole state, all neurons together: use them for small models, or under
    `vmap` over neurons.

    **Arguments:**

    - `solver`: any solver for one ordinary differential equation. An implicit one needs a root
        finder with tolerances, as in
        `diffrax.ImplicitEuler(root_finder=optimistix.Chord(rtol=1e-5, atol=1e-5))`.
    - `vector_field`: `f(t, y, args)`, in the unit of `y` per ms, with the structure of `y`.
    - `y`: the state, any pytree of floating-point arrays.
    - `dt`: length of the step in ms.
    - `args`: passed on to `vector_field`.
    - `made_jump`: whether `y` was changed since the last step; passed on to the solver. Since
      nothing is carried over, it can be left out.

    **Returns:**

    The state at `dt`, in the structure, shapes and dtypes of `y`. If an implicit solve did not
    converge, it is NaN, which a simulation reports with its step.

    **Raises:** `TypeError` or `ValueError` if the solver cannot take such a step; see
    [`brainfn.solver.check_solver`][].
    """
    check_solver(solver)
    y = jtu.tree_map(jnp.asarray, y)
    terms = ODETerm(vector_field)
    jumped = False if made_jump is None else made_jump
    if isinstance(solver, AbstractLocalSolver):
        t0, t1 = 0.0, float(dt) if isinstance(dt, numbers.Real) else dt
    else:
        dtypes = [leaf.dtype for leaf in jtu.tree_leaves(y)] or [jnp.result_type(float)]
        dtype = min(dtypes, key=lambda d: jnp.finfo(d).bits)
        t0, t1 = jnp.zeros((), dtype), jnp.asarray(dt, dtype)
    solver_state = solver.init(terms, t0, t1, y, args)
    y1, _, _, _, result = solver.step(terms, t0, t1, y, args, solver_state, jumped)
    if result is RESULTS.successful:
        return y1
    converged = result == RESULTS.successful
    return jtu.tree_map(lambda x: jnp.where(converged, x, jnp.nan), y1)


def increment(
    solver: AbstractSolver,
    vector_field: Callable[[RealScalarLike, Y, Args], VF],
    y: Y,
    dt: RealScalarLike,
    args: Args = None,
) -> Y:
    r"""The change of the state in a step of [`brainfn.solver.integrate`][],
    $y(\mathrm{dt}) - y(0)$, without the rounding error of the sum.

    A change that is below half a unit in the last place of $y$ would be lost in $y + \Delta y$;
    given the change itself, the caller can compensate for that. It is computed by a step of the
    equation for $z = y - y(0)$, whose values are as small as the change.

    **Arguments:** as for [`brainfn.solver.integrate`][].
    """
    y = jtu.tree_map(jnp.asarray, y)

    def shifted(t: RealScalarLike, z: Y, args: Args) -> VF:
        return vector_field(t, jtu.tree_map(jnp.add, y, z), args)

    return integrate(solver, shifted, jtu.tree_map(jnp.zeros_like, y), dt, args)


def check_solver(solver: Any) -> None:
    r"""Raise if [`brainfn.solver.integrate`][] cannot use a solver.

    **Arguments:**

    - `solver`: the user's `solver`.

    **Raises:** `TypeError` if it is not a Diffrax solver, or one for equations other than
    $\dot y = f(t, y)$; `ValueError` if it is implicit and its root finder has no tolerances.
    """
    if not isinstance(solver, AbstractSolver):
        hint = f" Try `{solver.__name__}()`." if isinstance(solver, type) else ""
        raise TypeError(f"`solver` must be an instance of a Diffrax solver; got {solver!r}.{hint}")
    name = type(solver).__name__
    structure = solver.term_structure
    if not (isinstance(structure, type) and issubclass(ODETerm, structure)):
        raise TypeError(
            f"`solver` {name} is for equations made of {structure}; a model has one vector field. "
            "Try `brainfn.solver.ExponentialEuler()` or `diffrax.Tsit5()`."
        )
    if isinstance(solver, AbstractImplicitSolver):
        tolerances = (getattr(solver.root_finder, x, 0.0) for x in ("rtol", "atol"))
        if not all(eqx.is_array_like(x) for x in tolerances):
            raise ValueError(
                f"`solver` {name} takes the tolerances of its root finder from an adaptive step "
                f"size, and here the steps are fixed. Try `diffrax.{name}(root_finder="
                "optimistix.Chord(rtol=1e-5, atol=1e-5))`."
            )
