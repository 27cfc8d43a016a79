"""The pure-JAX definition of the three primitives: O(nnz) gathers and scatter-adds, on any
platform."""

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import _jit_reference

ROWS, COLS, WEIGHTS = range(3)


def row_ids(indptr: jax.Array, nnz: int) -> jax.Array:
    """The row of each stored element of a CSR structure."""
    n_rows = indptr.shape[0] - 1
    lengths = (indptr[1:] - indptr[:-1]).astype(jnp.int32)
    return jnp.repeat(jnp.arange(n_rows, dtype=jnp.int32), lengths, total_repeat_length=nnz)


def coordinates(block, structure) -> tuple[jax.Array, jax.Array]:
    """Row of each stored element of a sparse block, and its place in the array over columns."""
    if block.kind in ("csr", "permuted"):
        indices, indptr = structure[:2]
        return row_ids(indptr, indices.shape[0]), indices
    if block.kind == "delayed":
        indices, indptr, delays, now = structure
        length, width = block.extra
        slots = (now % length + delays.astype(jnp.int32)) % length
        return row_ids(indptr, indices.shape[0]), slots * width + indices
    if block.kind == "ell":
        (indices,) = structure
        rows = jnp.arange(indices.shape[0], dtype=jnp.int32)
        return jnp.repeat(rows, indices.shape[1]), indices.reshape(-1)
    assert block.kind == "one_to_one"
    both = jnp.arange(block.shape[0], dtype=jnp.int32)
    return both, both


def contributions(role: int, batch: tuple[int, ...], term, accumulator: jax.Array) -> jax.Array:
    """`accumulator` plus what one block adds to it."""
    if math.prod(term.block.shape) == 0:
        return accumulator
    if term.block.kind == "dense":
        return _dense(role, batch, term, accumulator)
    if term.block.kind == "circulant":
        return _circulant(role, batch, term, accumulator)
    if term.block.kind == "jit":
        return _jit_reference.contributions(
            role, batch, term, accumulator, _align, _reduce, _union(batch, term)
        )
    rows, cols = coordinates(term.block, term.structure)
    if cols.shape[0] == 0:
        return accumulator
    dtype = sum_dtype(accumulator)
    positions = (rows + term.block.row_offset, cols + term.block.col_offset)
    union = _union(batch, term)

    homogeneous = term.arrays[2].ndim == sum(term.masks[2])
    order = None
    if term.block.kind == "permuted" and not homogeneous:
        order = term.structure[2]

    def spread(x, mask, picks):
        # Stored elements last, a dimension of size one for each batch dimension of the union that x
        # lacks. Weights and ring buffers may have two dimensions.
        x = x.astype(dtype).reshape((*x.shape[: sum(mask)], -1))
        return _align(x if picks is None else x[..., picks], mask, union)

    factors = []
    for r in range(2):
        if r != role:
            factors.append(spread(term.arrays[r], term.masks[r], positions[r]))
    if role != 2:
        factors.append(spread(term.arrays[2], term.masks[2], order))
    if term.need:
        factors.append(spread(term.need[0], term.need[1], positions[0]))
    if term.block.kind == "csr":
        # Elements stored beyond the last row are padding (see `split_columns`).
        stored = jnp.arange(cols.shape[0], dtype=term.structure[1].dtype) < term.structure[1][-1]
        factors.append(_align(stored.astype(dtype), (False,) * len(batch), union))
    value = functools.reduce(operator.mul, factors)
    full = tuple(n for n, has in zip(batch, union, strict=True) if has)
    value = jnp.broadcast_to(value, (*full, cols.shape[0]))
    mask = term.masks[role]
    value = _reduce(value, mask, union)
    if role == 2:
        if order is not None:
            value = jnp.zeros_like(value).at[..., order].set(value, unique_indices=True)
        value = jnp.sum(value, axis=-1) if homogeneous else value
        return _add(accumulator, value.reshape(accumulator.shape))
    flat = accumulator.reshape((*accumulator.shape[: sum(mask)], -1))
    return flat.at[..., positions[role]].add(value).reshape(accumulator.shape)


def left_out(shape: tuple[int, int], extra: tuple[int, ...]) -> tuple[int, int]:
    """The range of rows `i` of an all-to-all block whose element `(i, i + diagonal)` is left
    out."""
    if not extra:
        return 0, 0
    (diagonal,) = extra
    start = min(max(-diagonal, 0), shape[0])
    return start, max(start, min(shape[0], shape[1] - diagonal))


def sum_dtype(x) -> np.dtype:
    """The dtype in which `x` is summed: its own, but float32 for half precision."""
    return np.dtype(np.float32) if x.dtype.itemsize == 2 else np.dtype(x.dtype)


def _add(accumulator: jax.Array, value: jax.Array) -> jax.Array:
    return (accumulator.astype(value.dtype) + value).astype(accumulator.dtype)


