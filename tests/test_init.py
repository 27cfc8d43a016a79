import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import models
import numpy as np
import pytest
import scipy.stats
from _measured import measured

import brainfn as bf
from brainfn import init

N = 20_000
RANDOM = {
    "normal": (init.Normal(-55.0, 2.0), scipy.stats.norm(-55, 2)),
    "uniform": (init.Uniform(-60.0, -50.0), scipy.stats.uniform(-60, 10)),
    "truncated": (
        init.TruncatedNormal(1.5, 0.75, 0.1),
        scipy.stats.truncnorm(-1.4 / 0.75, np.inf, 1.5, 0.75),
    ),
    "two-sided": (
        init.TruncatedNormal(0.0, 2.0, -1.0, 3.0),
        scipy.stats.truncnorm(-0.5, 1.5, 0, 2),
    ),
    "lognormal": (
        init.LogNormal(2.0, 1.5),
        scipy.stats.lognorm(math.sqrt(math.log1p(0.5625)), scale=2 / math.sqrt(1.5625)),
    ),
    "exponential": (init.Exponential(3.0), scipy.stats.expon(scale=3)),
    "gamma": (init.Gamma(2.5, 0.4), scipy.stats.gamma(2.5, scale=0.4)),
    "gamma, peaked at zero": (init.Gamma(0.3, 2.0), scipy.stats.gamma(0.3, scale=2)),
    "beta": (init.Beta(2.0, 0.7, -1.0, 3.0), scipy.stats.beta(2, 0.7, -1, 4)),
}
each = pytest.mark.parametrize("name", RANDOM)
dtypes = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])


@dtypes
def test_constant(dtype):
    x = init.Constant(3)((2, 4), dtype)
    assert x.shape == (2, 4)
    assert x.dtype == dtype
    measured("init.Constant", "value", against="the number given", error=x - 3, bound=0)
    np.testing.assert_array_equal(
        init.Constant(np.arange(4))((2, 4), dtype, key=jr.key(0)), [[0, 1, 2, 3]] * 2
    )


@each
@dtypes
def test_law(name, dtype):
    initializer, law = RANDOM[name]
    x = eqx.filter_jit(initializer)((N,), dtype, key=jr.key(7))
    assert x.shape == (N,)
    assert x.dtype == dtype
    # One fixed seed. Kolmogorov's distance exceeds 1.95 / sqrt(n) with probability 1e-3.
    assert scipy.stats.kstest(np.asarray(x, np.float64), law.cdf).statistic < 1.95 / math.sqrt(N)
    low, high = law.support()
    assert x.min() >= np.asarray(low, dtype)
    assert x.max() <= np.asarray(high, dtype)
    if dtype == jnp.float64:
        # Five standard errors of the mean; the fourth moment gives that of the variance.
        moments = [law.moment(k) for k in (1, 2, 3, 4)]
        mean, std = law.mean(), law.std()
        fourth = moments[3] - 4 * mean * moments[2] + 6 * mean**2 * moments[1] - 3 * mean**4
        deviations = (
            (np.mean(x) - mean) / (std / math.sqrt(N)),
            (np.var(x) - std**2) / math.sqrt((fourth - std**4) / N),
        )
        part = f"init.{type(initializer).__name__}"
        measured(
            part,
            f"mean and variance of {N} numbers, in standard errors",
            against="SciPy's distributions",
            error=deviations,
            bound=5.0,
        )


@each
def test_keys(name):
    initializer, _ = RANDOM[name]

    def draw(key):
        return initializer((50,), jnp.float64, key=key)

    np.testing.assert_array_equal(draw(jr.key(1)), draw(jr.key(1)))
    assert (draw(jr.key(1)) != draw(jr.key(2))).all()
    # The first numbers do not depend on how many are drawn.
    few = initializer((7,), jnp.float64, key=jr.key(1))
    np.testing.assert_array_equal(few, draw(jr.key(1))[:7])
    np.testing.assert_allclose(eqx.filter_jit(draw)(jr.key(1)), draw(jr.key(1)), rtol=1e-14)
    raw = jr.PRNGKey(1)
    np.testing.assert_array_equal(draw(raw), draw(jr.wrap_key_data(raw)))
    with pytest.raises(ValueError, match="`key`"):
        initializer((3,), jnp.float64)


