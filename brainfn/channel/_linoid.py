"""The function that rates of channels are made of, without its removable singularity."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from ..solver import phi1


def linoid(x: Float[Array, "..."], k: FloatArrayLike) -> Float[Array, "..."]:
    r"""$x / (1 - e^{-x/k})$, in value and derivatives of any order also where $x = 0$.

    There it is $k$. Rates such as $\alpha_m = 0.1\,(v + 40) / (1 - e^{-(v + 40)/10})$ are
    `0.1 * linoid(v + 40, 10.0)`.

    **Arguments:**

    - `x`: e.g. a voltage in mV, any shape.
    - `k`: its scale, in the unit of `x`, positive or negative.
    """
    scale = jnp.asarray(k, x.dtype)
    u = x / scale
    # 1 / phi1(-u) and e^u / phi1(u) are equal. Of the two take the one that cannot overflow: so
    # derivatives are finite however far from zero.
    below = u < 0
    down = jnp.where(below, u, -u)
    return scale * jnp.where(below, jnp.exp(down), jnp.ones_like(u)) / phi1(down)
