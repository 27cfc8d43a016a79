import itertools
import math

import equinox as eqx
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from brainfn import surrogate as sg

# Each surrogate with its derivative written once more in NumPy, and the closed form of its area.
CASES = {
    "relu": (sg.ReluGrad(0.3, 1.2), lambda x: 0.3 * np.clip(1.2 - abs(x), 0, None), 0.3 * 1.44),
    "triangle": (sg.Triangle(0.7, 1.5), lambda x: 0.7 * np.clip(1 - abs(x) / 1.5, 0, None), 1.05),
    "boxcar": (sg.Boxcar(0.25), lambda x: 2.0 * (abs(x) < 0.25), 1.0),
    "arctan": (sg.Arctan(3.0), lambda x: 1.5 / (1 + (np.pi * 1.5 * x) ** 2), 1.0),
    "sigmoid": (sg.Sigmoid(4.0), lambda x: 1 / np.cosh(2 * x) ** 2, 1.0),
    "fast": (sg.FastSigmoid(25.0), lambda x: (1 + 25 * abs(x)) ** -2.0, 2 / 25),
    "epanechnikov": (
        sg.Epanechnikov(0.8),
        lambda x: 0.9375 * np.clip(1 - (x / 0.8) ** 2, 0, None),
        1.0,
    ),
    "cosine": (
        sg.Cosine(1.3),
        lambda x: (1 + np.cos(np.pi * x / 1.3)) / 2.6 * (abs(x) < 1.3),
        1.0,
    ),
    "softsign": (sg.SoftSign(0.2), lambda x: 2.5 / (1 + abs(x) / 0.2) ** 2, 1.0),
    "gaussian": (sg.Gaussian(0.4), scipy.stats.norm(0, 0.4).pdf, 1.0),
    "multi": (
        sg.MultiGaussian(0.5, 0.2, 6.0),
        lambda x: (
            1.2 * scipy.stats.norm(0, 0.5).pdf(x)
            - 0.2 * scipy.stats.norm(0.5, 3.0).pdf(x)
            - 0.2 * scipy.stats.norm(-0.5, 3.0).pdf(x)
        ),
        0.8,
    ),
    "exponential": (sg.PiecewiseExponential(3.0), lambda x: 1.5 * np.exp(-3 * abs(x)), 1.0),
    "tanh": (sg.Tanh(2.0), lambda x: np.cosh(2 * x) ** -2.0, 1.0),
    "circle": (sg.Circle(0.3), lambda x: 0.045 / (0.09 + x**2) ** 1.5, 1.0),
    "log": (sg.LogAbs(5.0), lambda x: 1 / (1 + 5 * abs(x)), None),
    "q": (sg.QPseudoSpike(3.0), lambda x: (1 + abs(x)) ** -3.0, 1.0),
    "leaky": (sg.LeakyRelu(0.2, 0.9), lambda x: np.where(x >= 0, 0.9, 0.2), None),
    "floor": (sg.PiecewiseLeakyRelu(0.5, 0.02), lambda x: np.where(abs(x) < 0.5, 1.0, 0.02), None),
    "one-sided": (sg.OneSided(0.3), lambda x: 1.0 * (x >= -0.3), None),
    "s2nn": (
        sg.S2NN(3.0, 0.7),
        lambda x: np.where(x < 0, 0.75 / np.cosh(1.5 * x) ** 2, 0.7 / (1 + abs(x))),
        None,
    ),
    "log tail": (
        sg.LogTailedRelu(0.03),
        lambda x: np.where(x <= 0, 0.03, 1 / np.maximum(x, 1.0)),
        None,
    ),
    "square": (
        sg.SquareWave(5.0),
        lambda x: 0.8 * sum(np.cos(2 * np.pi * k * x / 5) for k in (1, 3, 5, 7)),
        None,
    ),
    "hazard": (sg.LogHazard(), lambda x: np.exp(x - np.exp(x)), 1.0),
    "truncated": (
        sg.TruncatedFastSigmoid(100.0, 0.2),
        lambda x: (1 + 100 * abs(x)) ** -2.0 * (abs(x) < 0.2),
        2 / 100 * (1 - 1 / 21),
    ),
}
COMPACT = ("relu", "triangle", "boxcar", "truncated", "epanechnikov", "cosine")
# Antiderivatives: a network with them in place of the step is smooth, and has the same gradient
# where nothing depends on spikes but the loss.
RELAXED = {
    "relu": lambda x: 0.3 * np.sign(x) * (0.72 - np.clip(1.2 - abs(x), 0, None) ** 2 / 2),
    "triangle": lambda x: 0.7 * np.sign(x) * (0.75 - np.clip(1.5 - abs(x), 0, None) ** 2 / 3),
    "boxcar": lambda x: np.clip(2 * x, -0.5, 0.5),
    "arctan": lambda x: np.arctan(1.5 * np.pi * x) / np.pi,
    "sigmoid": lambda x: scipy.special.expit(4 * x),
    "fast": lambda x: x / (1 + 25 * abs(x)),
    "hazard": lambda x: -np.expm1(-np.exp(x)),
    "truncated": lambda x: np.clip(x, -0.2, 0.2) / (1 + 100 * np.clip(abs(x), 0, 0.2)),
    "epanechnikov": lambda x: 0.9375 * (z := np.clip(x, -0.8, 0.8)) - 0.3125 * z**3 / 0.64,
    "cosine": lambda x: (z := np.clip(x / 1.3, -1, 1)) / 2 + np.sin(np.pi * z) / (2 * np.pi),
    "softsign": lambda x: 0.5 * x / (0.2 + abs(x)),
    "gaussian": scipy.stats.norm(0, 0.4).cdf,
    "multi": lambda x: (
        1.2 * scipy.stats.norm(0, 0.5).cdf(x)
        - 0.2 * scipy.stats.norm(0.5, 3.0).cdf(x)
        - 0.2 * scipy.stats.norm(-0.5, 3.0).cdf(x)
    ),
    "exponential": lambda x: -0.5 * np.sign(x) * np.expm1(-3 * abs(x)),
    "tanh": lambda x: np.tanh(2 * x) / 2,
    "circle": lambda x: 0.5 * x / np.hypot(0.3, x),
    "log": lambda x: np.sign(x) * np.log1p(5 * abs(x)) / 5,
    "q": lambda x: 0.5 * np.sign(x) * (1 - (1 + abs(x)) ** -2.0),
    "leaky": lambda x: np.where(x >= 0, 0.9 * x, 0.2 * x),
    "floor": lambda x: (z := np.clip(x, -0.5, 0.5)) + 0.02 * (x - z),
    "one-sided": lambda x: np.maximum(x + 0.3, 0.0),
    "s2nn": lambda x: np.where(
        x < 0, scipy.special.expit(3 * x), 0.5 + 0.7 * np.log1p(np.clip(x, 0, None))
    ),
    "log tail": lambda x: np.where(
        x <= 0, 0.03 * x, np.minimum(x, 1.0) + np.log(np.maximum(x, 1.0))
    ),
    "square": lambda x: 2 / np.pi * sum(np.sin(2 * np.pi * k * x / 5) / k for k in (1, 3, 5, 7)),
}
# Waves whose phases reach 7 pi are added and cancel; what is said in eps of others is more there.
LOOSE = {"square": 64}
# The probability of a random spike is steeper above its middle than below.
ONE_SIDED = ("hazard", "leaky", "one-sided", "s2nn", "log tail")

