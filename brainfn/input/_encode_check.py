"""Checks of the arguments of encoders."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import describe, is_concrete


def as_values(name: str, values: Any) -> Float[Array, "..."]:
    """`values` as a floating-point array."""
    if not isinstance(values, np.ndarray | np.generic | jax.Array | int | float | list | tuple):
        raise TypeError(f"`{name}` must be an array of numbers, got {type(values).__name__}.")
    if isinstance(values, list | tuple):
        values = np.asarray(values)
    kind = np.dtype(getattr(values, "dtype", float))
    if kind.kind not in "biuf" and not jnp.issubdtype(kind, jnp.floating):
        raise TypeError(f"`{name}` must hold real numbers, got dtype {kind}.")
    floating = jnp.issubdtype(kind, jnp.floating) and hasattr(values, "dtype")
    x = jnp.asarray(values, None if floating else jnp.result_type(float))
    if is_concrete(x) and not bool(jnp.all(jnp.isfinite(x))):
        raise ValueError(f"`{name}` must be finite, got {describe(np.asarray(x))}.")
    return x


def in_range(name: str, values: Any) -> Float[Array, "..."]:
    """`values` as a floating-point array of numbers from 0 to 1."""
    x = as_values(name, values)
    if is_concrete(x) and not bool(jnp.all((x >= 0) & (x <= 1))):
        raise ValueError(
            f"`{name}` must lie between 0 and 1, got {describe(np.asarray(x))}. Try to scale them, "
            "(x - x.min()) / (x.max() - x.min())."
        )
    return x


def positive(name: str, value: Any, unit: str = "") -> None:
    """Raise unless `value` is a positive number; a traced value passes."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.generic | jax.Array):
        raise TypeError(f"`{name}` must be a number, got {value!r:.100}.")
    if jnp.ndim(value) != 0:
        raise ValueError(f"`{name}` must be one number, got shape {jnp.shape(value)}.")
    if is_concrete(value) and not (float(value) > 0 and math.isfinite(float(value))):
        unit = f" (in {unit})" if unit else ""
        raise ValueError(f"`{name}` must be positive and finite{unit}, got {value}.")
