"""Chunks of work on several cores."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], chunks: Sequence[T]) -> Iterator[tuple[T, R]]:
    """Each chunk with its result, in order; NumPy lets go of the interpreter, so threads help.

    Few results wait for their turn, so that memory is that of what is made of them.
    """
    cores = os.cpu_count() or 1
    if len(chunks) == 1 or cores == 1:
        for chunk in chunks:
            yield chunk, work(chunk)
        return
    with ThreadPoolExecutor(cores) as pool:
        rest = iter(chunks)
        waiting = [(chunk, pool.submit(work, chunk)) for chunk in islice(rest, 2 * cores)]
        while waiting:
            chunk, future = waiting.pop(0)
            result = future.result()
            waiting += [(new, pool.submit(work, new)) for new in islice(rest, 1)]
            yield chunk, result