each = pytest.mark.parametrize("name", CASES)
dtypes = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])


def grid(dtype=jnp.float64):
    # No point of the grid is a kink or an edge of any case.
    return jnp.linspace(-2.0173, 2.0311, 401).astype(dtype)


@each
@dtypes
def test_emits_zero_or_one(name, dtype):
    surrogate, _, _ = CASES[name]
    x = jnp.array([-jnp.inf, -1.0, -1e-30, -0.0, 0.0, 1e-30, 1.0, jnp.inf, jnp.nan], dtype)
    spikes = surrogate(x)
    assert spikes.dtype == dtype
    np.testing.assert_array_equal(spikes, [0, 0, 0, 1, 1, 1, 1, 1, 0])


@each
@dtypes
def test_derivative_is_its_formula(name, dtype):
    surrogate, formula, _ = CASES[name]
    x = grid(dtype)
    got = surrogate.derivative(x)
    assert got.dtype == dtype
    expected = formula(np.asarray(x, np.float64))
    # The same formula: rounding only. Near the edge of the support the difference of nearly equal
    # numbers is as exact as x, hence the absolute part.
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(got, expected, rtol=20 * eps, atol=LOOSE.get(name, 4) * eps)


@each
@dtypes
def test_grad_is_the_derivative(name, dtype):
    surrogate, _, _ = CASES[name]
    x = grid(dtype)
    expected = surrogate.derivative(x)
    got = jax.vmap(jax.grad(surrogate))(x)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, expected)
    # Compiled code contracts multiplications and additions, so the last digit may differ.
    tolerance = LOOSE.get(name, 4) * float(jnp.finfo(dtype).eps)
    compiled = jax.jit(lambda x: jax.vjp(surrogate, x)[1](jnp.full_like(x, 3))[0])(x)
    np.testing.assert_allclose(compiled, 3 * expected, rtol=tolerance, atol=tolerance)
    primal, tangent = jax.jvp(surrogate, (x,), (2 * jnp.ones_like(x),))
    np.testing.assert_array_equal(primal, x >= 0)
    np.testing.assert_array_equal(tangent, 2 * expected)


