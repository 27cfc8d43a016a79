"""Surrogate derivatives with compact support."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from ._base import AbstractSurrogate, as_like, check_positive, parameter


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

    alpha: FloatArrayLike = parameter(0.3)
    width: FloatArrayLike = parameter(1.0)

    def __check_init__(self):
        check_positive(alpha=self.alpha, width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return as_like(self.alpha, x) * jnp.maximum(as_like(self.width, x) - jnp.abs(x), 0.0)

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

    height: FloatArrayLike = parameter(1.0)
    width: FloatArrayLike = parameter(1.0)

    def __check_init__(self):
        check_positive(height=self.height, width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ramp = jnp.maximum(1.0 - jnp.abs(x) / as_like(self.width, x), 0.0)
        return as_like(self.height, x) * ramp

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

    width: FloatArrayLike = parameter(0.5)

    def __check_init__(self):
        check_positive(width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        width = as_like(self.width, x)
        return jnp.where(jnp.abs(x) < width, 0.5 / width, 0.0).astype(x.dtype)

    @property
    def support(self) -> FloatArrayLike:
        return self.width


class TruncatedFastSigmoid(AbstractSurrogate):
    r"""Truncated SuperSpike: only neurons near threshold take part in the backward pass.

    $$g(x) = \frac{1}{(1 + k |x|)^2}\,[\,|x| < w\,]$$

    **Arguments:**

    - `slope`: sharpness $k$, dimensionless.
    - `width`: half width $w$ of the support, dimensionless.

    **Source:** N. Perez-Nieves, D. F. M. Goodman (2021), "Sparse spiking gradient descent", NeurIPS
    34, arXiv 2105.08810, with its slope 100 and width 0.2.
    """

    slope: FloatArrayLike = parameter(100.0)
    width: FloatArrayLike = parameter(0.2)

    def __check_init__(self):
        check_positive(slope=self.slope, width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        distance = jnp.abs(x)
        g = 1.0 / (1.0 + as_like(self.slope, x) * distance) ** 2
        return jnp.where(distance < as_like(self.width, x), g, 0.0)

    @property
    def support(self) -> FloatArrayLike:
        return self.width


class Epanechnikov(AbstractSurrogate):
    r"""A parabola with compact support and unit area.

    $$g(x) = \frac{3}{4w} \max(0, 1 - (x / w)^2)$$

    **Arguments:**

    - `width`: half width $w$ of the support, dimensionless.

    **Source:** the kernel of V. A. Epanechnikov (1969), "Non-parametric estimation of a
    multivariate probability density", Theory of Probability and its Applications 14, 153-158, DOI
    10.1137/1114019. The default width is a distance of one, from threshold to reset.
    """

    width: FloatArrayLike = parameter(1.0)

    def __check_init__(self):
        check_positive(width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        width = as_like(self.width, x)
        return 0.75 / width * jnp.maximum(1.0 - (x / width) ** 2, 0.0)

    @property
    def support(self) -> FloatArrayLike:
        return self.width


class Cosine(AbstractSurrogate):
    r"""A raised cosine with compact support and unit area, whose slope is continuous.

    $$g(x) = \frac{1}{2w}\left(1 + \cos(\pi x / w)\right)[\,|x| < w\,]$$

    **Arguments:**

    - `width`: half width $w$ of the support, dimensionless.

    **Source:** the raised cosine distribution; the default width is a distance of one, from
    threshold to reset.
    """

    width: FloatArrayLike = parameter(1.0)

    def __check_init__(self):
        check_positive(width=self.width)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        width = as_like(self.width, x)
        # Clipped, so that the argument of the cosine is small enough in every precision.
        phase = jnp.pi * jnp.clip(x / width, -1.0, 1.0)
        g = 0.5 / width * (1.0 + jnp.cos(phase))
        return jnp.where(jnp.abs(x) < width, g, 0.0).astype(x.dtype)

    @property
    def support(self) -> FloatArrayLike:
        return self.width
