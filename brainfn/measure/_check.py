"""Checks of arguments, and one text for NumPy and JAX."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def positive(name: str, value: Any, unit: str, *, zero: bool = False) -> float:
    """A positive number (or zero, if allowed) as a Python float."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"`{name}` must be a number in {unit}, got {value!r}. Try 5.0.")
    if not (np.isfinite(value) and (value > 0 or (zero and value == 0))):
        kind = "not be negative" if zero else "be positive"
        raise ValueError(f"`{name}` must {kind} and finite (in {unit}), got {value}.")
    return float(value)


def choice(name: str, value: Any, options: tuple[str, ...]) -> str:
    """One of some words."""
    if value not in options:
        raise ValueError(f"`{name}` must be one of {list(options)}, got {value!r}.")
    return value


def signal(name: str, x: Any, *, ndim: int | None = None, minimum: int = 2) -> Any:
    """A signal with a leading axis of time: a JAX array as it is, anything else as float64."""
    if not isinstance(x, jax.Array):
        x = np.asarray(x)
        if x.dtype.kind not in "biuf":
            raise TypeError(f"`{name}` must hold real numbers, got dtype {x.dtype}.")
        x = x.astype(np.float64)
    elif not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.result_type(float))
    if (x.ndim == 0 if ndim is None else x.ndim != ndim) or x.shape[0] < minimum:
        shape = "(time,)" if ndim == 1 else "(time, n)" if ndim == 2 else "(time, ...)"
        raise ValueError(
            f"`{name}` must have shape {shape} with at least {minimum} times, got {x.shape}."
        )
    return x


def same_shape(first: str, x: Any, second: str, y: Any) -> None:
    """Raise unless two arrays have one shape."""
    if x.shape != y.shape:
        raise ValueError(
            f"`{first}` and `{second}` must have one shape, got {x.shape} and {y.shape}."
        )


def namespace(*arrays: Any) -> Any:
    """`jax.numpy` if one of the arrays is JAX's, which may then be traced; `numpy` otherwise."""
    return jnp if any(isinstance(x, jax.Array) for x in arrays) else np