@each
def test_second_derivative_is_that_of_the_formula(name):
    surrogate, formula, _ = CASES[name]
    x = grid()
    got = jax.vmap(jax.grad(jax.grad(surrogate)))(x)
    h = 1e-6
    expected = (formula(np.asarray(x) + h) - formula(np.asarray(x) - h)) / (2 * h)
    # Central differences: h^2 times a third derivative of up to 25^3, and eps / h.
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@each
def test_derivative_is_that_of_its_relaxation(name):
    surrogate, _, _ = CASES[name]
    x, h = np.asarray(grid()), 1e-6
    expected = (RELAXED[name](x + h) - RELAXED[name](x - h)) / (2 * h)
    # Central differences: h^2 times a derivative of up to 25^3, and eps / h.
    np.testing.assert_allclose(surrogate.derivative(jnp.asarray(x)), expected, rtol=1e-7, atol=1e-8)


def test_every_surrogate_is_tested():
    classes = {type(case[0]).__name__ for case in CASES.values()} | {"AbstractSurrogate"}
    assert classes == {name for name in vars(sg) if name[0].isupper()}


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_finite_far_from_threshold(dtype):
    """In other libraries some overflow a few thresholds away."""
    x = jnp.array([-1e4, -100.0, -3.5, 3.5, 100.0, 1e4], dtype)
    for name, (surrogate, formula, _) in CASES.items():
        got, slope = jax.jvp(surrogate.derivative, (x,), (jnp.ones_like(x),))
        assert got.dtype == dtype
        assert np.isfinite(np.asarray(got, np.float64)).all(), name
        assert np.isfinite(np.asarray(slope, np.float64)).all(), name
        # To the few digits of a format whose eps is 1/128; of a sharp wave, the phase.
        loose = 0.2 if name == "square" else 0.05
        with np.errstate(over="ignore"):
            want = formula(np.asarray(x, np.float64))
        np.testing.assert_allclose(np.asarray(got, np.float64), want, rtol=loose, atol=loose)


@each
def test_area(name):
    surrogate, _, area = CASES[name]
    if area is None:
        pytest.skip("an infinite area, or none")
    edges = [-surrogate.support, 0.0, surrogate.support]
    parts = (
        scipy.integrate.quad(lambda x: float(surrogate.derivative(jnp.asarray(x))), *ends)[0]
        for ends in itertools.pairwise(edges)
    )
    assert sum(parts) == pytest.approx(area, rel=1e-7)  # quad promises 1.5e-8


@hypothesis.given(x=st.floats(-1e6, 1e6), name=st.sampled_from(list(CASES)))
def test_support_and_symmetry(x, name):
    surrogate, _, _ = CASES[name]
    value = float(surrogate.derivative(jnp.asarray(x)))
    symmetric = name not in ONE_SIDED
    assert not symmetric or value == float(surrogate.derivative(jnp.asarray(-x)))
    assert value >= 0 or name in ("multi", "square")
    if abs(x) >= surrogate.support:
        assert value == 0
    elif abs(x) < 0.999 * min(surrogate.support, 5.0) and name != "one-sided":
        assert value != 0


@each
def test_what_is_compact_says_so(name):
    assert math.isfinite(CASES[name][0].support) == (name in COMPACT)


