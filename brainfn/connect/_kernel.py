"""Functions of the distance between two neurons, and of its direction."""

import abc
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Array, Float, Integer

from .._custom_types import Parameter
from .._errors import is_concrete
from .._field import AbstractPart, check_below, option, param

Vectors = Float[Array | np.ndarray, "pairs dimensions"]
Values = Float[Array | np.ndarray, " pairs"]
# Distances between boxes, and of what they bound.
Distances = Float[np.ndarray, "..."]

# What is smaller than this never occurs, as in FixedProbability.
NEVER = 2.0**-64


class AbstractKernel(AbstractPart):
    """A function of the vector from a neuron to its target: a probability, or a weight.

    A parameter may be an array with one entry for each postsynaptic neuron. Values may be negative;
    [`brainfn.connect.ByDistance`][] says what becomes of those.

    Write `__call__` with the functions of `offset.__array_namespace__()`: it is called with NumPy
    arrays to draw connections, and with JAX arrays to compute weights.
    """

    @abc.abstractmethod
    def __call__(self, offset: Vectors) -> Values:
        """The values for some pairs of neurons.

        **Arguments:**

        - `offset`: vectors from source to target in um, shape `(pairs, dimensions)`.
        """

    @abc.abstractmethod
    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        """Bounds from below and above for all vectors whose lengths are from `near` to `far`.

        Connections are drawn where the bounds allow some, and then accepted or not, so close bounds
        make it fast; the result has the same distribution with any."""

    @abc.abstractmethod
    def reach(self) -> float:
        """A distance in um beyond which all values are zero, or below 2^-64; may be infinite."""


def length(offset: Vectors) -> Values:
    """The Euclidean length of vectors."""
    xp = offset.__array_namespace__()
    return xp.sqrt((offset * offset).sum(-1))


def on_host(kernel: Any) -> Any:
    """A kernel with its parameters in float64 on the host; raises if they are traced."""
    for path, leaf in jtu.tree_leaves_with_path(kernel):
        if not is_concrete(leaf):
            raise TypeError(
                f"`kernel` has `{jtu.keystr(path).strip('.')}` traced by JAX, but it decides where "
                "synapses are. Try to build the connections outside of `jit`."
            )
    return jtu.tree_map(lambda x: np.asarray(x, np.float64) if eqx.is_array(x) else x, kernel)


def of_targets(kernel: Any, j: Integer[Array | np.ndarray, " pairs"]) -> Any:
    """A kernel whose parameters are those of the target of each pair."""
    return jtu.tree_map(lambda x: x[j] if np.ndim(x) == 1 else x, kernel)


def differs(kernel: Any) -> bool:
    """Whether a parameter differs between postsynaptic neurons."""
    return any(np.ndim(x) == 1 for x in jtu.tree_leaves(kernel))


def check_targets(kernel: Any, n_post: int) -> None:
    """Raises unless parameters are numbers or one for each postsynaptic neuron."""
    for path, leaf in jtu.tree_leaves_with_path(kernel):
        if np.shape(leaf) not in ((), (n_post,)):
            raise ValueError(
                f"`{jtu.keystr(path).strip('.')}` of `kernel` must be one number or have shape "
                f"({n_post},), one for each postsynaptic neuron, got shape {np.shape(leaf)}."
            )


def _largest(x: Any) -> float:
    return float(np.max(np.asarray(x, np.float64), initial=0.0))


def _decades(peak: Any) -> float:
    """The logarithm of how often `peak` is larger than what never occurs."""
    top = _largest(np.abs(np.asarray(peak, np.float64)))
    return math.log(top / NEVER) if top > NEVER else 0.0


