"""Readouts: recursive least squares, ridge regression, LMS; against NumPy, scikit-learn and each
other."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf

KEY = jr.key(0)


def examples(n, features, out, *, offset=0.0):
    rng = np.random.default_rng(n)
    mixing = rng.normal(size=(features, features))
    x = rng.normal(size=(n, features)) @ mixing + offset
    return x, x @ rng.normal(size=(features, out)) + 0.3 * rng.normal(size=(n, out)) + 2.0


def by_lstsq(x, y, penalty):
    """Ridge regression as least squares with further rows: no normal equations."""
    n = x.shape[1]
    above = np.concatenate([x, np.sqrt(penalty) * np.eye(n)])
    return np.linalg.lstsq(above, np.concatenate([y, np.zeros((n, y.shape[1]))]), rcond=None)[0]


def test_recursive_least_squares_is_ridge():
    x, y = examples(60, 12, 3)
    readout = bf.learn.RLS(12, 3, regularisation=0.7)
    xy = jnp.asarray(x), jnp.asarray(y)
    state, predicted = jax.jit(
        lambda x, y: jax.lax.scan(lambda s, row: readout.step(s, *row), readout.init(), (x, y))
    )(*xy)
    # Sixty updates in float64, condition number 1e3: 1e-10 leaves three digits.
    error = np.asarray(state.weight) - by_lstsq(x, y, 0.7)
    measured(
        "learn.RLS", "weights after 60 examples", against="NumPy lstsq", error=error, bound=1e-10
    )
    inverse = np.linalg.inv(x.T @ x + 0.7 * np.eye(12))
    error = np.asarray(state.inverse) - inverse
    measured("learn.RLS", "inverse correlations", against="NumPy inv", error=error, bound=1e-10)
    assert np.array_equal(state.inverse, state.inverse.T)
    # The prediction comes before the correction.
    assert np.array_equal(predicted[0], np.zeros(3))
    found = bf.learn.ridge(x, y, 0.7, intercept=False)
    np.testing.assert_allclose(found.weight, state.weight, atol=1e-10)


def test_forgetting_weighs_examples():
    x, y = examples(40, 4, 1)
    readout = bf.learn.RLS(4, 1, regularisation=1e-3, forgetting=0.9)
    state = jax.lax.scan(
        lambda s, row: (readout.step(s, *row)[0], None),
        readout.init(),
        (jnp.asarray(x), jnp.asarray(y)),
    )[0]
    age = 0.9 ** (np.arange(40)[::-1] / 2)
    wanted = by_lstsq(x * age[:, None], y * age[:, None], 1e-3 * 0.9**40)
    np.testing.assert_allclose(state.weight, wanted, atol=1e-9)


def test_float32_stays_symmetric_and_definite():
    """Features with a large mean: a ratio of 3e5 to the regularisation."""
    readout = bf.astype(bf.learn.RLS(30, 1, regularisation=1e-2), jnp.float32)
    x = 10 + jr.normal(KEY, (2000, 30), jnp.float32)

    def one(state, row):
        return readout.step(state, row, row[:1])[0], None

    state = jax.jit(lambda x: jax.lax.scan(one, readout.init(), x)[0])(x)
    assert state.inverse.dtype == jnp.float32
    assert np.array_equal(state.inverse, state.inverse.T)
    assert np.all(np.isfinite(state.weight))
    assert np.linalg.eigvalsh(np.asarray(state.inverse, np.float64)).min() > 0
    # The target is the first feature.
    assert float(jnp.abs(x[-1] @ state.weight - x[-1, :1])[0]) < 0.05


def test_ridge_against_scikit_learn():
    from sklearn.linear_model import Ridge

    x, y = examples(80, 10, 2, offset=3.0)
    penalties = [1e-3, 1.0, 100.0]
    several = bf.learn.ridge(x, y, penalties)
    stream = bf.learn.NormalEquations(10, 2)
    for part in np.split(np.arange(80), [3, 40, 41]):
        stream = stream.add(x[part], y[part])
    error = []
    for penalty, one, other in zip(penalties, several, stream.solve(penalties), strict=True):
        theirs = Ridge(alpha=penalty, solver="svd").fit(x, y)
        for mine in (one, other):
            error.append(np.abs(mine.weight - theirs.coef_.T).max())
            error.append(np.abs(mine.bias - theirs.intercept_).max())
    # Normal equations square a condition number of 1e2 to 1e3.
    measured(
        "learn.ridge", "weights and bias", against="scikit-learn Ridge", error=error, bound=1e-10
    )
    without = stream.solve(1.0, intercept=False)
    np.testing.assert_allclose(without.weight, by_lstsq(x, y, 1.0), atol=1e-10)
    np.testing.assert_array_equal(without.bias, 0.0)


def test_dual_equations():
    x, y = examples(9, 25, 2, offset=1.0)
    found = bf.learn.ridge(x, y, 0.1, intercept=False)
    error = found.weight - by_lstsq(x, y, 0.1)
    measured("learn.ridge", "dual weights", against="NumPy lstsq", error=error, bound=1e-10)
    dual, primal = bf.learn.ridge(x, y, 0.1), bf.learn.NormalEquations(25, 2).add(x, y).solve(0.1)
    np.testing.assert_allclose(dual.weight, primal.weight, atol=1e-9)
    np.testing.assert_allclose(dual(x), primal(x), atol=1e-9)
    assert dual(x[0]).shape == (2,)


def test_sums_are_float64_from_float32():
    """A mean of 100 and a small signal: in float32 the sums lose it."""
    x, y = examples(4000, 5, 1)
    low = (x + 100.0).astype(np.float32)
    stream = bf.learn.NormalEquations(5, 1)
    with jax.enable_x64(False):
        for part in np.split(np.arange(4000), 8):
            stream = stream.add(low[part], y[part])
        found = stream.solve(1e-6)
    assert stream.gram.dtype == np.float64 and found.weight.dtype == jnp.float32
    wide = np.asarray(low, np.float64)
    wanted = by_lstsq(wide - wide.mean(axis=0), y - y.mean(axis=0), 1e-6)
    # The weights are rounded to float32 at the end.
    np.testing.assert_allclose(found.weight, wanted, rtol=1e-6, atol=1e-6)


def test_least_mean_squares():
    x, y = (jnp.asarray(a) for a in examples(1, 6, 2))
    plain = bf.learn.LMS(6, 2, rate=0.01, normalised=False)
    state, _ = plain.step(plain.init(), x[0], y[0])

    def loss(w):
        return 0.5 * jnp.sum((x[0] @ w - y[0]) ** 2)

    np.testing.assert_allclose(state.weight, -0.01 * jax.grad(loss)(jnp.zeros((6, 2))), rtol=1e-12)
    # Normalised, the error of the example shrinks by one less the rate.
    normal = bf.learn.LMS(6, 2, rate=0.25)
    state, _ = normal.step(normal.init(), x[0], y[0])
    np.testing.assert_allclose(normal.predict(state, x[0]), 0.25 * y[0], rtol=1e-12)
    same, _ = normal.step(state, jnp.zeros(6), y[0])
    np.testing.assert_array_equal(same.weight, state.weight)


def test_readouts_have_gradients():
    x, y = (jnp.asarray(a) for a in examples(8, 3, 1))

    def loss(log_penalty):
        readout = bf.learn.RLS(3, 1, regularisation=jnp.exp(log_penalty))
        rows = (x[:6], y[:6])
        state = jax.lax.scan(lambda s, r: (readout.step(s, *r)[0], None), readout.init(), rows)[0]
        return jnp.sum((x[6:] @ state.weight - y[6:]) ** 2)

    at, h = jnp.asarray(0.3), 1e-5
    value = jax.jit(loss)
    # Central differences in float64: h² and rounding / h are both 1e-10.
    difference = (value(at + h) - value(at - h)) / (2 * h)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(at), difference, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: bf.learn.RLS(0, 1), "`n_features` must be at least 1"),
        (lambda: bf.learn.RLS(3, 1, regularisation=0.0), "`regularisation` must be positive"),
        (lambda: bf.learn.RLS(3, 1, forgetting=1.5), "`forgetting` must be at most 1"),
        (lambda: bf.learn.LMS(3, 1, rate=-1.0), "`rate` must be positive"),
        (lambda: bf.learn.ridge(np.ones((3, 2)), np.ones((4, 1))), "must have shapes"),
        (lambda: bf.learn.ridge(np.ones((3, 2)), np.ones((3, 1)), 0.0), "must be positive"),
        (
            lambda: bf.learn.ridge(np.full((3, 2), np.nan), np.ones((3, 1))),
            "`features` must be fin",
        ),
        (lambda: bf.learn.NormalEquations(2, 1).solve(), "no examples yet"),
        (lambda: bf.learn.NormalEquations(2, 1).add(np.ones((3, 3)), np.ones((3, 1))), "2 and 1"),
        (
            lambda: bf.learn.ridge(1e8 * np.ones((9, 2)), np.ones((9, 1)), 1e-9, intercept=False),
            "lost in the rounding",
        ),
        (lambda: bf.learn.memory_capacity(np.ones((9, 2)), np.ones(8), 3), "`features` and `inp"),
        (lambda: bf.learn.memory_capacity(np.ones((9, 2)), np.ones(9), 8), "longer than 8"),
    ],
)
def test_wrong_arguments(call, text):
    with pytest.raises(ValueError, match=text):
        call()
