"""Counter-based random numbers: number `i` of a stream is a function of the key and `i` only.

The numbers that a neuron draws depend on its population's key and its position in the population,
not on the populations it is stored with: populations stepped as one array draw the same numbers as
each of them alone.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float, Int32, Shaped, UInt32

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA

Words = tuple[UInt32[Array, "..."], UInt32[Array, "..."]]


class Streams(eqx.Module):
    """The keys of several populations that are concatenated in one array.

    A network passes it as `key` to the models of such a group; every function of `brainfn.random`
    accepts it in place of a JAX key.
    """

    keys: Shaped[Array, "populations *words"]
    sizes: tuple[int, ...] = eqx.field(static=True)


def named(key: Any, name: str) -> Any:
    """Derives the key of the part called `name` from that of the whole."""
    return jr.fold_in(key, zlib.crc32(name.encode()))


def streams(key: Any, names: Sequence[str], sizes: Sequence[int]) -> Streams:
    """The keys of some populations, each as `named` makes it, for drawing them as one array.

    **Arguments:**

    - `key`: a JAX random key.
    - `names`, `sizes`: of the populations, in the order of storage.
    """
    codes = jnp.asarray(np.array([zlib.crc32(name.encode()) for name in names], np.uint32))
    return Streams(jax.vmap(lambda code: jr.fold_in(key, code))(codes), tuple(sizes))


def fold_in(key: Any, data: int) -> Any:
    """A new key from a key and a number, like `jax.random.fold_in`; accepts `Streams` as well."""
    if not isinstance(key, Streams):
        return jr.fold_in(key, data)
    return Streams(jax.vmap(lambda k: jr.fold_in(k, data))(key.keys), key.sizes)


def key_words(key: Any) -> tuple[UInt32[Array, ""], UInt32[Array, ""]]:
    """Two 32-bit words derived from a JAX key of any implementation."""
    words = jr.bits(key, (2,), jnp.uint32)
    return words[0], words[1]


def _rotate(x: UInt32[Array, "..."], by: int) -> UInt32[Array, "..."]:
    return (x << jnp.uint32(by)) | (x >> jnp.uint32(32 - by))


def threefry(words: Words, c0: UInt32[Array, "..."], c1: UInt32[Array, "..."]) -> Words:
    r"""Threefry-2x32 with 20 rounds, written out so that XLA fuses it with the code that uses its
    words.

    **Arguments:**

    - `words`: the key as two 32-bit words, see `key_words`.
    - `c0`, `c1`: the counter, two `uint32` arrays of the same shape.

    **Returns:**

    Two `uint32` arrays of the shape of the counter: 64 random bits for each counter.

    ??? cite

        Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3",
        doi:10.1145/2063384.2063405.
    """
    k0, k1 = words
    schedule = (k0, k1, k0 ^ k1 ^ jnp.uint32(PARITY))
    x0, x1 = c0 + k0, c1 + k1
    for i in range(5):
        for by in ROTATIONS[i % 2]:
            x0 = x0 + x1
            x1 = _rotate(x1, by) ^ x0
        x0 = x0 + schedule[(i + 1) % 3]
        x1 = x1 + schedule[(i + 2) % 3] + jnp.uint32(i + 1)
    return x0, x1


def _words(key: Any, size: int) -> tuple[Words, UInt32[Array, " size"]]:
    """The key of each entry, and its counter."""
    if not isinstance(key, Streams):
        return key_words(key), jnp.arange(size, dtype=jnp.uint32)
    if sum(key.sizes) != size:
        raise ValueError(
            f"`size` must be the total size of the populations of `key`, {sum(key.sizes)}, got "
            f"{size}."
        )
    words = jax.vmap(lambda k: jr.bits(k, (2,), jnp.uint32))(key.keys)
    if len(key.sizes) == 1:
        return (words[0, 0], words[0, 1]), jnp.arange(size, dtype=jnp.uint32)
    counter = np.concatenate([np.arange(n, dtype=np.uint32) for n in key.sizes])
    which = np.repeat(np.arange(len(key.sizes)), key.sizes)
    return (words[which, 0], words[which, 1]), jnp.asarray(counter)


def bits(key: Any, size: int, draw: Any = 0) -> Words:
    """64 random bits for each of `size` entries, as two words of 32.

    **Arguments:**

    - `key`: a JAX random key of any kind, or `Streams`.
    - `size`: the number of entries.
    - `draw`: index of the draw, if an entry needs several.
    """
    words, counter = _words(key, size)
    return threefry(words, jnp.broadcast_to(jnp.asarray(draw, jnp.uint32), (size,)), counter)


def _unit(words: Words, dtype: Any) -> Float[Array, "..."]:
    """Uniform numbers in [0, 1), multiples of 2^-53 (float64) or 2^-24 (others)."""
    high, low = words
    if jnp.dtype(dtype) == jnp.float64:
        top = (high >> jnp.uint32(5)).astype(jnp.float64) * 2.0**-27
        return top + (low >> jnp.uint32(6)).astype(jnp.float64) * 2.0**-53
    return (high >> jnp.uint32(8)).astype(jnp.float32) * np.float32(2.0**-24)


def _working(dtype: Any) -> Any:
    dtype = jnp.dtype(jnp.result_type(float) if dtype is None else dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"`dtype` must be a floating-point dtype, got {dtype}. Try jnp.float32.")
    return dtype


def uniform(key: Any, size: int, dtype: Any = None) -> Float[Array, " size"]:
    """Uniform numbers in [0, 1).

    **Arguments:**

    - `key`: a JAX random key, or `Streams`.
    - `size`: the number of entries.
    - `dtype`: JAX's default float dtype by default.
    """
    dtype = _working(dtype)
    return _unit(bits(key, size), dtype).astype(dtype)


def normal(key: Any, size: int, dtype: Any = None) -> Float[Array, " size"]:
    """Standard normal numbers, by inversion. Arguments as for `uniform`."""
    dtype = _working(dtype)
    return _gauss(bits(key, size), dtype).astype(dtype)


def _gauss(words: Words, dtype: Any) -> Float[Array, "..."]:
    u = _unit(words, dtype)
    # Half a unit of the grid is added, so that the argument lies within (-1, 1); last, where it is
    # exact: beside the largest u it would be rounded to the end of the interval, an infinite draw.
    half = 2.0**-53 if u.dtype == jnp.float64 else 2.0**-24
    x = lax.erf_inv((2 * u - 1) + jnp.asarray(half, u.dtype))
    return jnp.asarray(np.sqrt(2), u.dtype) * x


def exponential(key: Any, size: int, dtype: Any = None) -> Float[Array, " size"]:
    """Standard exponential numbers. Arguments as for `uniform`."""
    dtype = _working(dtype)
    return (-jnp.log1p(-_unit(bits(key, size), dtype))).astype(dtype)


def gamma(key: Any, shape: Any, size: int, dtype: Any = None) -> Float[Array, " size"]:
    """Gamma distributed numbers of scale 1, without a derivative.

    **Arguments:**

    - `key`: a JAX random key, or `Streams`.
    - `shape`: the shape parameter, which is also the mean; positive, a number or one for each.
    - `size`: the number of entries.
    - `dtype`: JAX's default float dtype by default.

    ??? cite

        Marsaglia and Tsang (2000), "A simple method for generating gamma variables", ACM Trans.
        Math. Softw. 26:363-372, doi:10.1145/358407.358414.
    """
    return jnp.exp(log_gamma(key, lax.stop_gradient(shape), size, dtype))


@eqx.filter_jit  # where it is called outside of `jit`, not an operation at a time
def log_gamma(key: Any, shape: Any, size: int, dtype: Any = None) -> Float[Array, " size"]:
    """The logarithms of gamma distributed numbers, which may be too small for a float themselves.

    Their derivative in the shape parameter is that at a fixed value of the cumulative distribution.
    Arguments as for `gamma`.

    ??? cite

        Figurnov, Mohamed and Mnih (2018), "Implicit reparameterization gradients",
        arXiv:1805.08498.
    """
    dtype = _working(dtype)
    wide = dtype if dtype.itemsize >= 4 else jnp.dtype(jnp.float32)
    given = jnp.broadcast_to(jnp.asarray(shape).astype(wide), (size,))
    alpha = lax.stop_gradient(given)
    small = alpha < 1
    d = jnp.where(small, alpha + 1, alpha) - 1 / 3
    c = 1 / jnp.sqrt(9 * d)

    def turn(carry: Any) -> Any:
        draw, log_v, done = carry
        x = _gauss(bits(key, size, 2 * draw + 1), wide)
        u = 1 - _unit(bits(key, size, 2 * draw + 2), wide)
        inside = 1 + c * x > 0
        new = 3 * jnp.log1p(jnp.where(inside, c * x, 0))
        good = inside & (jnp.log(u) < 0.5 * x * x + d * (1 - jnp.exp(new) + new))
        return draw + 1, jnp.where(good & ~done, new, log_v), done | good

    start = (jnp.zeros((), jnp.uint32), jnp.zeros_like(d), jnp.zeros(size, bool))
    log_v = lax.while_loop(lambda carry: ~jnp.all(carry[2]), turn, start)[1]
    # A shape below 1 is that of the next higher one times a power of a uniform number.
    u = 1 - _unit(bits(key, size, 0), wide)
    log_x = jnp.log(d) + log_v + jnp.where(small, jnp.log(u) / alpha, 0)
    values: Array = _at_quantile(given, lax.stop_gradient(log_x))
    return values.astype(dtype)


@jax.custom_jvp
def _at_quantile(shape: Array, log_x: Array) -> Array:
    """`log_x`, with the derivative in the shape parameter at a fixed quantile. Only what is
    differentiated pays for it."""
    del shape
    return log_x


@_at_quantile.defjvp
def _at_quantile_jvp(primals: Any, tangents: Any) -> Any:
    shape, log_x = primals
    x = jnp.maximum(jnp.exp(log_x), jnp.finfo(log_x.dtype).tiny)
    slope: Array = lax.random_gamma_grad(shape, x)  # pyright: ignore[reportCallIssue]
    return log_x, slope / x * tangents[0]


def bernoulli(key: Any, p: Any, size: int) -> Bool[Array, " size"]:
    """`True` with probability `p`, a number or one for each entry; exact to 2^-32.

    **Arguments:**

    - `key`: a JAX random key, or `Streams`.
    - `p`: probabilities, from 0 to 1.
    - `size`: the number of entries.
    """
    p = jnp.asarray(p)
    high, _ = bits(key, size)
    # The comparison of integers keeps small probabilities, which a float32 grid would round away.
    whole = jnp.float64 if p.dtype == jnp.float64 else jnp.float32
    scaled = jnp.clip(p.astype(whole) * 2.0**32, 0, 2.0**32 - 256)
    below = high < scaled.astype(jnp.uint32)
    return jnp.where(p >= 1, True, below)


def poisson(key: Any, mean: Any, size: int) -> Int32[Array, " size"]:
    r"""Poisson numbers with any mean: counts, not clipped at one.

    By inversion for means below 10, and by transformed rejection above.

    **Arguments:**

    - `key`: a JAX random key, or `Streams`.
    - `mean`: a number or one for each entry, not negative.
    - `size`: the number of entries.

    ??? cite

        Hoermann (1993), "The transformed rejection method for generating Poisson random variables",
        Insurance: Mathematics and Economics 12:39-45, doi:10.1016/0167-6687(93)90997-4.
    """
    mean = jnp.asarray(mean)
    if not jnp.issubdtype(mean.dtype, jnp.floating) or mean.dtype.itemsize < 4:
        mean = mean.astype(jnp.float32)
    if mean.ndim == 0:
        # One mean for all, as in most networks: the same numbers, ten times as fast.
        mean = lax.stop_gradient(mean)
        return lax.cond(
            mean < 10,
            lambda: _by_shared_inversion(key, jnp.minimum(mean, 10), size),
            lambda: _poisson(key, jnp.broadcast_to(mean, (size,)), size),
        )
    return _poisson(key, jnp.broadcast_to(mean, (size,)), size)


def _poisson(key: Any, mean: Float[Array, " size"], size: int) -> Int32[Array, " size"]:
    small = mean < 10
    few = _by_inversion(key, jnp.where(small, mean, 0), size)
    # Most networks have only small means: then the loop below does not iterate.
    many = _by_rejection(key, jnp.where(small, 10, mean), size, ~small)
    return jnp.where(small, few, many)


def binomial(key: Any, n: Any, p: Any, size: int) -> Int32[Array, " size"]:
    """Binomial numbers: of `n` trials those with success, by inversion.

    **Arguments:**

    - `key`: a JAX random key, or `Streams`.
    - `n`: the number of trials, a whole number up to 100, one for all or one for each entry.
    - `p`: the probability of success, a number or one for each entry.
    - `size`: the number of entries.
    """
    p = jnp.asarray(p)
    if not jnp.issubdtype(p.dtype, jnp.floating) or p.dtype.itemsize < 4:
        p = p.astype(jnp.float32)
    p = jnp.broadcast_to(p, (size,))
    n = jnp.broadcast_to(jnp.asarray(n).astype(p.dtype), (size,))
    # Failures are counted instead where they are rarer: (1 - q)^n does not underflow.
    swapped = p > 0.5
    q = jnp.where(swapped, 1 - p, p)
    odds = q / (1 - q)

    def following(before: Array, k: Array) -> Array:
        return before * ((n - k.astype(n.dtype)) / (k + 1).astype(n.dtype) * odds)

    k = _inverted(_unit(bits(key, size), p.dtype), (1 - q) ** n, following)
    # The rounded probabilities may add up to less than the largest `u`.
    most = n.astype(jnp.int32)
    k = jnp.minimum(k, most)
    return jnp.where(swapped, most - k, k)


def _by_inversion(key: Any, mean: Float[Array, " size"], size: int) -> Int32[Array, " size"]:
    u = _unit(bits(key, size), mean.dtype)
    return _inverted(u, jnp.exp(-mean), lambda p, k: p * mean / (k + 1).astype(p.dtype))


# Terms of the sum in one pass over the numbers.
_TERMS = 8


def _by_shared_inversion(key: Any, mean: Float[Array, ""], size: int) -> Int32[Array, " size"]:
    """As `_by_inversion`, with cumulative probabilities that are the same for all."""
    u = _unit(bits(key, size), mean.dtype)
    largest = jnp.max(u, initial=0)

    def unfinished(carry: Any) -> Any:
        _, n, _, total = carry
        return (largest >= total) & (n < 200)

    def turn(carry: Any) -> Any:
        k, n, p, total = carry
        for j in range(_TERMS):
            k = k + (u >= total).astype(jnp.int32)
            p = p * mean / (n + j + 1).astype(p.dtype)
            total = total + p
        return k, n + _TERMS, p, total

    first = jnp.exp(-mean)
    start = jnp.zeros_like(u, jnp.int32), jnp.zeros((), jnp.int32), first, first
    return lax.while_loop(unfinished, turn, start)[0]


def poisson_cumulative(mean: Float[Array, ""]) -> Float[Array, " terms"]:
    """What `poisson` compares its uniform numbers with, for one mean below 10: the number is how
    many of these cumulative probabilities are not larger."""

    def turn(carry: Any, n: Any) -> Any:
        p, total = carry
        p = p * mean / (n + 1).astype(p.dtype)
        return (p, total + p), total

    first = jnp.exp(-mean)
    totals: Array = lax.scan(turn, (first, first), jnp.arange(200, dtype=jnp.int32))[1]
    return totals


def _inverted(
    u: Float[Array, " size"],
    first: Float[Array, " size"],
    following: Callable[[Array, Array], Array],
) -> Int32[Array, " size"]:
    """The numbers whose cumulative probability first exceeds `u`; `first` is the probability of
    zero, and `following(p, k)` that of k + 1, where that of k is `p`."""

    def unfinished(carry: Any) -> Any:
        k, _, total = carry
        return jnp.any((u >= total) & (k < 200))

    def turn(carry: Any) -> Any:
        k, p, total = carry
        more = u >= total
        p = following(p, k)
        return jnp.where(more, k + 1, k), p, jnp.where(more, total + p, total)

    # The `k` of an entry stops once its `u` is reached; `p` continues with the number of
    # iterations, and no longer matters there.
    start = jnp.zeros_like(u, jnp.int32)
    return lax.while_loop(unfinished, turn, (start, first, first))[0]


def _by_rejection(
    key: Any, mean: Float[Array, " size"], size: int, wanted: Bool[Array, " size"]
) -> Int32[Array, " size"]:
    b = 0.931 + 2.53 * jnp.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    log_mean = jnp.log(mean)

    def turn(carry: Any) -> Any:
        draw, k, done = carry
        u = _unit(bits(key, size, 2 * draw + 1), mean.dtype) - 0.5
        v = _unit(bits(key, size, 2 * draw + 2), mean.dtype)
        us = 0.5 - jnp.abs(u)
        us = jnp.where(us == 0, jnp.finfo(us.dtype).tiny, us)
        v = jnp.where(v == 0, jnp.finfo(v.dtype).tiny, v)
        new = jnp.floor((2 * a / us + b) * u + mean + 0.43)
        good = jnp.clip(new, 0, 2.0**30)
        quick = (us >= 0.07) & (v <= v_r)
        bad = (new < 0) | ((us < 0.013) & (v > us))
        left = jnp.log(v * inverse_alpha / (a / (us * us) + b))
        right = good * log_mean - mean - gammaln(good + 1)
        accepted = ~done & (quick | (~bad & (left <= right)))
        return draw + 1, jnp.where(accepted, good.astype(jnp.int32), k), done | accepted

    start = (jnp.zeros((), jnp.uint32), jnp.zeros(mean.shape, jnp.int32), ~wanted)
    return lax.while_loop(lambda c: ~jnp.all(c[2]), turn, start)[1]
