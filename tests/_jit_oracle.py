"""Just-in-time connectivity from its specification (docs/just_in_time.md), one synapse at a time in
Python integers. It shares no code with brainfn and is made for matrices of some thousand synapses.
"""

import functools
import math
import struct

import numpy as np
import scipy.special

WORD = 0xFFFFFFFF


def philox(counter, key, rounds=7):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & WORD, (p0 >> 32) ^ c3 ^ k1, p0 & WORD
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


@functools.cache
def distribution(n, p):
    """round(2**64 P(K <= j)), K binomial(n, p), by exact integers; those of 2**64 are left out."""
    num, den = float(p).as_integer_ratio()
    rest = den - num
    if rest == 0:
        return [0] * n
    term, total, whole, out = rest**n, 0, den**n, []
    shift = whole.bit_length() - 1  # a power of two
    assert whole == 1 << shift
    for j in range(n):
        total += term
        value = ((total << 65) + whole) >> (shift + 1)
        if value >= 1 << 64:
            break
        out.append(value)
        term = term * (n - j) * num // ((j + 1) * rest)
    return out


def turn(x):
    return (x << 16 | x >> 16) & WORD


def tile_columns(seed, stream, tile, bits):
    """The columns of a tile in order, and the number that says how many are synapses."""
    count = philox((stream, tile, 0, 0), seed)
    order = philox((stream, tile, 1, 0), seed)
    constants = [
        (count[2], count[3]),
        (order[0], order[1]),
        (order[2], order[3]),
        (turn(count[2]), turn(order[1])),
    ]

    def permuted():
        for j in range(1 << bits):
            x = j
            for a, b in constants:
                x = (x * (a | 1) + b) % (1 << bits)
                x ^= x >> ((bits + 1) // 2)
            yield (tile << bits) + x

    return permuted(), count[0] << 32 | count[1]


def streams(seed, n_streams, n_positions, origin, *, probability, number, skip, extent):
    """Positions of each stream, in the order of the specification, numbered in the whole matrix.
    `origin` is (stream, position)."""
    out = []
    for s in range(origin[0], origin[0] + n_streams):
        found = []
        if probability is None:
            bits = max(10, math.ceil(math.log2(extent)))
            columns, _ = tile_columns(seed, s, 0, bits)
            for q in columns:
                if len(found) == number:
                    break
                if q < extent and (skip is None or q != s + skip):
                    found.append(q)
        else:
            bits = next(b for b in range(10, 19) if b == 18 or probability * 2 ** (b + 1) > 16)
            thresholds = distribution(1 << bits, probability)
            last = (origin[1] + n_positions - 1) >> bits
            for tile in range(origin[1] >> bits, last + 1):
                columns, u = tile_columns(seed, s, tile, bits)
                k = sum(u >= t for t in thresholds)
                found += [q for _, q in zip(range(k), columns, strict=False)]
            found = [q for q in found if skip is None or q != s + skip]
        out.append([q for q in found if origin[1] <= q < origin[1] + n_positions])
    return out


@functools.cache
def quantiles():
    """|z| 2**26 at the ends of the segments."""
    tails = [2.0 ** (i // 64 - 31) * (1 + i % 64 / 64) for i in range(31 * 64)]
    return [round(-float(scipy.special.ndtri(t / 2)) * 2**26) for t in tails] + [0, 0]


def weight(seed, stream, position, law):
    """z of a synapse as an exact float."""
    k0, k1, _, _ = philox((stream, 0, 2, 0), seed)
    h = position ^ k0
    h ^= h >> 16
    h = h * 0x7FEB352D & WORD
    h ^= h >> 15
    h = (h + k1) * 0x846CA68B & WORD
    h ^= h >> 16
    if law == "uniform":
        return (h >> 8) / 2**24
    (bits,) = struct.unpack("<I", struct.pack("<f", float((h & 0x7FFFFFFF) | 1)))
    segment = (bits >> 17) - (127 << 6)
    high, low = quantiles()[segment], quantiles()[segment + 1]
    z = high - ((high - low) * (bits >> 6 & 0x7FF) >> 11)
    return (-z if h >> 31 else z) / 2**26


def dense(shape, seed, law, theta, *, probability=None, fan_out=None, fan_in=None, autapses=True,
          diagonal=0, origin=(0, 0), extent=None, orientation="rows"):  # fmt: skip
    """The matrix in float64."""
    seed = (seed & WORD, seed >> 32)
    columns = fan_in is not None or orientation == "columns"
    flip = -1 if columns else 1
    n_streams, n_positions = shape[::flip]
    place = origin[::flip]
    number = fan_in if fan_in is not None else fan_out
    found = streams(
        seed,
        n_streams,
        n_positions,
        place,
        probability=probability,
        number=number,
        skip=None if autapses else flip * diagonal,
        extent=place[1] + n_positions if extent is None else extent,
    )
    out = np.zeros((n_streams, n_positions))
    for i, positions in enumerate(found):
        for q in positions:
            z = 0.0 if law == "homogeneous" else weight(seed, place[0] + i, q, law)
            assert out[i, q - place[1]] == 0.0
            out[i, q - place[1]] = theta[0] + (theta[1] * z if len(theta) > 1 else 0.0)
    return out.T if columns else out
