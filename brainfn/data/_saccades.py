"""What an event camera sees of a still image that moves."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, ArrayLike, Bool, Shaped

from .._custom_types import Key
from .._errors import check_key, count
from ..input import encode_delta


def saccades(
    images: Shaped[ArrayLike, "..."],
    steps: int = 99,
    *,
    size: float = 4.0,
    threshold: float = 0.3,
    floor: float = 0.1,
    noise: float = 0.0,
    key: Key | None = None,
) -> Bool[Array, "*batch time 2 height width"]:
    r"""Events of a camera in front of still images, which makes three saccades.

    The gaze moves along the sides of a triangle and ends where it began, as in the recording of
    N-MNIST. A pixel sends an ON or OFF event whenever the logarithm of its brightness, $\ln(I +
    I_0)$, has changed by the threshold, see [`brainfn.input.encode_delta`][]. Between pixels
    brightness is interpolated, and beyond the edges it is 0.

    **Arguments:**

    - `images`: brightness from 0 to 1; the last axes are rows and columns.
    - `steps`: number of steps, a third for each saccade.
    - `size`: the width of the triangle in pixels; its height is the same.
    - `threshold`: the change that makes an event.
    - `floor`: $I_0 > 0$: the smaller, the more events in the dark.
    - `noise`: probability of a random event of each kind, pixel and step; it needs `key`.
    - `key`: a JAX random key.

    **Returns:** events; the axis of two is ON and OFF.

    **Raises:** `ValueError` naming the argument.

    ??? cite

        Orchard, Jayawant, Cohen and Thakor (2015), "Converting static image datasets to spiking
        neuromorphic datasets using saccades", Front. Neurosci. 9:437,
        doi:10.3389/fnins.2015.00437.
    """
    x = jnp.asarray(images)
    x = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))
    steps = count("steps", steps, minimum=3)
    check_key(key)
    if x.ndim < 2:
        raise ValueError(f"`images` must have rows and columns, got shape {x.shape}.")
    if not floor > 0:
        raise ValueError(f"`floor` must be positive, got {floor}.")
    if not 0 <= noise <= 1 or (noise > 0 and key is None):
        raise ValueError(f"`noise` must be a probability, and needs `key`, got {noise}.")
    corners = np.array([[0.0, 0.0], [size, size / 2], [0.0, size], [0.0, 0.0]])
    where = np.linspace(0.0, 3.0, steps + 1)
    path = np.stack([np.interp(where, np.arange(4), c) for c in corners.T], axis=1)
    height, width = x.shape[-2:]
    rows, columns = np.mgrid[:height, :width]

    def seen(image: Any, offset: Any) -> Any:
        at = [jnp.asarray(rows, x.dtype) + offset[0], jnp.asarray(columns, x.dtype) + offset[1]]
        return map_coordinates(image, at, order=1, mode="constant", cval=0.0)

    def one(image: Any) -> Any:
        film = jax.vmap(lambda offset: seen(image, offset))(jnp.asarray(path, x.dtype))
        # What the first step is compared with has no events.
        on, off = encode_delta(jnp.log(film + floor), threshold)
        return jnp.stack([on[1:], off[1:]], axis=1) > 0

    events = jax.vmap(one)(x.reshape(-1, height, width))
    events = events.reshape(*x.shape[:-2], *events.shape[1:])
    if noise > 0:
        assert key is not None
        events |= jr.bernoulli(key, noise, events.shape)
    return events
