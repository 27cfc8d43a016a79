"""Just-in-time connectivity in pure JAX: the lowering without a native kernel, in bounded memory,
bit for bit the same. All arithmetic is in unsigned 32-bit integers."""

import functools
import math
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._jit_counts import NORMAL_SCALE, UNIFORM_SCALE
from ._prim import vary_like

HOMOGENEOUS, UNIFORM, NORMAL = range(3)
COUNT_WORDS, ORDER_WORDS, WEIGHT_WORDS = range(3)
_CHUNK = 1 << 19  # synapses that are made at a time, over all batch elements


class Flags(NamedTuple):
    """The first static integer of a just-in-time block."""

    fixed: bool  # an exact number of synapses in each stream
    columns: bool  # streams are columns
    exclude: bool  # no autapses
    law: int
    bits: int

    def pack(self) -> int:
        return self.fixed | self.columns << 1 | self.exclude << 2 | self.law << 3 | self.bits << 8

    @classmethod
    def unpack(cls, x: int) -> "Flags":
        return cls(bool(x & 1), bool(x >> 1 & 1), bool(x >> 2 & 1), x >> 3 & 3, x >> 8)


def _u(x: int) -> np.uint32:
    return np.uint32(x & 0xFFFFFFFF)


def _multiply(x: jax.Array, m: int) -> tuple[jax.Array, jax.Array]:
    """High and low word of a product, by halves of words."""
    low, high = _u(m & 0xFFFF), _u(m >> 16)
    x_low, x_high = x & _u(0xFFFF), x >> _u(16)
    t = x_high * low + ((x_low * low) >> _u(16))
    s = x_low * high + (t & _u(0xFFFF))
    return x_high * high + (t >> _u(16)) + (s >> _u(16)), x * _u(m)


def philox(counter, key) -> tuple[jax.Array, ...]:
    """Philox4x32-7 (Salmon et al. 2011)."""
    c0, c1, c2, c3 = jnp.broadcast_arrays(*counter)
    k0, k1 = key
    for _ in range(7):
        high0, low0 = _multiply(c0, 0xD2511F53)
        high1, low1 = _multiply(c2, 0xCD9E8D57)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _u(0x9E3779B9), k1 + _u(0xBB67AE85)
    return c0, c1, c2, c3


def _words(seed, stream, tile, purpose):
    shape = jnp.broadcast_shapes(stream.shape, tile.shape)
    stream, tile = jnp.broadcast_to(stream, shape), jnp.broadcast_to(tile, shape)
    fixed = [jnp.full(shape, purpose, np.uint32), jnp.zeros(shape, np.uint32)]
    return philox((stream, tile, *fixed), (seed[0], seed[1]))


