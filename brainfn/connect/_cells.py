"""Neurons in groups of neighbours, and connections that are drawn group by group.

Between two groups a probability is bounded. Candidates are drawn with the bound, in time
proportional to their number, and each is accepted with what the bound was too large by. So pairs
that are too far apart to be connected cost nothing, and nothing is ever stored for all pairs.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt32

from .._errors import empty_on_host, from_host
from ._check import check_synapses
from ._chunk import in_order
from ._counter import threefry, unit_exponential
from ._rule import Structure

# Neurons in a group, of the side whose connections are drawn together and of the other. They decide
# which random numbers a pair sees, so these are part of what a key means.
ROWS, COLUMNS = 64, 32
# Above this probability all pairs are looked at.
_DENSE = 0.3
# Pairs that are looked at in one piece.
_PIECE = 2**18
_MARGIN = 6.0


class Groups(NamedTuple):
    """Neurons group by group: those of group `g` are `order[start[g]:start[g + 1]]`."""

    order: Int32[np.ndarray, " n"]
    start: Int64[np.ndarray, " groups_plus_one"]

    @property
    def sizes(self) -> Int64[np.ndarray, " groups"]:
        return np.diff(self.start)

    def members(self, groups: Int64[np.ndarray, " some"]) -> Int32[np.ndarray, " members"]:
        """The neurons of some groups, one group after the other."""
        sizes = self.start[groups + 1] - self.start[groups]
        return self.order[expand(self.start[groups], sizes)]


def expand(
    start: Int64[np.ndarray, " ranges"], sizes: Int64[np.ndarray, " ranges"]
) -> Int64[np.ndarray, " total"]:
    """Ranges of numbers, one after the other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if ends.size else 0
    return np.arange(total) + np.repeat(start - (ends - sizes), sizes)


def by_label(labels: Int64[np.ndarray, " n"], groups: int) -> Groups:
    """The neurons that have label 0, 1, ..."""
    start = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(labels, minlength=groups), out=start[1:])
    return Groups(np.argsort(labels, kind="stable").astype(np.int32), start)


