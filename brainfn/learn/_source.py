"""Batches of an epoch, from whatever gives them."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .._errors import count
from ..data import Batches


def batches_of(data: Any, steps: int | None) -> Callable[[int, int], Iterator[Any]]:
    """`get(epoch, start)`: the batches of an epoch from number `start` on, at most `steps` in all.

    **Raises:** `TypeError` if `data` gives no batches; `ValueError` for an iterator without a
    number of `steps`.
    """
    if steps is not None:
        count("steps", steps, minimum=1)
    if isinstance(data, Iterator):
        if steps is None:
            raise ValueError("`data` is an iterator: say how many `steps` of it make an epoch.")
        reached = 0

        def go_on(epoch: int, start: int) -> Iterator[Any]:
            nonlocal reached
            # After a checkpoint, what was drawn before it is drawn again and left out.
            begin, reached = epoch * steps + start - reached, (epoch + 1) * steps
            return itertools.islice(data, begin, begin + steps - start)

        return go_on
    if isinstance(data, Batches):
        get = data.epoch
    elif callable(data):
        function: Any = data
        get = lambda epoch, start: itertools.islice(function(epoch), start, None)  # noqa: E731
    elif isinstance(data, Iterable):
        get = lambda _, start: itertools.islice(data, start, None)  # noqa: E731
    else:
        raise TypeError(
            f"`data` must give batches, got {type(data).__name__}. Try brainfn.data.batches(...)."
        )
    return lambda epoch, start: itertools.islice(
        get(epoch, start), None if steps is None else steps - start
    )
