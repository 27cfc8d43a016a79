"""Fields for initial values, and how they become arrays."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Key
from .._field import Declared, as_parameter, check_parameter, option, replace
from ._initializers import AbstractInitializer, Constant

_NUMBER = Declared("the unit of the variable", None, False, False)


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
        check=_check_initial,
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
    number = as_parameter(value)
    # Not by the constructor, which would not name the field: its check does.
    return replace(Constant(0.0), value=number) if isinstance(number, Array) else value


def _check_initial(name: str, value: Any, size: int | None) -> None:
    """Raise, naming the field, if what was given for it can't fill `size` entries."""
    if isinstance(value, Constant):
        check_parameter(name, value.value, _NUMBER, size)
    elif size is not None and any(jnp.ndim(x) for x in jtu.tree_leaves(value)):
        try:
            jax.eval_shape(lambda: value((size,), jnp.result_type(float), key=jr.key(0)))
        except ValueError as error:
            raise ValueError(f"`{name}`: {error}") from None
