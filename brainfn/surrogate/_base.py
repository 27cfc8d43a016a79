"""The base class of surrogate derivatives."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from .._custom_types import FloatArrayLike
from .._field import Declared
from ..event import with_derivative


def parameter(default: float) -> Any:
    """A field with a parameter."""
    # Parameters are leaves, to be swept or learned; an integer would not be differentiable. They
    # stay Python numbers: surrogates are defaults of classes, made before JAX has a backend.
    declared = Declared("", "positive", False, False)
    return eqx.field(
        default=default,
        converter=lambda x: float(x) if isinstance(x, int) else x,
        metadata={"param": declared},
    )


def check_positive(**parameters: FloatArrayLike) -> None:
    """Raise, naming the parameter that is not positive and finite."""
    for name, value in parameters.items():
        if isinstance(value, Tracer):
            continue
        if not np.all(np.isfinite(value) & (np.asarray(value) > 0)):
            raise ValueError(f"`{name}` of a surrogate must be positive and finite; got {value}.")


def as_like(parameter: FloatArrayLike, x: Array) -> Array | float:
    """A parameter in the dtype and shape of `x`."""
    # A Python float adopts the dtype of `x` and stays a constant in the kernel.
    if isinstance(parameter, float):
        return parameter
    return jnp.broadcast_to(jnp.asarray(parameter, x.dtype), x.shape)


class AbstractSurrogate(eqx.Module):
    r"""A step function whose derivative is replaced by a smoother one.

    $$S(x) = \begin{cases} 1 & x \ge 0 \\ 0 & x < 0 \end{cases}, \qquad
    \mathrm{d}S = g(x)\,\mathrm{d}x$$

    with $g$ = `derivative`. Higher derivatives are those of $g$, in any combination of forward and
    reverse mode, including inside `jax.lax.scan`. To make your own, subclass and define
    `derivative` and `support`:

    ```python
    class Parabola(bf.surrogate.AbstractSurrogate):
        width: float = 0.5

        def derivative(self, x):
            return jnp.maximum(0.0, 1.0 - (x / self.width) ** 2)

        @property
        def support(self):
            return self.width

    neurons = bf.neuron.LIF(100, surrogate=Parabola(0.3))
    ```

    Parameters may be arrays, of any shape that broadcasts to that of `x`.
    """

    @abc.abstractmethod
    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The derivative that replaces that of the step function, in the shape and dtype of `x`.

        **Arguments:**

        - `x`: distance from threshold, dimensionless, any shape.
        """

    @property
    @abc.abstractmethod
    def support(self) -> FloatArrayLike:
        """The derivative is exactly zero where `|x| >= support`; `math.inf` if it never is.

        A backward pass can skip the neurons outside.
        """

    def __call__(
        self, x: Float[ArrayLike, "..."], fired: Bool[Array, "..."] | None = None
    ) -> Float[Array, "..."]:
        """Emit spikes.

        **Arguments:**

        - `x`: distance from threshold, dimensionless, any shape.
        - `fired`: where there is a spike, bool of the shape of `x`; `x >= 0` if not given. The
          derivative is that at `x` in either case: a neuron that diverges from its threshold to a
          peak within a step is differentiated at the threshold, not at the peak.

        **Returns:**

        0 or 1 in the shape and dtype of `x`. Its derivatives, of any order, are those of an
        integral of `derivative`.

        **Raises:** `TypeError` or `ValueError` if `fired` is not bool or not of the shape of `x`.
        """
        x = jnp.asarray(x)
        if fired is None:
            return _spike(self, x, x >= 0)
        if not (eqx.is_array(fired) and fired.dtype == jnp.bool_):
            kind = fired.dtype if eqx.is_array(fired) else type(fired).__name__
            raise TypeError(f"`fired` must be a bool array, got {kind}. Try `fired > 0`.")
        if fired.shape != x.shape:
            raise ValueError(
                f"`fired` must have the shape of `x`, {x.shape}, got {fired.shape}. "
                "Try jnp.broadcast_to."
            )
        return _spike(self, x, fired)


def _value(surrogate: AbstractSurrogate, x: Array, fired: Array) -> Array:
    del surrogate
    return fired.astype(x.dtype)


def _tangent(arguments: Any, tangents: Any) -> Array:
    surrogate, x, _ = arguments
    # The tangent of the surrogate's own parameters is dropped: the step does not depend on them.
    _, dx, _ = tangents
    return jnp.zeros_like(x) if dx is None else surrogate.derivative(x) * dx


_spike = with_derivative(_value, tangent=_tangent)