class GaussianKernel(AbstractKernel):
    r"""A Gaussian function of distance.

    $$k(d) = a \exp\left(-\frac{d^2}{2 \sigma^2}\right)$$

    **Arguments:**

    - `width`: $\sigma$ in um.
    - `peak`: $a$, the probability (or weight) at distance zero.

    ??? cite

        Hellwig (2000), "A quantitative analysis of the local connectivity between pyramidal neurons
        in layers 2/3 of the rat visual cortex", doi:10.1007/PL00007964 (such profiles in cortex).
    """

    width: Parameter = param(unit="um", sign="positive", positional=True)
    peak: Parameter = param(1.0, unit="", sign="nonnegative")

    def __call__(self, offset: Vectors) -> Values:
        xp = offset.__array_namespace__()
        square = (offset * offset).sum(-1)
        return self.peak * xp.exp(square * (-0.5 / (self.width * self.width)))

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        of = np.exp(-0.5 * (far / self.width) ** 2), np.exp(-0.5 * (near / self.width) ** 2)
        return self.peak * of[0], self.peak * of[1]

    def reach(self) -> float:
        return _largest(self.width) * math.sqrt(2 * _decades(self.peak))


class ExponentialKernel(AbstractKernel):
    r"""An exponential function of distance.

    $$k(d) = a \exp(-d / \lambda)$$

    **Arguments:**

    - `scale`: $\lambda$ in um.
    - `peak`: $a$, the probability (or weight) at distance zero.

    ??? cite

        Perin, Berger and Markram (2011), "A synaptic organizing principle for cortical neuronal
        groups", doi:10.1073/pnas.1016051108 (such a decay between pyramidal neurons of layer 5).
    """

    scale: Parameter = param(unit="um", sign="positive", positional=True)
    peak: Parameter = param(1.0, unit="", sign="nonnegative")

    def __call__(self, offset: Vectors) -> Values:
        xp = offset.__array_namespace__()
        return self.peak * xp.exp(-length(offset) / self.scale)

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        return self.peak * np.exp(-far / self.scale), self.peak * np.exp(-near / self.scale)

    def reach(self) -> float:
        return _largest(self.scale) * _decades(self.peak)


class DoughnutKernel(AbstractKernel):
    r"""A Gaussian ridge at a distance: few near neighbours, most connections around a radius.

    $$k(d) = a \exp\left(-\frac{(d - r)^2}{2 \sigma^2}\right)$$

    **Arguments:**

    - `radius`: $r$ in um.
    - `width`: $\sigma$ in um.
    - `peak`: $a$, the probability (or weight) at the radius.
    """

    radius: Parameter = param(unit="um", sign="nonnegative", positional=True)
    width: Parameter = param(unit="um", sign="positive", positional=True)
    peak: Parameter = param(1.0, unit="", sign="nonnegative")

    def __call__(self, offset: Vectors) -> Values:
        xp = offset.__array_namespace__()
        z = (length(offset) - self.radius) / self.width
        return self.peak * xp.exp(-0.5 * (z * z))

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        closest = np.maximum(np.maximum(near - self.radius, self.radius - far), 0.0)
        furthest = np.maximum(np.abs(near - self.radius), np.abs(far - self.radius))
        low, high = (np.exp(-0.5 * (d / self.width) ** 2) for d in (furthest, closest))
        return self.peak * low, self.peak * high

    def reach(self) -> float:
        return _largest(self.radius) + _largest(self.width) * math.sqrt(2 * _decades(self.peak))


class MexicanHatKernel(AbstractKernel):
    r"""A difference of Gaussians: positive near, negative further away.

    $$k(d) = a \exp\left(-\frac{d^2}{2 \sigma_a^2}\right)
    - b \exp\left(-\frac{d^2}{2 \sigma_b^2}\right)$$

    As a probability, [`brainfn.connect.ByDistance`][] takes the positive part, or with
    `part="negative"` the surround as the probability of inhibitory connections; with `part="both"`
    the probability is $|k|$, and a weight of
    `bf.connect.OfDistance(kernel, transform=lambda k: w * jnp.sign(k))` has the sign of $k$.

    **Arguments:**

    - `width`, `surround_width`: $\sigma_a$ and $\sigma_b$ in um.
    - `peak`, `surround_peak`: $a$ and $b$.

    **Raises:** `ValueError` if `width` does not lie below `surround_width`.

    ??? cite

        Wilson and Cowan (1973), "A mathematical theory of the functional dynamics of cortical and
        thalamic nervous tissue", doi:10.1007/BF00288786. Amari (1977), "Dynamics of pattern
        formation in lateral-inhibition type neural fields", doi:10.1007/BF00337259.
    """

    width: Parameter = param(unit="um", sign="positive", positional=True)
    surround_width: Parameter = param(unit="um", sign="positive", positional=True)
    peak: Parameter = param(1.0, unit="", sign="nonnegative")
    surround_peak: Parameter = param(0.5, unit="", sign="nonnegative")

    def __check_init__(self):
        check_below(self, "width", "surround_width", "um")

    def __call__(self, offset: Vectors) -> Values:
        xp = offset.__array_namespace__()
        half = (offset * offset).sum(-1) * -0.5
        centre = self.peak * xp.exp(half / (self.width * self.width))
        return centre - self.surround_peak * xp.exp(half / (self.surround_width**2))

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        def at(d: Distances) -> tuple[Distances, Distances]:
            centre = self.peak * np.exp(-0.5 * (d / self.width) ** 2)
            return centre, self.surround_peak * np.exp(-0.5 * (d / self.surround_width) ** 2)

        (first, around), (last, beyond) = at(near), at(far)
        return last - around, first - beyond

    def reach(self) -> float:
        most = max(_decades(self.peak), _decades(self.surround_peak))
        return _largest(self.surround_width) * math.sqrt(2 * most)


