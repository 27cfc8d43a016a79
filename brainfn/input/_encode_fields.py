"""Population coding: a value in the activity of overlapping receptive fields."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from .._errors import count
from ._encode_check import as_values, positive


def encode_fields(
    values: FloatArrayLike, n: int, *, low: float, high: float, beta: Any = 1.5
) -> Float[Array, "... n"]:
    r"""Population coding: the responses of neurons with Gaussian receptive fields.

    $$a_i = \exp\left(-\frac{(x - c_i)^2}{2 \sigma^2}\right), \qquad
    c_i = x_\mathrm{low} + \frac{2 i - 3}{2}\,w, \quad i = 1 \dots n, \qquad
    w = \frac{x_\mathrm{high} - x_\mathrm{low}}{n - 2}, \quad \sigma = \frac{w}{\beta}$$

    The centres of the first and the last field lie outside of the range. Responses from 0 to 1 are
    what the other encoders take: for spike times as in the source,
    `encode_latency(encode_fields(...), ...)`; for rates, `encode_rate`. They are differentiable.

    **Arguments:**

    - `values`: $x$, any shape.
    - `n`: number of fields, at least 3.
    - `low`, `high`: the range of values.
    - `beta`: $\beta$; the larger, the narrower the fields.

    **Returns:** responses from 0 to 1, in the shape of `values` with an axis of `n` at the end.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Bohte, Kok and La Poutre (2002), "Error-backpropagation in temporally encoded networks of
        spiking neurons", Neurocomputing 48:17-37, doi:10.1016/S0925-2312(01)00658-0, with its
        $\beta$.
    """
    x = as_values("values", values)
    n = count("n", n, minimum=3)
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.generic):
            raise TypeError(f"`{name}` must be a Python number, got {value!r:.100}.")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"`low` must lie below `high`, got {low} and {high}.")
    positive("beta", beta)
    width = (float(high) - float(low)) / (n - 2)
    centres = jnp.asarray(low + width * (2 * np.arange(1, n + 1) - 3) / 2, x.dtype)
    distance = (x[..., None] - centres.reshape(*(1,) * x.ndim, n)) * (
        jnp.asarray(beta, x.dtype) / width
    )
    return jnp.exp(-0.5 * distance**2)
