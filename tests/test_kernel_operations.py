"""Each operation of generated kernels against exact references and against XLA."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax import lax

import brainfn as bf
from brainfn import random

N = 4099  # not a multiple of the number of lanes


def bits(x):
    return lax.bitcast_convert_type(x, jnp.int32 if x.dtype == jnp.float32 else jnp.int64)


def choose(x, y):
    low, high = jnp.zeros((), y.dtype), jnp.full((), 2, y.dtype)
    return lax.select_n(lax.clamp(low, y, high).astype(jnp.int32), x, y, x + y)


def run(function, *arrays, name="test"):
    """The outputs of an elementwise function as a kernel, and by XLA."""
    fast = bf.kernel.generated(function)
    out = jax.jit(lambda *xs: fast(name, N, (), (), xs))(*arrays)[1]
    assert bf.kernel.reports()[name] == "generated", bf.kernel.reports()[name]
    other = jax.jit(lambda *xs: function((), (), xs)[1])(*arrays)
    return out, other


def numbers(dtype, low=-40.0, high=40.0):
    """Numbers of all sizes and signs, among them all special ones."""
    rng = np.random.default_rng(1)
    info = jnp.finfo(dtype)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5]
    special += [info.tiny, -info.tiny, info.max, info.min, info.eps, -info.eps, 1 - info.epsneg]
    some = rng.uniform(low, high, N - len(special))
    some[::3] = rng.uniform(-1, 1, some[::3].size)
    some[::7] = np.sign(some[::7]) * 10.0 ** rng.uniform(-30, 1, some[::7].size)
    return np.concatenate([special, some]).astype(dtype)


def ulps(x, exact, dtype):
    """Distance of finite results from exact values in units in the last place of `dtype`."""
    worst = 0.0
    for a, b in zip(x.tolist(), exact, strict=True):
        if not math.isfinite(a) or abs(b) < float(jnp.finfo(dtype).tiny) * 4:
            continue
        _, e = mpmath.frexp(b)
        unit = mpmath.mpf(2) ** (e - 1 - jnp.finfo(dtype).nmant)
        worst = max(worst, float(abs(mpmath.mpf(a) - b) / unit))
    return worst


# The function, its exact value, and the interval of arguments that matter.
ACCURATE = {
    "exp": (jnp.exp, mpmath.exp, (-80, 80)),
    "expm1": (jnp.expm1, mpmath.expm1, (-80, 80)),
    "log": (jnp.log, mpmath.log, (0, 1000)),
    "log1p": (jnp.log1p, mpmath.log1p, (-1, 1000)),
    "logistic": (jax.nn.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), (-80, 80)),
    "tanh": (jnp.tanh, mpmath.tanh, (-30, 30)),
    "sinh": (jnp.sinh, mpmath.sinh, (-80, 80)),
    "cosh": (jnp.cosh, mpmath.cosh, (-80, 80)),
    "sqrt": (jnp.sqrt, mpmath.sqrt, (0, 1000)),
    "rsqrt": (lax.rsqrt, lambda x: 1 / mpmath.sqrt(x), (0, 1000)),
    "sin": (jnp.sin, mpmath.sin, (-30, 30)),
    "cos": (jnp.cos, mpmath.cos, (-30, 30)),
    "exp2": (jnp.exp2, lambda x: mpmath.mpf(2) ** x, (-80, 80)),
    "erf": (lax.erf, mpmath.erf, (-4, 4)),
    "erfc": (lax.erfc, mpmath.erfc, (-4, 4)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_are_within_two_units_of_the_exact_value(dtype):
    names = list(ACCURATE)
    x = numbers(dtype)

    def all_of(constants, context, variables):
        (x,) = variables
        del constants, context
        return (x,), {name: ACCURATE[name][0](x) for name in names}

    ours, xla = run(all_of, jnp.asarray(x))
    for name in names:
        _, exact, (low, high) = ACCURATE[name]
        inside = np.flatnonzero((x > low) & (x < high) & (x != 0))[::5]
        with mpmath.workprec(200):
            values = [exact(mpmath.mpf(float(v))) for v in x[inside]]
            worst = ulps(np.asarray(ours[name])[inside], values, dtype)
        # The bound; a half is the best possible.
        assert worst <= 2.0, (name, worst)
        # NaN and infinities where XLA has them, for every argument.
        a, b = np.asarray(ours[name]), np.asarray(xla[name])
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), name)
        assert np.all((a == b)[np.isinf(b) & np.isinf(a)]), name
        # Overflow begins within two units of the largest number.
        differ = np.isinf(a) != np.isinf(b)
        assert np.all(np.abs(np.where(np.isinf(a), b, a)[differ]) > 0.99 * jnp.finfo(dtype).max)
        zero = (b == 0) & (a == 0)
        np.testing.assert_array_equal(np.signbit(a[zero]), np.signbit(b[zero]), name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_error_function_is_that_of_xla(dtype):
    x = np.concatenate([[1.0, -1.0, 0.0, np.nan], np.linspace(-1, 1, N - 4)]).astype(dtype)
    ours, xla = run(lambda c, t, v: (v, lax.erf_inv(v[0])), jnp.asarray(x))
    inside = slice(4, -1, 7)
    exact = [float(mpmath.erfinv(float(v))) for v in x[inside]]
    # Ours are a few units from the exact values, XLA's in float64 up to 13.
    np.testing.assert_allclose(ours[inside], exact, rtol=4 * jnp.finfo(dtype).eps)
    np.testing.assert_allclose(ours, xla, rtol=20 * jnp.finfo(dtype).eps, atol=0)


EXACT_ONE = {
    "neg": jnp.negative,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "round to even": jnp.round,
    "round away": lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO),
    "is_finite": jnp.isfinite,
    "square": jnp.square,
    "cube": lambda x: lax.integer_pow(x, 3),
    "power -2": lambda x: lax.integer_pow(x, -2),
    "power 7": lambda x: lax.integer_pow(x, 7),
    "to int32": lambda x: x.astype(jnp.int32),
    "to uint32": lambda x: x.astype(jnp.uint32),
    "to int64": lambda x: x.astype(jnp.int64),
    "to bool": lambda x: x.astype(bool),
    "bits": bits,
    "clamp": lambda x: jnp.clip(x, -1.5, 2.0),
}
EXACT_TWO = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": jnp.divide,
    "max": lax.max,
    "min": lax.min,
    "rem": lax.rem,
    "eq": lax.eq,
    "ne": lax.ne,
    "lt": lax.lt,
    "le": lax.le,
    "gt": lax.gt,
    "ge": lax.ge,
    "select": lambda x, y: jnp.where(x > y, x, y),
    "and": lambda x, y: (x > 0) & (y > 0),
    "or": lambda x, y: (x > 0) | (y > 0),
    "xor": lambda x, y: (x > 0) ^ (y > 0),
    "not": lambda x, y: ~(x > y),
    "equal bools": lambda x, y: (x > 0) == (y > 0),
    "bool to number": lambda x, y: (x > y).astype(x.dtype) * 2,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_operations_have_the_bits_of_xla(dtype):
    x = numbers(dtype)
    y = np.roll(x, 5)[np.random.default_rng(0).permutation(N)]
    x[-200:], y[-200:] = np.resize(x[:19], 200), np.repeat(x[:19], 19)[:200]

    def all_of(constants, context, variables):
        del constants, context
        x, y = variables
        out = {name: f(x) for name, f in EXACT_ONE.items()}
        out |= {name: f(x, y) for name, f in EXACT_TWO.items()}
        return variables, out

    ours, xla = run(all_of, jnp.asarray(x), jnp.asarray(y))
    tiny = jnp.finfo(dtype).tiny
    for name in ours:
        a, b = np.asarray(ours[name]), np.asarray(xla[name])
        assert a.dtype == b.dtype, name
        if np.issubdtype(a.dtype, np.floating):
            # Subnormal numbers may be flushed to zero.
            keep = ~((np.abs(a) < tiny) & (np.abs(b) < tiny) & (a != b))
            a, b = a[keep], b[keep]
            both = ~(np.isnan(a) | np.isnan(b))
            np.testing.assert_array_equal(np.signbit(a[both]), np.signbit(b[both]), name)
        np.testing.assert_array_equal(a, b, name)


INTEGERS = {
    "add": lax.add,
    "sub": lax.sub,
    "mul": lax.mul,
    "div": lax.div,
    "rem": lax.rem,
    "max": lax.max,
    "min": lax.min,
    "and": lax.bitwise_and,
    "or": lax.bitwise_or,
    "xor": lax.bitwise_xor,
    "not": lambda x, y: lax.bitwise_not(x),
    "abs": lambda x, y: abs(x),
    "sign": lambda x, y: lax.sign(x),
    "left": lambda x, y: lax.shift_left(x, y),
    "right": lambda x, y: lax.shift_right_logical(x, y),
    "right, sign": lambda x, y: lax.shift_right_arithmetic(x, y),
    "lt": lax.lt,
    "ge": lax.ge,
    "to float32": lambda x, y: x.astype(jnp.float32),
    "to float64": lambda x, y: x.astype(jnp.float64),
    "to int32": lambda x, y: x.astype(jnp.int32),
    "to uint32": lambda x, y: x.astype(jnp.uint32),
    "to uint64": lambda x, y: x.astype(jnp.uint64),
    "choose": choose,
}


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_whole_numbers_have_the_bits_of_xla(dtype):
    rng = np.random.default_rng(2)
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, N, dtype, endpoint=True)
    y = rng.integers(0, 70, N).astype(dtype)
    x[:6] = [info.min, info.max, 0, 1, info.min, 5]
    y[:6] = [info.max, 0, 0, 1, 1, 0]
    y[6:40] = x[6:40]
    if info.min < 0:
        y[40:60] = -1
        x[40] = info.min

    def all_of(constants, context, variables):
        del constants, context
        return variables, {name: f(*variables) for name, f in INTEGERS.items()}

    ours, xla = run(all_of, jnp.asarray(x), jnp.asarray(y))
    for name in ours:
        a, b = np.asarray(ours[name]), np.asarray(xla[name])
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, name)


def test_powers():
    x = np.abs(numbers(np.float64, 0, 5))
    y = numbers(np.float64, -3, 3)
    ours, xla = run(lambda c, t, v: (v, v[0] ** v[1]), jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(ours, xla, rtol=4e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_numbers_have_the_same_bits(dtype):
    key = random.streams(jax.random.key(3), ("a", "b"), (N - 1000, 1000))

    def draws(constants, context, variables):
        del constants
        (x,) = variables
        return (x + random.uniform(context, N, dtype),), (
            random.bernoulli(context, jnp.asarray(0.25, dtype), N),
            random.normal(context, N, dtype),
        )

    fast = bf.kernel.generated(draws)
    x = jnp.zeros(N, dtype)
    (ours,), (coins, normal) = jax.jit(lambda k, x: fast("draws", N, (), k, (x,)))(key, x)
    assert bf.kernel.reports()["draws"] == "generated"
    (xla,), (flips, gauss) = jax.jit(lambda k, x: draws((), k, (x,)))(key, x)
    np.testing.assert_array_equal(ours, xla)
    np.testing.assert_array_equal(coins, flips)
    np.testing.assert_allclose(normal, gauss, rtol=20 * jnp.finfo(dtype).eps)
