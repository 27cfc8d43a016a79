"""The pure-JAX definition of the three primitives: O(nnz) gathers and scatter-adds, on any
platform."""

import functools
import math
import operator

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
    if term.block.kind == "all_to_all":
        return _all_to_all(role, batch, term, accumulator)
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


def _all_to_all(role: int, batch: tuple[int, ...], term, accumulator: jax.Array) -> jax.Array:
    """A block with one weight: the sum over one side, spread over the other, without a diagonal
    that is left out."""
    block, union = term.block, _union(batch, term)
    dtype = sum_dtype(accumulator)
    begins = block.row_offset, block.col_offset
    # Row i meets column i + diagonal there: the same number of rows and of columns.
    start, stop = left_out(block.shape, block.extra)
    shift = (0, *block.extra) if block.extra else (0, 0)
    own = [slice(start + d, stop + d) for d in shift]

    def spread(x, mask, core):
        return _align(x.astype(dtype), (*mask, *core), (*union, *core))

    def segment(r, x, mask):
        x = x[..., begins[r] : begins[r] + block.shape[r]]
        return spread(x, mask, (True,))

    sides = [None if r == role else segment(r, term.arrays[r], term.masks[r]) for r in range(2)]
    need = segment(ROWS, *term.need) if term.need else None
    if need is not None and sides[ROWS] is not None:
        sides[ROWS] = sides[ROWS] * need
    full = tuple(n for n, has in zip(batch, union, strict=True) if has)
    if role == WEIGHTS:
        x, v = sides
        value = jnp.sum(x, -1) * jnp.sum(v, -1)
        if stop > start:
            value = value - jnp.sum(x[..., own[ROWS]] * v[..., own[COLS]], -1)
        value = _reduce(jnp.broadcast_to(value, full), term.masks[role], union)
        return _add(accumulator, jnp.broadcast_to(value, accumulator.shape))
    x = sides[1 - role]
    value = jnp.sum(x, -1, keepdims=True)
    if stop > start:
        around = (own[role].start, block.shape[role] - own[role].stop, 0)
        edges = ((0, 0, 0),) * (x.ndim - 1)
        mine = x[..., own[1 - role]]
        value = value - jax.lax.pad(mine, jnp.zeros((), dtype), (*edges, around))
    value = value * spread(term.arrays[WEIGHTS], term.masks[WEIGHTS], ())[..., None]
    if need is not None and role == ROWS:
        value = value * need
    value = jnp.broadcast_to(value, (*full, block.shape[role]))
    value = _reduce(value, term.masks[role], union)
    at = accumulator.at[..., begins[role] : begins[role] + block.shape[role]]
    return at.add(value)
