"""Spectra of signals: Welch, multitaper, coherence, spectrogram.

All take NumPy or JAX arrays. With JAX arrays they are differentiable and may be jitted.
"""

import functools
from typing import Any

import numpy as np
from jaxtyping import Float, Inexact, Shaped

from .._errors import count, whole_steps
from ._check import namespace, positive, same_shape, signal
from ._trains import milliseconds


def welch(
    x: Shaped[Any, "time *rest"],
    *,
    dt: int | float,
    segment: int | float,
    overlap: float = 0.5,
    window: str = "hann",
) -> tuple[Float[np.ndarray, " frequency"], Float[Any, "frequency *rest"]]:
    r"""The power spectrum by Welch's method: the mean of the spectra of overlapping segments.

    $$S(f) = \frac{2\,\Delta t}{\sum_n w_n^2}
    \left\langle \Big| \sum_n w_n (x_n - \bar x)\, e^{-2 \pi i f n \Delta t} \Big|^2 \right\rangle$$

    It is one-sided: $\int_0^{1 / 2 \Delta t} S\,df$ is the variance. White noise of variance
    $\sigma^2$ has $S = 2 \sigma^2 \Delta t$, and a Poisson spike train of rate $r$, given as
    $n / \Delta t$ in each step, has $S = 2 r$.

    **Arguments:**

    - `x`: signals, shape `(time, ...)`. The population rate is one, see
        [`brainfn.measure.population_rate`][].
    - `dt`: spacing of the samples in ms.
    - `segment`: length of a segment in ms, a whole number of samples. Its inverse is the spacing of
        frequencies.
    - `overlap`: the part of a segment that the next one shares, in `[0, 1)`.
    - `window`: its name in `scipy.signal.get_window`.

    **Returns:** frequencies in 1/ms (divide by `brainfn.units.Hz`); and the power in the square of
    the unit of `x` times ms, shape `(frequency, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Welch (1967), "The use of fast Fourier transform for the estimation of power spectra",
        doi:10.1109/TAU.1967.1161901.
    """
    x, dt = signal("x", x), positive("dt", dt, "ms")
    _, parts, weight = _segments(x, dt, segment, overlap, window)
    length = parts.shape[1]
    power = _abs2(_transform(parts, weight, axis=1)).mean(axis=0)
    return np.fft.rfftfreq(length, dt), _one_sided(power, length) * dt


def multitaper(
    x: Shaped[Any, "time *rest"],
    *,
    dt: int | float,
    half_bandwidth: int | float = 4.0,
    tapers: int | None = None,
) -> tuple[Float[np.ndarray, " frequency"], Float[Any, "frequency *rest"]]:
    r"""The power spectrum by Thomson's multitaper method: the mean over orthogonal Slepian tapers.

    It is one-sided, like that of [`brainfn.measure.welch`][], and has the full resolution of the
    record: a line is smeared over $\pm W$, where $W = NW / T$ for a record of length $T$. Each
    value has a relative standard error of $1 / \sqrt K$ with $K$ tapers.

    **Arguments:**

    - `x`: signals, shape `(time, ...)`. The mean is subtracted.
    - `dt`: spacing of the samples in ms.
    - `half_bandwidth`: the product $NW$ of the length of the record and the half bandwidth.
    - `tapers`: $K$, by default $\lfloor 2 NW \rfloor - 1$.

    **Returns:** frequencies in 1/ms; and the power in the square of the unit of `x` times ms, shape
    `(frequency, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Thomson (1982), "Spectrum estimation and harmonic analysis", doi:10.1109/PROC.1982.12433.
        $NW = 4$ with 7 tapers is usual: Percival and Walden (1993), Spectral Analysis for Physical
        Applications, chapter 7.
    """
    x, dt = signal("x", x), positive("dt", dt, "ms")
    power = _abs2(_tapered(x, half_bandwidth, tapers)).mean(axis=0)
    return np.fft.rfftfreq(x.shape[0], dt), _one_sided(power, x.shape[0]) * dt


