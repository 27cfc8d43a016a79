"""Delta modulation: spikes where a signal has changed."""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from ._encode_check import as_values, positive


def encode_delta(
    signal: FloatArrayLike, threshold: Any
) -> tuple[Float[Array, "time ..."], Float[Array, "time ..."]]:
    r"""Delta modulation (send on delta): an ON or OFF spike whenever the signal has moved by a
    threshold, as the pixels of an event camera send them.

    $$u_t = [x_t - b_{t-1} \ge \theta], \qquad d_t = [b_{t-1} - x_t \ge \theta], \qquad
    b_t = b_{t-1} + \theta\,(u_t - d_t), \quad b_0 = x_0$$

    The reference $b$ follows the signal in steps of $\theta$, at most one in each step of time, so
    that it stays within $\theta$ of a signal that changes by at most $\theta$ per step.
    [`brainfn.input.decode_delta`][] gives $b$.

    Spikes have no derivative.

    **Arguments:**

    - `signal`: $x$, shape `(time, ...)`.
    - `threshold`: $\theta$, in the unit of the signal.

    **Returns:** `(on, off)`, spikes as 0 and 1 in the dtype of the signal, each in its shape.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Lichtsteiner, Posch and Delbruck (2008), "A 128 x 128 120 dB 15 us latency asynchronous
        temporal contrast vision sensor", IEEE J. Solid-State Circuits 43:566-576,
        doi:10.1109/JSSC.2007.914337; the algorithm, called step forward: Petro, Kasabov and Kiss
        (2020), IEEE Trans. Neural Netw. Learn. Syst. 31:358-370, doi:10.1109/TNNLS.2019.2906158.
    """
    x = as_values("signal", signal)
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(f"`signal` must have a leading time axis, got shape {x.shape}.")
    positive("threshold", threshold)
    theta = jnp.asarray(threshold, x.dtype)

    def step(count: Any, now: Any) -> Any:
        # The reference is a whole number of thresholds from the beginning: no drift.
        difference = now - (x[0] + theta * count)
        up, down = (difference >= theta).astype(x.dtype), (difference <= -theta).astype(x.dtype)
        return count + up - down, (up, down)

    return lax.scan(step, jnp.zeros_like(x[0]), lax.stop_gradient(x))[1]


def decode_delta(
    on: FloatArrayLike,
    off: FloatArrayLike,
    threshold: Any,
    *,
    start: Any = 0.0,
) -> Float[Array, "time ..."]:
    r"""The signal that ON and OFF spikes describe, $b_t = b_0 + \theta \sum_{s \le t} (u_s - d_s)$;
    differentiable with respect to all arguments.

    **Arguments:**

    - `on`, `off`: spikes, shape `(time, ...)`, see [`brainfn.input.encode_delta`][].
    - `threshold`: $\theta$; `start`: $b_0$, a number or in the shape of one step.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """
    up, down = as_values("on", on), as_values("off", off)
    if up.shape != down.shape or up.ndim == 0:
        raise ValueError(
            f"`on` and `off` must have the same shape (time, ...), got {up.shape} and {down.shape}."
        )
    positive("threshold", threshold)
    moved = jnp.cumsum(up - down, axis=0) * jnp.asarray(threshold, up.dtype)
    return moved + jnp.broadcast_to(jnp.asarray(start, up.dtype), up.shape[1:])[None]
