"""Caches of results: per model, for its lifetime, or per shapes, the latest ones."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.tree_util as jtu

from .._errors import is_concrete

T = TypeVar("T")

_known: dict[int, tuple[weakref.ref[Any], dict[Hashable, Any]]] = {}
_MODEL = object()
# A model is used with few step sizes, and a program runs few loops at a time.
_PER_MODEL, _SHAPES = 8, 64

_shapes: OrderedDict[Hashable, Any] = OrderedDict()


def remembered(model: Any, key: Hashable, make: Callable[[], T]) -> T:
    """`make()`, computed once for each model object and key.

    Models are immutable, so an object represents its values; results are looked up by identity, and
    dropped with the object. Nothing is kept for a traced model, nor a result that holds the model
    itself, which would then never be freed.
    """
    place = id(model)
    known = _known.get(place)
    if known is None or known[0]() is not model:
        if not all(is_concrete(x) for x in jtu.tree_leaves(model)):
            return make()
        # All that the callback needs is bound: when the interpreter exits, globals are gone.
        known = (weakref.ref(model, lambda _, kept=_known, at=place: kept.pop(at, None)), {})
        _known[place] = known
    results = known[1]
    if key in results:
        found = results[key]
        return model if found is _MODEL else found
    made = make()
    if made is model:
        results[key] = _MODEL
    elif not any(x is model for x in jtu.tree_leaves(made, is_leaf=lambda x: x is model)):
        results[key] = made
    while len(results) > _PER_MODEL:
        results.pop(next(iter(results)))
    return made


def by_shape(function: Callable[..., T], *arguments: Any) -> T:
    """`function(*arguments)` for a function that depends only on shapes, dtypes and structures: it
    is called once for each of these, as `jax.jit` traces once."""
    arrays, rest = eqx.partition(arguments, eqx.is_array)
    leaves, structure = jtu.tree_flatten(rest)
    shapes = tuple(
        (x.shape, str(x.dtype), getattr(x, "weak_type", False)) for x in jtu.tree_leaves(arrays)
    )
    # 1, 1.0 and True are equal, but not the same argument.
    kinds = tuple(type(x) for x in leaves)
    wide = jax.config.read("jax_enable_x64")
    key = (function, structure, tuple(leaves), kinds, shapes, jtu.tree_structure(arrays), wide)
    try:
        known = key in _shapes
    except (TypeError, ValueError):  # something static that is not hashable
        return function(*arguments)
    if known:
        _shapes.move_to_end(key)
        return _shapes[key]
    made = _shapes[key] = function(*arguments)
    while len(_shapes) > _SHAPES:
        _shapes.popitem(last=False)
    return made
