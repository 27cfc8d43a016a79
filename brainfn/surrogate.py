r"""Surrogate derivatives of spikes: what `grad` uses at a threshold.

A neuron spikes if its distance from threshold $x$ is not negative. The step function's own
derivative is zero almost everywhere, so a surrogate replaces it, but only in derivatives.
Throughout brainfn $x$ is dimensionless:
$x = (v - v_\mathrm{threshold}) / (v_\mathrm{threshold} - v_\mathrm{reset})$, so that a width has
the same meaning in every model.

Libraries use the same name for different formulas; each class below states its own. The magnitude
of gradients is proportional to the surrogate's derivative, which differs between classes by large
factors: compare shapes at equal area or peak.
"""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from ._custom_types import FloatArrayLike
from ._field import Declared
from .event import with_derivative


def _parameter(default: float) -> Any:
    # Parameters are leaves, to be swept or learned; an integer would not be differentiable. They
    # stay Python numbers: surrogates are defaults of classes, made before JAX has a backend.
    declared = Declared("", "positive", False, False)
    return eqx.field(
        default=default,
        converter=lambda x: float(x) if isinstance(x, int) else x,
        metadata={"param": declared},
    )


def _check_positive(**parameters: FloatArrayLike) -> None:
    for name, value in parameters.items():
        if isinstance(value, Tracer):
            continue
        if not np.all(np.isfinite(value) & (np.asarray(value) > 0)):
            raise ValueError(f"`{name}` of a surrogate must be positive and finite; got {value}.")


def _as(parameter: FloatArrayLike, x: Array) -> Array | float:
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


