"""The pure-JAX meaning of the three primitives: O(nnz) gathers and scatter-adds, on any
platform."""

import functools
import math
import operator

import jax
import jax.numpy as jnp


def row_ids(indptr: jax.Array, nnz: int) -> jax.Array:
    """The row of each stored element of a CSR structure."""
    n_rows = indptr.shape[0] - 1
    lengths = (indptr[1:] - indptr[:-1]).astype(jnp.int32)
    return jnp.repeat(jnp.arange(n_rows, dtype=jnp.int32), lengths, total_repeat_length=nnz)


def coordinates(block, structure) -> tuple[jax.Array, jax.Array]:
    """Row and column of each stored element of a block."""
    assert block.kind == "csr"
    indices, indptr = structure
    return row_ids(indptr, indices.shape[0]), indices


def contributions(role: int, batch: tuple[int, ...], term, accumulator: jax.Array) -> jax.Array:
    """`accumulator` plus what one block adds to it."""
    rows, cols = coordinates(term.block, term.structure)
    if math.prod(term.block.shape) == 0 or cols.shape[0] == 0:
        return accumulator
    dtype = accumulator.dtype
    positions = (rows + term.block.row_offset, cols + term.block.col_offset)
    masks = [*term.masks, *term.need[1:]]
    union = tuple(any(mask[d] for mask in masks) for d in range(len(batch)))

    def spread(x, mask, picks):
        # Stored elements last, a dimension of size one for each batch dimension of the union that x
        # lacks.
        core = x.ndim - sum(mask)
        x = x.astype(dtype)
        x = x[..., picks] if picks is not None else (x if core else x[..., None])
        axes = [i for i, d in enumerate(d for d, has in enumerate(union) if has) if not mask[d]]
        return jnp.expand_dims(x, axes)

    factors = []
    for r in range(3):
        if r != role:
            picks = positions[r] if r < 2 else None
            factors.append(spread(term.arrays[r], term.masks[r], picks))
    if term.need:
        factors.append(spread(term.need[0], term.need[1], positions[0]))
    value = functools.reduce(operator.mul, factors)
    full = tuple(n for n, has in zip(batch, union, strict=True) if has)
    value = jnp.broadcast_to(value, (*full, cols.shape[0]))
    mask = term.masks[role]
    summed = [i for i, d in enumerate(d for d, has in enumerate(union) if has) if not mask[d]]
    value = jnp.sum(value, axis=tuple(summed)) if summed else value
    if role == 2:
        homogeneous = accumulator.ndim == sum(mask)
        return accumulator + (jnp.sum(value, axis=-1) if homogeneous else value)
    return accumulator.at[..., positions[role]].add(value)
