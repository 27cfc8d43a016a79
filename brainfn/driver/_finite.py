"""Finding out when and where a state stopped being finite."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
from jax import lax

from .._model import AbstractModel, Clock
from .._named import AbstractNamed
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
    kind: str,
) -> None:
    """Raise `FloatingPointError` if the state at the end is not finite.

    This costs the loop nothing: only if the final state is not finite, the simulation is repeated
    with a check at each step, to report the population and the first step. A model without
    populations is named by its `kind`.
    """
    arrays = [x for x in jtu.tree_leaves(end.model_state) if eqx.is_array(x)]
    if bool(_is_finite(arrays)):
        return
    del arrays
    names = list(_parts(kind, start.model_state))
    first = [int(n) for n in _find(model, start, series, fixed, key, dt, n_steps)]
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


def _parts(kind: str, state: Any) -> dict[str, Any]:
    return state.named() if isinstance(state, AbstractNamed) else {kind: state}


@eqx.filter_jit
def _find(
    model: Any, start: Any, series: Any, fixed: Any, key: Any, dt: float, n_steps: int
) -> Any:
    def body(carry: Any, row: Any) -> tuple[Any, None]:
        (state, driving), n, first = carry
        k = None if key is None else jr.fold_in(key, n)
        clock = Clock(n, dt)
        drive, driving = fixed.evaluate(row, driving, clock, k)
        state, _ = model.step(state, drive, clock, key=k)
        good = [is_finite(part) for part in _parts("", state).values()]
        first = tuple(jnp.where((f < 0) & ~ok, n, f) for f, ok in zip(first, good, strict=True))
        return ((state, driving), n + 1, first), None

    names = _parts("", start.model_state)
    unseen = tuple(jnp.asarray(-1, jnp.int32) for _ in names)
    begin = ((start.model_state, start.inputs), start.step, unseen)
    (_, _, first), _ = lax.scan(body, begin, series, length=n_steps)
    return first
