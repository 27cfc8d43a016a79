"""Many small models of one kind as one large model."""

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from .._errors import is_concrete


def without_initial(model: Any) -> Any:
    """`model` with `None` for the fields that only `init` reads (`metadata={"initial": True}`)."""
    for field in dataclasses.fields(model):
        if field.metadata.get("initial"):
            model = eqx.tree_at(
                lambda m, name=field.name: getattr(m, name),
                model,
                None,
                is_leaf=lambda x: x is None,
            )
    return model


def with_arrays(model: Any) -> Any:
    """`model` with parameters that are Python or NumPy numbers, as `eqx.tree_at` may put them in,
    as arrays of the dtype of the others. A Python number would be compiled into the loop."""
    dtypes = [x.dtype for x in jtu.tree_leaves(model) if eqx.is_inexact_array(x)]
    dtype = dtypes[0] if dtypes else jnp.result_type(float)
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        number = isinstance(value, int | float | np.ndarray | np.generic)
        if number and not field.metadata.get("static"):
            model = eqx.tree_at(
                lambda m, name=field.name: getattr(m, name), model, jnp.asarray(value, dtype)
            )
    return model


def kind(model: Any, size: int) -> Hashable | None:
    """What two models must share to be stored and stepped as one: class, static fields and the
    structure of their parameters, not their size. `None` if `model` can't be merged."""
    model = without_initial(model)
    static = []
    for field in dataclasses.fields(model):
        if field.metadata.get("static") and field.name != "size":
            static.append((field.name, getattr(model, field.name)))
    leaves, parts = [], []
    for field in dataclasses.fields(model):
        if not field.metadata.get("static"):
            new, structure = jtu.tree_flatten(getattr(model, field.name))
            leaves += new
            parts.append(structure)
    for leaf in leaves:
        if eqx.is_array(leaf) and leaf.shape not in ((), (size,)):
            return None
    others = tuple(leaf for leaf in leaves if not eqx.is_array_like(leaf))
    dtypes = tuple(leaf.dtype for leaf in leaves if eqx.is_array(leaf))
    key = (type(model), tuple(static), tuple(parts), others, dtypes)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def merge(models: Sequence[Any], sizes: Sequence[int]) -> Any:
    """One model with the parameters of all, one after the other.

    A parameter that is known to be the same number everywhere stays a scalar, which saves reading
    an array in each step; otherwise it becomes an array with one entry for each neuron.
    The result is good for `step`; its static `size` is that of all.
    """
    models = [without_initial(model) for model in models]
    if len(models) == 1:
        return models[0]
    flat = [jtu.tree_leaves(model) for model in models]
    structure = jtu.tree_structure(models[0])
    merged = structure.unflatten([_merge_leaf(leaves, sizes) for leaves in zip(*flat, strict=True)])
    return _with_size(merged, sum(sizes))


def _with_size(model: Any, size: int) -> Any:
    """`model` with another static `size`, which `tree_at` can't set."""
    names = [field.name for field in dataclasses.fields(model)]
    if "size" not in names:
        return model
    new = object.__new__(type(model))
    for name in names:
        object.__setattr__(new, name, size if name == "size" else getattr(model, name))
    return new


def same(a: Any, b: Any) -> bool:
    """Whether two pytrees are known to be equal: the same structure, and leaves that are the same
    object or have the same concrete values."""
    if jtu.tree_structure(a) != jtu.tree_structure(b):
        return False
    return all(
        _same_leaf(x, y) for x, y in zip(jtu.tree_leaves(a), jtu.tree_leaves(b), strict=True)
    )


def _same_leaf(x: Any, y: Any) -> bool:
    if x is y:
        return True
    if not (is_concrete(x) and is_concrete(y)):
        return False
    if not (eqx.is_array_like(x) and eqx.is_array_like(y)):
        return bool(x == y)
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and x.dtype == y.dtype and bool(np.array_equal(x, y))


def _merge_leaf(leaves: Sequence[Any], sizes: Sequence[int]) -> Any:
    first = leaves[0]
    if not eqx.is_array_like(first):
        return first
    if all(jnp.ndim(leaf) == 0 and _same_leaf(first, leaf) for leaf in leaves):
        return first
    dtype = jnp.result_type(*[leaf for leaf in leaves if eqx.is_array(leaf)] or [float])
    return jnp.concatenate(
        [
            jnp.broadcast_to(jnp.asarray(leaf, dtype), (size,))
            for leaf, size in zip(leaves, sizes, strict=True)
        ]
    )


def concatenate_states(states: Sequence[Any]) -> Any:
    """States of one kind, one after the other along the axis of neurons."""
    if len(states) == 1:
        return states[0]
    return jax.tree.map(lambda *xs: jnp.concatenate(xs), *states)