def welch_coherence(
    x: Shaped[Any, "time *rest"],
    y: Shaped[Any, "time *rest"],
    *,
    dt: int | float,
    segment: int | float,
    overlap: float = 0.5,
    window: str = "hann",
) -> tuple[Float[np.ndarray, " frequency"], Inexact[Any, "frequency *rest"]]:
    r"""The coherency of two signals by Welch's method.

    $$c(f) = \frac{S_{xy}}{\sqrt{S_{xx} S_{yy}}}, \qquad S_{xy} = \langle X^* Y \rangle$$

    `abs(c)**2` is the magnitude-squared coherence, from 0 to 1, and `angle(c)` the phase by which
    `y` is ahead of `x`. With a single segment it is 1 everywhere; $K$ independent segments of
    unrelated signals give a coherence of $1/K$ on average.

    **Arguments:**

    - `x`, `y`: signals of one shape `(time, ...)`.
    - `dt`, `segment`, `overlap`, `window`: as for [`brainfn.measure.welch`][].

    **Returns:** frequencies in 1/ms; and the complex coherency, shape `(frequency, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Carter, Knapp and Nuttall (1973), "Estimation of the magnitude-squared coherence function
        via overlapped fast Fourier transform processing", doi:10.1109/TAU.1973.1162496.
    """
    x, y, dt = signal("x", x), signal("y", y), positive("dt", dt, "ms")
    same_shape("x", x, "y", y)
    _, first, weight = _segments(x, dt, segment, overlap, window)
    _, second, _ = _segments(y, dt, segment, overlap, window)
    a, b = (_transform(parts, weight, axis=1) for parts in (first, second))
    return np.fft.rfftfreq(first.shape[1], dt), _coherency(a, b)


def multitaper_coherence(
    x: Shaped[Any, "time *rest"],
    y: Shaped[Any, "time *rest"],
    *,
    dt: int | float,
    half_bandwidth: int | float = 4.0,
    tapers: int | None = None,
) -> tuple[Float[np.ndarray, " frequency"], Inexact[Any, "frequency *rest"]]:
    r"""The coherency of two signals by the multitaper method, see
    [`brainfn.measure.welch_coherence`][] for its meaning: here the mean is over tapers.

    **Arguments:**

    - `x`, `y`: signals of one shape `(time, ...)`.
    - `dt`, `half_bandwidth`, `tapers`: as for [`brainfn.measure.multitaper`][].

    **Returns:** frequencies in 1/ms; and the complex coherency, shape `(frequency, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Thomson (1982), "Spectrum estimation and harmonic analysis", doi:10.1109/PROC.1982.12433.
    """
    x, y, dt = signal("x", x), signal("y", y), positive("dt", dt, "ms")
    same_shape("x", x, "y", y)
    a, b = (_tapered(z, half_bandwidth, tapers) for z in (x, y))
    return np.fft.rfftfreq(x.shape[0], dt), _coherency(a, b)


def spectrogram(
    x: Shaped[Any, "time *rest"],
    *,
    dt: int | float,
    segment: int | float,
    overlap: float = 0.5,
    window: str = "hann",
) -> tuple[
    Float[np.ndarray, " segment"],
    Float[np.ndarray, " frequency"],
    Float[Any, "segment frequency *rest"],
]:
    """The power spectrum of each segment; their mean is that of [`brainfn.measure.welch`][].

    **Arguments:**

    - `x`: signals, shape `(time, ...)`.
    - `dt`, `segment`, `overlap`, `window`: as for [`brainfn.measure.welch`][].

    **Returns:** the centres of the segments in ms after the first sample; frequencies in 1/ms; and
    the power, shape `(segment, frequency, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Allen (1977), "Short term spectral analysis, synthesis, and modification by discrete Fourier
        transform", doi:10.1109/TASSP.1977.1162950.
    """
    x, dt = signal("x", x), positive("dt", dt, "ms")
    starts, parts, weight = _segments(x, dt, segment, overlap, window)
    length = parts.shape[1]
    power = _one_sided(_abs2(_transform(parts, weight, axis=1)), length, axis=1) * dt
    return (starts + length / 2) * dt, np.fft.rfftfreq(length, dt), power


