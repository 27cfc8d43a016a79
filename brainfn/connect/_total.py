"""A given number of synapses among all pairs of neurons."""

import math
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float64, Int32, Int64, UInt32, UInt64

from .._custom_types import Key
from .._errors import from_host, is_concrete
from ._check import as_degree, as_flag, check_key, check_synapses
from ._chunk import assemble, write
from ._counter import Words, bounded, key_words, threefry
from ._probability import FixedProbability
from ._rule import AbstractRule, Structure, check_sizes, pairs, self_rows

# Gaps are added up in lanes of this many, and so many lanes make a chunk, whose arrays stay in the
# cache. Sums are of integers, so neither number changes the result.
_LANE = 64
_LANES = 1024
# More pairs than this are too close together for float64.
_MAX_PAIRS = 2**50


class FixedTotalNumber(AbstractRule):
    r"""`n` synapses, each between a pair of neurons that is drawn uniformly.

    With multapses the source and the target of each synapse are drawn independently of all others,
    so a pair may be connected more than once, and the numbers of synapses that leave the neurons
    are multinomial. Without, each set of `n` pairs is equally probable.

    The pairs are drawn in ascending order, without a sort: with exponential numbers $E_k$,
    $(E_1 + \dots + E_i) / (E_1 + \dots + E_{n + 1})$ are $n$ uniform numbers in order, which count
    off the pairs, row by row. Where there are $A$ of them, their probabilities differ by at most
    $A / 2^{52}$ of their mean. Without multapses somewhat more than `n` pairs are drawn with
    [`brainfn.connect.FixedProbability`][], and those that are too many are left out by lot.

    The number of synapses is known, so this may be built under `jit` with multapses; without, build
    it outside. The same key gives the same bits on the same kind of device.

    Models that state a probability $p$ that a pair is connected *at least once*, such as the
    microcircuit of Potjans and Diesmann, ask for

    $$n = \frac{\log(1 - p)}{\log\left(1 - 1 / (N_\mathrm{pre} N_\mathrm{post})\right)}$$

    synapses, rounded:

    ```python
    n = round(math.log(1 - p) / math.log(1 - 1 / (n_pre * n_post)))
    rule = bf.connect.FixedTotalNumber(n)
    ```

    **Arguments:**

    - `n`: how many synapses there are.
    - `autapses`: whether a neuron may connect to itself.
    - `multapses`: whether a pair of neurons may be connected more than once.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for an `n` that is negative, not a whole
    number, or more than there are pairs to choose from; for a missing key; and for more pairs
    than $2^{50}$.

    ??? cite

        Devroye (1986), "Non-uniform random variate generation", chapter V.3,
        doi:10.1007/978-1-4613-8643-8 (the order of the pairs). Potjans and Diesmann (2014), "The
        cell-type specific cortical microcircuit", doi:10.1093/cercor/bhs358 (the formula).
    """

    n: int = eqx.field(static=True)
    autapses: bool = eqx.field(static=True)
    multapses: bool = eqx.field(static=True)

    def __init__(self, n: int, autapses: bool = True, multapses: bool = True):
        self.n = as_degree("n", n)
        self.autapses = as_flag("autapses", autapses)
        self.multapses = as_flag("multapses", multapses)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        name = f"FixedTotalNumber(n={self.n})"
        key = check_key(name, key)
        start, stop = self_rows(n_pre, n_post, diagonal, self.autapses)
        available = pairs(n_pre, n_post, diagonal, self.autapses)
        self._check_available(name, n_pre, n_post, available)
        check_synapses(name, self.n, copies=1 if self.multapses else 2)
        if self.n == 0:
            return jnp.zeros(0, jnp.int32), jnp.zeros(n_pre + 1, jnp.int32)
        if self.multapses:
            place = _Place.of(n_pre, n_post, start, stop, diagonal or 0)
            return _draw(key, self.n, n_pre, place)
        if not is_concrete(key):
            raise TypeError(
                f"`key` is traced by JAX, but {name} without multapses draws until it has so many. "
                "Try to build the connections outside of `jit` and `vmap`, or `multapses=True`."
            )
        return self._distinct(key, n_pre, n_post, available, diagonal)

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_pre, n_post, diagonal
        return self.n

    def _check_available(self, name: str, n_pre: int, n_post: int, available: int) -> None:
        """Raises if there are too few pairs, or more than can be told apart."""
        sizes = f"`n_pre` = {n_pre} and `n_post` = {n_post}"
        if available > _MAX_PAIRS:
            raise ValueError(
                f"{name} chooses among at most 2^50 pairs, got {sizes}. Try to split the "
                "populations, or FixedOutDegree or FixedInDegree."
            )
        if self.n <= available or (self.multapses and available > 0):
            return
        advice = f"at most n={available}" + ("" if self.multapses else ", or `multapses=True`")
        raise ValueError(
            f"`n` must be at most the number of pairs to choose from: {name} got {sizes}, which "
            f"leaves {available} pairs. Try {advice}."
        )

    def _distinct(
        self, key: Key, n_pre: int, n_post: int, available: int, diagonal: int | None
    ) -> Structure:
        """As many pairs as a fixed probability gives, of which some are left out: given their
        number, all sets of pairs are equally probable, and so are those of `n` of them."""
        # Six standard deviations more, so that too few happen once in 10^9 times.
        spread = math.sqrt(self.n * (1 - self.n / available))
        p = min(1.0, (self.n + 6 * spread + 12) / available)
        rule = FixedProbability(p, self.autapses)
        for turn in range(100):
            draw, lot = jax.random.split(jax.random.fold_in(key, turn))
            indices, indptr = rule.build(n_pre, n_post, key=draw, diagonal=diagonal)
            if indices.shape[0] >= self.n:
                break
        else:
            raise RuntimeError(f"no {self.n} of {available} pairs were drawn in 100 turns")
        gone = _by_lot(lot, indices.shape[0], indices.shape[0] - self.n)
        if gone.size == 0:
            return indices, indptr
        starts = np.asarray(indptr)
        kept = starts - np.searchsorted(gone, starts).astype(np.int32)
        return from_host(np.delete(np.asarray(indices), gone)), from_host(kept)