def by_place(values: Float64[np.ndarray, "n dimensions"], size: int) -> Groups:
    """Groups of about `size` neighbours: slabs along the first axis, each cut along the next.

    ??? cite

        Leutenegger, Lopez and Edgington (1997), "STR: a simple and efficient algorithm for R-tree
        packing", doi:10.1109/ICDE.1997.582015.
    """
    n = values.shape[0]
    wanted = max(1, -(-n // size))
    extent = np.ptp(values, axis=0) if n else np.zeros(values.shape[1])
    axes = [axis for axis in np.argsort(-extent, kind="stable") if extent[axis] > 0]
    group, groups = np.zeros(n, np.int64), 1
    for turn, axis in enumerate(axes):
        rest = extent[axes[turn:]]
        # So that the groups are about as long as they are wide.
        parts = (wanted / groups) ** (1 / rest.size) * rest[0] / np.prod(rest) ** (1 / rest.size)
        parts = max(1, round(min(parts, wanted / groups)))
        by = np.lexsort((values[:, axis], group))
        sizes = np.bincount(group, minlength=groups)
        rank = np.empty(n, np.int64)
        rank[by] = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        group, groups = group * parts + rank * parts // sizes[group], groups * parts
    return by_label(group, groups)


class Boxes(NamedTuple):
    """The box around each group: its centre, and half its sides."""

    centre: Float64[np.ndarray, "groups dimensions"]
    half: Float64[np.ndarray, "groups dimensions"]


def boxes(values: Float64[np.ndarray, "n dimensions"], groups: Groups) -> Boxes:
    """The boxes around groups, none of which may be empty."""
    inside = values[groups.order]
    low, high = (f.reduceat(inside, groups.start[:-1]) for f in (np.minimum, np.maximum))
    return Boxes((low + high) / 2, (high - low) / 2)


def box_distances(
    one: int, of: Boxes, others: Boxes, period: Sequence[float | None]
) -> tuple[Float64[np.ndarray, " groups"], Float64[np.ndarray, " groups"]]:
    """The shortest and the longest distance from a box to each of some others."""
    near, far = np.zeros(others.centre.shape[0]), np.zeros(others.centre.shape[0])
    for axis, side in enumerate(period):
        gap = np.abs(others.centre[:, axis] - of.centre[one, axis])
        reach = others.half[:, axis] + of.half[one, axis]
        most = gap + reach
        if side is not None:
            gap %= side
            gap = np.minimum(gap, side - gap)
            most = np.minimum(gap + reach, side / 2)
        near += np.maximum(gap - reach, 0.0) ** 2
        far += most**2
    # So that rounding does not put a pair beyond the bounds.
    return np.sqrt(near) * (1 - 1e-9), np.sqrt(far) * (1 + 1e-9)


class Blocks(NamedTuple):
    """The groups of columns that a group of rows may connect to, with the bound of each."""

    group: Int64[np.ndarray, " blocks"]
    bound: Float64[np.ndarray, " blocks"]


# The probability of each pair of a presynaptic and a postsynaptic neuron.
Law = Callable[[Int32[np.ndarray, " pairs"], Int32[np.ndarray, " pairs"]], Any]
# A row of its group, a neuron, and a block, for each of some pairs.
Pairs = tuple[Int64[np.ndarray, " n"], Int32[np.ndarray, " n"], Int64[np.ndarray, " n"]]


def draw(
    name: str,
    words: UInt32[np.ndarray, "2"],
    rows: Groups,
    columns: Groups,
    blocks: Callable[[int], Blocks],
    law: Law | None,
    shape: tuple[int, int],
    diagonal: int | None,
) -> Structure:
    """Connects each pair with its own probability, independently of all others.

    **Arguments:**

    - `name`: of the rule, for messages.
    - `words`: the key.
    - `rows`, `columns`: the presynaptic and the postsynaptic neurons in groups.
    - `blocks`: the bounds for a group of rows.
    - `law`: the probabilities of pairs; `None` if they are the bounds.
    - `shape`: `(n_pre, n_post)`.
    - `diagonal`: of the pairs that are left out, if any.
    """
    lots = another_key(words, 0)

    def of_group(g: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own = rows.order[rows.start[g] : rows.start[g + 1]]
        group, bound = blocks(g)
        taken, seen = [], 0
        for part, dense in ((bound <= _DENSE, False), (bound > _DENSE, True)):
            part &= bound > 0
            near, most = group[part], bound[part]
            candidates = (
                _all(own.size, columns, near)
                if dense
                else _some(words, g, own.size, columns, near, most)
            )
            for i, j, block in candidates:
                if law is not None or dense:
                    p = most[block] if law is None else law(own[i], j)
                    limit = p if dense else p / most[block]
                    keep = _uniform(lots, g, seen, i.size) < limit
                    i, j, seen = i[keep], j[keep], seen + i.size
                taken.append(i * shape[1] + j)
        place = np.sort(np.concatenate(taken)) if taken else np.zeros(0, np.int64)
        i = place // max(shape[1], 1)
        j = (place - i * shape[1]).astype(np.int32)
        if diagonal is not None:
            keep = j != own[i] + diagonal
            i, j = i[keep], j[keep]
        return own, np.bincount(i, minlength=own.size), j

    return assemble(name, in_order(of_group, range(rows.sizes.size)), shape[0])


def another_key(words: UInt32[np.ndarray, "2"], turn: int) -> UInt32[np.ndarray, "2"]:
    """A key for other draws; no group or neuron has this stream."""
    fresh = threefry(words, np.full(1, turn, np.uint32), np.full(1, 2**32 - 1, np.uint32))
    return np.array([word[0] for word in fresh])


def _uniform(
    words: UInt32[np.ndarray, "2"], stream: int, start: int, n: int
) -> Float64[np.ndarray, " n"]:
    """Numbers `start` to `start + n` of a stream of uniform numbers."""
    counter = np.arange(start // 2, (start + n + 1) // 2, dtype=np.uint32)
    both = np.empty((counter.size, 2))
    for side, bits in enumerate(threefry(words, counter, np.full(1, stream, np.uint32))):
        np.multiply(bits, 2.0**-32, out=both[:, side])
    return both.reshape(-1)[start % 2 :][:n]


def _some(
    words: UInt32[np.ndarray, "2"],
    stream: int,
    n_rows: int,
    columns: Groups,
    group: Int64[np.ndarray, " blocks"],
    bound: Float64[np.ndarray, " blocks"],
) -> Iterator[Pairs]:
    """Each pair with the probability that is the bound of its block.

    A Poisson process runs along all pairs, on each of which it spends a time of -log(1 - bound):
    those where it has an event are chosen.
    """
    sizes = columns.sizes[group]
    rates = -np.log1p(-bound)
    ends = np.cumsum(rates * sizes * n_rows)
    if group.size == 0:
        return
    at = _events(words, stream, float(ends[-1]))
    block = np.searchsorted(ends, at, side="right")
    before = np.where(block > 0, ends[block - 1], 0.0)
    width = sizes[block]
    pair = np.minimum(((at - before) / rates[block]).astype(np.int64), n_rows * width - 1)
    # In ascending order, so pairs with several events stand side by side.
    first = np.ones(at.size, bool)
    first[1:] = (np.diff(pair) != 0) | (np.diff(block) != 0)
    block, pair, width = block[first], pair[first], width[first]
    i = pair // width
    yield i, columns.order[columns.start[group[block]] + pair - i * width], block


def _events(words: UInt32[np.ndarray, "2"], stream: int, end: float) -> Float64[np.ndarray, " n"]:
    """The events of a Poisson process of rate 1 before `end`."""
    parts, last, drawn = [], 0.0, 0
    while last < end:
        left = end - last
        pairs = int(left + _MARGIN * math.sqrt(left) + 16) // 2
        counter = np.arange(drawn, drawn + pairs, dtype=np.uint32)
        gaps = np.empty((pairs, 2))
        for side, bits in enumerate(threefry(words, counter, np.full(1, stream, np.uint32))):
            gaps[:, side] = unit_exponential(bits)
        gaps[0, 0] += last  # so that sums do not depend on where parts begin
        parts.append(np.cumsum(gaps))
        last, drawn = float(parts[-1][-1]), drawn + pairs
    events = np.concatenate(parts) if parts else np.zeros(0)
    return events[: np.searchsorted(events, end)]


def _all(n_rows: int, columns: Groups, group: Int64[np.ndarray, " blocks"]) -> Iterator[Pairs]:
    """All pairs, some columns at a time."""
    members = columns.members(group)
    block = np.repeat(np.arange(group.size), columns.sizes[group])
    step = max(1, _PIECE // max(n_rows, 1))
    for start in range(0, members.size, step):
        # Column by column, so that the order does not depend on the pieces.
        j, own = members[start : start + step], block[start : start + step]
        yield np.tile(np.arange(n_rows), j.size), np.repeat(j, n_rows), np.repeat(own, n_rows)


def assemble(
    name: str, chunks: Iterable[tuple[Any, tuple[np.ndarray, np.ndarray, np.ndarray]]], n_rows: int
) -> Structure:
    """The structure from chunks, each with some rows, how many columns each has, and these."""
    parts, counts, total = [], np.zeros(n_rows, np.int64), 0
    for _, (rows, each, columns) in chunks:
        counts[rows] = each
        total += columns.size
        check_synapses(name, total, copies=2)
        parts.append((rows, each, columns))
    starts = np.zeros(n_rows + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    indices = empty_on_host(total, np.int32)
    for rows, each, columns in parts:
        indices[expand(starts[rows], each)] = columns
    return from_host(indices), from_host(starts.astype(np.int32))
