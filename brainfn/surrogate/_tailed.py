"""Surrogate derivatives with tails, symmetric about the threshold."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from ._base import AbstractSurrogate, as_like, check_positive, parameter

_PEAK = 1 / math.sqrt(2 * math.pi)


class Arctan(AbstractSurrogate):
    r"""The derivative of an arctangent, a Cauchy density: heavy tails, unit area.

    $$g(x) = \frac{\alpha / 2}{1 + (\pi \alpha x / 2)^2}$$

    **Arguments:**

    - `alpha`: sharpness, dimensionless; the peak is $\alpha / 2$.

    **Source:** W. Fang et al. (2021), "Incorporating learnable membrane time constant to enhance
    learning of spiking neural networks", ICCV, DOI 10.1109/ICCV48922.2021.00266, with its default
    2.
    """

    alpha: FloatArrayLike = parameter(2.0)

    def __check_init__(self):
        check_positive(alpha=self.alpha)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        alpha = as_like(self.alpha, x)
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

    alpha: FloatArrayLike = parameter(4.0)

    def __check_init__(self):
        check_positive(alpha=self.alpha)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        alpha = as_like(self.alpha, x)
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

    slope: FloatArrayLike = parameter(25.0)

    def __check_init__(self):
        check_positive(slope=self.slope)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return 1.0 / (1.0 + as_like(self.slope, x) * jnp.abs(x)) ** 2

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class SoftSign(AbstractSurrogate):
    r"""The derivative of softsign: SuperSpike with unit area.

    $$g(x) = \frac{1}{2 a\,(1 + |x / a|)^2}$$

    [`brainfn.surrogate.FastSigmoid`][] with $k = 1 / a$, times $k / 2$.

    **Arguments:**

    - `width`: $a$, dimensionless; the peak is $1 / (2a)$.

    **Source:** F. Zenke, S. Ganguli (2018), "SuperSpike: supervised learning in multilayer spiking
    neural networks", Neural Computation 30, 1514-1541, DOI 10.1162/neco_a_01086, normalised; the
    default peak is 1.
    """

    width: FloatArrayLike = parameter(0.5)

    def __check_init__(self):
        check_positive(width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        width = as_like(self.width, x)
        return 0.5 / (width * (1.0 + jnp.abs(x) / width) ** 2)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class Gaussian(AbstractSurrogate):
    r"""A normal distribution, the derivative of the error function: unit area.

    $$g(x) = \frac{1}{\sigma \sqrt{2\pi}}\, e^{-x^2 / (2 \sigma^2)}$$

    Elsewhere called erf, with $\alpha = 1 / (\sqrt{2}\,\sigma)$.

    **Arguments:**

    - `sigma`: standard deviation, dimensionless.

    **Source:** B. Yin, F. Corradi, S. M. Bohte (2020), "Effective and efficient computation with
    multiple-timescale spiking recurrent neural networks", ICONS, DOI 10.1145/3407197.3407225, with
    its 0.5.
    """

    sigma: FloatArrayLike = parameter(0.5)

    def __check_init__(self):
        check_positive(sigma=self.sigma)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        z = x / as_like(self.sigma, x)
        return _PEAK / as_like(self.sigma, x) * jnp.exp(-0.5 * z * z)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class MultiGaussian(AbstractSurrogate):
    r"""A normal distribution with negative flanks.

    $$g(x) = (1 + h)\,N(x; 0, \sigma) - h\,N(x; \sigma, s\sigma) - h\,N(x; -\sigma, s\sigma)$$

    with the densities $N$ of normal distributions; the area is $1 - h$.

    **Arguments:**

    - `sigma`: $\sigma$, dimensionless.
    - `height`: $h$, dimensionless.
    - `scale`: $s$, dimensionless.

    **Source:** B. Yin, F. Corradi, S. M. Bohte (2021), "Accurate and efficient time-domain
    classification with adaptive spiking recurrent neural networks", Nature Machine Intelligence 3,
    905-913, DOI 10.1038/s42256-021-00397-w, with its values.
    """

    sigma: FloatArrayLike = parameter(0.5)
    height: FloatArrayLike = parameter(0.15)
    scale: FloatArrayLike = parameter(6.0)

    def __check_init__(self):
        check_positive(sigma=self.sigma, height=self.height, scale=self.scale)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        sigma, height = as_like(self.sigma, x), as_like(self.height, x)
        wide = sigma * as_like(self.scale, x)

        def normal(z: Array, sd: Array | float) -> Array:
            return _PEAK / sd * jnp.exp(-0.5 * (z / sd) ** 2)

        flanks = normal(x - sigma, wide) + normal(x + sigma, wide)
        return (1.0 + height) * normal(x, sigma) - height * flanks

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class PiecewiseExponential(AbstractSurrogate):
    r"""A Laplace density: unit area, exponential tails and a cusp at threshold. SLAYER.

    $$g(x) = \frac{\alpha}{2}\, e^{-\alpha |x|}$$

    **Arguments:**

    - `alpha`: sharpness, dimensionless; the peak is $\alpha / 2$.

    **Source:** S. B. Shrestha, G. Orchard (2018), "SLAYER: spike layer error reassignment in time",
    NeurIPS 31, arXiv 1810.08646; the default peak is 1.
    """

    alpha: FloatArrayLike = parameter(2.0)

    def __check_init__(self):
        check_positive(alpha=self.alpha)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        alpha = as_like(self.alpha, x)
        return 0.5 * alpha * jnp.exp(-alpha * jnp.abs(x))

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class Tanh(AbstractSurrogate):
    r"""The derivative of a hyperbolic tangent, without its amplitude.

    $$g(x) = 1 - \tanh^2(k x)$$

    The shape of [`brainfn.surrogate.Sigmoid`][] with $\alpha = 2k$; the peak is 1 and the area
    $2 / k$.

    **Arguments:**

    - `slope`: sharpness $k$, dimensionless.

    **Source:** S. Wozniak, A. Pantazi, T. Bohnstingl, E. Eleftheriou (2020), "Deep learning
    incorporating biologically inspired neural dynamics and in-memory computing", Nature Machine
    Intelligence 2, 325-336, DOI 10.1038/s42256-020-0187-0.
    """

    slope: FloatArrayLike = parameter(1.0)

    def __check_init__(self):
        check_positive(slope=self.slope)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        z = jnp.exp(-2.0 * jnp.abs(as_like(self.slope, x) * x))
        # 1 - tanh^2 without the difference of nearly equal numbers in the tails.
        return 4.0 * z / (1.0 + z) ** 2

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class Circle(AbstractSurrogate):
    r"""The derivative of an algebraic sigmoid $x / (2 \sqrt{a^2 + x^2})$: unit area, cubic tails.

    $$g(x) = \frac{1}{2a} \left(1 + (x / a)^2\right)^{-3/2}$$

    **Arguments:**

    - `width`: $a$, dimensionless; the peak is $1 / (2a)$.

    **Source:** C. Pehle, J. E. Pedersen (2021), "Norse: a deep learning library for spiking neural
    networks", DOI 10.5281/zenodo.4422025, where it is called circ; the default peak is 1.
    """

    width: FloatArrayLike = parameter(0.5)

    def __check_init__(self):
        check_positive(width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        width = as_like(self.width, x)
        return 0.5 / width * lax.rsqrt(1.0 + (x / width) ** 2) ** 3

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class LogAbs(AbstractSurrogate):
    r"""A hyperbola, whose tails are so heavy that the area is infinite.

    $$g(x) = \frac{1}{1 + k |x|}$$

    **Arguments:**

    - `slope`: sharpness $k$, dimensionless; the peak is 1.

    **Source:** W. Fang et al. (2023), "SpikingJelly: an open-source machine learning infrastructure
    platform for spike-based intelligence", Science Advances 9, eadi1480, DOI
    10.1126/sciadv.adi1480, where the function is a logarithm of the magnitude with the sign of $x$.
    The slope is that of [`brainfn.surrogate.FastSigmoid`][].
    """

    slope: FloatArrayLike = parameter(25.0)

    def __check_init__(self):
        check_positive(slope=self.slope)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return 1.0 / (1.0 + as_like(self.slope, x) * jnp.abs(x))

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class QPseudoSpike(AbstractSurrogate):
    r"""A q-exponential, from heavy tails to a Laplace density: unit area.

    $$g(x) = \left(1 + \frac{2 |x|}{\alpha - 1}\right)^{-\alpha}, \qquad \alpha > 1$$

    The larger $\alpha$, the lighter the tails.

    **Arguments:**

    - `alpha`: exponent, dimensionless; larger than 1.

    **Source:** L. Herranz-Celotti, J. Rouat (2022), "Stabilizing spiking neuron training", arXiv
    2202.00282; the default is that of W. Fang et al. (2023), DOI 10.1126/sciadv.adi1480.
    """

    alpha: FloatArrayLike = parameter(2.0)

    def __check_init__(self):
        check_positive(alpha=self.alpha)
        if not isinstance(self.alpha, Tracer) and not np.all(np.asarray(self.alpha) > 1):
            raise ValueError(f"`alpha` of this surrogate must be larger than 1; got {self.alpha}.")

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        alpha = as_like(self.alpha, x)
        return jnp.exp(-alpha * jnp.log1p(2.0 * jnp.abs(x) / (alpha - 1.0)))

    @property
    def support(self) -> FloatArrayLike:
        return math.inf
