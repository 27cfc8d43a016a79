"""Drawing many numbers without a compilation for each number of them."""

from collections import deque
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .._custom_types import Key
from .._errors import empty_on_host, from_host, is_concrete
from ._initializers import AbstractInitializer

# A vector is drawn in blocks of the larger length, or cut from one block of the smaller length.
_SMALL, _BLOCK = 1024, 2**16
# Blocks that are computed while the results of earlier ones are copied.
_AHEAD = 4


def draw(
    initializer: AbstractInitializer, n: int, dtype: DTypeLike, *, key: Key | None
) -> Float[Array, " n"]:
    """A vector of `n` numbers, in a way that compiles for few lengths and needs little memory.

    The first 65536 numbers are those of `initializer((n,), dtype, key=key)`. Of an elementwise
    initializer with scalar parameters block `i` of as many is drawn with `fold_in(key, i)`.

    **Arguments:** those of [`brainfn.init.AbstractInitializer.__call__`][], for a vector.
    """
    plain = all(np.ndim(x) == 0 for x in jax.tree.leaves(initializer))
    if not (plain and initializer.elementwise) or n == 0:
        return initializer((n,), dtype, key=key)
    if all(is_concrete(x) for x in jax.tree.leaves((initializer, key))):
        return _on_host(initializer, n, jnp.dtype(dtype), key)
    if key is None or n <= _BLOCK:
        return initializer((n,), dtype, key=key)
    keys = [key, *(jr.fold_in(key, i) for i in range(1, -(-n // _BLOCK)))]
    return jnp.concatenate([initializer((_BLOCK,), dtype, key=k) for k in keys])[:n]


def _on_host(
    initializer: AbstractInitializer, n: int, dtype: Any, key: Key | None
) -> Float[Array, " n"]:
    # As arrays, so that other numbers are not another program.
    law = jax.tree.map(lambda x: np.asarray(x, dtype) if eqx.is_array_like(x) else x, initializer)
    block = _SMALL if n <= _SMALL else _BLOCK
    out = empty_on_host(n, dtype)
    computed: deque[tuple[int, Array]] = deque()
    for i, start in enumerate(range(0, n, block)):
        own = key if i == 0 or key is None else jr.fold_in(key, i)
        computed.append((start, _block(law, block, dtype, own)))
        if len(computed) > _AHEAD:
            _store(out, *computed.popleft())
    while computed:
        _store(out, *computed.popleft())
    return from_host(out)


def _store(out: np.ndarray, start: int, block: Array) -> None:
    part = out[start : start + block.shape[0]]
    part[:] = np.asarray(block)[: part.size]


@eqx.filter_jit
def _block(law: AbstractInitializer, n: int, dtype: Any, key: Any) -> Float[Array, " n"]:
    return law((n,), dtype, key=key)
