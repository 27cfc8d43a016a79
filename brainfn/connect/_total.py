"""A given number of synapses among all pairs of neurons."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float64, Int32, UInt32, UInt64

from .._custom_types import Key
from .._errors import empty_on_host, from_host, is_concrete
from ._check import as_degree, as_flag, check_key, check_synapses
from ._chunk import in_order
from ._counter import bounded, key_words, threefry
from ._probability import FixedProbability
from ._rule import AbstractRule, Structure, check_sizes, pairs, self_rows

# Synapses in a chunk, whose arrays stay in the cache. Sums are of integers, so it does not change
# the result.
_CHUNK = 2**15
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
    it outside. The same key gives the same synapses on every device.

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
    words, length = np.asarray(key_words(key)), 2 * some + 64
    while True:
        counter = np.arange(length, dtype=np.uint32)
        drawn = bounded(threefry(words, counter, np.zeros(1, np.uint32)), total)
        numbers, first = np.unique(drawn, return_index=True)
        if numbers.size >= some:
            return np.sort(numbers[np.argsort(first)[:some]])
        length *= 2


class _Place(NamedTuple):
    """The pairs, row by row, in float64: how many columns a row has, how many pairs stand before
    the rows that leave out their own column, how many there are with these, and with all."""

    columns: float
    start: float
    before: float
    within: float
    stop: float
    pairs: float
    diagonal: float

    @staticmethod
    def of(n_pre: int, n_post: int, start: int, stop: int, diagonal: int) -> "_Place":
        before = start * n_post
        within = before + (stop - start) * (n_post - 1)
        pairs = within + (n_pre - stop) * n_post
        numbers = (n_post, start, before, within, stop, pairs, diagonal)
        return _Place(*(float(x) for x in numbers))


def _draw(key: Key, n: int, n_pre: int, place: _Place) -> Structure:
    def draw(words: Any) -> tuple[np.ndarray, np.ndarray]:
        return _draw_on_host(np.asarray(words), n, n_pre, place)

    words = key_words(key)
    if is_concrete(words):
        indices, indptr = draw(words)
        return from_host(indices), from_host(indptr)
    shapes = tuple(jax.ShapeDtypeStruct((size,), jnp.int32) for size in (n, n_pre + 1))
    return jax.pure_callback(draw, shapes, words, vmap_method="sequential")


def _draw_on_host(
    words: UInt32[np.ndarray, "2"], n: int, n_pre: int, place: _Place
) -> tuple[Int32[np.ndarray, " nnz"], Int32[np.ndarray, " rows_plus_one"]]:
    # As large as it may be for a sum that stays below 2^63: an exponential number is below 37.
    scale = 2.0 ** (57 - (n + 1).bit_length())

    def gaps(start: int) -> UInt64[np.ndarray, " chunk"]:
        """Exponential numbers, times `scale` and rounded."""
        counter = np.arange(start, min(start + _CHUNK, n + 1), dtype=np.uint32)
        high, low = threefry(words, counter, np.zeros(1, np.uint32))
        # 52 random bits and a half, so that it is never 0 and never 1.
        u = (high >> np.uint32(6)) * 2.0**-26 + ((low >> np.uint32(6)) + 0.5) * 2.0**-52
        return (-np.log(u) * scale).astype(np.uint64)

    starts = range(0, n + 1, _CHUNK)
    totals = [int(total) for _, total in in_order(lambda start: gaps(start).sum(), starts)]
    total = float(sum(totals))
    before = dict(zip(starts, np.cumsum([0, *totals[:-1]], dtype=np.uint64), strict=True))

    def fill(start: int) -> tuple[Int32[np.ndarray, " chunk"], Int32[np.ndarray, " chunk"]]:
        sums = np.cumsum(gaps(start), dtype=np.uint64) + before[start]
        at = np.floor(sums[: n - start] / total * place.pairs)
        return _pair(place, np.minimum(at, place.pairs - 1))

    indices, counts = empty_on_host(n, np.int32), np.zeros(n_pre + 1, np.int64)
    for start, (columns, rows) in in_order(fill, starts):
        indices[start : start + columns.size] = columns
        if rows.size:
            many = np.bincount(rows - rows[0])
            counts[rows[0] + 1 : rows[0] + 1 + many.size] += many
    return indices, np.cumsum(counts).astype(np.int32)


def _pair(
    place: _Place, at: Float64[np.ndarray, " chunk"]
) -> tuple[Int32[np.ndarray, " chunk"], Int32[np.ndarray, " chunk"]]:
    """Column and row of a pair from its place among all."""
    # Quotients of integers below 2^53 are rounded to a whole number only where they are one.
    leaves_out: Bool[np.ndarray, " chunk"] = (at >= place.before) & (at < place.within)
    after = at >= place.within
    at = at - np.where(leaves_out, place.before, np.where(after, place.within, 0.0))
    width = place.columns - leaves_out
    row = np.floor(at / width)
    column = at - row * width
    row = row + np.where(leaves_out, place.start, np.where(after, place.stop, 0.0))
    column = column + (leaves_out & (column >= row + place.diagonal))
    return column.astype(np.int32), row.astype(np.int32)