class DiscKernel(AbstractKernel):
    r"""The same value within a distance, zero beyond: an interval, a disc or a ball.

    $$k(d) = a\ [d \le r]$$

    **Arguments:**

    - `radius`: $r$ in um.
    - `peak`: $a$, the probability (or weight) within the radius.
    """

    radius: Parameter = param(unit="um", sign="nonnegative", positional=True)
    peak: Parameter = param(1.0, unit="", sign="nonnegative")

    def __call__(self, offset: Vectors) -> Values:
        xp = offset.__array_namespace__()
        return xp.where(length(offset) <= self.radius, self.peak, 0 * self.peak)

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        return self.peak * (far <= self.radius), self.peak * (near <= self.radius)

    def reach(self) -> float:
        return _largest(self.radius)


class BoxKernel(AbstractKernel):
    r"""The same value in a square or cube around the neuron, zero beyond.

    $$k(x) = a\ [\max_i |x_i| \le s / 2]$$

    **Arguments:**

    - `side`: $s$ in um.
    - `peak`: $a$, the probability (or weight) within the box.
    """

    side: Parameter = param(unit="um", sign="nonnegative", positional=True)
    peak: Parameter = param(1.0, unit="", sign="nonnegative")

    def __call__(self, offset: Vectors) -> Values:
        if offset.shape[-1] > _MOST_DIMENSIONS:
            raise ValueError(
                f"`kernel`: BoxKernel works in up to {_MOST_DIMENSIONS} dimensions, got "
                f"{offset.shape[-1]}."
            )
        xp = offset.__array_namespace__()
        inside = xp.abs(offset).max(-1) <= 0.5 * self.side
        return xp.where(inside, self.peak, 0 * self.peak)

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        # The corners are away by half the side times the root of the number of dimensions.
        corner = 0.5 * self.side * math.sqrt(_MOST_DIMENSIONS)
        return self.peak * (far <= 0.5 * self.side), self.peak * (near <= corner)

    def reach(self) -> float:
        return 0.5 * _largest(self.side) * math.sqrt(_MOST_DIMENSIONS)


# In which a box has its corners where its bounds say.
_MOST_DIMENSIONS = 3


