"""Tables of the just-in-time law, computed once on the host: the number of synapses in a tile, and
the quantiles of the normal distribution."""

import functools as ft
import statistics
from fractions import Fraction

import numpy as np

MIN_BITS, MAX_BITS = 10, 18
NORMAL_OCTAVES, NORMAL_SEGMENTS = 31, 64
UNIFORM_SCALE, NORMAL_SCALE = 2.0**-24, 2.0**-26


def tile_bits(probability: float) -> int:
    """A tile has 2 to this power positions: about 8 to 16 synapses, within limits."""
    bits = MIN_BITS
    while bits < MAX_BITS and probability * 2.0 ** (bits + 1) <= 16.0:
        bits += 1
    return bits


def extent_bits(extent: int) -> int:
    """The same where each stream has an exact number of synapses: one tile holds all positions."""
    return max(MIN_BITS, (extent - 1).bit_length())


@ft.lru_cache(maxsize=256)
def thresholds(probability: float) -> np.ndarray:
    r"""The distribution function of the number of synapses in a tile, as 64-bit fractions.

    A uniform 64-bit number $u$ gives $k = \#\{j : u \geq T_j\}$ synapses with
    $T_j = \operatorname{round}(2^{64} P(K \leq j))$ and $K$ binomial; thresholds of $2^{64}$ and
    more are left out. Fixed-point arithmetic with enough digits that each $T_j$ is exact.

    **Returns:** uint32 `(n, 2)`, high and low words.
    """
    n = 1 << tile_bits(probability)
    p = Fraction(probability)
    flipped = p > Fraction(1, 2)
    below = _distribution(n, 1 - p if flipped else p)
    if flipped:
        # P(K <= j) = 1 - P(n - K <= n - j - 1), which is 0 to 64 bits beyond what is listed.
        one = 1 << 64
        below = [one - below[i] if i < len(below) else 0 for i in reversed(range(n))]
    kept = [x for x in below if x < 1 << 64]
    out = np.zeros((len(kept), 2), np.uint32)
    out[:, 0] = [x >> 32 for x in kept]
    out[:, 1] = [x & 0xFFFFFFFF for x in kept]
    out.setflags(write=False)
    return out


def _distribution(n: int, p: Fraction) -> list[int]:
    """round(2**64 P(K <= j)) for j = 0, 1, ... while it is below 2**64, K binomial(n, p <= 1/2)."""
    # Room for P(K = 0) >= 2**-(2 n p) <= 2**-n and for the errors of n products.
    digits = 256 + 2 * int(n * p)
    one = 1 << digits
    p_fixed = (p.numerator << digits) // p.denominator
    q_fixed = one - p_fixed
    probability, power, exponent = one, q_fixed, n
    while exponent:
        if exponent & 1:
            probability = probability * power >> digits
        power = power * power >> digits
        exponent >>= 1
    ratio = (p_fixed << digits) // q_fixed
    total, out = 0, []
    for j in range(n):
        total += probability
        value = (total + (1 << (digits - 65))) >> (digits - 64)
        if value >= 1 << 64:
            break
        out.append(value)
        probability = (probability * (n - j) // (j + 1)) * ratio >> digits
    return out


@ft.cache
def normal_quantiles() -> np.ndarray:
    r"""$|z|$ in units of $2^{-26}$ where the two-sided tail is $t = 2^{o - 31} (1 + s / 64)$, for
    octave $o$ and segment $s$; linear in between."""
    inverse = statistics.NormalDist().inv_cdf
    out = np.zeros(NORMAL_OCTAVES * NORMAL_SEGMENTS + 2, np.int32)
    for i in range(NORMAL_OCTAVES * NORMAL_SEGMENTS):
        octave, segment = divmod(i, NORMAL_SEGMENTS)
        tail = 2.0 ** (octave - NORMAL_OCTAVES) * (1.0 + segment / NORMAL_SEGMENTS)
        out[i] = round(-inverse(tail / 2) / NORMAL_SCALE)
    out.setflags(write=False)
    return out
