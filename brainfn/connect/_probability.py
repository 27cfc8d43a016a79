"""Every pair is connected with the same probability."""

import math
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32, Int64, UInt32

from .._custom_types import Key
from .._errors import empty_on_host, from_host, is_concrete
from ._check import as_flag, as_probability, check_key, check_synapses
from ._chunk import in_order
from ._counter import fine_exponential, key_words, threefry, unit_exponential
from ._rule import AbstractRule, Structure, check_sizes, pairs, self_rows
from ._simple import AllToAll

# Synapses in a chunk, so that its arrays stay in the cache; and its rows and positions. The chunks
# decide which random numbers a row sees, so these are part of what a key means.
_CHUNK = 60_000
_MAX_ROWS = 2**16
_MAX_AREA = 2**31 - 2
# Below this probability gaps are longer than float32 resolves, and are drawn from 64 bits.
_SPARSE = 2.0**-19
# How many standard deviations above the mean the first number of gaps of a chunk lies.
_MARGIN = 6.0


class FixedProbability(AbstractRule):
    r"""Each pair of neurons is connected with probability `p`, independently of all others.

    $$P(i \to j) = p$$

    The distances between the synapses of consecutive pairs are geometric numbers
    $1 + \lfloor \log u / \log(1 - p) \rfloor$, so the work is proportional to the number of
    synapses, not of pairs. Rows are processed in chunks; the chunk that begins with row $r$ has its
    own random stream, which counts up from (key, $r$). So adding presynaptic neurons leaves the
    targets of the others unchanged.

    How many synapses there are depends on the random numbers, so build outside of `jit`. The same
    key gives the same synapses on every device (drawn on the host).

    **Arguments:**

    - `p`: the probability, a Python number in [0, 1].
    - `autapses`: whether a neuron may connect to itself.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for a `p` outside of [0, 1], a missing key, or
    more synapses than 32-bit indices can count.

    ??? cite

        Batagelj and Brandes (2005), "Efficient generation of large random networks",
        doi:10.1103/PhysRevE.71.036113.
    """

    p: float = eqx.field(static=True)
    autapses: bool = eqx.field(static=True)

    def __init__(self, p: float | int, autapses: bool = True):
        self.p = as_probability("p", p)
        self.autapses = as_flag("autapses", autapses)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        name = f"FixedProbability(p={self.p:g})"
        key = check_key(name, key)
        if not is_concrete(key):
            raise TypeError(
                f"`key` is traced by JAX, but {name} draws the number of synapses from it, "
                "and shapes must be known. Build the connections outside of `jit` and "
                "`vmap`, or try FixedOutDegree or FixedInDegree, whose number of synapses is fixed."
            )
        start, stop = self_rows(n_pre, n_post, diagonal, self.autapses)
        check_synapses(name, self.p * pairs(n_pre, n_post, diagonal, self.autapses))
        if self.p == 1.0:
            return AllToAll(self.autapses).build(n_pre, n_post, diagonal=diagonal)
        chunks = [
            *_chunks(0, start, n_post, self.p, None),
            *_chunks(start, stop, n_post - 1, self.p, diagonal),
            *_chunks(stop, n_pre, n_post, self.p, None),
        ]
        if not chunks:
            return jnp.zeros(0, jnp.int32), jnp.zeros(n_pre + 1, jnp.int32)
        return _build(np.asarray(key_words(key)), chunks, self.p, n_pre)

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        return self.p * pairs(n_pre, n_post, diagonal, self.autapses)


class _Chunk(NamedTuple):
    """Rows `start` to `start + rows` with `width` columns to choose from; all are numbers."""

    start: int
    rows: int
    width: int
    # The first row's own column, if it is left out.
    own: int | None


def _chunks(start: int, stop: int, width: int, p: float, diagonal: int | None) -> list[_Chunk]:
    """Cuts a range of rows so that each part has about `_CHUNK` synapses."""
    if start >= stop or width <= 0 or p == 0.0:
        return []
    rows = max(1, int(min(_MAX_ROWS, _MAX_AREA // width, _CHUNK / (p * width))))
    return [
        _Chunk(row, min(rows, stop - row), width, None if diagonal is None else row + diagonal)
        for row in range(start, stop, rows)
    ]


def _build(words: UInt32[np.ndarray, "2"], chunks: list[_Chunk], p: float, n_pre: int) -> Structure:
    expected = p * sum(c.rows * c.width for c in chunks)
    # Memory that is not written to costs nothing, so the end of this is free.
    indices = empty_on_host(int(expected + 12 * math.sqrt(expected) + 64), np.int32)
    counts = np.zeros(n_pre, np.int64)
    total = 0
    for c, (columns, each) in in_order(lambda c: _draw(words, p, c), chunks):
        stop = total + columns.size
        check_synapses(f"FixedProbability(p={p:g})", stop)
        if stop > indices.size:  # once in 10^32 times
            longer = empty_on_host(2 * stop, np.int32)
            longer[:total] = indices[:total]
            indices = longer
        indices[total:stop] = columns
        counts[c.start : c.start + c.rows] = each
        total = stop
    indptr = np.zeros(n_pre + 1, np.int32)
    np.cumsum(counts, out=indptr[1:])
    return from_host(indices[:total]), from_host(indptr)


def _draw(
    words: UInt32[np.ndarray, "2"], p: float, c: _Chunk
) -> tuple[Int32[np.ndarray, " nnz"], Int64[np.ndarray, " rows"]]:
    """The columns of a chunk, row by row, and the number of them in each row."""
    area = c.rows * c.width
    parts = []
    at = drawn = 0
    while at < area:
        left = p * (area - at)
        pairs = int(left + _MARGIN * math.sqrt(left) + 16) // 2
        gaps = _gaps(words, c.start, drawn, pairs, p, area)
        ends = np.cumsum(gaps, dtype=np.int64)
        ends += at
        at, drawn = int(ends[-1]), drawn + pairs
        parts.append(ends)
    positions = parts[0] if len(parts) == 1 else np.concatenate(parts)
    positions -= 1
    positions = positions[: np.searchsorted(positions, area)]
    row = positions // c.width
    columns = (positions - row * c.width).astype(np.int32)
    if c.own is not None:
        columns += columns >= row + c.own
    return columns, np.bincount(row, minlength=c.rows)


def _gaps(
    words: UInt32[np.ndarray, "2"], stream: int, start: int, pairs: int, p: float, area: int
) -> np.ndarray:
    """Distances between synapses, two for each of `pairs` counters that begin with `start`.

    One less than a distance is a geometric number: the whole part of an exponential number of mean
    `1 / rate`. Those beyond the end of the chunk are cut, so that sums do not overflow.
    """
    # Below 2^-64 no synapse is ever drawn, so the law is that of 2^-64.
    rate = -math.log1p(-max(p, 2.0**-64))
    counter, own = np.arange(start, start + pairs, dtype=np.uint32), np.full(1, stream, np.uint32)
    if p < _SPARSE:
        # Two counters for each pair, of 64 bits each.
        counter = np.stack([2 * counter, 2 * counter + np.uint32(1)], axis=1).reshape(-1)
        gaps = fine_exponential(threefry(words, counter, own))
        gaps *= 1 / rate
        return np.minimum(gaps, area).astype(np.int64) + 1
    gaps = np.empty((pairs, 2), np.int32)
    for side, bits in enumerate(threefry(words, counter, own)):
        exponential = unit_exponential(bits)
        exponential *= np.float32(1 / rate)
        gaps[:, side] = exponential
    gaps += 1
    return gaps.reshape(-1)
