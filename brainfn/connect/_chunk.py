"""Write chunks of unknown length into one buffer, in place."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int32


@partial(jax.jit, donate_argnums=0)
def write(
    buffer: Int32[Array, " nnz"], chunk: Int32[Array, " length"], start: Int32[Array, ""]
) -> Int32[Array, " nnz"]:
    """Writes `chunk` at `start` into the donated buffer; what is beyond its end is dropped.

    Chunks are written from left to right, each longer than its valid part: the next one overwrites
    the rest.
    """
    length = min(chunk.shape[0], buffer.shape[0])
    chunk = chunk[:length]
    place = jnp.minimum(start, buffer.shape[0] - length)
    shift = start - place
    old = lax.dynamic_slice(buffer, (place,), (length,))
    moved = lax.dynamic_slice(jnp.concatenate([chunk, chunk]), (length - shift,), (length,))
    new = jnp.where(jnp.arange(length, dtype=jnp.int32) >= shift, moved, old)
    return lax.dynamic_update_slice(buffer, new, (place,))