def _union(batch, term) -> tuple[bool, ...]:
    """Which batch dimensions the operands of a block have between them."""
    masks = [*term.masks, *term.need[1:]]
    return tuple(any(mask[d] for mask in masks) for d in range(len(batch)))


def _missing(mask, union) -> list[int]:
    dims = [d for d, has in enumerate(union) if has]
    return [i for i, d in enumerate(dims) if not mask[d]]


def _align(x: jax.Array, mask, union) -> jax.Array:
    """A dimension of size one for each batch dimension of the union that `x` lacks."""
    return jnp.expand_dims(x, _missing(mask, union))


def _reduce(value: jax.Array, mask, union) -> jax.Array:
    """The sum over the batch dimensions of the union that an accumulator lacks."""
    summed = _missing(mask, union)
    return jnp.sum(value, axis=tuple(summed)) if summed else value


def _dense(role: int, batch: tuple[int, ...], term, accumulator: jax.Array) -> jax.Array:
    """A block whose elements are all stored, as one `einsum`: products of matrices where there is a
    batch."""
    n_rows, n_cols = term.block.shape
    row_at, col_at = term.block.row_offset, term.block.col_offset
    slices = (slice(row_at, row_at + n_rows), slice(col_at, col_at + n_cols))
    dtype = sum_dtype(accumulator)
    # One letter for each batch dimension; rows are `y`, columns `z`.
    letters = "abcdefgh"[: len(batch)]
    weight_axes = "zy" if term.block.extra == (1,) else "yz"

    def labels(mask, core):
        return "".join(x for x, has in zip(letters, mask, strict=True) if has) + core

    operands, names = [], []
    for r, core in enumerate(("y", "z", weight_axes)):
        if r != role:
            x = term.arrays[r] if r == 2 else term.arrays[r][..., slices[r]]
            operands.append(x.astype(dtype))
            names.append(labels(term.masks[r], core))
    if term.need:
        operands.append(term.need[0][..., slices[0]].astype(dtype))
        names.append(labels(term.need[1], "y"))
    mask = term.masks[role]
    # Batch dimensions that only the accumulator has are broadcast.
    given = set("".join(names))
    has = tuple(own and x in given for own, x in zip(mask, letters, strict=True))
    out = labels(has, ("y", "z", weight_axes)[role])
    with jax.default_matmul_precision("highest"):
        value = jnp.einsum(f"{','.join(names)}->{out}", *operands)
    dims = [i for i, (own, there) in enumerate(zip(mask, has, strict=True)) if own and not there]
    places = [sum(mask[:i]) for i in dims]
    value = jnp.expand_dims(value, places) if places else value
    if role == 2:
        return _add(accumulator, jnp.broadcast_to(value, accumulator.shape))
    at = accumulator.at[..., slices[role]]
    return at.add(jnp.broadcast_to(value, (*accumulator.shape[:-1], value.shape[-1])))


def _circulant(role: int, batch: tuple[int, ...], term, accumulator: jax.Array) -> jax.Array:
    """A block whose element (i, j) is weight `(j - i) % n`: convolutions and correlations of length
    `n`. Those of real vectors are products of their Fourier transforms, and sums over a batch may
    be taken of these."""
    n = term.block.shape[0]
    dtype, union = sum_dtype(accumulator), _union(batch, term)
    starts = (term.block.row_offset, term.block.col_offset, 0)

    def segment(x, start):
        return jax.lax.slice_in_dim(x, start, start + n, axis=-1).astype(dtype)

    def core(x, mask):
        return _align(x, (*mask, True), (*union, True))

    def needed(x):
        return x * core(segment(term.need[0], starts[ROWS]), term.need[1]) if term.need else x

    transformed = []
    for r in range(3):
        if r != role:
            x = core(segment(term.arrays[r], starts[r]), term.masks[r])
            transformed.append(jnp.fft.rfft(needed(x) if r == ROWS else x))
    first, second = transformed
    # y_j = sum_i x_i w_{j-i}; y_i = sum_j w_{j-i} v_j; y_d = sum_i x_i v_{i+d}.
    product = {
        ROWS: lambda: first * jnp.conj(second),
        COLS: lambda: first * second,
        WEIGHTS: lambda: jnp.conj(first) * second,
    }[role]()
    full = tuple(size for size, has in zip(batch, union, strict=True) if has)
    product = jnp.broadcast_to(product, (*full, product.shape[-1]))
    mask = term.masks[role]
    if role == ROWS and term.need:
        value = _reduce(needed(jnp.fft.irfft(product, n)), mask, union)
    else:
        value = jnp.fft.irfft(_reduce(product, mask, union), n)
    # Batch dimensions that only the accumulator has are broadcast.
    ours = [has for own, has in zip(mask, union, strict=True) if own]
    value = jnp.expand_dims(value, [i for i, has in enumerate(ours) if not has])
    part = _add(segment(accumulator, starts[role]), value).astype(accumulator.dtype)
    if part.shape == accumulator.shape:
        return part
    return jax.lax.dynamic_update_slice_in_dim(accumulator, part, starts[role], -1)