def _permute(x: jax.Array, count, order, bits: int) -> jax.Array:
    def turn(w):
        return (w << _u(16)) | (w >> _u(16))

    mask, shift = _u((1 << bits) - 1), _u((bits + 1) // 2)
    pairs = ((count[2], count[3]), (order[0], order[1]), (order[2], order[3]))
    for a, b in (*pairs, (turn(count[2]), turn(order[1]))):
        x = (x * (a | _u(1))[..., None] + b[..., None]) & mask
        x = x ^ (x >> shift)
    return x


def _hash(position, k0, k1):
    h = position ^ k0
    h = (h ^ (h >> _u(16))) * _u(0x7FEB352D)
    h = ((h ^ (h >> _u(15))) + k1) * _u(0x846CA68B)
    return h ^ (h >> _u(16))


def _law(h: jax.Array, law: int, quantiles, dtype) -> jax.Array:
    """The weight law's z from 32 random bits."""
    if law == UNIFORM:
        return (h >> _u(8)).astype(np.int32).astype(dtype) * np.asarray(UNIFORM_SCALE, dtype)
    v = ((h & _u(0x7FFFFFFF)) | _u(1)).astype(np.int32).astype(np.float32)
    bits = lax.bitcast_convert_type(v, np.uint32)
    segment = ((bits >> _u(17)) - _u(8128)).astype(np.int32)
    high, low = quantiles[segment], quantiles[segment + np.int32(1)]
    slope = (high - low).astype(np.uint32) * ((bits >> _u(6)) & _u(0x7FF))
    z = high - (slope >> _u(11)).astype(np.int32)
    z = jnp.where(h >> _u(31) == _u(1), -z, z)
    return z.astype(dtype) * np.asarray(NORMAL_SCALE, dtype)


class Layout(NamedTuple):
    """A block in terms of streams: what is static."""

    flags: Flags
    diagonal: int
    fan_out: int
    extent: int
    n_streams: int
    n_positions: int

    @classmethod
    def of(cls, shape: tuple[int, int], extra: tuple[int, ...]) -> "Layout":
        flags = Flags.unpack(extra[0])
        n_streams, n_positions = shape[::-1] if flags.columns else shape
        return cls(flags, extra[1], extra[2], extra[3], n_streams, n_positions)

    @property
    def n_tiles(self) -> int:
        """The most tiles that the block can touch, wherever it starts."""
        if self.flags.fixed:
            return 1
        return (self.n_positions - 2) // (1 << self.flags.bits) + 2


class Some(NamedTuple):
    """Synapses, any of which may be invalid: stream and position in the block, and z."""

    stream: jax.Array
    position: jax.Array
    valid: jax.Array
    z: jax.Array | None


def _finish(layout: Layout, structure, stream, local_stream, column, valid, dtype) -> Some:
    """From columns of the whole matrix (..., j) of streams (...,) to synapses of the block."""
    seed, origin, _, *quantiles = structure
    first = origin[int(not layout.flags.columns)].astype(np.uint32)
    position = (column - first).astype(np.int32)
    valid &= (position >= 0) & (position < layout.n_positions)
    valid &= (local_stream < layout.n_streams)[..., None]
    z = None
    if layout.flags.law != HOMOGENEOUS:
        k0, k1, _, _ = _words(seed, stream, jnp.zeros_like(stream), WEIGHT_WORDS)
        h = _hash(column, k0[..., None], k1[..., None])
        z = _law(h, layout.flags.law, quantiles[0] if quantiles else None, dtype).reshape(-1)
    local = jnp.broadcast_to(local_stream[..., None], position.shape)
    return Some(local.reshape(-1), position.reshape(-1), valid.reshape(-1), z)


def _not_self(layout: Layout, stream, column):
    if not layout.flags.exclude:
        return True
    return column != (stream + _u(layout.diagonal))[..., None]


def binomial_synapses(layout: Layout, structure, first_stream, n, first_tile, tiles, dtype) -> Some:
    """Synapses of streams `first_stream` .. + n in tiles `first_tile` .. + tiles, both numbered in
    the block."""
    seed, origin, table, *_ = structure
    bits, columns = layout.flags.bits, int(layout.flags.columns)
    local = first_stream + jnp.arange(n, dtype=np.int32)[:, None]
    stream = (local + origin[columns]).astype(np.uint32)
    tile = (origin[1 - columns] >> np.int32(bits)) + first_tile
    tile = (tile + jnp.arange(tiles, dtype=np.int32)[None, :]).astype(np.uint32)
    stream, tile = (jnp.broadcast_to(x, (n, tiles)) for x in (stream, tile))
    count = _words(seed, stream, tile, COUNT_WORDS)
    order = _words(seed, stream, tile, ORDER_WORDS)
    high, low = count[0][..., None], count[1][..., None]
    # Thresholds ascend, so the j-th synapse exists where the number reaches the j-th.
    top, bottom = table[None, None, :, 0], table[None, None, :, 1]
    valid = (high > top) | ((high == top) & (low >= bottom))
    j = jnp.arange(table.shape[0], dtype=np.uint32)
    inside = _permute(jnp.broadcast_to(j, valid.shape), count, order, bits)
    column = (tile << _u(bits))[..., None] + inside
    valid &= _not_self(layout, stream, column)
    return _finish(
        layout, structure, stream, jnp.broadcast_to(local, (n, tiles)), column, valid, dtype
    )


def fixed_synapses(layout: Layout, structure, first_stream, counted, first, tries, dtype):
    """Synapses among candidates `first` .. + tries of streams `first_stream` .. + len(counted),
    where `counted` were found before; and the new `counted`."""
    seed, origin, *_ = structure
    n = counted.shape[0]
    local = first_stream + jnp.arange(n, dtype=np.int32)
    stream = (local + origin[int(layout.flags.columns)]).astype(np.uint32)
    tile = jnp.zeros_like(stream)
    count = _words(seed, stream, tile, COUNT_WORDS)
    order = _words(seed, stream, tile, ORDER_WORDS)
    j = (first.astype(np.uint32) + jnp.arange(tries, dtype=np.uint32))[None]
    column = _permute(jnp.broadcast_to(j, (n, tries)), count, order, layout.flags.bits)
    accepted = (column < _u(layout.extent)) & _not_self(layout, stream, column)
    accepted &= j < _u(1 << layout.flags.bits)
    rank = counted[:, None] + jnp.cumsum(accepted, axis=1, dtype=np.int32)
    valid = accepted & (rank <= layout.fan_out)
    some = _finish(layout, structure, stream, local, column, valid, dtype)
    return some, rank[:, -1]


def contributions(
    role: int, batch, term, accumulator: jax.Array, align, reduce, union
) -> jax.Array:
    """`accumulator` plus what one just-in-time block adds to it; `align`, `reduce` and `union`
    treat batch dimensions as for other blocks."""
    layout = Layout.of(term.block.shape, term.block.extra)
    full = tuple(n for n, has in zip(batch, union, strict=True) if has)
    budget = max(_CHUNK // max(math.prod(full), 1), 256)
    mask, dtype = term.masks[role], accumulator.dtype
    offsets = (term.block.row_offset, term.block.col_offset)

    def pick(x, mask, at):
        return align(x.astype(dtype)[..., at], mask, union)

    def add(acc, some: Some):
        local = (some.stream, some.position)[:: -1 if layout.flags.columns else 1]
        at = tuple(
            jnp.where(some.valid, x, 0) + np.int32(offset)
            for x, offset in zip(local, offsets, strict=True)
        )
        factors = [pick(term.arrays[r], term.masks[r], at[r]) for r in range(2) if r != role]
        if term.need:
            factors.append(pick(term.need[0], term.need[1], at[0]))
        if role != 2:
            theta = term.arrays[2].astype(dtype)
            if some.z is None:
                weight = theta[..., None]
            else:
                weight = theta[..., :1] + theta[..., 1:] * _lift(some.z, theta.ndim)
            factors.append(align(weight, term.masks[2], union))
        value = functools.reduce(operator.mul, factors)
        value = jnp.broadcast_to(value, (*full, some.valid.shape[0]))
        value = jnp.where(_lift(some.valid, value.ndim), value, jnp.zeros((), dtype))
        if role != 2:
            return acc.at[..., at[role]].add(reduce(value, mask, union))
        if some.z is None:
            return acc + reduce(jnp.sum(value, -1), mask, union).reshape(acc.shape)
        sums = jnp.stack([jnp.sum(value, -1), jnp.sum(value * _lift(some.z, value.ndim), -1)], -1)
        return acc + reduce(sums, mask, union).reshape(acc.shape)

    def varying(carry):
        return vary_like(carry, (term.arrays, term.structure, term.need))

    if layout.flags.fixed:
        return _fixed_loop(layout, term.structure, budget, dtype, accumulator, add, varying)
    return _binomial_loop(layout, term.structure, budget, dtype, accumulator, add, varying)


def _lift(x: jax.Array, ndim: int) -> jax.Array:
    return x.reshape((1,) * (ndim - 1) + x.shape)


def _binomial_loop(layout: Layout, structure, budget, dtype, accumulator, add, varying):
    width = structure[2].shape[0]
    if width == 0:
        return accumulator
    tiles = min(layout.n_tiles, max(budget // width, 1))
    streams = min(layout.n_streams, max(budget // (width * tiles), 1))
    tile_steps = -(-layout.n_tiles // tiles)
    steps = tile_steps * -(-layout.n_streams // streams)

    def step(i, acc):
        i = jnp.asarray(i, np.int32)
        first_stream = (i // np.int32(tile_steps)) * np.int32(streams)
        first_tile = (i % np.int32(tile_steps)) * np.int32(tiles)
        return add(
            acc,
            binomial_synapses(layout, structure, first_stream, streams, first_tile, tiles, dtype),
        )

    return lax.fori_loop(np.int32(0), np.int32(steps), step, varying(accumulator))


def _fixed_loop(layout: Layout, structure, budget, dtype, accumulator, add, varying):
    if layout.fan_out == 0:
        return accumulator
    size = 1 << layout.flags.bits
    tries = min(size, budget, 64 + layout.fan_out * size // max(layout.extent, 1))
    streams = min(layout.n_streams, max(budget // tries, 1))
    steps = -(-layout.n_streams // streams)

    def step(i, acc):
        first_stream = jnp.asarray(i, np.int32) * np.int32(streams)

        def more(carry):
            return jnp.any(carry[1] < layout.fan_out)

        def some_tries(carry):
            acc, counted, first = carry
            some, counted = fixed_synapses(
                layout, structure, first_stream, counted, first, tries, dtype
            )
            return add(acc, some), counted, first + np.int32(tries)

        start = (acc, jnp.zeros(streams, np.int32), jnp.zeros((), np.int32))
        return lax.while_loop(more, some_tries, varying(start))[0]

    return lax.fori_loop(np.int32(0), np.int32(steps), step, varying(accumulator))
