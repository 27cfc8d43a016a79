"""Setting a variable of neurons that spike, with its derivative."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Spikes


def reset(
    v: Float[Array, " size"],
    spikes: Spikes,
    v_reset: FloatArrayLike,
    *,
    detach: bool = False,
) -> Float[Array, " size"]:
    r"""`v_reset` where there is a spike, `v` elsewhere, exactly.

    Its derivatives are those of $v + s\,(v_\mathrm{reset} - v)$, to any order, so that gradients
    reach the spikes; with `detach` that path is left out. Written out like this the value would
    cancel: after an upswing $v$ is so large that nothing of $v_\mathrm{reset}$ is left.

    **Arguments:**

    - `v`: the variable, shape `(size,)`.
    - `spikes`: bool, or 0/1 in a float dtype.
    - `v_reset`: what it is set to, a number or one for each neuron.
    - `detach`: whether derivatives leave out the path through the spikes.
    """
    v_reset = jnp.asarray(v_reset, v.dtype)
    if spikes.dtype == jnp.bool_:
        return jnp.where(spikes, v_reset, v)
    if detach:
        spikes = lax.stop_gradient(spikes)
    fires = spikes > 0
    value = jnp.where(fires, v_reset, v)
    # `spikes` is 0 or 1, so what is added is zero; its derivative is that of a spike. The factor
    # has the derivatives of `v_reset - v`.
    return value + (spikes - lax.stop_gradient(spikes)) * (v_reset - v)
