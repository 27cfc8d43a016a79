"""Counter-based random numbers in 32-bit integer arithmetic, on the host.

`jax.random` derives a key for every draw. The rules here need something simpler: draw number `i` of
stream `c` as a pure function of (key, c, i), whatever block it is computed in.
Then chunks, threads, and a larger network all see the same numbers. NumPy is as fast as XLA here,
and a network of many projections of different sizes needs no compilation for each of them.
"""

from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float32, Float64, Integer, UInt32

from ..random import PARITY, ROTATIONS

Bits = UInt32[np.ndarray, "..."]
Words = tuple[Bits, Bits]


def key_words(key: Any) -> UInt32[Array, "2"]:
    """Two 32-bit words that stand for a JAX key of any implementation."""
    return jr.bits(key, (2,), jnp.uint32)


def threefry(words: UInt32[np.ndarray, "2"], c0: Bits, c1: Bits) -> Words:
    """Threefry-2x32 with 20 rounds, as [`brainfn.random.threefry`][], in NumPy.

    The counter is two `uint32` arrays that broadcast against each other.
    """
    k0, k1 = (int(word) for word in words)
    schedule = [k0, k1, k0 ^ k1 ^ PARITY]
    shape = np.broadcast_shapes(np.shape(c0), np.shape(c1))
    x0, x1, left = (np.empty(shape, np.uint32) for _ in range(3))
    np.add(c0, np.uint32(k0), out=x0)
    np.add(c1, np.uint32(k1), out=x1)
    for i in range(5):
        for by in ROTATIONS[i % 2]:
            np.add(x0, x1, out=x0)
            np.left_shift(x1, np.uint32(by), out=left)
            np.right_shift(x1, np.uint32(32 - by), out=x1)
            np.bitwise_or(x1, left, out=x1)
            np.bitwise_xor(x1, x0, out=x1)
        np.add(x0, np.uint32(schedule[(i + 1) % 3]), out=x0)
        np.add(x1, np.uint32((schedule[(i + 2) % 3] + i + 1) & 0xFFFFFFFF), out=x1)
    return x0, x1


def bounded(bits: Words, width: Integer[np.ndarray, "..."] | int) -> Bits:
    r"""Uniform integers in [0, width): $\lfloor u\,\mathrm{width} / 2^{64}\rfloor$ for 64 bits $u$.

    The probabilities of two values differ by at most $\mathrm{width}/2^{64}$ of their mean.

    ??? cite

        Lemire (2019), "Fast random integer generation in an interval", doi:10.1145/3230636.
    """
    width = np.asarray(width, np.uint64)
    high, low = (word.astype(np.uint64) for word in bits)
    low *= width
    low >>= np.uint64(32)
    high *= width
    high += low
    high >>= np.uint64(32)
    return high.astype(np.uint32)


def unit_exponential(bits: Bits) -> Float32[np.ndarray, "..."]:
    r"""Standard exponential numbers $-\log u$ in float32, $u = (b + 1/2)\,2^{-32}$ for 32 bits $b$.

    The relative error is a few $10^{-7}$ for all bits: next to $u = 1$, where $u$ has no float32 of
    its own, the number comes from $1 - u$, as $2\,\mathrm{artanh}$ of $(1 - u) / (1 + u)$.
    """
    f32 = np.float32
    u = bits.astype(f32)
    u += f32(0.5)
    u *= f32(2.0**-32)
    far = np.log(u, out=u)
    np.negative(far, out=far)
    v = (~bits).astype(f32)
    v *= f32(2.0**-32)
    v += f32(2.0**-33)
    s = v / (f32(2.0) - v)
    z = s * s
    series = z * f32(1 / 13)
    series += f32(1 / 11)
    for i in (9, 7, 5, 3, 1):
        series *= z
        series += f32(1 / i)
    series *= s
    series *= f32(2.0)
    return np.where(bits >> np.uint32(31) == 1, series, far)


# Numbers that are drawn one after the other.
Lots = np.random.BitGenerator


def stream(words: UInt32[np.ndarray, "2"], number: int, other: bool = False) -> Lots:
    """Stream `number` of a key, or another one of the same number: Philox-4x64, whose bits NumPy
    promises not to change, and which is faster than `threefry` where a stream is read from its
    beginning on.

    ??? cite

        Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3",
        doi:10.1145/2063384.2063405.
    """
    key = np.array([int(words[0]) | int(words[1]) << 32, 2 * number + other], np.uint64)
    return np.random.Philox(key=key)


def uniform(lots: Lots, n: int) -> Float64[np.ndarray, " n"]:
    """Uniform numbers in [0, 1), multiples of 2^-53."""
    bits = lots.random_raw(n)
    bits >>= np.uint64(11)
    return np.multiply(bits, 2.0**-53)


def exponential(lots: Lots, n: int) -> Float64[np.ndarray, " n"]:
    """Standard exponential numbers."""
    u = uniform(lots, n)
    np.subtract(1.0, u, out=u)  # exact
    np.log(u, out=u)
    return np.negative(u, out=u)


def fine_exponential(bits: Words) -> Float64[np.ndarray, "..."]:
    """Standard exponential numbers in float64 from 64 bits, exact next to zero to 2^-64."""
    high, low = bits
    u = high * 2.0**-32 + (low + 0.5) * 2.0**-64
    return -np.log1p(-np.minimum(u, 1 - 2.0**-53))
