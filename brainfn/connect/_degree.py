"""Every neuron has the same number of synapses, before or after it."""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int32

from .._custom_types import Key
from .._errors import is_concrete
from ..event import transpose_structure
from ._check import as_degree, as_flag, check_key, check_synapses
from ._chunk import assemble, write
from ._counter import Words, bounded, key_words, threefry
from ._rule import AbstractRule, Structure, check_sizes, self_rows
from ._sort import sort_columns

# Numbers in a chunk, so that its intermediate arrays stay in the cache.
_CHUNK = 2**16
# The same for the method that looks at every column, and the least number of rows in a chunk.
_SCAN_CHUNK = 2**20
_MIN_LANES = 16
# Where more than one column in this many is chosen, look at every column.
_DENSE = 6
# Stands for "no column" and sorts behind all columns.
_NONE = 2**31 - 1


class AbstractDegree(AbstractRule):
    """A number of synapses for each neuron on one side."""

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
        """`k` columns for each row, in ascending order; `argument` is the number of columns as the
        user knows it, and `copies` how many arrays of this size there will be."""
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

    Each row has a random stream of its own, which counts up from (key, row): adding neurons before
    the synapse leaves the targets of the others as they were. The number of synapses is known, so
    this may be built under `jit`.

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
        return columns, jnp.arange(n_pre + 1, dtype=jnp.int32) * self.k

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_post, diagonal
        return n_pre * self.k


