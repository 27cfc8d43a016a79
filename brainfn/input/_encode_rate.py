"""Rate coding: values as probabilities of spikes."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import random
from .._custom_types import FloatArrayLike, Key
from .._errors import check_key, count
from ..event import with_derivative
from ._encode_check import in_range


def encode_rate(values: FloatArrayLike, n_steps: int, *, key: Key) -> Float[Array, "time ..."]:
    r"""Rate coding: in each step a spike with the probability given by the value (Bernoulli).

    $$P(s_t = 1) = x, \qquad \frac{\partial s_t}{\partial x} := 1$$

    The derivative (straight-through) is that of the mean, so the gradient of a loss that is linear
    in the spikes is right on average. For a rate $r$ in 1/ms take $x = 1 - e^{-r\,\Delta t}$, as
    [`brainfn.input.Poisson`][] does.

    ```python
    spikes = bf.input.encode_rate(0.1 * image, 100, key=key)
    net = bf.Network({"in": bf.input.Signal(image.size), ...})
    bf.simulate(net, inputs={"in": spikes}, duration=100 * dt, dt=dt)
    ```

    **Arguments:**

    - `values`: $x$ from 0 to 1, any shape.
    - `n_steps`: number of steps.
    - `key`: a JAX random key.

    **Returns:** spikes as 0 and 1 in the dtype of `values`, shape `(n_steps, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Eshraghian et al. (2023), "Training spiking neural networks using lessons from deep
        learning", Proc. IEEE 111:1016-1054, doi:10.1109/JPROC.2023.3308088, of snnTorch, whose
        `spikegen.rate` has the same convention; the derivative: Bengio, Leonard and Courville
        (2013), arXiv:1308.3432.
    """
    x = in_range("values", values)
    n_steps = count("n_steps", n_steps)
    if key is None:
        raise ValueError("`key` is needed: rate coding is random. Try key=jax.random.key(0).")
    check_key(key)
    u = random.uniform(key, n_steps * x.size, x.dtype).reshape(n_steps, *x.shape)
    return _drawn(jnp.broadcast_to(x, u.shape), u)


def _below(x: Any, u: Any) -> Any:
    return (u < x).astype(x.dtype)


def _through(arguments: Any, tangents: Any) -> Any:
    del arguments
    return tangents[0]


_drawn = with_derivative(_below, tangent=_through)
