"""Counter-based random numbers in 32-bit integer arithmetic.

`jax.random` derives a key for every draw. The rules here need something simpler: draw number `i` of
stream `c` as a pure function of (key, c, i), regardless of the size of the block that it is
computed in. So a chunked loop, its two passes, and a larger network all see the same numbers.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float32, UInt32

from ..random import Words, key_words as key_words, threefry as threefry


def _wide_product(a: UInt32[Array, "..."], b: UInt32[Array, "..."]) -> Words:
    """(high, low) words of the 64-bit product of two 32-bit numbers, from 16-bit halves."""
    mask, half = jnp.uint32(0xFFFF), jnp.uint32(16)
    a1, a0, b1, b0 = a >> half, a & mask, b >> half, b & mask
    middle = a1 * b0 + ((a0 * b0) >> half)
    cross = a0 * b1 + (middle & mask)
    return a1 * b1 + (middle >> half) + (cross >> half), a * b


def bounded(bits: Words, width: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    r"""Uniform integers in [0, width): $\lfloor u\,\mathrm{width} / 2^{64}\rfloor$ for 64 bits $u$.

    The probabilities of two values differ by at most $\mathrm{width}/2^{64}$ of their mean.

    ??? cite

        Lemire (2019), "Fast random integer generation in an interval", doi:10.1145/3230636.
    """
    high, low = _wide_product(bits[0], width)
    carry, _ = _wide_product(bits[1], width)
    return high + (low + carry < low).astype(jnp.uint32)


def unit_exponential(bits: UInt32[Array, "..."]) -> Float32[Array, "..."]:
    r"""Standard exponential numbers $-\log u$ in float32, $u = (b + 1/2)\,2^{-32}$ for 32 bits $b$.

    The relative error is a few $10^{-7}$ for all bits: near $u = 1$, which float32 can't resolve,
    the number is computed from $1 - u$, as $2\,\mathrm{artanh}$ of $(1 - u) / (1 + u)$.
    """
    far = -jnp.log((bits.astype(jnp.float32) + 0.5) * 2.0**-32)
    v = (~bits).astype(jnp.float32) * 2.0**-32 + 2.0**-33
    s = v / (2.0 - v)
    z = s * s
    series = 1 / 11 + z * (1 / 13)
    for i in (9, 7, 5, 3, 1):
        series = 1 / i + z * series
    return jnp.where(bits >> jnp.uint32(31) == 1, 2.0 * s * series, far)