def _by_lot(key: Key, total: int, some: int) -> np.ndarray:
    """`some` different numbers below `total`, in ascending order."""
    if some == 0:
        return np.zeros(0, np.int64)
    words, length = key_words(key), 1024
    while True:
        drawn = np.asarray(_numbers(words, np.asarray(total, np.uint32), length=length))
        numbers, first = np.unique(drawn, return_index=True)
        if numbers.size >= some:
            return np.sort(numbers[np.argsort(first)[:some]])
        length *= 4


@partial(jax.jit, static_argnames="length")
def _numbers(
    words: Words, width: UInt32[Array, ""] | np.ndarray, *, length: int
) -> UInt32[Array, " length"]:
    counter = jnp.arange(length, dtype=jnp.uint32)
    limit = jnp.broadcast_to(width, (length,))
    return bounded(threefry(words, counter, jnp.zeros_like(counter)), limit)


class _Place(NamedTuple):
    """The pairs, row by row, in float64: how many columns a row has, how many pairs stand before
    the rows that leave out their own column, how many there are with these, and with all."""

    columns: np.ndarray
    start: np.ndarray
    before: np.ndarray
    within: np.ndarray
    stop: np.ndarray
    pairs: np.ndarray
    diagonal: np.ndarray

    @staticmethod
    def of(n_pre: int, n_post: int, start: int, stop: int, diagonal: int) -> "_Place":
        before = start * n_post
        within = before + (stop - start) * (n_post - 1)
        pairs = within + (n_pre - stop) * n_post
        numbers = (n_post, start, before, within, stop, pairs, diagonal)
        return _Place(*(np.asarray(x, np.float64) for x in numbers))


def _draw(key: Key, n: int, n_pre: int, place: _Place) -> Structure:
    lanes = min(_LANES, _bucket(n + 1))
    size = lanes * _LANE
    starts = range(0, n + 1, size)
    # As large as it may be for a sum that stays below 2^63: an exponential number is below 37.
    scale = np.asarray(2.0 ** (57 - (n + 1).bit_length()), np.float64)
    last = np.asarray(n, np.int64)
    words = key_words(key)
    # Sums of 64 bits, also where JAX computes with 32. Counters and results have 32.
    with jax.enable_x64(True):
        if is_concrete(key):
            return _in_turn(words, scale, last, place, lanes, starts, n, n_pre)
        totals = lax.map(
            lambda start: _total(words, scale, last, start, lanes=lanes),
            jnp.arange(len(starts), dtype=jnp.int64) * size,
        )
        ends = jnp.cumsum(totals, dtype=jnp.uint64)

        def body(i, carry):
            buffer, counts = carry
            start = i * size
            before = ends[i] - totals[i]
            columns, rows = _fill(words, scale, last, place, start, before, ends[-1], lanes=lanes)
            inside = start + jnp.arange(size, dtype=jnp.int64) < n
            counts = counts.at[rows + 1].add(inside.astype(jnp.int32))
            return write(buffer, columns, start.astype(jnp.int32)), counts

        buffer, counts = jnp.zeros(n, jnp.int32), jnp.zeros(n_pre + 1, jnp.int32)
        indices, counts = lax.fori_loop(0, len(starts), body, (buffer, counts))
        return indices, jnp.cumsum(counts, dtype=jnp.int32)


