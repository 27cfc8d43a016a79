"""Takes out or replaces the present slot of a ring buffer, in place.

`take` gives the slot and the ring with this slot empty; `put` gives the ring with this slot
replaced. Both are linear, and each is the transpose of the other.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from ._check import as_array
from ._prim import Native, define, is_zero, loop_over_batch, zero_tangent


def as_step(now: Any, what: str) -> Array:
    """Checks a step number."""
    now = as_array("now", now, what)
    if now.shape != () or not jnp.issubdtype(now.dtype, jnp.integer):
        raise TypeError(f"{what}: now must be one whole number, got {now.dtype} {now.shape}.")
    return now if now.dtype == np.int32 else now.astype(jnp.int32)


def arrivals(
    ring: Float[Array, "length width"], now: int | Int[Array, ""]
) -> tuple[Float[Array, " width"], Float[Array, "length width"]]:
    r"""Takes the input that arrives in step `now` out of a ring buffer, in place, and clears its
    slot.

    $$ a = R_{n \bmod L}, \qquad R_{n \bmod L} \leftarrow 0 $$

    **Arguments:**

    - `ring`: ring buffer `(length, width)`.
    - `now`: the present step $n$.

    **Returns:** the arriving input `(width,)`, and the ring buffer with this slot empty. Raises
    `ValueError` or `TypeError` for wrong shapes or dtypes.
    """
    ring = as_array("ring", ring, "arrivals")
    if not jnp.issubdtype(ring.dtype, jnp.floating):
        raise TypeError(f"arrivals: ring must be floating point, got dtype {ring.dtype}.")
    if ring.ndim != 2 or ring.shape[0] == 0:
        raise ValueError(f"arrivals: ring must have shape (length, width), got {ring.shape}.")
    arrived, ring = _take(ring, as_step(now, "arrivals"))
    return arrived, ring


def _take_reference(ring, now):
    axis = ring.ndim - 2
    slot = now % ring.shape[axis]
    value = lax.dynamic_index_in_dim(ring, slot, axis, keepdims=False)
    return [value, lax.dynamic_update_index_in_dim(ring, jnp.zeros_like(value), slot, axis)]


def _put_reference(value, ring, now):
    axis = ring.ndim - 2
    return [lax.dynamic_update_index_in_dim(ring, value, now % ring.shape[axis], axis)]


def _instantiated(x, like):
    return jnp.zeros(like.shape, like.dtype) if is_zero(x) else x


def _take_jvp(primals, tangents):
    ring, now = primals
    out = _take(ring, now)
    if is_zero(tangents[0]):
        return out, [zero_tangent(x) for x in out]
    return out, _take(tangents[0], now)


def _put_jvp(primals, tangents):
    value, ring, now = primals
    moved = [_instantiated(t, x) for t, x in zip(tangents[:2], primals[:2], strict=True)]
    return _put(value, ring, now), _put(*moved, now)


def _take_transpose(cotangents, ring, now):
    aval = ring.aval
    shape = (*aval.shape[:-2], aval.shape[-1])
    value = _instantiated(cotangents[0], jax.ShapeDtypeStruct(shape, aval.dtype))
    return [*_put(value, _instantiated(cotangents[1], aval), now), None]


def _put_transpose(cotangents, value, ring, now):
    del value, ring
    return [*_take(cotangents[0], now), None]


def _take_batch(operands, dims):
    ring, now = operands
    if dims[1] is not None:
        return loop_over_batch(_take, operands, dims)
    return _take(jnp.moveaxis(ring, dims[0], 0), now), [0, 0]


def _put_batch(operands, dims):
    if dims[2] is not None:
        return loop_over_batch(_put, operands, dims)
    size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)
    parts = [
        jnp.broadcast_to(x[None], (size, *x.shape)) if d is None else jnp.moveaxis(x, d, 0)
        for x, d in zip(operands[:2], dims[:2], strict=True)
    ]
    return _put(*parts, operands[2]), [0]


_take = define(
    "take_slot",
    reference=_take_reference,
    outputs=lambda ring, now: [
        ((*ring.shape[:-2], ring.shape[-1]), ring.dtype),
        (ring.shape, ring.dtype),
    ],
    native=lambda ring, now: Native("brainfn_take_slot", {}, {0: 1}),
    jvp=_take_jvp,
    transpose=_take_transpose,
    batch=_take_batch,
)

_put = define(
    "put_slot",
    reference=_put_reference,
    outputs=lambda value, ring, now: [(ring.shape, ring.dtype)],
    native=lambda value, ring, now: Native("brainfn_put_slot", {}, {1: 0}),
    jvp=_put_jvp,
    transpose=_put_transpose,
    batch=_put_batch,
)
