import re

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from brainfn.solver import ExponentialEuler, integrate

dtypes = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])


def membrane(t, v, args):
    del t
    g, tau = args
    return -(v + 60.0) / tau - g / 200.0 * (v - 0.0)


@dtypes
@pytest.mark.parametrize("dt", [1e-4, 0.1, 5.0, 1e3])
def test_exact_for_a_linear_membrane(dtype, dt):
    v = jnp.array([-60.0, -70.0, 20.0, -55.0], dtype)
    g = jnp.array([0.0, 6.0, 300.0, 1e5], dtype)
    got = jax.jit(lambda v: integrate(ExponentialEuler(), membrane, v, dt, (g, 20.0)))(v)
    assert got.dtype == dtype
    v, g = np.asarray(v, np.float64), np.asarray(g, np.float64)
    rate = 1 / 20 + g / 200
    end = -3.0 / rate
    expected = end + (v - end) * np.exp(-rate * dt)
    # One step: the rounding of a few operations on numbers of size 100.
    np.testing.assert_allclose(got, expected, rtol=0, atol=500 * float(jnp.finfo(dtype).eps))


def test_each_leaf_has_its_own_rate():
    class State(eqx.Module):
        v: Float[Array, " n"]
        w: Float[Array, "n 2"]
        unused: None = None

    def field(t, y, args):
        del t, args
        return State(-(y.v - 1) / 2.0, -3.0 * y.w)

    y = integrate(ExponentialEuler(), field, State(jnp.zeros(3), jnp.ones((3, 2))), 0.7)
    assert isinstance(y, State)
    np.testing.assert_allclose(y.v, 1 - np.exp(-0.35), rtol=1e-14)
    np.testing.assert_allclose(y.w, np.exp(-2.1), rtol=1e-14)


def test_zero_rate_in_value_and_derivatives():
    def end(rate):
        return integrate(ExponentialEuler(), lambda t, y, a: 2.0 - a * y, jnp.ones(()), 0.5, rate)

    # y1 = y0 + h phi1(-a h) (2 - a y0); at a = 0, with phi1' = 1/2 and phi1'' = 1/3 there:
    # value 2, derivative -h^2 - h = -0.75, second derivative 2 h^3 / 3 + h^2.
    zero = jnp.zeros(())
    assert end(zero) == 2.0
    assert float(jax.grad(end)(zero)) == pytest.approx(-0.75, rel=1e-15)
    assert float(jax.grad(jax.grad(end))(zero)) == pytest.approx(1 / 12 + 0.25, rel=1e-14)
    assert float(jax.jacfwd(end)(zero)) == pytest.approx(-0.75, rel=1e-15)


def test_gradient_through_a_nonlinear_rate():
    def field(t, y, a):
        del t
        return a * jnp.tanh(y) - y**3

    def end(a):
        step = lambda y, _: (integrate(ExponentialEuler(), field, y, 0.1, a), None)  # noqa: E731
        return jax.lax.scan(step, jnp.asarray(0.3), length=20)[0]

    h = 1e-6
    expected = (end(1.5 + h) - end(1.5 - h)) / (2 * h)
    # Central differences in float64: eps / h.
    assert float(jax.grad(end)(1.5)) == pytest.approx(float(expected), rel=1e-8)


def test_times_stay_python_floats():
    seen = []

    def field(t, y, args):
        del args
        seen.append(t)
        return -y if t == 0.0 else jnp.nan * y

    jax.jit(lambda y: integrate(ExponentialEuler(), field, y, 0.1))(jnp.ones(2))
    assert seen
    assert all(type(t) is float for t in seen)


def test_under_diffeqsolve():
    field = dfx.ODETerm(lambda t, y, a: -(y - jnp.cos(t)) / a)

    def end(a, t0=0.0, t1=2.0, dt=0.01, y0=1.0):
        return dfx.diffeqsolve(
            field, ExponentialEuler(), t0, t1, dt, jnp.asarray(y0), a, max_steps=1000
        ).ys[0]

    # y' = -(y - cos t)/a has y = (cos t + a sin t) / (1 + a^2) + c exp(-t / a).
    def exact(a, t):
        c = 1 - 1 / (1 + a**2)
        return (np.cos(t) + a * np.sin(t)) / (1 + a**2) + c * np.exp(-t / a)

    assert float(end(0.5)) == pytest.approx(exact(0.5, 2.0), abs=0.01)  # order 1: dt
    h = 1e-5
    expected = (end(0.5 + h) - end(0.5 - h)) / (2 * h)
    assert float(jax.grad(end)(0.5)) == pytest.approx(float(expected), rel=1e-7)
    back = end(0.5, 0.5, 0.0, -0.01, exact(0.5, 0.5))
    assert float(back) == pytest.approx(1.0, abs=0.03)  # errors grow by exp(1) backwards


def test_needs_an_ordinary_differential_equation():
    noise = dfx.ControlTerm(lambda t, y, a: y, dfx.UnsafeBrownianPath((), jax.random.key(0)))
    with pytest.raises(ValueError, match="term"):
        dfx.diffeqsolve(noise, ExponentialEuler(), 0.0, 1.0, 0.1, jnp.ones(()))


def exponentials_in_loop(field, args):
    """How many exponentials the compiled loop over steps takes in each pass."""

    @jax.jit
    def run(v, args):
        def step(v, _):
            v = integrate(ExponentialEuler(), field, v, 0.1, args)
            spikes = v >= -50.0
            return jnp.where(spikes, -60.0, v), spikes

        return jax.lax.scan(step, v, length=50)

    text = run.lower(jnp.zeros(256, jnp.float32), args).compile().as_text()
    parts = {}
    for part in re.split(r"\n(?=\S)", text):
        if match := re.match(r"(?:ENTRY )?%([\w.\-]+) \(", part):
            parts[match[1]] = part
    (body,) = set(re.findall(r"body=%([\w.\-]+)", text))
    reached, todo = [], [body]
    while todo:
        reached.append(parts[todo.pop()])
        todo += re.findall(r"(?:calls|to_apply)=%([\w.\-]+)", reached[-1])
    assert any(" select(" in x for x in reached)  # the reset is there, so the parsing works
    return sum(len(re.findall(r" exponential\(| exponential-minus-one\(", x)) for x in reached)


def test_the_exponential_is_taken_once_a_step():
    # The three uses of the new potential (threshold, reset, output) share it.
    def field(t, v, g):
        del t
        return -(v + 60.0) / 20.0 - (g + v**2) * v

    assert exponentials_in_loop(field, jnp.ones(256, jnp.float32)) == 1


@pytest.mark.parametrize("tau", [20.0, np.linspace(5, 20, 256, dtype=np.float32)])
def test_a_constant_rate_costs_no_exponential_in_the_loop(tau):
    def field(t, v, tau):
        del t
        return -(v + 60.0) / tau

    assert exponentials_in_loop(field, tau) == 0