def test_parameters_are_leaves():
    swept = sg.ReluGrad(jnp.array([0.1, 0.3, 0.5]), jnp.array([0.5, 1.0, 2.0]))
    x = jnp.asarray(0.4)
    got = jax.vmap(lambda s: jax.grad(s)(x))(swept)
    np.testing.assert_allclose(got, [0.1 * 0.1, 0.3 * 0.6, 0.5 * 1.6], rtol=1e-14)

    # The step does not depend on them, its derivative does.
    surrogate = sg.Arctan(jnp.asarray(2.0))
    assert eqx.filter_grad(lambda s: s(x))(surrogate).alpha == 0
    got = eqx.filter_grad(lambda s: jax.grad(s)(x))(surrogate).alpha
    h = 1e-6
    high, low = (sg.Arctan(2.0 + d).derivative(x) for d in (h, -h))
    assert float(got) == pytest.approx(float(high - low) / (2 * h), rel=1e-8)


def test_one_parameter_for_each_neuron_in_another_dtype():
    surrogate = sg.FastSigmoid(np.array([1.0, 25.0, 100.0]))
    x = jnp.full(3, 0.1, jnp.float32)
    got = jax.grad(lambda x: surrogate(x).sum())(x)
    assert got.dtype == jnp.float32
    expected = [1.1**-2, 3.5**-2, 11.0**-2]
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    batch = jnp.full((2, 3), 0.1, jnp.float32)
    np.testing.assert_allclose(surrogate.derivative(batch), [expected] * 2, rtol=1e-6)


def test_whole_numbers_become_floats():
    assert type(sg.Arctan(2).alpha) is float


def test_through_time():
    # A spike feeds back into the next distance from threshold; by hand:
    # x1 = w + 0.5 x0, so d S(x1) / d w = g(x1) (1 + 0.5 * 1 * dx0/dw) with x0 = w.
    surrogate = sg.Sigmoid()

    @jax.checkpoint
    def step(x, w):
        x = w + 0.5 * x
        return x, surrogate(x)

    def loss(w):
        _, spikes = jax.lax.scan(lambda x, _: step(x, w), jnp.zeros(()), length=2)
        return spikes[-1]

    w = jnp.asarray(0.2)
    expected = surrogate.derivative(jnp.asarray(0.3)) * 1.5
    assert float(jax.jit(jax.grad(loss))(w)) == pytest.approx(float(expected), rel=1e-14)


def test_one_of_your_own():
    class Gaussian(sg.AbstractSurrogate):
        shape: object = eqx.field(static=True)

        def derivative(self, x):
            return self.shape(x)

        @property
        def support(self):
            return math.inf

    surrogate = Gaussian(lambda x: jnp.exp(-(x**2)))
    x = jr.normal(jr.key(0), (5,))
    np.testing.assert_array_equal(jax.vmap(jax.grad(surrogate))(x), jnp.exp(-(x**2)))


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, np.array([1.0, 0.0])])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (sg.ReluGrad, "alpha"),
        (sg.ReluGrad, "width"),
        (sg.Triangle, "height"),
        (sg.Triangle, "width"),
        (sg.Boxcar, "width"),
        (sg.Arctan, "alpha"),
        (sg.Sigmoid, "alpha"),
        (sg.FastSigmoid, "slope"),
        (sg.TruncatedFastSigmoid, "slope"),
        (sg.TruncatedFastSigmoid, "width"),
        (sg.Epanechnikov, "width"),
        (sg.MultiGaussian, "scale"),
        (sg.S2NN, "beta"),
        (sg.QPseudoSpike, "alpha"),
    ],
)
def test_bad_parameters_are_named(kind, name, bad):
    with pytest.raises(ValueError, match=f"`{name}`"):
        kind(**{name: bad})


def test_spikes_may_be_given_apart_from_the_distance():
    x = jnp.array([0.1, -0.3, 5.0])
    fired = jnp.array([False, True, True])
    surrogate = sg.Sigmoid()
    np.testing.assert_array_equal(surrogate(x, fired), [0, 1, 1])
    got = jax.grad(lambda x: surrogate(x, fired).sum())(x)
    np.testing.assert_array_equal(got, surrogate.derivative(x))


@pytest.mark.parametrize(
    ("fired", "error"),
    [
        (jnp.ones(3), TypeError),
        (jnp.ones(3, int), TypeError),
        (True, TypeError),
        (jnp.ones(1, bool), ValueError),
        (jnp.ones((), bool), ValueError),
        (jnp.ones((2, 3), bool), ValueError),
    ],
)
def test_spikes_of_another_kind_or_shape_are_refused(fired, error):
    with pytest.raises(error, match="fired"):
        sg.Sigmoid()(jnp.zeros(3), fired)
