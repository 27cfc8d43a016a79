"""Functions in channel rates that would overflow if written down plainly."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike


def bell(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$1 / (e^a + e^b)$, the bell-shaped time constant of many gates, without overflow, and with
    correct derivatives of any order. $1 / (2 \cosh x)$ is `bell(x, -x)`, and $e^p / (1 + e^q)$ is
    `bell(-p, q - p)`."""
    # Both branches are the same function; the larger exponent is taken out.
    above = a > b
    most = jnp.where(above, a, b)
    apart = jnp.where(above, a - b, b - a)
    return jnp.exp(-most) * jax.nn.sigmoid(apart)


def hill(x: Float[Array, "..."], half: FloatArrayLike, power: float) -> Float[Array, "..."]:
    r"""$x^n / (x^n + x_{1/2}^n)$, with finite derivatives also where $x$ is 0; 0 below.

    **Arguments:**

    - `x`: e.g. a concentration in mM, any shape.
    - `half`: $x_{1/2}$ in the unit of `x`, positive.
    - `power`: $n$.
    """
    ratio = x / half
    # Below, the value and its derivative are smaller than the smallest number for n > 2.
    some = ratio > _LEAST
    logarithm = jnp.log(jnp.where(some, ratio, jnp.ones_like(ratio)))
    return jnp.where(some, jax.nn.sigmoid(power * logarithm), jnp.zeros_like(ratio))


_LEAST = 1e-20
