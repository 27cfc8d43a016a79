"""Many small models of one kind as one large model."""

from collections.abc import Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from .._errors import from_host, is_concrete
from .._field import fields, replace
from ..init import AbstractInitializer

_SIZE = object()  # represents the number of neurons, which may differ within a kind


def kind(model: Any, size: int) -> Hashable | None:
    """The properties that models must share to be stored and stepped as one: classes, static fields
    and the structure of their parameters, in every part, except their size. `None` if `model` can't
    be merged: a parameter is shared by all its neurons, has a shape other than `()` or `(size,)`,
    or is not declared.

    It depends on shapes, dtypes and classes, never on the values of parameters.
    """
    try:
        key = _kind(model, size)
        hash(key)
    except (_Alone, TypeError):
        return None
    return key


class _Alone(Exception):
    """Raised if a model can't be merged."""


def _kind(x: Any, size: int) -> Hashable:
    if isinstance(x, eqx.Module):
        parts: list[Hashable] = [type(x)]
        free = isinstance(x, AbstractInitializer)
        if free and not x.elementwise:
            raise _Alone
        for field, value in fields(x):
            declared = field.metadata.get("param")
            if field.metadata.get("static"):
                own = field.name == "size" and value == size and not isinstance(value, bool)
                parts.append((field.name, _SIZE if own else value))
            elif declared is not None or free:
                shared = declared is not None and declared.shared
                parts.append((field.name, _parameter(value, size, shared and not free)))
            else:
                parts.append((field.name, _kind(value, size)))
        return tuple(parts)
    if isinstance(x, dict):
        return tuple((key, _kind(value, size)) for key, value in x.items())
    if isinstance(x, tuple | list):
        return (type(x), *(_kind(value, size) for value in x))
    if eqx.is_array(x):
        # Not declared: a single number may be repeated, nothing else.
        if x.ndim:
            raise _Alone
        return str(x.dtype)
    return x


def _parameter(value: Any, size: int, shared: bool) -> Hashable:
    if value is None:
        return None
    if isinstance(value, float | int) and not isinstance(value, bool):
        return "number"
    if not isinstance(value, jax.Array | np.ndarray):
        return value
    if shared or value.shape not in ((), (size,)):
        raise _Alone
    return str(value.dtype)


def merge(models: Sequence[Any], sizes: Sequence[int]) -> Any:
    """One model with the concatenated parameters of all.

    A parameter known to be the same number everywhere stays a scalar, which avoids reading an array
    in each step; otherwise it becomes an array with one entry for each neuron.
    """
    if len(models) == 1:
        return models[0]
    flat = [jtu.tree_leaves(model) for model in models]
    structure = jtu.tree_structure(models[0])
    # The structures differ only in their static sizes, as `kind` ensures.
    merged = structure.unflatten([_merge_leaf(leaves, sizes) for leaves in zip(*flat, strict=True)])
    return resize(merged, sizes[0], sum(sizes))


def resize(x: Any, old: int, new: int) -> Any:
    """`x` with another number of neurons in each of its parts, which `tree_at` can't set."""
    if isinstance(x, eqx.Module):
        changed = {}
        for field, value in fields(x):
            if field.metadata.get("static"):
                if field.name == "size" and value == old and old != new:
                    changed[field.name] = new
            else:
                part = resize(value, old, new)
                if part is not value:
                    changed[field.name] = part
        return replace(x, **changed) if changed else x
    if isinstance(x, dict):
        out = {key: resize(value, old, new) for key, value in x.items()}
        return out if any(out[key] is not x[key] for key in x) else x
    if type(x) in (tuple, list):
        items = [resize(value, old, new) for value in x]
        same = all(a is b for a, b in zip(items, x, strict=True))
        return x if same else type(x)(items)
    return x


def _merge_leaf(leaves: Sequence[Any], sizes: Sequence[int]) -> Any:
    first = leaves[0]
    if not eqx.is_array_like(first):
        return first
    if all(leaf is first for leaf in leaves) and jnp.ndim(first) == 0:
        return first
    dtype = jnp.result_type(*[leaf for leaf in leaves if eqx.is_array(leaf)] or [float])
    if all(is_concrete(leaf) for leaf in leaves):
        host = [np.asarray(leaf) for leaf in leaves]
        if all(x.ndim == 0 for x in host) and all(x == host[0] for x in host):
            return first
        parts = [np.broadcast_to(x, (n,)) for x, n in zip(host, sizes, strict=True)]
        return from_host(np.concatenate(parts).astype(dtype))
    return jnp.concatenate(
        [
            jnp.broadcast_to(jnp.asarray(leaf, dtype), (size,))
            for leaf, size in zip(leaves, sizes, strict=True)
        ]
    )


def cut(model: Any, total: int, start: int, size: int) -> Any:
    """The part of a merged model for `size` of its `total` neurons, from `start` on."""
    if size == total:
        return model

    def one(x: Any) -> Any:
        return x[start : start + size] if eqx.is_array(x) and x.shape == (total,) else x

    return resize(jtu.tree_map(one, model), total, size)


def concatenate(states: Sequence[Any]) -> Any:
    """States of one kind, concatenated along the axis of neurons."""
    if len(states) == 1:
        return states[0]
    return jax.tree.map(lambda *xs: jnp.concatenate(xs), *states)
