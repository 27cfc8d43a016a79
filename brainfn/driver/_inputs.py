"""Inputs of a model: time series, and inputs with their own state."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .. import random
from .._errors import describe, is_concrete
from .._field import check_model, with_arrays
from .._model import AbstractModel, Clock
from ..event import materialize
from ..input import AbstractInput, Constant, Function, as_input

# Folded into the key of a step (or of the initial state) to derive that of an input.
_INPUT = 0x494E50


class Inputs(eqx.Module):
    """All inputs of a model except time series.

    - `leaves`: inputs, `None` for a time series.
    - `names`: the path of each, as in error messages.
    - `sizes`: the number of neurons that each drives, if known.
    """

    leaves: tuple[AbstractInput | None, ...]
    names: tuple[str, ...] = eqx.field(static=True)
    sizes: tuple[int | None, ...] = eqx.field(static=True)
    structure: Any = eqx.field(static=True)

    def init(self, old: Any, key: Any) -> dict[str, Any]:
        """States of the inputs, by name. An input continues from its state in `old`, if there is
        one with the same structure and shapes under its name; otherwise it starts anew."""
        states = {}
        for name, size, leaf in zip(self.names, self.sizes, self.leaves, strict=True):
            if leaf is None:
                continue
            new = leaf.init(size, key=_key(key, name))
            if not jtu.tree_leaves(new):
                continue
            before = (old or {}).get(name)
            states[name] = before if _alike(before, new) else new
        return states

    def evaluate(
        self, series: Sequence[Any], states: dict[str, Any], clock: Clock, key: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The inputs of one step and their states after it; `series` is the present row of the time
        series."""
        values, after = [], dict(states)
        for i, leaf in enumerate(self.leaves):
            if leaf is None:
                values.append(series[i])
                continue
            name = self.names[i]
            # An input without a state keeps its initial structure.
            state = states[name] if name in states else leaf.init(self.sizes[i], key=None)
            state, value = leaf.step(state, clock, key=_key(key, name))
            if name in states:
                after[name] = state
            if not isinstance(leaf, Constant) and eqx.is_array(value) and value.ndim == 0:
                # Once, not for each neuron that it is repeated for.
                value = materialize(value)
            values.append(_checked(name, value))
        return jtu.tree_unflatten(self.structure, values), after

    @property
    def constant(self) -> bool:
        """Whether the inputs are the same in each step."""
        return all(isinstance(leaf, Constant) for leaf in self.leaves)


def key_codes(name: str) -> tuple[int, int]:
    """What is folded into the key of a step to derive that of an input."""
    return zlib.crc32(name.encode()), _INPUT


def _key(key: Any, name: str) -> Any:
    return None if key is None else jr.fold_in(random.named(key, name), _INPUT)


def _alike(a: Any, b: Any) -> bool:
    if jtu.tree_structure(a) != jtu.tree_structure(b):
        return False
    pairs = zip(jtu.tree_leaves(a), jtu.tree_leaves(b), strict=True)
    return all(jnp.shape(x) == jnp.shape(y) and x.dtype == y.dtype for x, y in pairs)


def _checked(name: str, value: Any) -> Any:
    if value is None:
        raise TypeError(
            f"`{name}` is a function that returned None. Return the value, e.g. a current in pA."
        )
    if isinstance(value, str | list | tuple | dict):
        raise TypeError(
            f"`{name}` must give a number or an array in each step, got {type(value).__name__}: "
            f"{value!r:.60}. Try jnp.asarray."
        )
    return value


def split_inputs(
    inputs: Any, n_steps: int, model: AbstractModel, *, on_host: bool = False
) -> tuple[tuple[Any, ...], Inputs]:
    """Time series, and everything else as inputs of [`brainfn.input`][]."""

    def stop(x: Any) -> bool:
        return isinstance(x, AbstractInput | list | tuple)

    series: list[Any] = []
    leaves: list[AbstractInput | None] = []
    names: list[str] = []
    sizes: list[int | None] = []
    flat, structure = jtu.tree_flatten_with_path(inputs, is_leaf=stop)
    for path, value in flat:
        name = "inputs" + jtu.keystr(path)
        if isinstance(value, list | tuple):
            raise TypeError(
                f"`{name}` must be a number, an array, a function of time or an input of "
                f"brainfn.input, got a {type(value).__name__}. Try numpy.asarray(...) for values "
                "along time, brainfn.input.Constant(array) for one number per neuron, or "
                "`a + b` for several inputs at once."
            )
        top = path[0].key if path and isinstance(path[0], jtu.DictKey) else None
        size = model.input_size(top if isinstance(top, str) else None)
        names.append(name)
        sizes.append(size)
        if isinstance(value, np.ndarray | jax.Array) and value.ndim > 0:
            series.append(_series(name, value, n_steps, size, on_host))
            leaves.append(None)
            continue
        series.append(None)
        leaf = with_arrays(_as_input(name, value))
        check_model(leaf, name, size)
        leaves.append(leaf)
    return tuple(series), Inputs(tuple(leaves), tuple(names), tuple(sizes), structure)


def _series(name: str, value: Any, n_steps: int, size: int | None, on_host: bool) -> Any:
    if value.shape[0] != n_steps:
        raise ValueError(
            f"`{name}` must have a leading time axis of {n_steps} steps, got shape "
            f"{value.shape}. For one constant number per neuron use "
            "brainfn.input.Constant(array)."
        )
    if value.shape == (size,):
        raise ValueError(
            f"`{name}` has shape {value.shape}, and there are as many steps as neurons, so it is "
            "ambiguous: one number per step or one per neuron? Use brainfn.input.TimeSeries(array) "
            "or brainfn.input.Constant(array)."
        )
    if value.dtype.kind not in "biuf" and not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"`{name}` must hold real numbers, got dtype {value.dtype}.")
    if not jnp.issubdtype(value.dtype, jnp.floating) and value.dtype != bool:
        value = value.astype(jnp.result_type(float))
    if on_host:
        return value
    if is_concrete(value) and not np.all(np.isfinite(np.asarray(value))):
        raise ValueError(f"`{name}` must be finite, got {describe(np.asarray(value))}.")
    return value if isinstance(value, jax.Array) else jnp.array(value, copy=True)


def _as_input(name: str, value: Any) -> AbstractInput:
    given = value
    value = as_input(name, value)
    if value is not given and isinstance(value, Function):
        value = Function(_Named(value.function, name))
    if isinstance(value, Constant) and is_concrete(value.value):
        host = np.asarray(value.value)
        if not np.all(np.isfinite(host)):
            raise ValueError(f"`{name}` must be finite, got {describe(host)}.")
    return value


class _Named(eqx.Module):
    """A user's function of time, whose errors are reported with the name of the argument."""

    function: Callable[..., Any]
    name: str = eqx.field(static=True)

    def __call__(self, t: Any) -> Any:
        try:
            return self.function(t)
        except (
            jax.errors.TracerBoolConversionError,
            jax.errors.TracerArrayConversionError,
            jax.errors.ConcretizationTypeError,
        ) as error:
            raise TypeError(
                f"`{self.name}` is a function that needs a concrete time, but time is not known "
                "while JAX traces it: use jnp.where(t > t0, a, b) instead of `if`, and "
                f"jax.numpy instead of numpy. ({type(error).__name__})"
            ) from None
