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
from ._counter import Lots, exponential, stream, threefry, uniform
from ._rule import Structure

# Neurons in a group, of the side whose connections are drawn together and of the other. They decide
# which random numbers a pair sees, so these are part of what a key means.
ROWS, COLUMNS = 64, 32
# Above this probability all pairs are looked at.
_DENSE = 0.3
# Pairs that are looked at in one piece.
_PIECE = 2**18
_MARGIN = 6.0
# Synapses after which memory is looked at again.
_CHECKED = 2**22
# Groups that are enclosed in one larger box.
_TOGETHER = 32


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


class Near:
    """The groups that may be within reach of a box, without a look at each of them: they are
    enclosed in larger boxes, some at a time."""

    def __init__(self, others: Boxes, period: Sequence[float | None], reach: float):
        self.others, self.period, self.reach = others, period, reach
        first = np.arange(0, others.centre.shape[0], _TOGETHER)
        low, high = others.centre - others.half, others.centre + others.half
        low, high = np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)
        self.larger = Boxes((low + high) / 2, (high - low) / 2)

    def of(
        self, one: int, of: Boxes
    ) -> tuple[Int64[np.ndarray, " near"], *tuple[Float64[np.ndarray, " near"], ...]]:
        """Groups, and the shortest and the longest distance to each."""
        near, _ = box_distances(one, of, self.larger, self.period)
        start = np.flatnonzero(near <= self.reach) * _TOGETHER
        some = expand(start, np.minimum(self.others.centre.shape[0] - start, _TOGETHER))
        others = Boxes(self.others.centre[some], self.others.half[some])
        near, far = box_distances(one, of, others, self.period)
        within = near <= self.reach
        return some[within], near[within], far[within]


class Blocks(NamedTuple):
    """The groups of columns that a group of rows may connect to, with the bound of each."""

    group: Int64[np.ndarray, " blocks"]
    bound: Float64[np.ndarray, " blocks"]


# The probability of each pair of a presynaptic and a postsynaptic neuron.
Law = Callable[[Int32[np.ndarray, " pairs"], Int32[np.ndarray, " pairs"]], Any]
# A row of its group and a neuron, for each of some pairs.
Pairs = tuple[Int64[np.ndarray, " n"], Int32[np.ndarray, " n"]]


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

    def of_group(g: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own = rows.order[rows.start[g] : rows.start[g + 1]]
        group, bound = blocks(g)
        taken = []
        for part, kind in ((bound <= _DENSE, _some), (bound > _DENSE, _each)):
            part &= bound > 0
            if part.any():
                lots = stream(words, g, kind is _each)
                for i, j in kind(lots, own, columns, group[part], bound[part], law):
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


def _some(
    lots: Lots,
    own: Int32[np.ndarray, " rows"],
    columns: Groups,
    group: Int64[np.ndarray, " blocks"],
    bound: Float64[np.ndarray, " blocks"],
    law: Law | None,
) -> Iterator[Pairs]:
    """Pairs, with few candidates.

    A Poisson process runs along all pairs, on each of which it spends a time of -log(1 - bound):
    those where it has an event are candidates. One of probability p is taken if its first event is
    before -log(1 - p), since that alone has the probability p.
    """
    sizes = columns.start[group + 1] - columns.start[group]
    rates = -np.log1p(-bound)
    ends = np.cumsum(rates * sizes * own.size)
    at = _events(lots, float(ends[-1]))
    # Both ascend, so the events of a block stand side by side, as do those of a pair.
    counts = np.diff(np.searchsorted(at, ends), prepend=0)
    at -= np.repeat(np.concatenate([np.zeros(1), ends[:-1]]), counts)
    at *= np.repeat(1 / rates, counts)
    width = np.repeat(sizes, counts)
    pair = np.minimum(at.astype(np.int64), width * own.size - 1)
    keep = np.ones(at.size, bool)
    np.not_equal(pair[1:], pair[:-1], out=keep[1:])
    keep[np.cumsum(counts[:-1])[counts[1:] > 0]] = True
    i = pair // width
    j = columns.order[np.repeat(columns.start[group], counts) + (pair - i * width)]
    if law is not None:
        # What is left is the time since the pair began; nothing is lost to a p close to one here.
        at -= pair
        at *= np.repeat(rates, counts)
        keep &= at < -np.log(1 - np.minimum(law(own[i], j), _DENSE))
    yield i[keep], j[keep]


def _events(lots: Lots, end: float) -> Float64[np.ndarray, " n"]:
    """The events of a Poisson process of rate 1 before `end`."""
    parts, last = [], 0.0
    while last < end:
        left = end - last
        gaps = exponential(lots, int(left + _MARGIN * math.sqrt(left) + 16))
        gaps[0] += last  # so that sums do not depend on where parts begin
        parts.append(np.cumsum(gaps, out=gaps))
        last = float(gaps[-1])
    events = np.concatenate(parts) if parts else np.zeros(0)
    return events[: np.searchsorted(events, end)]


def _each(
    lots: Lots,
    own: Int32[np.ndarray, " rows"],
    columns: Groups,
    group: Int64[np.ndarray, " blocks"],
    bound: Float64[np.ndarray, " blocks"],
    law: Law | None,
) -> Iterator[Pairs]:
    """Pairs, with a look at all of them, some columns at a time."""
    members = columns.members(group)
    most = np.repeat(bound, columns.sizes[group])
    step = max(1, _PIECE // max(own.size, 1))
    for start in range(0, members.size, step):
        # Column by column, so that the order does not depend on the pieces.
        j = members[start : start + step]
        i, j = np.tile(np.arange(own.size), j.size), np.repeat(j, own.size)
        p = np.repeat(most[start : start + step], own.size) if law is None else law(own[i], j)
        keep = uniform(lots, i.size) < p
        yield i[keep], j[keep]


def assemble(
    name: str, chunks: Iterable[tuple[Any, tuple[np.ndarray, np.ndarray, np.ndarray]]], n_rows: int
) -> Structure:
    """The structure from chunks, each with some rows, how many columns each has, and these."""
    parts, counts, total = [], np.zeros(n_rows, np.int64), 0
    checked = 0
    for _, (rows, each, columns) in chunks:
        counts[rows] = each
        total += columns.size
        if total - checked > _CHECKED:  # asks the system for its free memory
            check_synapses(name, total, copies=2)
            checked = total
        parts.append((rows, each, columns))
    check_synapses(name, total, copies=2)
    starts = np.zeros(n_rows + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    indices = empty_on_host(total, np.int32)
    for rows, each, columns in parts:
        indices[expand(starts[rows], each)] = columns
    return from_host(indices), from_host(starts.astype(np.int32))
