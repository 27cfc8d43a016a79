import abc
import math
import numbers
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import random
from .._custom_types import FloatArrayLike, Key


def _parameter(default: float | None = None) -> Any:
    # Parameters are leaves, to be swept or learned; integers would not be differentiable.
    if default is None:
        return eqx.field(converter=_as_inexact)
    return eqx.field(converter=_as_inexact, default=default)


def _as_inexact(x: Any) -> Any:
    if isinstance(x, numbers.Real):
        return float(x)
    if isinstance(x, list | tuple):
        x = np.asarray(x)
    if isinstance(x, np.ndarray | jax.Array) and not jnp.issubdtype(x.dtype, jnp.inexact):
        x = jnp.asarray(x)
        return x.astype(jnp.result_type(float))
    if isinstance(x, np.ndarray):
        return jnp.array(x, copy=True)
    return x


def _check(condition: Any, message: str) -> None:
    # Under a transformation there are no concrete values to check.
    if not isinstance(condition, Tracer) and not np.all(condition):
        raise ValueError(message)


def _check_finite(owner: str, **parameters: FloatArrayLike) -> None:
    for name, value in parameters.items():
        finite = jnp.isfinite(value) if isinstance(value, jax.Array) else np.isfinite(value)
        _check(finite, f"`{name}` of `init.{owner}` must be finite; got {value}.")


def _expand(owner: str, name: str, value: FloatArrayLike, like: Array) -> Array:
    given, shape = jnp.shape(value), like.shape
    fits = len(given) <= len(shape) and all(
        g in (1, s) for g, s in zip(reversed(given), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(
            f"`{name}` of `init.{owner}` has shape {given}, which does not broadcast to {shape}, "
            "the shape to be filled. Give one number, or an array of that shape."
        )
    return jnp.broadcast_to(jnp.asarray(value, like.dtype), shape)


def _require(owner: str, key: Key | None) -> Key:
    if key is None:
        raise ValueError(
            f"`init.{owner}` draws random numbers and needs `key`; got None. "
            "Try `key=jax.random.key(0)`."
        )
    return key


class AbstractInitializer(eqx.Module):
    """How an array is filled initially: states and weights.

    To make one of your own, subclass and write `__call__`. Parameters may be arrays that broadcast
    to the shape to be filled, with the last axis running over neurons.
    """

    @property
    def elementwise(self) -> bool:
        """Whether entry $i$ of a vector depends only on entry $i$ of the parameters and all random
        numbers come from [`brainfn.random`][]. Populations whose initial values are drawn otherwise
        are not merged with others."""
        return False

    @abc.abstractmethod
    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, key: Key | None = None
    ) -> Float[Array, "..."]:
        """Make an array.

        **Arguments:**

        - `shape`: shape of the array.
        - `dtype`: its floating-point dtype.
        - `key`: a `jax.random` key; only constants need none.
        """


class Constant(AbstractInitializer):
    r"""The same value everywhere, or the values of a given array.

    **Arguments:**

    - `value`: the value, or an array that broadcasts to the shape to be filled; in the unit of the
      array.
    """

    value: FloatArrayLike = _parameter()

    def __check_init__(self):
        _check_finite("Constant", value=self.value)

    @property
    def elementwise(self) -> bool:
        return True

    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, key: Key | None = None
    ) -> Float[Array, "..."]:
        del key
        return _expand("Constant", "value", self.value, jnp.zeros(shape, dtype))


class Normal(AbstractInitializer):
    r"""Independent normal values, $x \sim \mathcal{N}(\mu, \sigma^2)$.

    **Arguments:**

    - `mean`: $\mu$, in the unit of the array.
    - `std`: standard deviation $\sigma \ge 0$, in the same unit.
    """

    mean: FloatArrayLike = _parameter(0.0)
    std: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_finite("Normal", mean=self.mean, std=self.std)
        _check(self.std >= 0, f"`std` of `init.Normal` must not be negative; got {self.std}.")

    @property
    def elementwise(self) -> bool:
        return True

    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, key: Key | None = None
    ) -> Float[Array, "..."]:
        x = _draw(random.normal, _require("Normal", key), shape, dtype)
        return _expand("Normal", "mean", self.mean, x) + _expand("Normal", "std", self.std, x) * x


