"""Join many small matrices into few: a call with thousands of operands costs more than their
product."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._errors import from_host, is_concrete
from ..event import CSR, Delayed, OneToOne, Reordered
from ._exchange import Route

# Matrices with more synapses are not joined: their weights are never copied.
_SMALL = 1 << 15


def stack(routes: Sequence[Route], segments: Sequence[Sequence[Any]]) -> tuple[Route, ...]:
    """Joins routes with small matrices from one source to one accumulator, in an order in which
    each sum has its terms in the order of the projections.

    **Arguments:**

    - `routes`: in the order of the projections.
    - `segments`: for each route, names of the parts of the accumulator that it reaches.
    """
    # For each part of an accumulator: level and stack of the latest addition, and its last row.
    last: dict[Any, tuple[int, Any, int]] = {}
    stacks: dict[tuple[int, Any], list[Route]] = {}
    for i, (route, mine) in enumerate(zip(routes, segments, strict=True)):
        own: Any = (route.source, route.target) if _is_small(route) else ("alone", i)
        level = max((last[key][0] for key in mine if key in last), default=0)
        for key in mine:
            if key in last and last[key][0] == level:
                _, other, row = last[key]
                if other != own or route.row < row:
                    level += 1
                    break
        stacks.setdefault((level, own), []).append(route)
        for key in mine:
            last[key] = (level, own, route.row + route.matrix.shape[0])
    order = sorted(stacks, key=lambda place: place[0])
    return tuple(_join(stacks[place]) for place in order)


def _is_small(route: Route) -> bool:
    matrix = route.matrix
    structure: tuple[Any, ...] = ()
    if isinstance(matrix, Delayed):
        matrix, structure = matrix.matrix, (matrix.delays,)
    return (
        route.name is None
        and isinstance(matrix, CSR | OneToOne | Reordered)
        and matrix.synapses <= _SMALL
        and all(is_concrete(x) for x in (*matrix.structure, *structure))
    )


def _join(routes: Sequence[Route]) -> Route:
    """One route that replaces several from one source to one accumulator."""
    if len(routes) == 1:
        return routes[0]
    first = routes[0]
    top, left = min(r.row for r in routes), min(r.column for r in routes)
    bottom = max(r.row + r.matrix.shape[0] for r in routes)
    right = max(r.column + r.matrix.shape[1] for r in routes)
    rows, columns, data, delays = [], [], [], []
    for route in routes:
        matrix = _as_csr(route.matrix)
        indptr = np.asarray(matrix.indptr)
        own = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(indptr))
        rows.append(own + np.int32(route.row - top))
        columns.append(np.asarray(matrix.indices) + np.int32(route.column - left))
        data.append(matrix.data)
        if isinstance(route.matrix, Delayed):
            delays.append(np.asarray(route.matrix.delays, np.uint16))
    # Stable: repeated entries stay in the order of the projections.
    row, column = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((column, row))
    indptr = np.zeros(bottom - top + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=bottom - top), out=indptr[1:])
    indices = column[order]
    weights = _weights(data, [len(r) for r in rows], order)
    joined: CSR | Delayed
    joined = CSR(weights, from_host(indices), from_host(indptr), shape=(bottom - top, right - left))
    if delays:
        # All routes of a stack end in one accumulator, so that all have delays or none has.
        longest = max(r.matrix.longest for r in routes if isinstance(r.matrix, Delayed))
        joined = Delayed(joined, from_host(np.concatenate(delays)[order]), longest=longest)
    return Route(joined, first.source, top, first.target, left, None)


def _as_csr(matrix: Any) -> CSR:
    rows = matrix.matrix if isinstance(matrix, Delayed) else matrix.tocsr()
    assert isinstance(rows, CSR)
    return rows


def _weights(data: Sequence[Any], counts: Sequence[int], order: np.ndarray) -> Any:
    if all(is_concrete(x) for x in data):
        host = [np.broadcast_to(np.asarray(x), (n,)) for x, n in zip(data, counts, strict=True)]
        return from_host(np.concatenate(host)[order])
    parts = [jnp.broadcast_to(x, (n,)) for x, n in zip(data, counts, strict=True)]
    return jnp.concatenate(parts)[order]