def spread_sums(role: int, batch: tuple[int, ...], terms: Sequence, accumulators: list) -> list:
    """`accumulators` plus what all-to-all blocks add to them: sums over one side, spread over the
    other, without the diagonals that are left out.

    Each segment is summed once and added to once, however many blocks there are between them.
    """
    sums: dict[Any, Any] = {}
    added: dict[Any, list] = {}
    for term in terms:
        if math.prod(term.block.shape) == 0:
            continue
        target = term.arrays[role]
        value = _spread_sum(role, batch, term, sum_dtype(accumulators[target]), sums)
        place = _segment(role, term.block) if role != WEIGHTS else None
        added.setdefault((target, place), []).append((value, term))
    out = list(accumulators)
    for (target, place), values in added.items():
        y = out[target]
        mask = values[0][1].masks[role]
        total = functools.reduce(operator.add, [_widened(v, mask) for v, _ in values])
        if place is None:
            out[target] = _add(y, jnp.broadcast_to(total, y.shape))
            continue
        start, size = place
        part = jax.lax.slice_in_dim(y, start, start + size, axis=-1)
        part = _add(part, jnp.broadcast_to(total, part.shape))
        whole = size == y.shape[-1]
        out[target] = part if whole else jax.lax.dynamic_update_slice_in_dim(y, part, start, -1)
    return out


def _segment(role: int, block) -> tuple[int, int]:
    return (block.row_offset, block.col_offset)[role], block.shape[role]


def _widened(value: tuple[jax.Array, tuple[bool, ...]], mask) -> jax.Array:
    """Over all batch dimensions of an accumulator; those it lacks have been summed."""
    x, has = value
    missing = [i for i, d in enumerate(d for d, own in enumerate(mask) if own) if not has[d]]
    return jnp.expand_dims(x, missing)


def _spread_sum(
    role: int, batch: tuple[int, ...], term, dtype: Any, sums: dict[Any, Any]
) -> tuple[jax.Array, tuple[bool, ...]]:
    """What one block adds, and which batch dimensions it has: all that its operands and its
    accumulator have in common."""
    block = term.block
    ours, need = term.masks, term.need
    union = _union(batch, term._replace(masks=[m for r, m in enumerate(ours) if r != role]))
    # Row i meets column i + diagonal there: the same number of rows and of columns.
    start, stop = left_out(block.shape, block.extra)
    shift = (0, *block.extra) if block.extra else (0, 0)
    own = [slice(start + d, stop + d) for d in shift]

    def segment(r, x, mask):
        begin, size = _segment(r, block)
        return jax.lax.slice_in_dim(x, begin, begin + size, axis=-1).astype(dtype), mask

    def side(r):
        """A segment that is summed: the array, its sum and which batch dimensions they have."""
        masked = need if r == ROWS else ()
        key = (r, id(term.arrays[r]), *_segment(r, block), *map(id, masked[:1]))
        if key not in sums:
            x, mask = segment(r, term.arrays[r], ours[r])
            if masked:
                n, other = segment(ROWS, *masked)
                both = tuple(a or b for a, b in zip(mask, other, strict=True))
                x = _align(x, (*mask, True), (*both, True)) * _align(
                    n, (*other, True), (*both, True)
                )
                mask = both
            sums[key] = x, jnp.sum(x, -1), mask
        return sums[key]

    def aligned(x, mask, core=()):
        return _align(x, (*mask, *core), (*union, *core))

    if role == WEIGHTS:
        (x, x_sum, x_mask), (v, v_sum, v_mask) = side(ROWS), side(COLS)
        value = aligned(x_sum, x_mask) * aligned(v_sum, v_mask)
        if stop > start:
            pairs = [
                aligned(a[..., part], mask, (True,))
                for a, mask, part in ((x, x_mask, own[ROWS]), (v, v_mask, own[COLS]))
            ]
            value = value - jnp.sum(pairs[0] * pairs[1], -1)
    else:
        x, total, mask = side(1 - role)
        weight = aligned(term.arrays[WEIGHTS].astype(dtype), ours[WEIGHTS])
        value = (aligned(total, mask) * weight)[..., None]
        if stop > start:
            edges = [(0, 0, 0)] * (x.ndim - 1)
            around = (own[role].start, block.shape[role] - own[role].stop, 0)
            mine = jax.lax.pad(x[..., own[1 - role]], jnp.zeros((), dtype), (*edges, around))
            value = value - aligned(mine, mask, (True,)) * weight[..., None]
        if role == ROWS and need:
            n, other = segment(ROWS, *need)
            value = value * aligned(n, other, (True,))
    full = tuple(n for n, has in zip(batch, union, strict=True) if has)
    core = value.shape[sum(union) :]
    value = _reduce(jnp.broadcast_to(value, (*full, *core)), ours[role], union)
    return value, tuple(a and b for a, b in zip(union, ours[role], strict=True))
