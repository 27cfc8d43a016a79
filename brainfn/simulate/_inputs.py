"""What drives a model: arrays that run along time, and everything else."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from .._errors import describe, is_concrete
from .._model import Clock
from ..input import AbstractInput, Constant, as_input


def split_inputs(inputs: Any, n_steps: int, *, on_host: bool = False) -> tuple[Any, Any]:
    """Arrays that run along time, and everything else as [`brainfn.input.AbstractInput`][]."""

    def one(path: Any, value: Any) -> Any:
        name = "inputs" + jtu.keystr(path)
        is_array = isinstance(value, np.ndarray | jax.Array)
        if is_array and value.ndim > 0:
            if value.shape[0] != n_steps:
                raise ValueError(
                    f"`{name}` must have a leading time axis of {n_steps} steps, got shape "
                    f"{value.shape}. For one constant number per neuron use "
                    "brainfn.input.Constant(array)."
                )
            if value.dtype.kind not in "biuf" and not jnp.issubdtype(value.dtype, jnp.floating):
                raise TypeError(f"`{name}` must hold real numbers, got dtype {value.dtype}.")
            if not jnp.issubdtype(value.dtype, jnp.floating) and value.dtype != bool:
                value = value.astype(jnp.result_type(float))
            if not on_host:
                _check_values(name, value)
            return _Series(value if on_host else jnp.asarray(value))
        value = as_input(name, value)
        if isinstance(value, Constant):
            _check_values(name, value.value)
        return value

    def stop(x: Any) -> bool:
        return isinstance(x, AbstractInput)

    if inputs is None:
        return None, None
    tree = jtu.tree_map_with_path(one, inputs, is_leaf=stop)
    leaves, structure = jtu.tree_flatten(tree, is_leaf=lambda x: stop(x) or isinstance(x, _Series))
    series = [leaf.values if isinstance(leaf, _Series) else None for leaf in leaves]
    fixed = [None if isinstance(leaf, _Series) else leaf for leaf in leaves]
    return _Leaves(tuple(series), structure), _Leaves(tuple(fixed), structure)


def _check_values(name: str, value: Any) -> None:
    if is_concrete(value) and not np.all(np.isfinite(np.asarray(value))):
        raise ValueError(f"`{name}` must be finite, got {describe(np.asarray(value))}.")


class _Series(eqx.Module):
    values: Any


class _Leaves(eqx.Module):
    leaves: tuple[Any, ...]
    structure: Any = eqx.field(static=True)


def evaluate(series: Any, fixed: Any, clock: Clock) -> Any:
    """The inputs of one step: `series` is the present row of the arrays."""
    if fixed is None:
        return None
    leaves = [
        row if source is None else source(clock)
        for row, source in zip(series.leaves, fixed.leaves, strict=True)
    ]
    return jtu.tree_unflatten(fixed.structure, leaves)


def is_constant(series: Any, fixed: Any) -> bool:
    return fixed is None or all(isinstance(leaf, Constant) for leaf in fixed.leaves)
