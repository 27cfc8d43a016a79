"""Every pair is connected with the same probability."""

import math
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, UInt32

from .._custom_types import Key
from .._errors import from_host, is_concrete
from ._check import as_flag, as_probability, check_key, check_synapses
from ._chunk import assemble
from ._counter import Words, key_words, threefry, unit_exponential
from ._rule import AbstractRule, Structure, check_sizes, pairs, self_rows
from ._simple import AllToAll

# Positions are walked through in lanes of this many gaps. The stream does not depend on the number
# of lanes, but it does depend on this number.
_LANE = 64
# Synapses in a chunk, so that its arrays stay in the cache; and its rows and positions.
_CHUNK = 60_000
_MAX_ROWS = 2**16
_MAX_AREA = 2**31 - 2
# Below this probability gaps are longer than float32 resolves, and are drawn digit by digit.
_SPARSE = 2.0**-19


class FixedProbability(AbstractRule):
    r"""Each pair of neurons is connected with probability `p`, independently of all others.

    $$P(i \to j) = p$$

    The distances between the synapses of consecutive pairs are geometric numbers
    $1 + \lfloor \log u / \log(1 - p) \rfloor$, so the work is proportional to the number of
    synapses, not of pairs. Rows are walked through in chunks; the chunk that begins with row $r$
    has a random stream of its own, which counts up from (key, $r$). So adding neurons before the
    synapse leaves the targets of the others as they were.

    How many synapses there are depends on the random numbers, so build outside of `jit`. The same
    key gives the same bits on the same kind of device.

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
                f"`key` is traced by JAX, but {name} decides with it how many synapses there are, "
                "and shapes must be known. Try to build the connections outside of `jit` and "
                "`vmap`, or FixedOutDegree or FixedInDegree, whose number of synapses is fixed."
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
        return _build(key_words(key), chunks, self.p, n_pre)

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        return self.p * pairs(n_pre, n_post, diagonal, self.autapses)


class _Chunk(NamedTuple):
    """Rows `start` to `start + rows` with `width` columns to choose from; all are numbers."""

    start: int
    rows: int
    width: int
    # The own column of the first row, if it is left out.
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


def _build(words: Words, chunks: list[_Chunk], p: float, n_pre: int) -> Structure:
    law = _Law.of(p)
    most = max(c.rows * c.width * p for c in chunks)
    lanes = _bucket((most + 8.0 * math.sqrt(most) + _LANE) / _LANE, 4)
    rows = _bucket(max(c.rows for c in chunks), 16)
    while True:
        count = partial(_count, words, law, lanes=lanes, rows=rows)
        ends = [count(_operands(c)) for c in chunks]
        # One look at the host for all chunks; the device runs ahead until here.
        if all(bool(complete) for _, complete in ends):
            break
        # A chunk needed more random numbers than foreseen, which happens once in 10^15 times. The
        # stream does not depend on the number of lanes, so no other chunk changes.
        lanes *= 4
    indptr = np.zeros(n_pre + 1, np.int64)
    total = 0
    offsets = []
    for c, (end, _) in zip(chunks, ends, strict=True):
        offsets.append(total)
        indptr[c.start + 1 : c.start + c.rows + 1] = (
            np.asarray(end)[: c.rows].astype(np.int64) + total
        )
        total = int(indptr[c.start + c.rows])
        indptr[c.start + c.rows + 1 :] = total
    check_synapses(f"FixedProbability(p={p:g})", total)
    columns = (_fill(words, law, _operands(c), lanes=lanes) for c in chunks)
    return assemble(columns, offsets, total), from_host(indptr.astype(np.int32))


def _bucket(x: float | int, least: int) -> int:
    """The power of four times `least` that is not below x: few shapes, so few compilations."""
    size = least
    while size < x:
        size *= 4
    return size


class _Law(eqx.Module):
    """Constants of the geometric law with probability p, computed in float64 on the host.

    A gap minus one is a number whose digits are independent: `high * block + middle * unit + low`.
    Where p is not small, `block` is 1 and only `high` is left.
    """

    per_block: Float32[Array, ""]
    per_unit: Float32[Array, ""]
    per_one: Float32[Array, ""]
    in_block: Float32[Array, ""]
    in_unit: Float32[Array, ""]
    block: UInt32[Array, ""]
    unit: UInt32[Array, ""]
    sparse: bool = eqx.field(static=True)

    @staticmethod
    def of(p: float) -> "_Law":
        # Below 2^-64 no synapse is ever drawn, so the law is that of 2^-64.
        rate = -math.log1p(-max(p, 2.0**-64))
        sparse = p < _SPARSE
        bits = min(24, max(0, math.floor(-8 - math.log2(rate)))) if sparse else 0
        block, unit = 2**bits, 2 ** (bits // 2)

        def f32(x):
            return jnp.asarray(x, jnp.float32)

        return _Law(
            per_block=f32(1 / (rate * block)),
            per_unit=f32(1 / (rate * unit)),
            per_one=f32(1 / rate),
            in_block=f32(-math.expm1(-rate * block)),
            in_unit=f32(-math.expm1(-rate * unit)),
            block=jnp.asarray(block, jnp.uint32),
            unit=jnp.asarray(unit, jnp.uint32),
            sparse=sparse,
        )

    def digit(self, bits, mass, per, limit) -> UInt32[Array, "..."]:
        """A geometric number that is known to be smaller than `limit`."""
        u = (bits.astype(jnp.float32) + 0.5) * 2.0**-32
        return jnp.minimum((-jnp.log1p(-u * mass) * per).astype(jnp.uint32), limit - jnp.uint32(1))

    def gaps(self, words: Words, stream, pairs, cap) -> Words:
        """Two gaps for each of `pairs`, both at most `cap`."""
        one = jnp.uint32(1)
        stream = jnp.broadcast_to(stream, pairs.shape)
        if not self.sparse:
            bits = threefry(words, pairs, stream)
            a, b = ((unit_exponential(x) * self.per_block).astype(jnp.uint32) + one for x in bits)
            return a, b

        def gap(number):
            first, second = threefry(words, number * 2, stream)
            third, _ = threefry(words, number * 2 + one, stream)
            high = unit_exponential(first) * self.per_block
            # In float32, so that nothing overflows before it is compared with the largest number.
            high = jnp.minimum(high, (cap // self.block).astype(jnp.float32)).astype(jnp.uint32)
            middle = self.digit(second, self.in_block, self.per_unit, self.block // self.unit)
            low = self.digit(third, self.in_unit, self.per_one, self.unit)
            return jnp.minimum(high * self.block + middle * self.unit + low + one, cap)

        return gap(pairs * 2), gap(pairs * 2 + one)


class _Operands(NamedTuple):
    stream: Int32[Array, ""] | np.ndarray
    area: UInt32[Array, ""] | np.ndarray
    width: UInt32[Array, ""] | np.ndarray
    per_width: Float32[Array, ""] | np.ndarray
    excludes: Bool[Array, ""] | np.ndarray
    own: Int32[Array, ""] | np.ndarray


def _operands(c: _Chunk) -> _Operands:
    return _Operands(
        np.asarray(c.start, np.uint32),
        np.asarray(c.rows * c.width, np.uint32),
        np.asarray(c.width, np.uint32),
        np.asarray(1 / c.width, np.float32),
        np.asarray(c.own is not None),
        np.asarray(c.own or 0, np.int32),
    )


def _positions(words: Words, law: _Law, chunk: _Operands, lanes: int):
    """Ascending positions of synapses in the flattened chunk; those beyond its end are its area."""
    half = _LANE // 2
    cap = chunk.area + jnp.uint32(1)
    step, lane = jnp.arange(half, dtype=jnp.uint32), jnp.arange(lanes, dtype=jnp.uint32)
    pairs = step[:, None] + (lane * jnp.uint32(half))[None, :]
    gaps = law.gaps(words, chunk.stream, pairs, cap)

    def walk(at, gap):
        # Sums stop at the end of the chunk, so they do not overflow: both terms are below 2^31.
        first = jnp.minimum(at + jnp.minimum(gap[0], cap), cap)
        second = jnp.minimum(first + jnp.minimum(gap[1], cap), cap)
        return second, (first, second)

    totals, ends = lax.scan(walk, jnp.zeros(lanes, jnp.uint32), gaps)
    before = _saturating_sums(totals, cap)
    inside = jnp.stack(ends, axis=1).reshape(_LANE, lanes)
    positions = jnp.minimum(inside + before[None, :lanes], cap) - jnp.uint32(1)
    return positions.T.reshape(-1), before[lanes] == cap


def _saturating_sums(x, cap):
    """0, x0, x0 + x1, ..., where sums stop at `cap`."""

    def add(at, new):
        total = jnp.minimum(at + new, cap)
        return total, total

    columns = x.reshape(-1, _square_side(x.shape[0]))
    # Each column of the transposed square is a run of numbers; first within runs, then over runs.
    runs, inner = lax.scan(add, jnp.zeros(columns.shape[0], x.dtype), columns.T)
    _, outer = lax.scan(add, jnp.zeros((), x.dtype), runs)
    outer = jnp.concatenate([jnp.zeros(1, x.dtype), outer[:-1]])
    sums = jnp.minimum(inner.T + outer[:, None], cap).reshape(-1)
    return jnp.concatenate([jnp.zeros(1, x.dtype), sums])


def _square_side(size: int) -> int:
    return 2 ** (int(math.log2(size)) // 2)


@partial(jax.jit, static_argnames=("lanes", "rows"))
def _count(words: Words, law: _Law, chunk: _Operands, *, lanes: int, rows: int):
    """How many synapses stand before the end of each row, and whether the end was reached."""
    positions, complete = _positions(words, law, chunk, lanes)
    ends = (jnp.arange(rows, dtype=jnp.uint32) + jnp.uint32(1)) * chunk.width
    return jnp.searchsorted(positions, jnp.minimum(ends, chunk.area)).astype(jnp.int32), complete


@partial(jax.jit, static_argnames=("lanes",))
def _fill(words: Words, law: _Law, chunk: _Operands, *, lanes: int) -> Int32[Array, " length"]:
    """The columns of the synapses; those beyond the end are anything."""
    positions, _ = _positions(words, law, chunk, lanes)
    width = chunk.width.astype(jnp.int32)
    # Integer division is slow on CPU. This one is off by at most one row.
    row = (positions.astype(jnp.float32) * chunk.per_width).astype(jnp.int32)
    column = positions.astype(jnp.int32) - row * width
    below, above = column < 0, column >= width
    column = column + jnp.where(below, width, 0) - jnp.where(above, width, 0)
    row = row - below.astype(jnp.int32) + above.astype(jnp.int32)
    return column + (chunk.excludes & (column >= chunk.own + row)).astype(jnp.int32)