class Uniform(AbstractInitializer):
    r"""Independent uniform values, $x \sim \mathcal{U}[\mathrm{low}, \mathrm{high})$.

    **Arguments:**

    - `low`: lower bound, in the unit of the array.
    - `high`: upper bound, not below `low`, in the same unit.
    """

    low: FloatArrayLike = _parameter(0.0)
    high: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_finite("Uniform", low=self.low, high=self.high)
        _check_order("Uniform", self.low, self.high)

    @property
    def elementwise(self) -> bool:
        return True

    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, key: Key | None = None
    ) -> Float[Array, "..."]:
        x = _draw(random.uniform, _require("Uniform", key), shape, dtype)
        low = _expand("Uniform", "low", self.low, x)
        return low + (_expand("Uniform", "high", self.high, x) - low) * x


class TruncatedNormal(AbstractInitializer):
    r"""Independent normal values, redrawn until they lie in $[\mathrm{low}, \mathrm{high}]$.

    The distribution of "draw again if out of range", as used for delays and weights that must keep
    their sign; sampled in one pass by inversion. The bounds move the mean and shrink the variance.

    **Arguments:**

    - `mean`: mean $\mu$ of the untruncated distribution, in the unit of the array.
    - `std`: its standard deviation $\sigma > 0$, in the same unit.
    - `low`, `high`: bounds, in the same unit; either may be infinite.
    """

    mean: FloatArrayLike = _parameter(0.0)
    std: FloatArrayLike = _parameter(1.0)
    low: FloatArrayLike = _parameter(-float("inf"))
    high: FloatArrayLike = _parameter(float("inf"))

    def __check_init__(self):
        _check_finite("TruncatedNormal", mean=self.mean, std=self.std)
        _check(self.std > 0, f"`std` of `init.TruncatedNormal` must be positive; got {self.std}.")
        _check_order("TruncatedNormal", self.low, self.high)

    @property
    def elementwise(self) -> bool:
        return True

    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, key: Key | None = None
    ) -> Float[Array, "..."]:
        key = _require("TruncatedNormal", key)
        like = jnp.zeros(shape, dtype)
        mean, std, low, high = (
            _expand("TruncatedNormal", name, value, like) for name, value in vars(self).items()
        )
        root = np.sqrt(2).astype(dtype)
        a, b = (lax.erf((bound - mean) / (std * root)) for bound in (low, high))
        u = a + (b - a) * _draw(random.uniform, key, shape, dtype)
        # At u = -1 or 1 the inverse is infinite.
        edge = 1 - jnp.finfo(dtype).epsneg
        x = root * lax.erf_inv(jnp.clip(u, -edge, edge))
        # Rounding of mean + std * x may exceed a bound in the last digit.
        return jnp.clip(mean + std * x, low, high)


def _draw(
    draw: Callable[..., Array], key: Key, shape: tuple[int, ...], dtype: DTypeLike
) -> Float[Array, "..."]:
    """Draws for an array of any shape, row by row."""
    return draw(key, math.prod(shape), dtype).reshape(shape)


def _check_order(owner: str, low: FloatArrayLike, high: FloatArrayLike) -> None:
    _check(
        low <= high,
        f"`low` of `init.{owner}` must not exceed `high`; got low={low}, high={high}.",
    )


def as_initializer(x: Any) -> AbstractInitializer:
    """Convert a number or an array to an initializer.

    **Arguments:**

    - `x`: an initializer, which is returned unchanged; or a number or array, which becomes a
      [`brainfn.init.Constant`][].

    **Raises:** `TypeError` for anything else.
    """
    if isinstance(x, AbstractInitializer):
        return x
    if isinstance(x, bool | str) or not isinstance(x, numbers.Real | np.ndarray | jax.Array):
        raise TypeError(
            f"Expected a number, an array or an initializer such as `init.Normal(0.0, 1.0)`; got "
            f"{x!r} of type {type(x).__name__}."
        )
    return Constant(_as_inexact(x))