def test_parameters_may_differ_between_neurons():
    mean = np.array([-70.0, -60.0, -50.0])
    x = init.Normal(mean, 1e-3)((1000, 3), jnp.float32, key=jr.key(0))
    assert x.dtype == jnp.float32
    # Five standard errors, and the rounding of float32 near 70.
    np.testing.assert_allclose(np.mean(x, axis=0, dtype=np.float64), mean, atol=5e-3 / 1000**0.5)


def test_parameters_are_leaves():
    def sample(std):
        return init.Normal(1.0, std)((4,), jnp.float64, key=jr.key(0))

    z = np.asarray(sample(1.0)) - 1.0
    swept = jax.vmap(sample)(jnp.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(swept, 1 + np.array([[0.0], [1.0], [2.0]]) * z, rtol=1e-14)
    np.testing.assert_allclose(jax.jacfwd(sample)(jnp.asarray(3.0)), z, rtol=1e-14)


def test_derivatives_of_values_are_those_at_a_fixed_quantile():
    """Of gamma numbers, which come from rejection, and so of beta numbers."""

    def at(law, x, step):  # the quantile of x moves with the parameter
        return (law(step).ppf(law(0).cdf(x)) - law(-step).ppf(law(0).cdf(x))) / (2 * step)

    k = np.array([0.4, 3.0, 0.4, 3.0])
    draw = lambda k: init.Gamma(k, 2.0)((4,), jnp.float64, key=jr.key(3))  # noqa: E731
    x, slope = jax.jvp(draw, (jnp.asarray(k),), (jnp.ones(4),))
    expected = at(lambda d: scipy.stats.gamma(k + d, scale=2), np.asarray(x), 1e-4)
    # Central differences of SciPy's quantiles, and the series of JAX's derivative.
    measured(
        "init.Gamma",
        "derivative in `shape`",
        against="SciPy's quantiles",
        error=slope / expected - 1,
        bound=1e-5,
    )
    draw = lambda p: init.LogNormal(p[0], p[1])((6,), jnp.float64, key=jr.key(3))  # noqa: E731
    for std in (0.0, 0.8):
        assert np.all(np.isfinite(jax.jacfwd(draw)(jnp.array([2.0, std]))))


def test_small_gamma_numbers_do_not_vanish_in_a_beta_distribution():
    x = np.asarray(init.Beta(0.02, 0.02)((2000,), jnp.float32, key=jr.key(0)))
    assert np.all(np.isfinite(x))
    # Mean 1/2 and variance 0.24; five standard errors.
    assert abs(x.mean() - 0.5) < 5 * math.sqrt(0.2404 / 2000)


def test_clipped():
    normal = init.Normal(0.0, 1.0)
    x = init.Clipped(normal, -0.5, 1.0)((100,), jnp.float64, key=jr.key(0))
    y = normal((100,), jnp.float64, key=jr.key(0))
    measured("init.Clipped", "values", against="np.clip", error=x - np.clip(y, -0.5, 1), bound=0)
    assert init.Clipped(normal).elementwise
    with pytest.raises(TypeError, match="`of`"):
        init.Clipped(1.0)


@pytest.mark.parametrize("std", [0.0, jnp.zeros(3)])
def test_a_std_of_zero_is_allowed(std):
    np.testing.assert_array_equal(init.Normal(2.0, std)((3,), jnp.float64, key=jr.key(0)), 2.0)


def test_as_initializer():
    normal = init.Normal()
    assert init.as_initializer(normal) is normal
    for x in (2, 2.0, np.float32(2), np.int64(2), np.array(2), jnp.array(2.0), jnp.full(3, 2)):
        made = init.as_initializer(x)
        assert isinstance(made, init.Constant)
        np.testing.assert_array_equal(made((3,), jnp.float32), np.full(3, 2, np.float32))


@pytest.mark.parametrize("x", ["2", None, True, lambda shape: 2.0, 1j])
def test_what_is_no_initializer(x):
    with pytest.raises(TypeError, match="initializer"):
        init.as_initializer(x)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: init.Constant(math.nan), "value"),
        (lambda: init.Constant(jnp.array([1.0, math.inf])), "value"),
        (lambda: init.Normal(math.inf, 1.0), "mean"),
        (lambda: init.Normal(0.0, -1.0), "std"),
        (lambda: init.Normal(0.0, math.nan), "std"),
        (lambda: init.Normal(0.0, np.array([1.0, -1.0])), "std"),
        (lambda: init.Uniform(-50.0, -60.0), "low"),
        (lambda: init.Uniform(-math.inf, 0.0), "low"),
        (lambda: init.Uniform(0.0, math.nan), "high"),
        (lambda: init.TruncatedNormal(0.0, 0.0), "std"),
        (lambda: init.LogNormal(0.0, 1.0), "mean"),
        (lambda: init.LogNormal(1.0, -1.0), "std"),
        (lambda: init.Exponential(-1.0), "mean"),
        (lambda: init.Gamma(0.0), "shape"),
        (lambda: init.Gamma(1.0, -2.0), "scale"),
        (lambda: init.Beta(-1.0), "a"),
        (lambda: init.Beta(1.0, math.inf), "b"),
        (lambda: init.Beta(1.0, 1.0, 2.0, 1.0), "low"),
        (lambda: init.Clipped(init.Normal(), 2.0, 1.0), "low"),
        (lambda: init.TruncatedNormal(0.0, 1.0, 2.0, 1.0), "low"),
        (lambda: init.TruncatedNormal(0.0, 1.0, math.nan), "low"),
        (lambda: init.Constant(jnp.ones(3))((4,), jnp.float64), "value"),
        (lambda: init.Normal(np.ones((2, 3)))((3,), jnp.float64, key=jr.key(0)), "mean"),
    ],
)
def test_bad_parameters_are_named(make, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        make()


def initial_fields():
    """Every field of the models that says how a variable begins."""
    for kinds in (models.all_neurons, models.all_rates, models.all_receptors, models.all_sources):
        for name, make in kinds.items():
            model = make()
            for field in dataclasses.fields(model):
                if field.metadata.get("initial"):
                    yield name, type(model), field.name


def given_for(name, field, value):
    """The model with `value` for a field of an initial value."""
    if name in models.all_receptors:
        return bf.synapse.Exponential(5.0, **{field: value})
    return (models.all_neurons | models.all_rates)[name](3, **{field: value})


FIELDS = [pytest.param(name, field, id=f"{name}.{field}") for name, _, field in initial_fields()]
every_field = pytest.mark.parametrize(("name", "field"), FIELDS)


def test_there_are_initial_fields():
    found = {cls.__name__ for _, cls, _ in initial_fields()}
    assert found >= {"LIF", "AdEx", "Izhikevich", "PointNeuron", "Tanh", "Exponential"}


@every_field
def test_wrong_initial_values_name_the_field(name, field):
    """And not the initializer that is made of them."""
    wrong = [
        (ValueError, math.nan, "must be finite"),
        (ValueError, np.array([0.0, math.inf, 0.0]), "must be finite"),
        (ValueError, np.zeros((3, 3)), "shape"),
        (TypeError, "rest", "must be an AbstractInitializer"),
        (TypeError, 1j * np.ones(3), "must be an AbstractInitializer"),
        (TypeError, jnp.ones(3, bool), "must hold real numbers"),
    ]
    if name not in models.all_receptors:
        wrong += [
            (ValueError, np.zeros(2), r"shape \(3,\)"),
            (ValueError, init.Constant(np.zeros(2)), r"shape \(3,\)"),
            (ValueError, init.Normal(np.zeros(2), 1.0), r"`mean` of `init.Normal`.*\(3,\)"),
            (ValueError, init.Uniform(0.0, np.ones(4)), r"`high` of `init.Uniform`.*\(3,\)"),
        ]
    for error, value, message in wrong:
        with pytest.raises(error, match=f"`{field}`:? .*{message}"):
            given_for(name, field, value)


@every_field
def test_initial_values_of_every_kind(name, field):
    each = np.array([0.25, 0.5, 0.75])
    for value in (0.5, 1, np.float32(0.5), each, jnp.asarray(each), np.arange(3)):
        made = getattr(given_for(name, field, value), field)
        assert type(made) is init.Constant
        assert jnp.issubdtype(made.value.dtype, jnp.floating)
        np.testing.assert_array_equal(made.value, value)
    for value in (None, init.Normal(each, 0.1), init.Constant(each), init.Uniform()):
        assert getattr(given_for(name, field, value), field) is value
    # What is traced passes.
    jax.jit(lambda x: getattr(given_for(name, field, x), field).value)(jnp.asarray(each))


def test_initial_values_that_were_changed_are_looked_at():
    neuron = bf.neuron.LIF(3, v_init=-60.0)
    wrong = eqx.tree_at(lambda n: n.v_init.value, neuron, jnp.asarray(math.nan))
    with pytest.raises(ValueError, match="`v_init` must be finite"):
        bf.simulate(wrong, duration=1.0, dt=0.1)
