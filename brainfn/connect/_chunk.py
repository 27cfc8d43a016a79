"""Write chunks of unknown length into one buffer, in place."""

from collections.abc import Iterable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int32

from .._errors import from_host

# Up to this size an array is assembled on the host, without compiling a program for its length.
_SMALL = 2**21


def assemble(
    chunks: Iterable[Int32[Array, " length"]], starts: Sequence[int], total: int
) -> Int32[Array, " nnz"]:
    """One array of `total` numbers from chunks that are written from left to right.

    A chunk may be longer than its valid part: the next one overwrites the rest.
    """
    if total <= _SMALL:
        small = np.empty(total, np.int32)
        for chunk, start in zip(chunks, starts, strict=True):
            part = np.asarray(chunk)[: total - start]
            small[start : start + part.size] = part
        return from_host(small)
    buffer = jnp.zeros(total, jnp.int32)
    for chunk, start in zip(chunks, starts, strict=True):
        buffer = write(buffer, chunk, np.asarray(start, np.int32))
    return buffer


@partial(jax.jit, donate_argnums=0)
def write(
    buffer: Int32[Array, " nnz"],
    chunk: Int32[Array, " length"],
    start: Int32[Array, ""] | np.ndarray,
) -> Int32[Array, " nnz"]:
    """Writes `chunk` at `start` into the donated buffer; entries beyond its end are dropped."""
    length = min(chunk.shape[0], buffer.shape[0])
    chunk = chunk[:length]
    place = jnp.minimum(start, buffer.shape[0] - length)
    shift = start - place
    old = lax.dynamic_slice(buffer, (place,), (length,))
    moved = lax.dynamic_slice(jnp.concatenate([chunk, chunk]), (length - shift,), (length,))
    new = jnp.where(jnp.arange(length, dtype=jnp.int32) >= shift, moved, old)
    return lax.dynamic_update_slice(buffer, new, (place,))
