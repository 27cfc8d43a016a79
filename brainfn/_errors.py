"""Error messages for wrong arguments: which one, the value, what was expected, what to try."""

import dataclasses
import difflib
import math
import numbers
from collections.abc import Iterable
from typing import Any, cast

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def is_concrete(x: Any) -> bool:
    """Whether the values of `x` are known and can be inspected."""
    return not isinstance(x, jax.core.Tracer)


def from_host(host: np.ndarray, *, copy: bool = False) -> jax.Array:
    """A NumPy array as a JAX array.

    `jnp.asarray` compiles a program for each new shape, which would take most of the time to build
    a network of many small projections. With `copy` the array does not share memory with the
    user's, which may change.
    """
    return jax.device_put(np.array(host) if copy else host)


def empty_on_host(n: int, dtype: Any) -> np.ndarray:
    """A vector that is not filled yet, aligned so that `from_host` can take it without a copy."""
    align, itemsize = 64, np.dtype(dtype).itemsize
    memory = np.empty(n + align // itemsize, dtype)
    start = -memory.ctypes.data % align // itemsize
    return memory[start : start + n]


def nearest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'exc'?"` for the known name most similar to `name`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def parameter(
    name: str,
    value: Any,
    *,
    unit: str,
    size: int | None = None,
    positive: bool = False,
    nonnegative: bool = False,
    dtype: Any = None,
) -> Float[Array, "..."]:
    """`value` as a floating-point array: a scalar or one number for each of `size` neurons.

    Values are checked when they are concrete; a traced value passes, since it can't be inspected.

    **Raises:**

    `TypeError` if it is not a number or an array of numbers; `ValueError` if it is not finite, has
    a shape other than `()` or `(size,)`, or has the wrong sign.
    """
    if not isinstance(value, numbers.Real | np.ndarray | jax.Array | np.generic) or isinstance(
        value, bool
    ):
        raise TypeError(
            f"`{name}` must be a number or an array of numbers in {unit}, got "
            f"{type(value).__name__}: {value!r}."
        )
    if dtype is None:
        given = value.dtype if isinstance(value, jax.Array) else jnp.result_type(float)
        dtype = given if _is_floating(given) else jnp.result_type(float)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(
            f"`dtype` must be a floating-point dtype, got {jnp.dtype(dtype)}. Try jnp.float32."
        )
    if is_concrete(value):
        host = np.asarray(cast(Any, value))
        if not (np.issubdtype(host.dtype, np.number) or jnp.issubdtype(host.dtype, jnp.floating)):
            raise TypeError(f"`{name}` must hold real numbers in {unit}, got dtype {host.dtype}.")
        if np.iscomplexobj(host):
            raise TypeError(f"`{name}` must be real, got dtype {host.dtype}.")
        if not np.all(np.isfinite(host)):
            raise ValueError(f"`{name}` must be finite, got {describe(host)}.")
        if positive and not np.all(host > 0):
            raise ValueError(
                f"`{name}` must be positive (in {unit}), got {describe(host)}. "
                "Check its sign and unit."
            )
        if nonnegative and not np.all(host >= 0):
            raise ValueError(
                f"`{name}` must not be negative (in {unit}), got {describe(host)}. "
                "Check its sign and unit."
            )
    shape = np.shape(cast(Any, value))
    if shape != () and shape != (size,):
        expected = "()" if size is None else f"() or ({size},)"
        raise ValueError(f"`{name}` must have shape {expected}, got {shape}.")
    return jnp.asarray(cast(Any, value), dtype)


def _is_floating(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating))


