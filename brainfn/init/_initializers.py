import abc
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

Values = Float[Array, "..."]


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
    ) -> Values:
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
    ) -> Values:
        del key
        return _expand("Constant", "value", self.value, jnp.zeros(shape, dtype))


class _AbstractDraw(AbstractInitializer):
    """The template of random numbers that are independent of each other: `draw` makes them."""

    @property
    def elementwise(self) -> bool:
        return True

    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, key: Key | None = None
    ) -> Values:
        if key is None:
            raise ValueError(
                f"`init.{type(self).__name__}` draws random numbers and needs `key`; got None. "
                "Try `key=jax.random.key(0)`."
            )
        return self.draw(key, jnp.zeros(shape, dtype))

    @abc.abstractmethod
    def draw(self, key: Key, like: Values) -> Values:
        """Numbers of the shape and dtype of `like`."""

    def wide(self, name: str, like: Values) -> Values:
        """A parameter for each number."""
        return _expand(type(self).__name__, name, getattr(self, name), like)


class Normal(_AbstractDraw):
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

    def draw(self, key: Key, like: Values) -> Values:
        x = _draw(random.normal, key, like)
        return self.wide("mean", like) + self.wide("std", like) * x


class Uniform(_AbstractDraw):
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

    def draw(self, key: Key, like: Values) -> Values:
        low = self.wide("low", like)
        return low + (self.wide("high", like) - low) * _draw(random.uniform, key, like)


class TruncatedNormal(_AbstractDraw):
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

    def draw(self, key: Key, like: Values) -> Values:
        mean, std, low, high = (self.wide(name, like) for name in ("mean", "std", "low", "high"))
        root = np.sqrt(2).astype(like.dtype)
        a, b = (lax.erf((bound - mean) / (std * root)) for bound in (low, high))
        u = a + (b - a) * _draw(random.uniform, key, like)
        # At u = -1 or 1 the inverse is infinite.
        edge = 1 - jnp.finfo(like.dtype).epsneg
        x = root * lax.erf_inv(jnp.clip(u, -edge, edge))
        # Rounding of mean + std * x may exceed a bound in the last digit.
        return jnp.clip(mean + std * x, low, high)


class LogNormal(_AbstractDraw):
    r"""Independent lognormal values, $x = e^{\mu + \sigma z}$ with $z \sim \mathcal{N}(0, 1)$.

    It is given by its own mean and standard deviation, from which

    $$\sigma^2 = \log\left(1 + \frac{\mathrm{std}^2}{\mathrm{mean}^2}\right),\qquad
    \mu = \log \mathrm{mean} - \frac{\sigma^2}{2}$$

    Conversely $\mathrm{mean} = e^{\mu + \sigma^2 / 2}$ and
    $\mathrm{std} = \mathrm{mean} \sqrt{e^{\sigma^2} - 1}$.

    **Arguments:**

    - `mean`: mean of the values, positive, in the unit of the array.
    - `std`: their standard deviation, not negative, in the same unit.

    ??? cite

        Song, Sjöström, Reigl, Nelson and Chklovskii (2005), "Highly nonrandom features of synaptic
        connectivity in local cortical circuits", doi:10.1371/journal.pbio.0030068 (weights).
    """

    mean: FloatArrayLike = _parameter(1.0)
    std: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_finite("LogNormal", mean=self.mean, std=self.std)
        _check_positive("LogNormal", mean=self.mean)
        _check(self.std >= 0, f"`std` of `init.LogNormal` must not be negative; got {self.std}.")

    def draw(self, key: Key, like: Values) -> Values:
        z = _draw(random.normal, key, like)
        mean = self.wide("mean", like)
        ratio = self.wide("std", like) / mean
        square = jnp.log1p(ratio * ratio)
        # The root has no derivative at zero, where all values are equal.
        sigma = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        return mean * jnp.exp(sigma * z - 0.5 * square)


class Exponential(_AbstractDraw):
    r"""Independent exponential values, with density $e^{-x / m} / m$ for $x \ge 0$.

    **Arguments:**

    - `mean`: $m$, not negative, in the unit of the array.
    """

    mean: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_finite("Exponential", mean=self.mean)
        _check(
            self.mean >= 0, f"`mean` of `init.Exponential` must not be negative; got {self.mean}."
        )

    def draw(self, key: Key, like: Values) -> Values:
        return self.wide("mean", like) * _draw(random.exponential, key, like)