class ReluGrad(AbstractSurrogate):
    r"""A triangle with compact support, parameterised by its slope.

    $$g(x) = \alpha \max(0, w - |x|)$$

    **Arguments:**

    - `alpha`: slope of both sides, dimensionless; 0.3 dampens deep unrolled gradients.
    - `width`: half width $w$ of the support, dimensionless.

    **Source:** G. Bellec et al. (2018), "Long short-term memory and learning-to-learn in networks
    of spiking neurons", NeurIPS 31, arXiv 1803.09574, with its dampening factor 0.3; E. O. Neftci,
    H. Mostafa, F. Zenke (2019), "Surrogate gradient learning in spiking neural networks", IEEE
    Signal Processing Magazine 36, 51-63, DOI 10.1109/MSP.2019.2931595.
    """

    alpha: FloatArrayLike = _parameter(0.3)
    width: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_positive(alpha=self.alpha, width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return _as(self.alpha, x) * jnp.maximum(_as(self.width, x) - jnp.abs(x), 0.0)

    @property
    def support(self) -> FloatArrayLike:
        return self.width


class Triangle(AbstractSurrogate):
    r"""A triangle with compact support, parameterised by its height.

    $$g(x) = h \max(0, 1 - |x| / w)$$

    **Arguments:**

    - `height`: the peak $h$ at threshold, dimensionless; area is $h w$.
    - `width`: half width $w$ of the support, dimensionless.

    **Source:** S. K. Esser et al. (2016), "Convolutional networks for fast, energy-efficient
    neuromorphic computing", PNAS 113, 11441-11446, DOI 10.1073/pnas.1604850113 (height 1); G.
    Bellec et al. (2020), "A solution to the learning dilemma for recurrent networks of spiking
    neurons", Nature Communications 11, 3625, DOI 10.1038/s41467-020-17236-y (height 0.3).
    """

    height: FloatArrayLike = _parameter(1.0)
    width: FloatArrayLike = _parameter(1.0)

    def __check_init__(self):
        _check_positive(height=self.height, width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ramp = jnp.maximum(1.0 - jnp.abs(x) / _as(self.width, x), 0.0)
        return _as(self.height, x) * ramp

    @property
    def support(self) -> FloatArrayLike:
        return self.width


class Boxcar(AbstractSurrogate):
    r"""A box with unit area: the straight-through estimator.

    $$g(x) = \frac{1}{2w}\,[\,|x| < w\,]$$

    **Arguments:**

    - `width`: half width $w$ of the support, dimensionless.

    **Source:** Y. Bengio, N. Leonard, A. Courville (2013), "Estimating or propagating gradients
    through stochastic neurons for conditional computation", arXiv 1308.3432.
    """

    width: FloatArrayLike = _parameter(0.5)

    def __check_init__(self):
        _check_positive(width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        width = _as(self.width, x)
        return jnp.where(jnp.abs(x) < width, 0.5 / width, 0.0).astype(x.dtype)

    @property
    def support(self) -> FloatArrayLike:
        return self.width


class Arctan(AbstractSurrogate):
    r"""The derivative of an arctangent, a Cauchy density: heavy tails, unit area.

    $$g(x) = \frac{\alpha / 2}{1 + (\pi \alpha x / 2)^2}$$

    **Arguments:**

    - `alpha`: sharpness, dimensionless; the peak is $\alpha / 2$.

    **Source:** W. Fang et al. (2021), "Incorporating learnable membrane time constant to enhance
    learning of spiking neural networks", ICCV, DOI 10.1109/ICCV48922.2021.00266, with its default
    2.
    """

    alpha: FloatArrayLike = _parameter(2.0)

    def __check_init__(self):
        _check_positive(alpha=self.alpha)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        alpha = _as(self.alpha, x)
        return 0.5 * alpha / (1.0 + (0.5 * math.pi * alpha * x) ** 2)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class Sigmoid(AbstractSurrogate):
    r"""The derivative of a logistic function: unit area, exponential tails.

    $$g(x) = \alpha\,\sigma(\alpha x)\,(1 - \sigma(\alpha x))$$

    **Arguments:**

    - `alpha`: sharpness, dimensionless; the peak is $\alpha / 4$, so the default 4 has a peak of 1.

    **Source:** F. Zenke, T. P. Vogels (2021), "The remarkable robustness of surrogate gradient
    learning for instilling complex function in spiking neural networks", Neural Computation 33,
    899-925, DOI 10.1162/neco_a_01367.
    """

    alpha: FloatArrayLike = _parameter(4.0)

    def __check_init__(self):
        _check_positive(alpha=self.alpha)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        alpha = _as(self.alpha, x)
        # sigma(-z) instead of 1 - sigma(z), which loses all digits in the upper tail.
        return alpha * jax.nn.sigmoid(alpha * x) * jax.nn.sigmoid(-alpha * x)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class FastSigmoid(AbstractSurrogate):
    r"""The derivative of a fast sigmoid, without its amplitude: SuperSpike.

    $$g(x) = \frac{1}{(1 + k |x|)^2}$$

    **Arguments:**

    - `slope`: sharpness $k$, dimensionless; the peak is 1 and the area $2 / k$.

    **Source:** F. Zenke, S. Ganguli (2018), "SuperSpike: supervised learning in multilayer spiking
    neural networks", Neural Computation 30, 1514-1541, DOI 10.1162/neco_a_01086; the default 25 is
    that of J. K. Eshraghian et al. (2023), "Training spiking neural networks using lessons from
    deep learning", Proceedings of the IEEE 111, 1016-1054, DOI 10.1109/JPROC.2023.3308088.
    """

    slope: FloatArrayLike = _parameter(25.0)

    def __check_init__(self):
        _check_positive(slope=self.slope)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return 1.0 / (1.0 + _as(self.slope, x) * jnp.abs(x)) ** 2

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class TruncatedFastSigmoid(AbstractSurrogate):
    r"""Truncated SuperSpike: only neurons near threshold take part in the backward pass.

    $$g(x) = \frac{1}{(1 + k |x|)^2}\,[\,|x| < w\,]$$

    **Arguments:**

    - `slope`: sharpness $k$, dimensionless.
    - `width`: half width $w$ of the support, dimensionless.

    **Source:** N. Perez-Nieves, D. F. M. Goodman (2021), "Sparse spiking gradient descent",
    NeurIPS 34, arXiv 2105.08810, with its slope 100 and width 0.2.
    """

    slope: FloatArrayLike = _parameter(100.0)
    width: FloatArrayLike = _parameter(0.2)

    def __check_init__(self):
        _check_positive(slope=self.slope, width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        distance = jnp.abs(x)
        g = 1.0 / (1.0 + _as(self.slope, x) * distance) ** 2
        return jnp.where(distance < _as(self.width, x), g, 0.0)

    @property
    def support(self) -> FloatArrayLike:
        return self.width


class LogHazard(AbstractSurrogate):
    r"""For spikes at random: the derivative of their probability.

    $$g(x) = e^{x - e^x} = \frac{d}{dx}\left(1 - e^{-e^x}\right)$$

    with $x$ the logarithm of the expected number of spikes in a step, which is what a neuron with
    escape noise passes. A derivative with respect to a spike, averaged over the noise, is then that
    of its expectation. Unit area.

    **Arguments:** None.

    **Source:** the derivative of the expected spike, as in W. Gerstner, W. M. Kistler, R. Naud, L.
    Paninski (2014), "Neuronal Dynamics", Cambridge University Press, chapter 9, DOI
    10.1017/CBO9781107447615.
    """

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        x = jnp.minimum(x, 5.0)  # zero beyond, in every precision; and e^x must not overflow
        return jnp.exp(x - jnp.exp(x))

    @property
    def support(self) -> FloatArrayLike:
        return math.inf
