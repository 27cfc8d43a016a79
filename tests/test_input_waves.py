"""Waves, pulses and their combinations against NumPy and SciPy; and laws of every input."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import models
import numpy as np
import pytest
import scipy.signal
from _measured import measured

import brainfn as bf
from brainfn.input import Chirp, Constant, Function, PulseTrain, Ramp, Sections, Sine, Step

DT = 0.1
WAVES = ["Step", "Sections", "PulseTrain", "Ramp", "Sine", "Chirp", "Chirp, logarithmic"]


@eqx.filter_jit
def evaluated(wave, first, n_steps, dt):
    return jax.vmap(lambda i: wave.step(wave.init(3), bf.Clock(i, dt))[1])(
        first + jnp.arange(n_steps, dtype=jnp.int32)
    )


def values(wave, n_steps=300, dt=DT, first=0):
    return np.asarray(evaluated(wave, jnp.asarray(first, jnp.int32), n_steps, dt))


def test_parts_that_are_constant():
    n = np.arange(300)
    on = (n >= 20) & (n < 150)
    train = PulseTrain(np.array([3.0, 4.0]), width=0.3, period=0.7, start=2.0, stop=15.0)
    sections = Sections([1.0, -2.0, 3.0], [0.3, 0.7, 1.5], start=0.5)
    table = Sections(np.arange(6.0).reshape(2, 3), [0.2, math.inf], start=-0.1)
    for wave, expected in (
        (Constant(np.array([2.0, 5.0])), np.full((300, 2), [2.0, 5.0])),
        (Function(lambda t: jnp.where(t > 1.95, 7.0, 0.0)), 7.0 * (n >= 20)),
        (Step(7.0, start=2.0, stop=15.0), 7.0 * on),
        (Step(start=-1.0), np.ones(300)),
        (train, np.outer(on & ((n - 20) % 7 < 3), [3.0, 4.0])),
        (sections, np.repeat([0.0, 1.0, -2.0, 3.0, 0.0], [5, 3, 7, 15, 270])),
        (table, np.repeat([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], [1, 299], axis=0)),
    ):
        measured(
            f"input.{type(wave).__name__}", "value at each of 300 steps", against="NumPy",
            error=values(wave) - expected, bound=0,
        )  # fmt: skip


def test_waves_are_their_formulas():
    t = np.arange(300) * DT
    s, on = t - 2.0, (t > 1.95) & (t < 27.95)
    a, f0, f1 = np.array([2.0, 5.0]), np.array([0.05, 1.2]), np.array([1.0, 0.05])
    window = {"start": 2.0, "stop": 28.0}
    ramp = values(Ramp(-3.0, 10.0, **window))
    # Rounding of float64, of values up to 10.
    expected = np.interp(s, [0, 26.0], [-3, 10]) * on
    measured("input.Ramp", "value", against="np.interp", error=ramp - expected, bound=1e-14 * 10)
    sine = values(Sine(a, f0, phase=0.3, **window))
    expected = a * np.sin(2 * np.pi * f0 * s[:, None] + 0.3) * on[:, None]
    # Phases up to 200 are known to 200 eps = 4e-14; times the amplitude, and some of them.
    measured("input.Sine", "value", against="np.sin", error=sine - expected, bound=1e-12)
    for method in ("linear", "logarithmic"):
        chirp = values(Chirp(a, f0, f1, phase=0.3, logarithmic=method != "linear", **window))
        for i in range(2):
            # SciPy's is a cosine; its phase is in degrees.
            phi = math.degrees(0.3) - 90
            y = scipy.signal.chirp(s, f0[i], 26.0, f1[i], method=method, phi=phi)
            error = chirp[:, i] - a[i] * y * on
            measured(
                "input.Chirp", f"value, {method}", against="scipy.signal.chirp", error=error,
                bound=1e-12,
            )  # fmt: skip
    same = values(Chirp(1.0, 0.1, 0.1, stop=20.0, logarithmic=True))
    np.testing.assert_allclose(same[:200], np.sin(2 * np.pi * 0.1 * t[:200]), atol=1e-13)


def test_phases_are_right_after_hours_in_float32():
    first = 1_500_000_000  # 41 hours
    n = first + np.arange(200)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        sine = Sine(3.0, 0.008, start=1.0)
        assert sine.frequency.dtype == jnp.float32
        got = values(sine, 200, first=first)
        train = values(PulseTrain(1.0, width=0.3, period=0.7), 200, first=first)
        on = values(Step(start=first * DT + 0.5), 10, first=first)
    assert got.dtype == np.float32
    frequency = float(np.float32(0.008))
    expected = 3 * np.sin(2 * np.pi * frequency * (n * DT - 1.0))
    # The result is rounded to float32 (3 * 6e-8); the phase of 7.5e6 is known to 1e-9 in float64.
    measured(
        "input.Sine", "value after 41 h in float32", against="NumPy in float64",
        error=got - expected, bound=3e-7,
    )  # fmt: skip
    np.testing.assert_array_equal(train, n % 7 < 3)
    np.testing.assert_array_equal(on, np.arange(10) >= 5)


def test_inputs_combine():
    t = np.arange(300) * DT
    sine, step = np.sin(2 * np.pi * 0.1 * t), 1.0 * (t > 4.95)
    scale = np.array([1.0, 2.0, 3.0])
    a, b = Sine(1.0, 0.1), Step(start=5.0)
    for made, expected in (
        (a * b, sine * step),
        (2 * a - b, 2 * sine - step),
        (1.0 - a * 3.0, 1 - 3 * sine),
        (-(a + b) * a, -(sine + step) * sine),
        (np.float64(2.0) * a + np.float64(1.0), 2 * sine + 1),
        (scale * a, scale * sine[:, None]),
        (a * scale - jnp.asarray(scale), scale * (sine[:, None] - 1)),
        (jnp.asarray(scale) + b, scale + step[:, None]),
        (b * (lambda t: t), step * t),
    ):
        assert isinstance(made, bf.input.AbstractInput)
        state = made.init(3)
        got = jax.vmap(lambda i, m=made, s=state: m.step(s, bf.Clock(i, DT))[1])(
            jnp.arange(300, dtype=jnp.int32)
        )
        np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), atol=1e-12)
    # Functions of the potential, and arrivals.
    clock = bf.Clock(jnp.asarray(60, jnp.int32), DT)
    driven = (b - 3.0) * (lambda t, v: 2 * v) + 1.0
    value = driven.step(driven.init(2), clock)[1]
    np.testing.assert_allclose(value(0.0, jnp.asarray([1.0, 2.0])), [-3.0, -7.0])
    events = bf.input.PoissonArrivals(100.0, 1.0, into="x")
    both = 2.0 * (events - 3.0)
    key = jr.key(0)
    both_step = eqx.filter_jit(lambda x, k: x.step(x.init(4, key=k), clock, key=k)[1])
    arrival, current = both_step(both, key).values
    same = bf.random.fold_in(bf.random.fold_in(key, 1), 0)
    np.testing.assert_array_equal(arrival.amount, 2 * both_step(events, same).amount)
    assert arrival.into == "x" and float(current) == -6.0 and float(arrival.amount.min()) > 0
    for wrong in (events * events, events * (lambda t, v: v)):
        with pytest.raises(TypeError, match="arrivals into 'x' can be multiplied by numbers"):
            both_step(wrong, key)


@pytest.mark.parametrize("name", WAVES)
def test_gradients_are_central_differences(name):
    wave = models.all_inputs[name]()
    params, rest = eqx.partition(wave, eqx.is_inexact_array)
    weights = jnp.asarray(np.random.default_rng(0).normal(size=30))

    @jax.jit
    def loss(params):
        return jnp.sum(weights * evaluated(eqx.combine(params, rest), jnp.int32(0), 30, 0.05))

    got = jax.jit(jax.grad(loss))(params)
    leaves, structure = jtu.tree_flatten(params)
    for i, (leaf, slope) in enumerate(zip(leaves, jtu.tree_leaves(got), strict=True)):
        h = 1e-5 * max(1.0, float(jnp.max(jnp.abs(leaf)))) * (1e-2 if leaf.ndim == 0 else 1)
        for at in np.ndindex(leaf.shape):
            up, down = (
                loss(structure.unflatten([*leaves[:i], leaf.at[at].add(d), *leaves[i + 1 :]]))
                for d in (h, -h)
            )
            # Central differences in float64: h^2, and rounding of the loss (1e3 eps / h).
            np.testing.assert_allclose(slope[at], float(up - down) / (2 * h), rtol=2e-5, atol=1e-4)


def everything():
    """The sum of all inputs of `models.all_inputs` that are currents."""
    made = (make() for n, make in models.all_inputs.items() if n != "PoissonArrivals")
    return bf.input.Sum(tuple(made))


def voltage(inputs, duration, state=None):
    return bf.simulate(
        bf.neuron.LIF(3, v_threshold=1e6), inputs=inputs, duration=duration, dt=DT,
        key=jr.key(3), state=state, record=lambda state, output: state.v,
    )  # fmt: skip


def test_inputs_go_on_where_they_stopped():
    inputs = everything()
    whole = voltage(inputs, 2.0)
    first = voltage(inputs, 1.0)
    second = voltage(inputs, 1.0, first.state)
    jtu.tree_map(np.testing.assert_array_equal, whole.state, second.state)
    np.testing.assert_array_equal(whole.outputs[10:], second.outputs)
    assert len(jtu.tree_leaves(whole.state.inputs)) >= 6


def test_inputs_have_finite_gradients():
    params, rest = eqx.partition(everything(), eqx.is_inexact_array)

    def loss(params):
        return jnp.sum(voltage(eqx.combine(params, rest), 1.0).outputs)

    slopes = jtu.tree_leaves(jax.grad(loss)(params))
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in slopes)
    assert sum(bool(jnp.any(x != 0)) for x in slopes) > 0.9 * len(slopes)


@pytest.mark.parametrize("name", models.all_inputs)
def test_inputs_keep_float32(name):
    narrow = bf.astype(models.all_inputs[name](), jnp.float32)
    key, clock = jr.key(0), bf.Clock(jnp.int32(3), DT)
    with jax.numpy_dtype_promotion("standard"):
        state = eqx.filter_eval_shape(lambda: narrow.init(3, key=key))
        after, value = eqx.filter_eval_shape(lambda s: narrow.step(s, clock, key=key), state)
    assert jtu.tree_map(lambda x: x.dtype, state) == jtu.tree_map(lambda x: x.dtype, after)
    if name in ("Function", "Sum", "Product"):
        return  # a function of time gives JAX's default dtype, as does a Python number
    kinds = {x.dtype for x in jtu.tree_leaves(value) if jnp.issubdtype(x.dtype, jnp.floating)}
    assert kinds == {jnp.dtype(jnp.float32)}
