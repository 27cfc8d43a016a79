"""Drawing arrays of many lengths without a compilation for each length."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .._custom_types import Key
from .._errors import from_host, is_concrete
from ._initializers import AbstractInitializer

_LEAST = 1024


def draw(
    initializer: AbstractInitializer, n: int, dtype: DTypeLike, *, key: Key | None
) -> Float[Array, " n"]:
    """`initializer((n,), dtype, key=key)`, bit for bit, but compiled for few lengths only.

    Entry `i` of an elementwise initializer with scalar parameters depends only on the key and on
    `i`, so a longer array of a common length can be drawn and cut on the host.

    **Arguments:** those of [`brainfn.init.AbstractInitializer.__call__`][], for a vector.
    """
    leaves = jax.tree.leaves((initializer, key))
    plain = all(is_concrete(x) for x in leaves) and all(
        np.ndim(x) == 0 for x in jax.tree.leaves(initializer)
    )
    if not (plain and initializer.elementwise) or n == 0:
        return initializer((n,), dtype, key=key)
    long = np.asarray(_compiled(initializer, _bucket(n), jnp.dtype(dtype), key))
    return from_host(long[:n], copy=True)


def _bucket(n: int) -> int:
    """A length of at least `n`: a power of two or, for long arrays, one of its eighths."""
    power = max(_LEAST, 1 << (n - 1).bit_length())
    if power <= 2**20:
        return power
    eighth = power // 16
    return -(-n // eighth) * eighth


@eqx.filter_jit
def _compiled(initializer: AbstractInitializer, n: int, dtype: Any, key: Any) -> Any:
    arrays = jax.tree.map(
        lambda x: jnp.asarray(x, dtype) if eqx.is_array_like(x) else x, initializer
    )
    return arrays((n,), dtype, key=key)