def check_parameters(tree: Any, name: str = "model") -> None:
    """Raise `ValueError` for concrete parameters that have a wrong sign or are not finite.

    Constructors check their arguments; this finds values that were changed later, by `eqx.tree_at`
    or an optimiser. Fields declare their sign by `metadata={"sign": "positive"}` or
    `"nonnegative"`.
    """
    if isinstance(tree, dict):
        for key, value in tree.items():
            check_parameters(value, f"{name}[{key!r}]")
    elif isinstance(tree, tuple | list):
        for i, value in enumerate(tree):
            check_parameters(value, f"{name}[{i}]")
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            value, path = getattr(tree, field.name), f"{name}.{field.name}"
            sign = field.metadata.get("sign")
            if sign is None:
                check_parameters(value, path)
                continue
            if value is None or not is_concrete(value):
                continue
            host = np.asarray(value)
            good = host > 0 if sign == "positive" else host >= 0
            if not np.all(good & np.isfinite(host)):
                raise ValueError(
                    f"`{path}` must be {sign} and finite, got {describe(host)}. Was it changed "
                    "by `eqx.tree_at` or an optimiser? Try learning its logarithm."
                )


def count(name: str, value: Any, *, minimum: int = 0) -> int:
    """`value` as a Python int that is at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        hint = f" Try {int(value)}." if isinstance(value, float) and value.is_integer() else ""
        raise TypeError(
            f"`{name}` must be a whole number (int), got {type(value).__name__}: {value!r}.{hint}"
        )
    if value < minimum:
        raise ValueError(f"`{name}` must be at least {minimum}, got {value}.")
    return int(value)


def whole_steps(name: str, value: float, dt: float, *, minimum: int = 0) -> int:
    """The number of steps of `dt` (ms) in `value` (ms); raises if that is not a whole number."""
    ratio = value / dt
    if not math.isfinite(ratio):
        raise ValueError(f"`{name}` must be finite, got {value} ms.")
    steps = round(ratio)
    # Decimal inputs such as 0.3 / 0.1 are off by a few ulp (of float32, if they come from there);
    # anything more is a real remainder.
    if abs(ratio - steps) > min(1e-6 * max(1.0, abs(ratio)), 1e-3):
        below, above = math.floor(ratio) * dt, math.ceil(ratio) * dt
        raise ValueError(
            f"`{name}` must be a whole number of steps: {value} ms is {ratio:.6g} steps of "
            f"dt = {dt} ms. Try {below:.6g} ms or {above:.6g} ms, or another dt."
        )
    if steps < minimum:
        raise ValueError(
            f"`{name}` must be at least {minimum} step{'s' * (minimum != 1)} of dt = {dt} ms, "
            f"got {value} ms."
        )
    return steps


def time_step(dt: Any) -> float:
    """`dt` in ms as a positive Python float."""
    if isinstance(dt, bool) or not isinstance(dt, numbers.Real | np.generic):
        raise TypeError(
            "`dt` must be a Python number in ms (it is static: a new value recompiles), got "
            f"{type(dt).__name__}."
        )
    dt = cast(float, dt)
    if not (math.isfinite(dt) and dt > 0):
        raise ValueError(f"`dt` must be positive and finite (in ms), got {dt}.")
    return float(dt)


def describe(x: np.ndarray) -> str:
    """A short description of `x`."""
    if x.size <= 4:
        return str(x.tolist())
    text, good = f"an array of shape {x.shape}", x[np.isfinite(x)]
    if good.size:
        text += f" with values from {good.min():g} to {good.max():g}"
    return text if good.size == x.size else f"{text}, {x.size - good.size} of them not finite"


def check_key(key: Any) -> None:
    """Raise unless `key` is `None` or a JAX random key, typed or raw."""
    if key is None:
        return
    if isinstance(key, jax.Array):
        if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ():
            return
        if key.dtype == jnp.uint32 and key.ndim == 1:
            # A raw key does not carry its kind: JAX assumes the default kind.
            own = jax.random.PRNGKey(0).shape
            if key.shape == own:
                return
            raise TypeError(
                f"`key` must be a JAX random key; a raw one has shape {own} with the current "
                f"jax_default_prng_impl, got shape {key.shape}. Try "
                "jax.random.wrap_key_data(key, impl=...)."
            )
    raise TypeError(f"`key` must be a JAX random key, got {key!r}. Try jax.random.key(0).")
