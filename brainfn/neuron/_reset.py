"""Setting the membrane potential of neurons that spike, with its derivative."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .._custom_types import Spikes


def reset(
    v: Float[Array, "..."], spikes: Spikes, v_reset: Float[Array, "..."], *, detach: bool = False
) -> Float[Array, "..."]:
    r"""`v_reset` where there is a spike, `v` elsewhere, exactly.

    Its derivative is that of $v + s\,(v_\mathrm{reset} - v)$, so that gradients reach the spikes;
    with `detach` that path is left out.
    """
    if spikes.dtype == jnp.bool_:
        return jnp.where(spikes, v_reset, v)
    if detach:
        spikes = lax.stop_gradient(spikes)
    return _reset(v, spikes, v_reset)


@jax.custom_jvp
def _reset(v: Any, spikes: Any, v_reset: Any) -> Any:
    return jnp.where(spikes > 0, v_reset, v)


@_reset.defjvp
def _reset_jvp(primals: Any, tangents: Any) -> Any:
    v, spikes, v_reset = primals
    dv, dspikes, dv_reset = tangents
    out = _reset(v, spikes, v_reset)
    return out, (1 - spikes) * dv + spikes * dv_reset + (v_reset - v) * dspikes
