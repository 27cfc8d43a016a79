"""A fixed number of partners for each neuron, chosen with given weights."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt32

from .._errors import empty_on_host
from ._cells import Blocks, Groups, Law, another_key
from ._chunk import in_order
from ._counter import fine_exponential, threefry

# How often more partners are drawn before the weights of all are computed.
_TURNS = 6


def check_partners(argument: str, k: int, available: int, neuron: int) -> None:
    """Raises if a neuron has fewer possible partners than it needs."""
    if available < k:
        raise ValueError(
            f"`{argument}` must be at most the number of possible partners: neuron {neuron} has "
            f"{available} for which the kernel is positive, but {argument} = {k}. Try a wider "
            "kernel or fewer synapses."
        )


def successive(
    words: UInt32[np.ndarray, "2"],
    rows: Groups,
    columns: Groups,
    blocks: Callable[[int], Blocks],
    law: Law,
    k: int,
    diagonal: int | None,
    argument: str,
) -> Int32[np.ndarray, " nnz"]:
    """`k` different columns for each row, in ascending order.

    They are chosen one after the other, in proportion to the weights `law` of those that are left.
    Candidates come from the bounds of the weights, are accepted with what these were too large by,
    and count the first time. Rows that are still short of partners after some turns, because few
    columns are left, finish with the weights of all: the smallest of exponential numbers divided by
    the weights, which is the same law.
    """
    n_rows, n_columns = rows.order.size, columns.order.size
    out = empty_on_host(n_rows * k, np.int32).reshape(n_rows, k)

    def of_group(g: int) -> Int32[np.ndarray, "own k"]:
        own = rows.order[rows.start[g] : rows.start[g + 1]]
        group, bound = blocks(g)
        group, bound = group[bound > 0], bound[bound > 0]
        chosen = np.zeros(0, np.int64)  # row * n_columns + column, row by row as they were chosen
        short, drawn, fresh = np.arange(own.size), 0, 2 * k + 16
        for _ in range(_TURNS if group.size else 0):
            i, j, most, lot = _candidates(words, own, short, drawn, fresh, columns, group, bound)
            keep = lot * most < law(own[i], j)
            if diagonal is not None:
                keep &= j != own[i] + diagonal
            chosen = _first(np.concatenate([chosen, (i * n_columns + j)[keep]]), n_columns, k)
            short = np.flatnonzero(np.bincount(chosen // n_columns, minlength=own.size) < k)
            if not short.size:
                break
            drawn, fresh = drawn + fresh, 2 * fresh
        row, column = chosen // n_columns, (chosen % n_columns).astype(np.int32)
        result = np.empty((own.size, k), np.int32)
        full = np.ones(own.size, bool)
        full[short] = False
        result[full] = column[full[row]].reshape(-1, k)
        for i in short:
            mine = column[row == i]
            others = np.setdiff1d(columns.members(group), mine)
            if diagonal is not None:
                others = others[others != own[i] + diagonal]
            result[i] = [*mine, *_rest(words, int(own[i]), others, law, k, mine.size, argument)]
        result.sort(axis=1)
        return result

    for g, part in in_order(of_group, range(rows.sizes.size)):
        out[rows.order[rows.start[g] : rows.start[g + 1]]] = part
    return out.reshape(-1)


def _candidates(
    words: UInt32[np.ndarray, "2"],
    own: Int32[np.ndarray, " own"],
    short: Int64[np.ndarray, " short"],
    drawn: int,
    fresh: int,
    columns: Groups,
    group: Int64[np.ndarray, " blocks"],
    bound: Float64[np.ndarray, " blocks"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns, bounds, and uniform numbers for the choice; row by row."""
    counter = np.arange(drawn, drawn + fresh, dtype=np.uint32)
    stream = own[short].astype(np.uint32)[:, None]
    high, low = (word.reshape(-1) for word in threefry(words, counter, stream))
    lot, _ = threefry(another_key(words, 0), counter, stream)
    sizes = columns.sizes[group]
    ends = np.cumsum(bound * sizes)
    at = (high * 2.0**-32 + low * 2.0**-64) * ends[-1]
    block = np.minimum(np.searchsorted(ends, at, side="right"), group.size - 1)
    before = np.where(block > 0, ends[block - 1], 0.0)
    inside = np.minimum(((at - before) / bound[block]).astype(np.int64), sizes[block] - 1)
    j = columns.order[columns.start[group[block]] + np.maximum(inside, 0)]
    return np.repeat(short, fresh), j, bound[block], lot.reshape(-1) * 2.0**-32


def _first(places: Int64[np.ndarray, " n"], n_columns: int, k: int) -> Int64[np.ndarray, " fewer"]:
    """The first `k` different places of each row, row by row in the order in which they came."""
    places, when = np.unique(places, return_index=True)
    row = places // n_columns
    by = np.lexsort((when, row))
    places, row = places[by], row[by]
    rank = np.arange(row.size) - np.searchsorted(row, row)
    return places[rank < k]


def _rest(
    words: UInt32[np.ndarray, "2"],
    row: int,
    others: Int32[np.ndarray, " others"],
    law: Law,
    k: int,
    chosen: int,
    argument: str,
) -> Int32[np.ndarray, " left"]:
    """The columns that a row is still short of."""
    weights = law(np.full(others.size, row, np.int32), others)
    others, weights = others[weights > 0], weights[weights > 0]
    check_partners(argument, k, chosen + others.size, row)
    stream = np.full(1, row, np.uint32)
    lots = threefry(another_key(words, 1), others.astype(np.uint32), stream)
    first = np.argsort(fine_exponential(lots) / weights, kind="stable")
    return others[first[: k - chosen]]
