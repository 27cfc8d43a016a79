"""What a recorder is, and what a function records."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.tree_util as jtu

from ..record import AbstractReducer


def is_recorder(x: Any) -> bool:
    return isinstance(x, AbstractReducer) or callable(x)


def recorded(recorder: Any, state: Any, output: Any) -> Any:
    """The values that a function records, as arrays; numbers are accepted."""
    kept = recorder(state, output)

    def as_array(path: Any, x: Any) -> Any:
        if not eqx.is_array_like(x):
            raise TypeError(
                f"`record{jtu.keystr(path)}` must return arrays or numbers, got "
                f"{type(x).__name__}: {x!r:.60}."
            )
        return jnp.asarray(x)

    return jtu.tree_map_with_path(as_array, kept)
