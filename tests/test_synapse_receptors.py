"""Receptors against their differential equations, solved by SciPy, and the laws of all."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _differences import assert_gradient
from models import all_receptors
from scipy.integrate import quad, simpson, solve_ivp

import brainfn as bf
from brainfn.synapse import Alpha, DualExponential, Exponential, Instant

DT = 0.1
receptors = pytest.mark.parametrize("make", all_receptors.values(), ids=all_receptors.keys())


def numbers(state):
    return np.concatenate([np.asarray(x).ravel() for x in jax.tree.leaves(state)])


def after(receptor, amounts, size=1):
    """The states at the beginning of each step, with what arrives in it."""
    state = receptor.init(size)
    for amount in amounts:
        state = receptor.arrive(state, jnp.full(size, amount, receptor.accumulator(state).dtype))
        yield state
        state = receptor.advance(state, DT)


def peak_of(tau_rise, tau_decay):
    """The gain that makes the peak of the difference of exponentials one (Roth and van Rossum)."""
    t = tau_rise * tau_decay / (tau_decay - tau_rise) * np.log(tau_decay / tau_rise)
    return np.exp(-t / tau_decay) - np.exp(-t / tau_rise)


# The equations in the notation of their sources: dy/dt, and what a unit weight adds to y.
ODES = {
    "Exponential": (lambda t, y: [-y[0] / 5.0], [1.0]),
    "Alpha": (lambda t, y: [y[1] - y[0] / 2.0, -y[1] / 2.0], [0.0, np.e / 2.0]),
    "Alpha, not normalized": (lambda t, y: [y[1] - y[0] / 2.0, -y[1] / 2.0], [0.0, 1 / 2.0]),
    "DualExponential": (
        lambda t, y: [-y[0] / 6.0, -y[1] / 0.7],
        [1 / peak_of(0.7, 6.0), 1 / peak_of(0.7, 6.0)],
    ),
    "DualExponential, equal": (
        lambda t, y: [y[1] - y[0] / 3.0, -y[1] / 3.0],
        [0.0, np.e / 3.0],
    ),
    "DualExponential, rises slower": (
        lambda t, y: [-y[0] / 6.0, -y[1] / 0.7],
        [1 / peak_of(0.7, 6.0), 1 / peak_of(0.7, 6.0)],
    ),
    "DualExponential, not normalized": (
        lambda t, y: [-y[0] / 6.0 + y[1] / 0.7, -y[1] / 0.7],
        [0.0, 1.0],
    ),
}


@pytest.mark.parametrize("name", [name for name in all_receptors if name != "Instant"])
def test_solves_its_differential_equation(name):
    receptor = all_receptors[name]()
    amounts = np.zeros(40)
    amounts[[0, 3, 4, 20]] = [1.0, 0.5, -2.0, 3.0]
    field, jump = ODES[name]
    difference = name in ("DualExponential", "DualExponential, rises slower")

    def read(y):
        return y[0] - y[1] if difference else y[0]

    y = np.zeros(len(jump))
    for amount, state in zip(amounts, after(receptor, amounts), strict=True):
        y = y + amount * np.array(jump)
        np.testing.assert_allclose(receptor.value(state, 0.0), read(y), atol=1e-9)
        exact = solve_ivp(field, (0, DT), y, rtol=1e-11, atol=1e-13, dense_output=True).sol
        for t in (0.3 * DT, DT):
            np.testing.assert_allclose(receptor.value(state, t), read(exact(t)), atol=1e-9)
        y = exact(DT)


@pytest.mark.parametrize(
    ("receptor", "when"),
    [
        (Exponential(4.0), 0.0),
        (Alpha(4.0), 4.0),
        (DualExponential(1.0, 4.0), 4.0 / 3.0 * np.log(4.0)),
        (DualExponential(4.0, 1.0), 4.0 / 3.0 * np.log(4.0)),
        (DualExponential(4.0, 4.0), 4.0),
        (DualExponential(4.0, 4.0 * (1 + 1e-9)), 4.0),
    ],
)
def test_the_peak_is_the_weight(receptor, when):
    state = receptor.arrive(receptor.init(1), jnp.array([2.5]))
    np.testing.assert_allclose(receptor.value(state, when), 2.5, rtol=1e-12)
    for t in (0.99 * when, 1.01 * when + 1e-3):
        if t > 0:
            assert receptor.value(state, t)[0] < 2.5


@pytest.mark.parametrize(
    "receptor",
    [Exponential(6.0), Alpha(6.0, normalize=False), DualExponential(0.7, 6.0, normalize=False)],
)
def test_area_of_the_response_without_normalization(receptor):
    """The same for all: the weight times the (decay) time constant."""
    state = receptor.arrive(receptor.init(1), jnp.array([2.0]))
    t = np.linspace(0.0, 300.0, 30001)
    value = jax.jit(jax.vmap(lambda t: receptor.value(state, t)[0]))(jnp.asarray(t))
    # Simpson's rule in steps of a seventieth of the fastest time constant.
    np.testing.assert_allclose(simpson(np.asarray(value), x=t), 12.0, rtol=1e-7)


def test_instant_acts_in_one_step():
    receptor = Instant()
    state = receptor.arrive(receptor.init(2), jnp.array([1.0, -3.0]))
    for t in (0.0, 0.05, DT):
        np.testing.assert_array_equal(receptor.value(state, t), [1.0, -3.0])
    np.testing.assert_array_equal(receptor.held(state, 0.05, DT), [1.0, -3.0])
    np.testing.assert_array_equal(numbers(receptor.advance(state, DT)), 0.0)


@receptors
def test_two_steps_are_one_of_twice_the_length(make):
    receptor = make()
    if isinstance(receptor, Instant):
        return
    state = list(after(receptor, [1.0, 0.0, 2.0]))[-1]
    once = receptor.advance(state, 2 * DT)
    twice = receptor.advance(receptor.advance(state, DT), DT)
    np.testing.assert_allclose(numbers(once), numbers(twice), rtol=1e-13)
    for t in (0.0, 0.04):
        later = receptor.value(receptor.advance(state, DT), t)
        np.testing.assert_allclose(receptor.value(state, DT + t), later, rtol=1e-13)


@receptors
def test_linear_in_what_arrives(make):
    receptor = make()
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6))
    each = [list(after(receptor, x))[-1] for x in (a, b, 2.0 * a - 3.0 * b)]
    for of in (
        numbers,
        lambda s: np.asarray(receptor.value(s, 0.03)),
        lambda s: np.asarray(receptor.held(s, 0.05, DT)),
    ):
        x, y, both = map(of, each)
        np.testing.assert_allclose(both, 2.0 * x - 3.0 * y, atol=1e-13)


@receptors
@pytest.mark.parametrize("rate", [0.0, 0.05, 3.0])
def test_held_is_the_weighted_mean_over_the_step(make, rate):
    receptor = make()
    state = list(after(receptor, [1.0, 0.0, 0.0, 2.0]))[-1]

    def weight(s):
        return np.exp(-rate * (DT - s))

    whole = quad(lambda s: weight(s) * float(receptor.value(state, s)[0]), 0, DT, epsabs=1e-13)[0]
    exact = whole / quad(weight, 0, DT, epsabs=1e-13)[0]
    # Three Gauss nodes are wrong by about ((r + 1 / tau) dt)^6 / 2e6; the fastest 1 / tau is 1.4.
    bound = ((rate + 2) * DT) ** 6 / 1e6
    np.testing.assert_allclose(receptor.held(state, rate, DT), exact, rtol=bound + 1e-12)


@pytest.mark.parametrize("name", [name for name in all_receptors if name != "Instant"])
def test_gradients_are_central_differences(name):
    def loss(model):
        def step(state, amount):
            state = model.arrive(state, amount[None])
            return model.advance(state, DT), model.value(state, 0.04) + model.held(state, 0.05, DT)

        return jnp.sum(jax.lax.scan(step, model.init(1), jnp.array([1.0, 0.0, 2.0, 0.0]))[1])

    assert_gradient(loss, all_receptors[name](), atol=1e-8)


@receptors
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_keeps_its_precision(make, dtype):
    receptor = bf.astype(make(), dtype)
    state = receptor.init(3)
    state = receptor.arrive(state, jnp.ones(3, receptor.accumulator(state).dtype))
    state = receptor.advance(state, DT)
    for x in (
        *jax.tree.leaves(state),
        receptor.value(state, DT),
        receptor.held(state, jnp.asarray(0.05, dtype), DT),
    ):
        assert x.dtype == dtype
    eager = numbers(state)
    with jax.disable_jit():
        again = receptor.advance(receptor.arrive(receptor.init(3), jnp.ones(3, dtype)), DT)
    np.testing.assert_allclose(np.float64(numbers(again)), np.float64(eager), rtol=1e-2)


def test_one_number_per_neuron():
    receptor = DualExponential(np.array([0.5, 1.0]), np.array([5.0, 1.0]))
    state = receptor.advance(receptor.arrive(receptor.init(2), jnp.ones(2)), DT)
    for i, (rise, decay) in enumerate([(0.5, 5.0), (1.0, 1.0)]):
        one = DualExponential(rise, decay)
        alone = one.advance(one.arrive(one.init(1), jnp.ones(1)), DT)
        np.testing.assert_allclose(numbers(state).reshape(2, 2)[:, i], numbers(alone), rtol=1e-14)


def test_initial_value():
    import jax.random as jr

    assert np.all(np.asarray(Exponential(5.0, g_init=2.0).init(3).g) == 2.0)
    drawn = Exponential(5.0, g_init=bf.init.Uniform(1.0, 2.0)).init(100, key=jr.key(0)).g
    assert 1.0 <= drawn.min() < drawn.max() <= 2.0
    assert eqx.tree_equal(Exponential(5.0).init(3).g, jnp.zeros(3))
