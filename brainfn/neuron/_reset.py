"""Resets and jumps of variables at spikes, with their derivatives."""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Spikes
from ..event import with_derivative


def reset(
    v: Float[Array, " size"],
    spikes: Spikes,
    v_reset: FloatArrayLike,
    *,
    detach: bool = False,
) -> Float[Array, " size"]:
    r"""`v_reset` where there is a spike, `v` elsewhere, exactly.

    Its derivatives are those of $v + s\,(v_\mathrm{reset} - v)$, to any order, so that gradients
    reach the spikes; with `detach` that path is excluded. Computing the value by this formula would
    lose it to cancellation: after an upswing $v$ can be so large that $v_\mathrm{reset}$ is lost in
    rounding.

    **Arguments:**

    - `v`: the variable, shape `(size,)`.
    - `spikes`: bool, or 0/1 in a float dtype.
    - `v_reset`: the value to set, a number or one for each neuron.
    - `detach`: whether derivatives exclude the path through the spikes.
    """
    v_reset = jnp.asarray(v_reset, v.dtype)
    if spikes.dtype == jnp.bool_:
        return jnp.where(spikes, v_reset, v)
    if detach:
        spikes = lax.stop_gradient(spikes)
    return _reset(v, spikes, v_reset)


def jump(w: Float[Array, " size"], spikes: Spikes, by: FloatArrayLike) -> Float[Array, " size"]:
    r"""$w + s\,b$: a variable that jumps where there is a spike, such as an adaptation.

    **Arguments:**

    - `w`: the variable, shape `(size,)`.
    - `spikes`: bool, or 0/1 in a float dtype.
    - `by`: the jump $b$, a number or one for each neuron.
    """
    return w + spikes.astype(w.dtype) * jnp.asarray(by, w.dtype)


def _value(v: Any, spikes: Any, v_reset: Any) -> Any:
    return jnp.where(spikes > 0, v_reset, v)


def _tangent(arguments: Any, tangents: Any) -> Any:
    v, spikes, v_reset = arguments
    dv, dspikes, dv_reset = tangents
    out = jnp.zeros_like(v)
    # A potential that diverged is reset as well: its tangent, which may be infinite, and the height
    # of the reset are dropped, as 0 * inf would be NaN.
    ran_away = (spikes > 0) & ~(jnp.abs(v) < jnp.sqrt(jnp.finfo(v.dtype).max).astype(v.dtype))
    if dv is not None:
        out = out + (1 - spikes) * jnp.where(ran_away, jnp.zeros_like(dv), dv)
    if dv_reset is not None:
        out = out + spikes * dv_reset
    if dspikes is not None:
        out = out + jnp.where(ran_away, jnp.zeros_like(v), v_reset - v) * dspikes
    return out


_reset = with_derivative(_value, tangent=_tangent)
