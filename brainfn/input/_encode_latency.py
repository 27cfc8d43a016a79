"""Latency coding: the larger the value, the earlier the only spike."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from .._errors import count, time_step
from ._encode_check import as_values, in_range, positive


def latency(
    values: FloatArrayLike, tau: Any = 5.0, *, threshold: Any = 0.01
) -> Float[Array, "..."]:
    r"""The time that a leaky membrane, charged by a constant current, takes to its threshold.

    $$t(x) = \tau \ln \frac{x}{x - \theta} \ \text{ for } x > \theta, \qquad
    \infty \text{ otherwise}$$

    It is differentiable with respect to all arguments; the derivative is zero where there is no
    spike.

    **Arguments:**

    - `values`: $x$, not negative, any shape.
    - `tau`: $\tau$ in ms; `threshold`: $\theta$, in the unit of the values.

    **Returns:** times in ms, in the shape of `values`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Thorpe (1990), "Spike arrival times: a highly efficient coding scheme for neural networks",
        in Parallel Processing in Neural Systems and Computers; the formula is that of snnTorch's
        `spikegen.latency`, Eshraghian et al. (2023), doi:10.1109/JPROC.2023.3308088, as is its
        threshold.
    """
    x = as_values("values", values)
    positive("tau", tau, "ms")
    positive("threshold", threshold)
    tau, threshold = jnp.asarray(tau, x.dtype), jnp.asarray(threshold, x.dtype)
    reaches = x > threshold
    safe = jnp.where(reaches, x, 2 * threshold)
    return jnp.where(reaches, -tau * jnp.log1p(-threshold / safe), jnp.inf)


def encode_latency(
    values: FloatArrayLike,
    n_steps: int,
    dt: float,
    *,
    tau: Any = None,
    threshold: Any = 0.01,
) -> Float[Array, "time ..."]:
    r"""Latency coding (time to first spike): one spike, the earlier the larger the value.

    Without `tau` the latency is linear, $t = (1 - x)\,(T - \Delta t)$ with the duration $T$, from 0
    for 1 to the last step for 0; values must lie between 0 and 1. With `tau` it is that of
    [`brainfn.input.latency`][], logarithmic, and values below `threshold` or too late do not spike.

    The spike is in the step that contains the time. It has no derivative; for gradients use
    [`brainfn.input.latency`][].

    **Arguments:**

    - `values`: $x$, any shape.
    - `n_steps`, `dt`: number of steps, and their size in ms.
    - `tau`, `threshold`: as for [`brainfn.input.latency`][].

    **Returns:** spikes as 0 and 1 in the dtype of `values`, shape `(n_steps, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """
    n_steps, dt = count("n_steps", n_steps, minimum=1), time_step(dt)
    if tau is None:
        x = in_range("values", values)
        # Nearest step: the linear scale has its ends on the grid.
        step = jnp.round((1 - x) * (n_steps - 1))
    else:
        x = as_values("values", values)
        # A time on the grid belongs to the step that begins there; division may miss it by an ulp.
        step = jnp.floor(latency(x, tau, threshold=threshold) / dt * (1 + jnp.finfo(x.dtype).eps))
    steps = jnp.arange(n_steps, dtype=x.dtype).reshape(-1, *(1,) * x.ndim)
    return (jnp.broadcast_to(step[None], (n_steps, *x.shape)) == steps).astype(x.dtype)