class FixedInDegree(AbstractDegree):
    r"""Each neuron gets synapses from `k` neurons, drawn uniformly.

    With multapses the `k` sources are drawn independently, so a pair may be connected more than
    once; without, each of the $\binom{n}{k}$ sets of sources is equally probable.

    Each neuron after the synapse has a random stream of its own, which counts up from (key,
    neuron): adding neurons there leaves the sources of the others as they were. The number of
    synapses is known, so this may be built under `jit`. Reordering the synapses by source takes the
    memory of the structure once more.

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
        # The same as out-degrees of the transposed matrix.
        mirrored = None if diagonal is None else -diagonal
        sources = self.draw(n_post, n_pre, "n_pre", mirrored, key, 2)
        starts = jnp.arange(n_post + 1, dtype=jnp.int32) * self.k
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
    scans = distinct and _DENSE * k > n_columns
    height = n_columns if scans else 1 << (k - 1).bit_length()
    lanes = max(_MIN_LANES, (_SCAN_CHUNK if scans else _CHUNK) // height)
    lanes = min(lanes, _bucket(n_rows))
    # Where repeats are rare, few rows need another round: take some of them at a time.
    some = lanes if k * k > n_columns else max(_MIN_LANES, lanes // 8)
    method = "scan" if scans else "redraw" if distinct else "draw"
    place = _Place(*(np.asarray(x, np.int32) for x in (n_columns, *self_rows, diagonal or 0)))
    chunk = partial(
        _chunk,
        key_words(key),
        place,
        k=k,
        height=height,
        lanes=lanes,
        method=method,
        some=min(some, lanes) if method == "redraw" else 0,
    )
    starts = range(0, n_rows, lanes)
    if is_concrete(key):
        # Programs whose shape does not depend on the number of rows, so compiled once.
        columns = (chunk(np.asarray(start, np.int32)) for start in starts)
        return assemble(columns, [start * k for start in starts], n_rows * k)

    def body(i, buffer):
        start = i * jnp.int32(lanes)
        return write(buffer, chunk(start), start * k)

    buffer = jnp.zeros(n_rows * k, jnp.int32)
    return lax.fori_loop(jnp.int32(0), jnp.int32(len(starts)), body, buffer)


def _bucket(size: int) -> int:
    """The power of four that is not below `size`: few shapes, so few compilations."""
    return 4 ** max(2, -(-(size - 1).bit_length() // 2))


class _Place(NamedTuple):
    """How many columns there are, and which rows leave out their own."""

    n_columns: Int32[Array, ""] | np.ndarray
    self_start: Int32[Array, ""] | np.ndarray
    self_stop: Int32[Array, ""] | np.ndarray
    diagonal: Int32[Array, ""] | np.ndarray


@partial(jax.jit, static_argnames=("k", "height", "lanes", "method", "some"))
def _chunk(
    words: Words,
    place: _Place,
    start: Int32[Array, ""] | np.ndarray,
    *,
    k: int,
    height: int,
    lanes: int,
    method: str,
    some: int,
) -> Int32[Array, " length"]:
    """k columns for each of `lanes` rows, the first of which is `start`."""
    row = start + jnp.arange(lanes, dtype=jnp.int32)
    excludes = (row >= place.self_start) & (row < place.self_stop)
    width = place.n_columns - excludes.astype(jnp.int32)
    if method == "scan":
        columns = _scan(words, row, width, k, height)
    elif method == "redraw":
        columns = _draw_again(words, row, width, k, height, some)
    else:
        columns = _draw_once(words, row, width, k, height)
    own = (row + place.diagonal)[None, :]
    columns = columns + (excludes[None, :] & (columns >= own)).astype(jnp.int32)
    return columns.T.reshape(-1)


def _uniform(words, row, width, k) -> Int32[Array, "k lanes"]:
    """k numbers in [0, width) for each row."""
    shape = (k, row.shape[0])
    counter = lax.broadcasted_iota(jnp.uint32, shape, 0)
    stream = jnp.broadcast_to(row.astype(jnp.uint32)[None, :], shape)
    limit = jnp.broadcast_to(width.astype(jnp.uint32)[None, :], shape)
    first, second = (jnp.broadcast_to(w, shape) for w in words)
    return bounded(threefry((first, second), counter, stream), limit).astype(jnp.int32)


def _pad(columns: Int32[Array, "k lanes"], height: int) -> Int32[Array, "height lanes"]:
    return jnp.pad(columns, ((0, height - columns.shape[0]), (0, 0)), constant_values=_NONE)


def _draw_once(words, row, width, k, height) -> Int32[Array, "k lanes"]:
    """Independent numbers, in ascending order down the columns."""
    return sort_columns(_pad(_uniform(words, row, width, k), height))[:k]


def _draw_again(words, row, width, k, height, some) -> Int32[Array, "k lanes"]:
    """Different numbers: those that came twice are drawn again until there are none.

    Which numbers are drawn again does not depend on how numbers are named, so all sets are equally
    probable. A round takes the first `some` of the rows that still need one.
    """
    columns = _draw_once(words, row, width, k, height)
    lanes = row.shape[0]

    def repeats(columns):
        return jnp.pad(columns[1:] == columns[:-1], ((1, 0), (0, 0)))

    def again(carry):
        columns, rounds, waiting = carry
        take = jnp.argsort(~waiting)[:some]
        mine = columns[:, take]
        rounds = rounds.at[take].add(jnp.uint32(1))
        # No row has this stream, so it serves to make a new key for each round.
        fresh = threefry(words, rounds[take], jnp.full(some, 2**32 - 1, jnp.uint32))
        drawn = _uniform(tuple(w[None, :] for w in fresh), row[take], width[take], k)
        mine = sort_columns(_pad(jnp.where(repeats(mine), drawn, mine), height))[:k]
        waiting = waiting.at[take].set(repeats(mine).any(axis=0))
        return columns.at[:, take].set(mine), rounds, waiting

    start = columns, jnp.zeros(lanes, jnp.uint32), repeats(columns).any(axis=0)
    return lax.while_loop(lambda carry: carry[2].any(), again, start)[0]


def _scan(words, row, width, k, n_columns) -> Int32[Array, "k lanes"]:
    """Different numbers: each is kept with the probability that its turn has, given those before.

    ??? cite

        Fan, Muller and Rezucha (1962), "Development of sampling plans by using sequential (item by
        item) selection techniques and digital computers", doi:10.1080/01621459.1962.10480667.
    """
    lanes = row.shape[0]

    def step(kept, at):
        left = jnp.maximum(width - at, 1).astype(jnp.uint32)
        counter = jnp.broadcast_to(at.astype(jnp.uint32), (lanes,))
        turn = bounded(threefry(words, counter, row.astype(jnp.uint32)), left).astype(jnp.int32)
        kept = kept + (turn < k - kept).astype(jnp.int32)
        return kept, kept

    at = jnp.arange(n_columns, dtype=jnp.int32)
    _, kept = lax.scan(step, jnp.zeros(lanes, jnp.int32), at)
    number = jnp.arange(1, k + 1, dtype=jnp.int32)
    find = partial(jnp.searchsorted, v=number)
    return jax.vmap(find, in_axes=1, out_axes=1)(kept).astype(jnp.int32)
