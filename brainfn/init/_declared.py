"""Fields for initial values, and how they become arrays."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Key
from .._field import as_parameter, option
from ._initializers import AbstractInitializer, as_initializer


def initial(default: FloatArrayLike | AbstractInitializer | None = None) -> Any:
    """The field of an initial value: a number, an array of shape `(size,)`, an initializer of
    [`brainfn.init`][], or `None` for the model's own default.

    ```python
    class Leak(bf.neuron.AbstractIntegrateAndFire):
        v_init: bf.init.AbstractInitializer | None = bf.init.initial()
    ```
    """
    return option(
        default,
        AbstractInitializer,
        none=True,
        convert=_as_initial,
        initial=True,
        hint="Try a number, an array, or bf.init.Normal(-60.0, 2.0).",
    )


def start(
    initial: AbstractInitializer | None,
    default: Float[Array, " *size"],
    size: int,
    key: Key | None,
) -> Float[Array, " size"]:
    """The initial values of a variable.

    **Arguments:**

    - `initial`: the initializer, or `None` for `default`.
    - `default`: a number or one for each neuron; its dtype is that of the result.
    - `size`: number of neurons.
    - `key`: a random key, needed if `initial` draws.
    """
    if initial is None:
        return jnp.broadcast_to(default, (size,))
    return initial((size,), default.dtype, key=key)


def _as_initial(value: Any) -> Any:
    if value is None or isinstance(value, AbstractInitializer):
        return value
    number = as_parameter(value)
    return as_initializer(number) if isinstance(number, Array) else value
