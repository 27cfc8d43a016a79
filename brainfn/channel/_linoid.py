"""The function in many channel rates, without its removable singularity."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from ..solver import phi1


def linoid(x: Float[Array, "..."], k: FloatArrayLike) -> Float[Array, "..."]:
    r"""$x / (1 - e^{-x/k})$, with correct value and derivatives of any order at $x = 0$, where it
    is $k$. Rates such as $\alpha_m = 0.1\,(v + 40) / (1 - e^{-(v + 40)/10})$ are `0.1 * linoid(v +
    40, 10.0)`.

    **Arguments:**

    - `x`: e.g. a voltage in mV, any shape.
    - `k`: its scale, in the unit of `x`, positive or negative.
    """
    scale = jnp.asarray(k, x.dtype)
    u = x / scale
    # 1 / phi1(-u) and e^u / phi1(u) are equal. Take the one that can't overflow, so that
    # derivatives are finite arbitrarily far from zero.
    below = u < 0
    down = jnp.where(below, u, -u)
    return scale * jnp.where(below, jnp.exp(down), jnp.ones_like(u)) / phi1(down)
