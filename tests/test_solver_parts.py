"""Exponential midpoint, substeps, independent variables, increments, and derivatives of a function
that has its own, in a loop."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainfn.event import with_derivative
from brainfn.solver import (
    ExponentialEuler,
    ExponentialMidpoint,
    Heun,
    Independent,
    Substeps,
    increment,
    integrate,
)


def field(t, y, args):
    v, w = y
    return -v * w + jnp.cos(args + t), v**2 - w


def after(solver, n, end=2.0):
    y = jnp.asarray([0.4]), jnp.asarray([0.9])
    dt = end / n

    def step(y, t):
        return integrate(solver, field, y, dt, t), None

    y, _ = jax.lax.scan(step, y, dt * jnp.arange(float(n)))
    return np.concatenate(y)


@pytest.mark.parametrize("inner", [ExponentialEuler(), ExponentialMidpoint(), Heun()], ids=repr)
@pytest.mark.parametrize("n", [1, 3, 8, 12])
def test_substeps_are_smaller_steps(inner, n):
    got, expected = after(Substeps(inner, n), 5), after(inner, 5 * n)
    # The same steps; times are summed in another order.
    np.testing.assert_allclose(got, expected, rtol=1e-13)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_wrong_numbers_of_substeps_are_named(n):
    with pytest.raises((TypeError, ValueError), match="n"):
        Substeps(Heun(), n)


def test_exponential_midpoint_is_of_order_two():
    reference = after(Heun(), 200000)
    counts = np.array([64, 128, 256, 512])
    errors = [np.abs(after(ExponentialMidpoint(), int(n)) - reference).max() for n in counts]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(2, abs=0.1)


def test_independent_variables_give_the_same_numbers_by_one_jvp():
    rates = [0.5 + i for i in range(40)]

    def apart(t, y, args):
        return [-r * x + jnp.sin(x) for r, x in zip(rates, y, strict=True)]

    def together(t, y, args):
        return Independent(apart(t, y.values, args))

    y = [jnp.full(2, 0.1 * i) for i in range(40)]
    for solver in (ExponentialEuler(), ExponentialMidpoint()):
        a = integrate(solver, apart, y, 0.1)
        b = integrate(solver, together, Independent(y), 0.1).values
        for one, other in zip(a, b, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.parametrize("solver", [ExponentialEuler(), ExponentialMidpoint(), Heun()], ids=repr)
def test_increment_is_the_change_without_rounding(solver):
    y = jnp.asarray([-60.0], jnp.float32)
    dt = 1e-7
    small = increment(solver, lambda t, y, a: -(y + 50.0) / 20.0, y, dt)
    np.testing.assert_allclose(small, [0.5 * dt], rtol=1e-5)
    assert small.dtype == jnp.float32
    assert float(integrate(solver, lambda t, y, a: -(y + 50.0) / 20.0, y, dt)[0]) == -60.0


def _quick(x, y):
    return jnp.sin(x) * y


def _slope(arguments, tangents):
    (x, y), (dx, dy) = arguments, tangents
    out = jnp.zeros_like(x)
    if dx is not None:
        out = out + jnp.cos(x) * y * dx
    if dy is not None:
        out = out + jnp.sin(x) * dy
    return out


by_function = with_derivative(_quick, lambda x, y: jnp.sin(x) * y)
by_tangent = with_derivative(_quick, tangent=_slope)
MODES = {"forward": jax.jacfwd, "reverse": jax.jacrev}


@pytest.mark.parametrize("ours", [by_function, by_tangent], ids=["slow", "tangent"])
@pytest.mark.parametrize("modes", list(itertools.product(MODES, MODES)), ids="-".join)
@pytest.mark.parametrize("compiled", [False, True])
def test_second_derivatives_in_a_loop(ours, modes, compiled):
    def through(f):
        def loss(p):
            def step(x, _):
                return f(x, p[1] + x), None

            x, _ = jax.lax.scan(step, p[0], length=5)
            return x

        return loss

    outer, inner = (MODES[m] for m in modes)
    p = jnp.array([0.7, 1.3])
    got, expected = (outer(inner(through(f))) for f in (ours, _quick))
    if compiled:
        got = jax.jit(got)
    np.testing.assert_allclose(got(p), expected(p), rtol=1e-12)


def test_derivatives_under_vmap():
    x, y = jnp.linspace(0, 1, 4), jnp.linspace(1, 2, 4)
    for f in (by_function, by_tangent):
        got = jax.vmap(jax.grad(jax.grad(f)), in_axes=(0, None))(x, y[0])
        np.testing.assert_allclose(got, -np.sin(x) * y[0], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("solver", [ExponentialEuler(), ExponentialMidpoint(), Heun()], ids=repr)
@pytest.mark.parametrize("dt", [0.1, 0.01, 0.003])
def test_an_upswing_rises(solver, dt):
    """A variable whose slope grows exponentially never falls, wherever on the upswing it is."""

    def upswing(t, v, args):
        return 0.1 * jnp.exp(jnp.minimum(v, 0.0) / 2.0 + 25.0)

    v = jnp.linspace(-60.0, 0.0, 601)
    assert (integrate(solver, upswing, v, dt) > v).all()
