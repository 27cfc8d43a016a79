"""Sequences: images read in parts, and a chaotic series."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, ArrayLike, Float, Shaped

from .._custom_types import Key
from .._errors import check_key, count


def sequential(
    images: Shaped[ArrayLike, "..."], by: str = "pixel", *, key: Key | None = None
) -> Shaped[Array, "*batch time inputs"]:
    """Images as sequences, pixel by pixel or row by row: sequential MNIST.

    **Arguments:**

    - `images`: the last axes are rows and columns.
    - `by`: `"pixel"`: one input in each of `height * width` steps; `"row"`: `width` inputs in each
        of `height` steps.
    - `key`: a JAX random key: pixels are permuted before, all images alike (permuted sequential
        MNIST). By default they are not.

    **Returns:** time and inputs in place of rows and columns.

    **Raises:** `ValueError` for another `by` or fewer than two axes.

    ??? cite

        Le, Jaitly and Hinton (2015), "A simple way to initialize recurrent networks of rectified
        linear units", arXiv:1504.00941.
    """
    x = jnp.asarray(images)
    if x.ndim < 2:
        raise ValueError(f"`images` must have rows and columns, got shape {x.shape}.")
    if by not in ("pixel", "row"):
        raise ValueError(f"`by` must be 'pixel' or 'row', got {by!r}.")
    check_key(key)
    *batch, height, width = x.shape
    flat = x.reshape(*batch, height * width)
    if key is not None:
        flat = jr.permutation(key, flat, axis=-1, independent=False)
    return flat.reshape(*batch, -1, 1 if by == "pixel" else width)


def mackey_glass(
    n: int,
    *,
    key: Key | None = None,
    dt: float = 1.0,
    tau: float = 17.0,
    beta: float = 0.2,
    gamma: float = 0.1,
    power: float = 10.0,
    start: float = 1.2,
    skip: int = 0,
    substeps: int = 10,
) -> Float[Array, " n"]:
    r"""The Mackey-Glass series, which is chaotic for $\tau > 16.8$: predict how it goes on.

    $$\dot x = \beta \frac{x(t - \tau)}{1 + x(t - \tau)^p} - \gamma x$$

    It is integrated by the Runge-Kutta method of order four, with the past between steps by cubic
    interpolation.

    **Arguments:**

    - `n`: number of samples.
    - `key`: a JAX random key: adds a number from -0.1 to 0.1 to `start`, for different series. By
        default none is added.
    - `dt`: time between samples.
    - `tau`: $\tau$; `beta`, `gamma`: $\beta$ and $\gamma$; `power`: $p$.
    - `start`: $x$ up to the time 0, the first sample.
    - `skip`: number of samples left out at the beginning.
    - `substeps`: steps per sample; $\tau$ must be a whole number of steps.

    **Returns:** the samples.

    **Raises:** `ValueError` naming the argument.

    ??? cite

        Mackey and Glass (1977), "Oscillation and chaos in physiological control systems", Science
        197:287-289, doi:10.1126/science.267326. The defaults are those usual in reservoir
        computing: Jaeger and Haas (2004), Science 304:78-80, doi:10.1126/science.1091277.
    """
    n, skip = count("n", n), count("skip", skip)
    substeps = count("substeps", substeps, minimum=1)
    check_key(key)
    h = dt / substeps
    lag = round(tau / h)
    if not dt > 0 or lag < 2 or abs(tau / h - lag) > 1e-9 * lag:
        raise ValueError(
            f"`tau` must be a whole number, at least 2, of steps of dt / substeps = "
            f"{h:.6g}, got {tau}."
        )
    dtype = jnp.result_type(float)
    x = jnp.asarray(start, dtype)
    if key is not None:
        x = x + jr.uniform(key, (), dtype, minval=-0.1, maxval=0.1)

    def slope(x: Any, past: Any) -> Any:
        return beta * past / (1 + past**power) - gamma * x

    # The past is a ring of values and of those half a step later; `at` is the oldest.
    def step(carry: Any, _: Any) -> Any:
        x, (values, middles), at = carry
        after = (at + 1) % lag
        k1 = slope(x, values[at])
        k2 = slope(x + h / 2 * k1, middles[at])
        k3 = slope(x + h / 2 * k2, middles[at])
        k4 = slope(x + h * k3, values[after])
        end = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        middle = (x + end) / 2 + h * (k1 - slope(end, values[after])) / 8
        return (end, (values.at[at].set(x), middles.at[at].set(middle)), after), None

    def sample(carry: Any, _: Any) -> Any:
        return jax.lax.scan(step, carry, None, length=substeps)[0], carry[0]

    ring = jnp.full(lag, x), jnp.full(lag, x)
    begin = (x, ring, jnp.zeros((), jnp.int32))
    return jax.lax.scan(sample, begin, None, length=skip + n)[1][skip:]