class Gamma(_AbstractDraw):
    r"""Independent gamma values, with density
    $\frac{x^{k - 1} e^{-x / \theta}}{\Gamma(k)\,\theta^k}$ for $x \ge 0$; mean $k \theta$ and
    standard deviation $\sqrt{k}\,\theta$.

    **Arguments:**

    - `shape`: $k > 0$, without a unit.
    - `scale`: $\theta \ge 0$, in the unit of the array.
    """

    shape: FloatArrayLike = _parameter(1.0)
    scale: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_finite("Gamma", shape=self.shape, scale=self.scale)
        _check_positive("Gamma", shape=self.shape)
        _check(self.scale >= 0, f"`scale` of `init.Gamma` must not be negative; got {self.scale}.")

    def draw(self, key: Key, like: Values) -> Values:
        k = self.wide("shape", like).reshape(-1)
        x = jnp.exp(random.log_gamma(key, k, k.size, like.dtype)).reshape(like.shape)
        return self.wide("scale", like) * x


class Beta(_AbstractDraw):
    r"""Independent values with a beta distribution on an interval:
    $x = \mathrm{low} + (\mathrm{high} - \mathrm{low})\,y$ with density
    $\propto y^{a - 1} (1 - y)^{b - 1}$ for $0 \le y \le 1$, and mean of $y$ $a / (a + b)$.

    **Arguments:**

    - `a`, `b`: $a, b > 0$, without a unit.
    - `low`, `high`: bounds, in the unit of the array.
    """

    a: FloatArrayLike = _parameter(1.0)
    b: FloatArrayLike = _parameter(1.0)
    low: FloatArrayLike = _parameter(0.0)
    high: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_finite("Beta", a=self.a, b=self.b, low=self.low, high=self.high)
        _check_positive("Beta", a=self.a, b=self.b)
        _check_order("Beta", self.low, self.high)

    def draw(self, key: Key, like: Values) -> Values:
        a, b = (self.wide(name, like).reshape(-1) for name in "ab")
        # The ratio of gamma numbers, by their logarithms: both may be too small for a float.
        first = random.log_gamma(random.fold_in(key, 0), a, a.size, like.dtype)
        second = random.log_gamma(random.fold_in(key, 1), b, b.size, like.dtype)
        y = jax.nn.sigmoid(first - second).reshape(like.shape)
        low = self.wide("low", like)
        return low + (self.wide("high", like) - low) * y


class Clipped(AbstractInitializer):
    r"""The values of another initializer, those out of range set to the nearest bound.

    $$x = \min(\max(y, \mathrm{low}), \mathrm{high})$$

    Unlike with [`brainfn.init.TruncatedNormal`][], many values may be equal to a bound.

    **Arguments:**

    - `of`: an initializer that gives $y$.
    - `low`, `high`: bounds, in the unit of the array; either may be infinite.

    **Raises:** `TypeError` or `ValueError` naming the argument.
    """

    of: Any
    low: FloatArrayLike = _parameter(-float("inf"))
    high: FloatArrayLike = _parameter(float("inf"))

    def __check_init__(self):
        if not isinstance(self.of, AbstractInitializer):
            raise TypeError(
                f"`of` of `init.Clipped` must be an initializer; got {type(self.of).__name__}."
            )
        _check_order("Clipped", self.low, self.high)

    @property
    def elementwise(self) -> bool:
        return self.of.elementwise

    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, key: Key | None = None
    ) -> Values:
        y = self.of(shape, dtype, key=key)
        low = _expand("Clipped", "low", self.low, y)
        return jnp.clip(y, low, _expand("Clipped", "high", self.high, y))


def _draw(draw: Callable[..., Array], key: Key, like: Values) -> Values:
    """Draws for an array of any shape, row by row."""
    return draw(key, like.size, like.dtype).reshape(like.shape)


def _check_positive(owner: str, **parameters: FloatArrayLike) -> None:
    for name, value in parameters.items():
        positive = value > 0
        _check(positive, f"`{name}` of `init.{owner}` must be positive; got {value}.")


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
