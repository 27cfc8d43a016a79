"""Every neuron has the same number of outgoing, or of incoming, synapses."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32

from .._custom_types import Key
from .._errors import empty_on_host, from_host, is_concrete
from ..event import transpose_structure
from ._check import as_degree, as_flag, check_key, check_synapses
from ._chunk import in_order
from ._counter import bounded, key_words, threefry
from ._rule import AbstractRule, Structure, check_sizes, self_rows, transposed

# Random numbers in a chunk, so that its arrays stay in the cache.
_CHUNK = 2**15
# Where more than one column in this many is chosen, number all of them at random.
_DENSE = 6


class AbstractDegree(AbstractRule):
    """A fixed number of synapses for each neuron on one side."""

    k: eqx.AbstractVar[int]
    autapses: eqx.AbstractVar[bool]
    multapses: eqx.AbstractVar[bool]

    def draw(
        self,
        n_rows: int,
        n_columns: int,
        argument: str,
        diagonal: int | None,
        key: Key | None,
        copies: int = 1,
    ) -> Int32[Array, " nnz"]:
        """`k` columns for each row, in ascending order; `argument` is the user's name for the
        number of columns, and `copies` how many arrays of this size there will be."""
        name = f"{type(self).__name__}(k={self.k})"
        key = check_key(name, key)
        check_synapses(name, n_rows * self.k, copies=copies)
        rows = self_rows(n_rows, n_columns, diagonal, self.autapses)
        _check_available(name, self.k, n_rows, n_columns, argument, rows, self.multapses)
        return _draw(key, n_rows, n_columns, self.k, diagonal, rows, not self.multapses)


class FixedOutDegree(AbstractDegree):
    r"""Each neuron connects to `k` neurons, drawn uniformly.

    With multapses the `k` targets are drawn independently, so a pair may be connected more than
    once; without, each of the $\binom{n}{k}$ sets of targets is equally probable.

    Each row has its own random stream, which counts up from (key, row): adding presynaptic neurons
    leaves the targets of the others unchanged. The number of synapses is known, so this may be
    built under `jit`.

    **Arguments:**

    - `k`: how many synapses leave each neuron.
    - `autapses`: whether a neuron may connect to itself.
    - `multapses`: whether a pair of neurons may be connected more than once.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for a `k` that is negative, not a whole
    number, or more than there are neurons to choose from; for a missing key; and for more
    synapses than 32-bit indices can count.
    """

    k: int = eqx.field(static=True)
    autapses: bool = eqx.field(static=True)
    multapses: bool = eqx.field(static=True)

    def __init__(self, k: int, autapses: bool = True, multapses: bool = True):
        self.k = as_degree("k", k)
        self.autapses = as_flag("autapses", autapses)
        self.multapses = as_flag("multapses", multapses)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        columns = self.draw(n_pre, n_post, "n_post", diagonal, key)
        return columns, from_host(np.arange(n_pre + 1, dtype=np.int32) * np.int32(self.k))

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_post, diagonal
        return n_pre * self.k


class FixedInDegree(AbstractDegree):
    r"""Each neuron gets synapses from `k` neurons, drawn uniformly.

    With multapses the `k` sources are drawn independently, so a pair may be connected more than
    once; without, each of the $\binom{n}{k}$ sets of sources is equally probable.

    Each postsynaptic neuron has its own random stream, which counts up from (key, neuron): adding
    postsynaptic neurons leaves the sources of the others unchanged. The number of synapses is
    known, so this may be built under `jit`. Sorting the synapses by source temporarily doubles the
    memory of the structure.

    **Arguments:**

    - `k`: how many synapses reach each neuron.
    - `autapses`: whether a neuron may connect to itself.
    - `multapses`: whether a pair of neurons may be connected more than once.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for a `k` that is negative, not a whole
    number, or more than there are neurons to choose from; for a missing key; and for more
    synapses than 32-bit indices can count.
    """

    k: int = eqx.field(static=True)
    autapses: bool = eqx.field(static=True)
    multapses: bool = eqx.field(static=True)

    def __init__(self, k: int, autapses: bool = True, multapses: bool = True):
        self.k = as_degree("k", k)
        self.autapses = as_flag("autapses", autapses)
        self.multapses = as_flag("multapses", multapses)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        # In-degrees are out-degrees of the transposed matrix.
        mirrored = None if diagonal is None else -diagonal
        sources = self.draw(n_post, n_pre, "n_pre", mirrored, key, 2)
        starts = np.arange(n_post + 1, dtype=np.int32) * self.k
        if is_concrete(sources):
            # On the host, without a program for just this size.
            return transposed(np.asarray(sources), starts, n_pre)
        indices, indptr, _ = transpose_structure(sources, starts, n_pre, permutation=False)
        return indices, indptr

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_pre, diagonal
        return n_post * self.k


def _check_available(
    name: str,
    k: int,
    n_rows: int,
    n_columns: int,
    argument: str,
    rows: tuple[int, int],
    multapses: bool,
) -> None:
    """Raises if some neuron has fewer partners to choose from than it needs."""
    if n_rows == 0 or k == 0:
        return
    available = n_columns - (rows[1] > rows[0])
    if available >= k or (multapses and available > 0):
        return
    without = " other than the neuron itself" if rows[1] > rows[0] else ""
    advice = (
        f"at most k={available}" if multapses else f"at most k={available}, or `multapses=True`"
    )
    raise ValueError(
        f"`k` must be at most the number of neurons to choose from: {name} got `{argument}` = "
        f"{n_columns}, which leaves {available}{without}. Try {advice}."
    )


def _draw(
    key: Key,
    n_rows: int,
    n_columns: int,
    k: int,
    diagonal: int | None,
    self_rows: tuple[int, int],
    distinct: bool,
) -> Int32[Array, " nnz"]:
    """k columns in ascending order for each row, as one array."""
    if n_rows * k == 0:
        return jnp.zeros(0, jnp.int32)

    def draw(words: Any) -> np.ndarray:
        return _draw_on_host(
            np.asarray(words), n_rows, n_columns, k, diagonal or 0, self_rows, distinct
        )

    words = key_words(key)
    if is_concrete(words):
        return from_host(draw(words))
    shape = jax.ShapeDtypeStruct((n_rows * k,), jnp.int32)
    return jax.pure_callback(draw, shape, words, vmap_method="sequential")


def _draw_on_host(
    words: UInt32[np.ndarray, "2"],
    n_rows: int,
    n_columns: int,
    k: int,
    diagonal: int,
    self_rows: tuple[int, int],
    distinct: bool,
) -> Int32[np.ndarray, " nnz"]:
    out = empty_on_host(n_rows * k, np.int32).reshape(n_rows, k)
    dense = distinct and _DENSE * k > n_columns
    lanes = max(1, _CHUNK // (n_columns if dense else k))

    def chunk(start: int) -> Int32[np.ndarray, "lanes k"]:
        row = np.arange(start, min(start + lanes, n_rows), dtype=np.int32)[:, None]
        excludes = (row >= self_rows[0]) & (row < self_rows[1])
        width = n_columns - excludes.astype(np.int32)
        if dense:
            columns = _smallest(words, row, width, k, n_columns)
        elif distinct:
            columns = _draw_again(words, row, width, k)
        else:
            columns = _draw_once(words, row, width, k)
        if excludes.any():
            columns += excludes & (columns >= row + diagonal)
        return columns

    for start, columns in in_order(chunk, range(0, n_rows, lanes)):
        out[start : start + columns.shape[0]] = columns
    return out.reshape(-1)


Rows = Int32[np.ndarray, "lanes 1"]


def _draw_once(
    words: UInt32[np.ndarray, "2"], row: Rows, width: Rows, k: int
) -> Int32[np.ndarray, "lanes k"]:
    """Independent numbers in [0, width), in ascending order in each row."""
    bits = threefry(words, np.arange(k, dtype=np.uint32), row.astype(np.uint32))
    columns = bounded(bits, width).astype(np.int32)
    columns.sort(axis=1)
    return columns


def _draw_again(
    words: UInt32[np.ndarray, "2"], row: Rows, width: Rows, k: int
) -> Int32[np.ndarray, "lanes k"]:
    """Different numbers: those that came twice are drawn again until there are none.

    Which numbers are drawn again does not depend on how numbers are named, so all sets are equally
    probable.
    """
    columns = _draw_once(words, row, width, k)
    again = _repeats(columns)
    waiting = np.flatnonzero(again.any(axis=1))
    again = again[waiting]
    turn = 0
    while waiting.size:
        turn += 1
        # No row has this stream, so it serves to make a new key for each round.
        fresh = threefry(words, np.full(1, turn, np.uint32), np.full(1, 2**32 - 1, np.uint32))
        new = np.array([word[0] for word in fresh])
        bits = threefry(new, np.arange(k, dtype=np.uint32), row[waiting].astype(np.uint32))
        drawn = bounded(bits, width[waiting]).astype(np.int32)
        mine = np.where(again, drawn, columns[waiting])
        mine.sort(axis=1)
        columns[waiting] = mine
        again = _repeats(mine)
        left = again.any(axis=1)
        waiting, again = waiting[left], again[left]
    return columns


def _repeats(columns: Int32[np.ndarray, "lanes k"]) -> np.ndarray:
    return np.diff(columns, axis=1, prepend=-1) == 0


def _smallest(
    words: UInt32[np.ndarray, "2"], row: Rows, width: Rows, k: int, n_columns: int
) -> Int32[np.ndarray, "lanes k"]:
    """Different numbers: those of the k smallest of `width` random numbers of 64 bits."""
    if k == 0:
        return np.zeros((row.shape[0], 0), np.int32)
    column = np.arange(n_columns, dtype=np.uint32)
    high, low = threefry(words, column, row.astype(np.uint32))
    lots = (high.astype(np.uint64) << np.uint64(32)) | low
    lots[column >= width] = np.uint64(2**64 - 1)
    chosen = np.argpartition(lots, k - 1, axis=1)[:, :k].astype(np.int32)
    chosen.sort(axis=1)
    return chosen