class GaborKernel(AbstractKernel):
    r"""A Gabor function: the receptive field of a simple cell of the visual cortex.

    $$k = a \exp\left(-\frac{u^2 + \gamma^2 v^2}{2 \sigma^2}\right)
    \cos\left(\frac{2 \pi u}{\lambda} + \phi\right)$$

    $u = x \cos\theta + y \sin\theta$ and $v = y \cos\theta - x \sin\theta$ are the coordinates of
    the
    *source*, seen from its target: the neuron prefers stripes at a right angle to the direction
    $\theta$. Orientation and phase are usually arrays with one entry for each target neuron. ON
    cells of the thalamus connect where $k > 0$, OFF cells where $k < 0$:

    ```python
    gabor = bf.connect.GaborKernel(20.0, wavelength=60.0, orientation=angles, phase=phases)
    on = bf.connect.ByDistance(gabor, lgn, v1, fan_in=24)
    off = bf.connect.ByDistance(gabor, lgn, v1, fan_in=24, part="negative")
    ```

    **Arguments:**

    - `width`: $\sigma$ in um (or any unit of visual space, that of the positions).
    - `wavelength`: $\lambda$ in the same unit.
    - `orientation`: $\theta$ in radians.
    - `phase`: $\phi$ in radians.
    - `aspect`: $\gamma$; below one, the field is longer along its stripes.
    - `peak`: $a$, the largest probability (or weight).

    **Raises:** `ValueError` for positions that do not have two dimensions.

    ??? cite

        Jones and Palmer (1987), "An evaluation of the two-dimensional Gabor filter model of simple
        receptive fields in cat striate cortex", doi:10.1152/jn.1987.58.6.1233. Troyer, Krukowski,
        Priebe and Miller (1998), "Contrast-invariant orientation tuning in cat visual cortex",
        doi:10.1523/JNEUROSCI.18-15-05908.1998 (as the probability of thalamic connections).
    """

    width: Parameter = param(unit="um", sign="positive", positional=True)
    wavelength: Parameter = param(unit="um", sign="positive")
    orientation: Parameter = param(0.0, unit="")
    phase: Parameter = param(0.0, unit="")
    aspect: Parameter = param(1.0, unit="", sign="positive")
    peak: Parameter = param(1.0, unit="", sign="nonnegative")

    def __call__(self, offset: Vectors) -> Values:
        if offset.shape[-1] != 2:
            raise ValueError(
                f"`kernel`: GaborKernel needs positions in two dimensions, got {offset.shape[-1]}."
            )
        xp = offset.__array_namespace__()
        x, y = -offset[..., 0], -offset[..., 1]
        c, s = xp.cos(self.orientation), xp.sin(self.orientation)
        u, v = x * c + y * s, self.aspect * (y * c - x * s)
        envelope = xp.exp((u * u + v * v) * (-0.5 / (self.width * self.width)))
        return self.peak * envelope * xp.cos(2 * math.pi / self.wavelength * u + self.phase)

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        del far
        most = self.peak * np.exp(-0.5 * (near / self._longest()) ** 2)
        return -most, most

    def reach(self) -> float:
        return _largest(self._longest()) * math.sqrt(2 * _decades(self.peak))

    def _longest(self) -> Any:
        return np.asarray(self.width) / np.minimum(np.asarray(self.aspect), 1.0)


class FunctionKernel(AbstractKernel):
    """Any function of distance.

    ```python
    kernel = bf.connect.FunctionKernel(lambda d: 0.3 / (1 + d / 50.0), peak=0.3, reach=400.0)
    ```

    **Arguments:**

    - `function`: takes distances in um, an array, and returns as many values. To be used for
      weights too it should work for JAX arrays as for NumPy arrays.
    - `peak`: the largest magnitude that it has.
    - `reach`: the distance in um beyond which it is set to zero, infinite by default. A short reach
      makes drawing fast.
    """

    reach_: float = eqx.field(static=True)
    function: Callable[[Any], Any] = option(cls=Callable, positional=True)
    peak: Parameter = param(unit="", sign="nonnegative")

    def __init__(self, function: Callable[[Any], Any], *, peak: Any = 1.0, reach: Any = math.inf):
        if not (isinstance(reach, int | float) and reach >= 0):
            raise ValueError(f"`reach` must be a distance in um, got {reach!r}.")
        self.function, self.reach_ = function, float(reach)
        self.peak = peak

    def __call__(self, offset: Vectors) -> Values:
        xp = offset.__array_namespace__()
        d = length(offset)
        values = xp.asarray(self.function(d))
        if values.shape != d.shape:
            raise ValueError(
                f"`function` must return one value for each distance, shape {d.shape}, got "
                f"{values.shape}."
            )
        if xp is np and np.any(np.abs(values) > self.peak * (1 + 1e-6)):
            most = np.max(np.abs(values))
            raise ValueError(f"`peak` must be the largest magnitude of `function`, got {most:.6g}.")
        return xp.where(d <= self.reach_, values, 0 * values)

    def bounds(self, near: Distances, far: Distances) -> tuple[Distances, Distances]:
        del far
        most = self.peak * (near <= self.reach_)
        return -most, most

    def reach(self) -> float:
        return self.reach_
