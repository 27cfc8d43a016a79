"""phi1 and its derivatives against 60-digit decimal arithmetic."""

import decimal
from decimal import Decimal

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainfn.solver import phi1


def exact(z: float, order: int = 0) -> float:
    """The integral of s^order exp(s z) over [0, 1], by its series."""
    with decimal.localcontext(prec=400):
        x, term, total, n = Decimal(z), Decimal(1), Decimal(0), 0
        while n < 20 or abs(term) > abs(total) * Decimal("1e-40"):
            total += term / (n + order + 1)
            n += 1
            term *= x / n
        return float(total)


def points(dtype):
    edges = [0.5, 1.0, 2.0, 3.0]  # where series and closed form meet
    z = np.concatenate(
        [
            np.geomspace(1e-30, 80, 60),
            *(
                np.nextafter(np.asarray(e, dtype), np.asarray(k, dtype))[None]
                for e in edges
                for k in (0, 9)
            ),
            edges,
        ]
    ).astype(dtype)
    return np.concatenate([-z, [0], z]).astype(dtype)


@pytest.mark.parametrize(("dtype", "ulp"), [(np.float32, 2), (np.float64, 4)])
@pytest.mark.parametrize("compiled", [False, True])
def test_value(dtype, ulp, compiled):
    z = points(dtype)
    got = (jax.jit(phi1) if compiled else phi1)(jnp.asarray(z))
    assert got.dtype == dtype
    expected = [exact(float(x)) for x in z]
    np.testing.assert_allclose(got, expected, rtol=ulp * np.finfo(dtype).eps)


@hypothesis.given(st.floats(-700, 700))
def test_value_anywhere(z):
    assert float(phi1(jnp.asarray(z))) == pytest.approx(exact(z), rel=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_derivatives(order, dtype):
    f = phi1
    for _ in range(order):
        f = jax.grad(f)
    z = points(dtype)
    got = jax.vmap(f)(jnp.asarray(z))
    assert got.dtype == dtype
    expected = [exact(float(x), order) for x in z]
    # Each order divides one more difference of neighbours by z: some eps of the value.
    np.testing.assert_allclose(got, expected, rtol=16 * 2**order * np.finfo(dtype).eps)


def test_forward_mode_agrees():
    z = jnp.linspace(-3, 3, 25)
    reverse = jax.vmap(jax.grad(phi1))(z)
    _, forward = jax.jvp(phi1, (z,), (jnp.ones_like(z),))
    np.testing.assert_array_equal(forward, reverse)
    np.testing.assert_allclose(
        jax.vmap(jax.hessian(phi1))(z), [exact(float(x), 2) for x in z], rtol=1e-13
    )


def test_zero_is_exact():
    zero = jnp.zeros(())
    assert phi1(zero) == 1.0
    assert jax.grad(phi1)(zero) == 0.5
    assert jax.grad(jax.grad(phi1))(zero) == 1 / 3


def test_limits():
    z = jnp.array([-jnp.inf, -1e300, 1000.0, jnp.nan])
    got = phi1(z)
    np.testing.assert_allclose(got, [0.0, 1e-300, np.inf, np.nan], rtol=1e-14)


def test_python_floats_stay_weak():
    x = jnp.ones(2, jnp.float32)
    assert (phi1(0.3) * x).dtype == jnp.float32