def _in_turn(words, scale, last, place, lanes, starts, n, n_pre) -> Structure:
    """The same with programs whose shape depends neither on `n` nor on the populations."""
    options = {"lanes": lanes}
    begins = [np.asarray(start, np.int64) for start in starts]
    totals = [_total(words, scale, last, begin, **options) for begin in begins]
    # What stands before each chunk, and behind the last one.
    edges = np.cumsum(np.array([0, *map(int, totals)], np.uint64))
    everything = np.asarray(edges[-1])
    counts = np.zeros(n_pre + 1, np.int64)

    def chunks():
        for begin, edge in zip(begins, edges[:-1], strict=True):
            before = np.asarray(edge)
            columns, rows = _fill(words, scale, last, place, begin, before, everything, **options)
            mine = np.asarray(rows)[: n - int(begin)]
            if mine.size:
                first = int(mine[0])
                many = np.bincount(mine - first)
                counts[first + 1 : first + 1 + many.size] += many
            yield columns

    indices = assemble(chunks(), list(starts), n)
    return indices, from_host(np.cumsum(counts).astype(np.int32))


def _bucket(size: int) -> int:
    """The power of four of lanes that hold `size` numbers: few shapes, so few compilations."""
    lanes = 16
    while lanes * _LANE < size:
        lanes *= 4
    return lanes


def _gaps(words, scale, last, start, lanes) -> UInt64[Array, "lane lanes"]:
    """Exponential numbers, times `scale` and rounded; zero after the last one."""
    step = jnp.arange(_LANE, dtype=jnp.int64)[:, None]
    at = start + step + (jnp.arange(lanes, dtype=jnp.int64) * _LANE)[None, :]
    counter = at.astype(jnp.uint32)
    first, second = (jnp.broadcast_to(w, counter.shape) for w in words)
    high, low = threefry((first, second), counter, jnp.zeros_like(counter))
    # 52 random bits and a half, so that it is never 0 and never 1.
    top = (high >> jnp.uint32(6)).astype(jnp.float64) * 2.0**-26
    u = top + ((low >> jnp.uint32(6)).astype(jnp.float64) + 0.5) * 2.0**-52
    gaps = (-jnp.log(u) * scale).astype(jnp.int64).astype(jnp.uint64)
    return jnp.where(at <= last, gaps, jnp.uint64(0))


@partial(jax.jit, static_argnames="lanes")
def _total(
    words: Words,
    scale: np.ndarray | Float64[Array, ""],
    last: np.ndarray | Int64[Array, ""],
    start: np.ndarray | Int64[Array, ""],
    *,
    lanes: int,
) -> UInt64[Array, ""]:
    """The sum of the gaps of a chunk."""
    return jnp.sum(_gaps(words, scale, last, start, lanes), dtype=jnp.uint64)


@partial(jax.jit, static_argnames="lanes")
def _fill(
    words: Words,
    scale: np.ndarray | Float64[Array, ""],
    last: np.ndarray | Int64[Array, ""],
    place: _Place,
    start: np.ndarray | Int64[Array, ""],
    before: np.ndarray | UInt64[Array, ""],
    total: np.ndarray | UInt64[Array, ""],
    *,
    lanes: int,
) -> tuple[Int32[Array, " length"], Int32[Array, " length"]]:
    """Columns and rows of the synapses of a chunk; those after the last one are anything."""
    gaps = _gaps(words, scale, last, start, lanes)
    ends = before + jnp.cumsum(jnp.sum(gaps, axis=0, dtype=jnp.uint64), dtype=jnp.uint64)

    def walk(at, gap):
        at = at + gap
        return at, at

    starts = ends - jnp.sum(gaps, axis=0, dtype=jnp.uint64)
    _, sums = lax.scan(walk, starts, gaps)
    part = sums.T.reshape(-1).astype(jnp.float64) / total.astype(jnp.float64)
    return _pair(place, jnp.minimum(jnp.floor(part * place.pairs), place.pairs - 1))


def _pair(place: _Place, at: Float64[Array, " length"]):
    """Column and row of a pair from its place among all."""
    # Quotients of integers below 2^53 are rounded to a whole number only where they are one.
    leaves_out: Bool[Array, " length"] = (at >= place.before) & (at < place.within)
    after = at >= place.within
    at = at - jnp.where(leaves_out, place.before, jnp.where(after, place.within, 0.0))
    width = place.columns - leaves_out.astype(jnp.float64)
    row = jnp.floor(at / width)
    column = at - row * width
    row = row + jnp.where(leaves_out, place.start, jnp.where(after, place.stop, 0.0))
    column = column + (leaves_out & (column >= row + place.diagonal)).astype(jnp.float64)
    return column.astype(jnp.int32), row.astype(jnp.int32)
