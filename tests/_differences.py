"""Derivatives against central differences, all of them in one compiled program."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree


def assert_gradient(loss, tree, *, rtol=1e-6, atol=1e-9):
    """Assert that the gradient of `loss` is that of central differences, in each number of `tree`,
    whose error is about 1e-10 of the loss: from truncation at steps of 1e-5, and from rounding."""
    x, unravel = ravel_pytree(tree)
    h = 1e-5 * jnp.maximum(jnp.abs(x), 1e-3)

    @jax.jit
    def both(x, h):
        shifted = x[None] + jnp.concatenate([jnp.diag(h), -jnp.diag(h)])
        values = jax.vmap(lambda y: loss(unravel(y)))(shifted)
        up, down = values[: x.size], values[x.size :]
        return jax.grad(lambda y: loss(unravel(y)))(x), (up - down) / (2 * h)

    gradient, numeric = both(x, h)
    assert np.any(np.asarray(gradient) != 0)
    np.testing.assert_allclose(gradient, numeric, rtol=rtol, atol=atol)
