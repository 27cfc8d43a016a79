"""Surrogate derivatives of other shapes: for spikes at random, one-sided, or with a floor."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from ._base import AbstractSurrogate, as_like, check_positive, parameter


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


class LeakyRelu(AbstractSurrogate):
    r"""One slope above threshold, another one below it.

    $$g(x) = k\,[\,x \ge 0\,] + \ell\,[\,x < 0\,]$$

    **Arguments:**

    - `leak`: $\ell$, dimensionless.
    - `slope`: $k$, dimensionless.

    **Source:** J. K. Eshraghian et al. (2023), "Training spiking neural networks using lessons from
    deep learning", Proceedings of the IEEE 111, 1016-1054, DOI 10.1109/JPROC.2023.3308088, with its
    values.
    """

    leak: FloatArrayLike = parameter(0.1)
    slope: FloatArrayLike = parameter(1.0)

    def __check_init__(self):
        check_positive(leak=self.leak, slope=self.slope)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where(x >= 0, as_like(self.slope, x), as_like(self.leak, x)).astype(x.dtype)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class PiecewiseLeakyRelu(AbstractSurrogate):
    r"""A box on a floor.

    $$g(x) = \frac{1}{2w}\,[\,|x| < w\,] + c\,[\,|x| \ge w\,]$$

    **Arguments:**

    - `width`: half width $w$ of the box, dimensionless.
    - `leak`: $c$, dimensionless.

    **Source:** Y. Wu, L. Deng, G. Li, J. Zhu, L. Shi (2018), "Spatio-temporal backpropagation for
    training high-performance spiking neural networks", Frontiers in Neuroscience 12, 331, DOI
    10.3389/fnins.2018.00331, with the floor of W. Fang et al. (2023), DOI 10.1126/sciadv.adi1480.
    """

    width: FloatArrayLike = parameter(1.0)
    leak: FloatArrayLike = parameter(0.01)

    def __check_init__(self):
        check_positive(width=self.width, leak=self.leak)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        width = as_like(self.width, x)
        return jnp.where(jnp.abs(x) < width, 0.5 / width, as_like(self.leak, x)).astype(x.dtype)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class OneSided(AbstractSurrogate):
    r"""A step: all neurons above a window below threshold.

    $$g(x) = [\,x \ge -w\,]$$

    **Arguments:**

    - `width`: $w$, dimensionless.

    **Source:** P. Weidel, S. Sheik (2021), "WaveSense: efficient temporal convolutions with spiking
    neural networks for keyword spotting", arXiv 2111.01456, with its window of 0.5.
    """

    width: FloatArrayLike = parameter(0.5)

    def __check_init__(self):
        check_positive(width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return (x >= -as_like(self.width, x)).astype(x.dtype)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class S2NN(AbstractSurrogate):
    r"""A logistic function below threshold, a logarithm above.

    $$g(x) = \begin{cases} \alpha\,\sigma(\alpha x)(1 - \sigma(\alpha x)) & x < 0 \\
    \beta / (1 + x) & x \ge 0 \end{cases}$$

    **Arguments:**

    - `alpha`: sharpness below threshold, dimensionless.
    - `beta`: $\beta$, dimensionless.

    **Source:** K. Suetake, S. Ikegawa, R. Saiin, Y. Sawada (2023), "S3NN: time step reduction of
    spiking surrogate gradients for training energy efficient single-step spiking neural networks",
    Neural Networks 159, 208-219, DOI 10.1016/j.neunet.2022.12.008. The defaults are those of W.
    Fang et al. (2023), DOI 10.1126/sciadv.adi1480.
    """

    alpha: FloatArrayLike = parameter(4.0)
    beta: FloatArrayLike = parameter(1.0)

    def __check_init__(self):
        check_positive(alpha=self.alpha, beta=self.beta)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        z = jnp.minimum(as_like(self.alpha, x) * x, 0.0)
        below = as_like(self.alpha, x) * jax.nn.sigmoid(z) * jax.nn.sigmoid(-z)
        return jnp.where(x < 0, below, as_like(self.beta, x) / (1.0 + jnp.maximum(x, 0.0)))

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class LogTailedRelu(AbstractSurrogate):
    r"""A slope of 1 up to a distance of 1 above threshold, a logarithm beyond, a leak below.

    $$g(x) = \begin{cases} \ell & x \le 0 \\ 1 & 0 < x \le 1 \\ 1/x & x > 1 \end{cases}$$

    **Arguments:**

    - `leak`: $\ell$, dimensionless.

    **Source:** Z. Cai, X. He, J. Sun, N. Vasconcelos (2017), "Deep learning with low precision by
    half-wave Gaussian quantization", CVPR, DOI 10.1109/CVPR.2017.574, whose log-tailed rectifier it
    is.
    """

    leak: FloatArrayLike = parameter(0.01)

    def __check_init__(self):
        check_positive(leak=self.leak)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where(x > 0, 1.0 / jnp.maximum(x, 1.0), as_like(self.leak, x)).astype(x.dtype)

    @property
    def support(self) -> FloatArrayLike:
        return math.inf


class SquareWave(AbstractSurrogate):
    r"""The first terms of the Fourier series of a square wave, which is also negative.

    $$g(x) = \frac{4}{T} \sum_{i=0}^{3} \cos\frac{2 (2i + 1) \pi x}{T}$$

    **Arguments:**

    - `period`: $T$, dimensionless.

    **Source:** W. Fang et al. (2023), "SpikingJelly: an open-source machine learning infrastructure
    platform for spike-based intelligence", Science Advances 9, eadi1480, DOI
    10.1126/sciadv.adi1480, with its period and four terms.
    """

    period: FloatArrayLike = parameter(8.0)

    def __check_init__(self):
        check_positive(period=self.period)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        period = as_like(self.period, x)
        # The remainder is exact, so that large distances do not lose the phase in rounding.
        phase = 2.0 * jnp.pi * (jnp.fmod(x, period) / period)
        terms = [jnp.cos((2 * i + 1) * phase) for i in range(4)]
        return 4.0 / period * sum(terms, jnp.zeros_like(x))

    @property
    def support(self) -> FloatArrayLike:
        return math.inf
