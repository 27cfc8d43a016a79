"""Results that belong to a model, kept while the model lives."""

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import jax.tree_util as jtu

from .._errors import is_concrete

T = TypeVar("T")

_known: dict[int, tuple[weakref.ref[Any], dict[Hashable, Any]]] = {}


def remembered(model: Any, key: Hashable, make: Callable[[], T]) -> T:
    """`make()`, computed once for each model object and key.

    Models are immutable, so that one object stands for its values; it is looked up by identity, and
    forgotten with it. For a traced model nothing is kept.
    """
    place = id(model)
    known = _known.get(place)
    if known is None or known[0]() is not model:
        if not all(is_concrete(x) for x in jtu.tree_leaves(model)):
            return make()
        known = (weakref.ref(model, lambda _, known=_known: known.pop(place, None)), {})
        _known[place] = known
    results = known[1]
    if key not in results:
        results[key] = make()
    return results[key]
