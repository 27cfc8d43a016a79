"""Finding out when and where a state stopped being finite."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jax import lax

from .._model import AbstractModel, Clock
from ._inputs import evaluate
from ._result import Snapshot


def is_finite(tree: Any) -> Any:
    """Whether all floating-point entries of a pytree are finite, a scalar bool array."""
    flags = [
        jnp.all(jnp.isfinite(x))
        for x in jtu.tree_leaves(tree)
        if eqx.is_array(x) and jnp.issubdtype(x.dtype, jnp.floating)
    ]
    return jnp.all(jnp.stack(flags)) if flags else jnp.asarray(True)


_is_finite = jax.jit(is_finite)


def check_finite(
    model: AbstractModel,
    start: Snapshot,
    end: Snapshot,
    series: Any,
    fixed: Any,
    key: Any,
    dt: float,
    n_steps: int,
    step: Callable[..., Any],
) -> None:
    """Raise `FloatingPointError` if the state at the end is not finite.

    The loop itself pays nothing for this: only when the final state is not finite is the
    simulation repeated, with each step looked at, to report the population and the first step.
    """
    arrays = [x for x in jtu.tree_leaves(end.model_state) if eqx.is_array(x)]
    if bool(_is_finite(arrays)):
        return
    del arrays
    names, first = _first_steps(model, start, series, fixed, key, dt, n_steps, step)
    found = sorted((int(n), name) for name, n in zip(names, first, strict=True) if n >= 0)
    if not found:
        raise FloatingPointError(
            "the state is not finite at the end of the simulation (in its synapses or delay lines)."
        )
    at, name = found[0]
    more = ", ".join(f"{other!r} at step {n}" for n, other in found[1:])
    raise FloatingPointError(
        f"the state of population {name!r} is not finite from step {at} (t = {at * dt:.6g} ms) on"
        + (f"; then {more}" if more else "")
        + ". Check its parameters and inputs for NaN and wrong units, or use a smaller `dt`."
    )


@eqx.filter_jit
def _find(
    model: Any, start: Any, series: Any, fixed: Any, key: Any, dt: float, n_steps: int, step: Any
) -> Any:
    def body(carry: Any, row: Any) -> tuple[Any, None]:
        state, n, first = carry
        state, _ = step(model, state, evaluate(row, fixed, Clock(n, dt)), n, key, dt)
        good = [is_finite(part) for part in model.named_states(state).values()]
        first = tuple(jnp.where((f < 0) & ~ok, n, f) for f, ok in zip(first, good, strict=True))
        return (state, n + 1, first), None

    names = model.named_states(start.model_state)
    unseen = tuple(jnp.asarray(-1, jnp.int32) for _ in names)
    (_, _, first), _ = lax.scan(
        body, (start.model_state, start.step, unseen), series, length=n_steps
    )
    return first


def _first_steps(
    model: Any, start: Any, series: Any, fixed: Any, key: Any, dt: float, n_steps: int, step: Any
) -> tuple[list[str], list[int]]:
    names = list(model.named_states(start.model_state))
    first = _find(model, start, series, fixed, key, dt, n_steps, step)
    return names, [int(n) for n in first]