def _abs2(x: Any) -> Any:
    """The squared magnitude, which is differentiable at 0."""
    return x.real**2 + x.imag**2


def _segments(
    x: Any, dt: float, segment: int | float, overlap: float, window: str
) -> tuple[np.ndarray, Any, np.ndarray]:
    """The first sample of each segment, the segments without their mean (segment, time, ...), and
    the window, of unit square sum."""
    from scipy.signal import get_window

    length = whole_steps("segment", milliseconds("segment", segment), dt, minimum=2)
    if length > x.shape[0]:
        raise ValueError(
            f"`segment` must not exceed the record of {x.shape[0] * dt:g} ms, got {segment} ms."
        )
    if not 0 <= overlap < 1:
        raise ValueError(f"`overlap` must lie in [0, 1), got {overlap}.")
    try:
        weight = np.asarray(get_window(window, length))
    except ValueError as error:
        raise ValueError(f"`window`: {error}") from None
    hop = max(1, length - round(overlap * length))
    starts = np.arange(0, x.shape[0] - length + 1, hop)
    parts = x[starts[:, None] + np.arange(length)]
    return starts, parts - parts.mean(axis=1, keepdims=True), weight / np.sqrt(np.sum(weight**2))


def _tapered(x: Any, half_bandwidth: int | float, tapers: int | None) -> Any:
    """The transforms of the signal without its mean times each taper (taper, frequency, ...)."""
    nw = positive("half_bandwidth", half_bandwidth, "cycles per record")
    n = x.shape[0]
    if 2 * nw >= n:
        raise ValueError(f"`half_bandwidth` must be below half of {n} samples, got {nw}.")
    number = max(1, int(2 * nw) - 1) if tapers is None else count("tapers", tapers, minimum=1)
    if number > min(n, 2 * nw):
        raise ValueError(
            f"`tapers` must be at most twice `half_bandwidth`, {2 * nw:g}: others leak; got "
            f"{number}."
        )
    xp = namespace(x)
    weight = xp.asarray(_slepian(n, nw, number), x.dtype)
    weight = weight.reshape(weight.shape + (1,) * (x.ndim - 1))
    centred = x - x.mean(axis=0)[None]
    return xp.fft.rfft(weight * centred[None], axis=1)


@functools.lru_cache(maxsize=8)
def _slepian(n: int, nw: float, number: int) -> Float[np.ndarray, "taper time"]:
    from scipy.signal.windows import dpss

    return np.asarray(dpss(n, nw, number))


def _transform(parts: Any, weight: np.ndarray, axis: int) -> Any:
    xp = namespace(parts)
    shape = (1,) * axis + weight.shape + (1,) * (parts.ndim - axis - 1)
    return xp.fft.rfft(xp.asarray(weight.reshape(shape), parts.dtype) * parts, axis=axis)


def _one_sided(power: Any, length: int, axis: int = 0) -> Any:
    """Power at negative frequencies added to that at positive ones."""
    twice = np.full(power.shape[axis], 2.0)
    twice[0] = 1.0
    if length % 2 == 0:
        twice[-1] = 1.0
    xp = namespace(power)
    shape = (1,) * axis + twice.shape + (1,) * (power.ndim - axis - 1)
    return power * xp.asarray(twice.reshape(shape), power.dtype)


def _coherency(a: Any, b: Any) -> Any:
    """From the transforms of several segments or tapers, along the first axis."""
    xp = namespace(a)
    scale = xp.sqrt(_abs2(a).mean(axis=0) * _abs2(b).mean(axis=0))
    cross = (xp.conj(a) * b).mean(axis=0)
    return cross / scale.astype(cross.dtype)
