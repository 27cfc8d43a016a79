"""The rate function of channels, through its removable singularity and far from it."""

import decimal
from decimal import Decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainfn.channel import linoid


def exact(x: float, k: float, order: int) -> float:
    """x / (1 - exp(-x/k)) or its derivative by the closed form, in 200 digits."""
    with decimal.localcontext(prec=200):
        u = Decimal(x) / Decimal(k)
        if u == 0:
            return [k, 0.5, 1 / (6 * k)][order]
        e = (-u).exp()
        d = 1 - e
        value = u / d
        if order == 0:
            return float(Decimal(k) * value)
        first = 1 / d - u * e / d**2
        if order == 1:
            return float(first)
        return float((-2 * e / d**2 + u * e / d**2 + 2 * u * e * e / d**3) / Decimal(k))


POINTS = np.concatenate([[0.0], np.geomspace(1e-12, 300, 40), -np.geomspace(1e-12, 300, 40)])


@pytest.mark.parametrize("k", [10.0, -5.0])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_value_and_derivatives(k, order):
    def f(x):
        return linoid(x, k)

    for _ in range(order):
        f = jax.grad(f)
    got = jax.vmap(f)(jnp.asarray(POINTS))
    expected = [exact(float(x), k, order) for x in POINTS]
    # Each order adds terms of size one that cancel: some eps of those.
    np.testing.assert_allclose(got, expected, rtol=1e-14 * 4**order, atol=1e-15 * 8**order)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("x", [-1e8, -8000.0, -4000.0, 4000.0, 8000.0, 1e8])
def test_far_from_zero_nothing_overflows(dtype, x):
    f = lambda x: linoid(x, 10.0)  # noqa: E731
    x = jnp.asarray(x, dtype)
    # Powers of the large number cancel in the derivatives: some eps of the terms of size one.
    eps = 16 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(f(x), max(float(x), 0.0), rtol=eps, atol=eps)
    np.testing.assert_allclose(jax.grad(f)(x), float(x > 0), rtol=0, atol=eps)
    np.testing.assert_allclose(jax.grad(jax.grad(f))(x), 0.0, rtol=0, atol=eps)
    np.testing.assert_allclose(jax.jacfwd(jax.jacrev(f))(x), 0.0, rtol=0, atol=eps)
