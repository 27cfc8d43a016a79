"""Histograms of the lags between spikes."""

import numpy as np
from jaxtyping import Float

from .._errors import whole_steps
from ..record import SpikeTrains
from ._check import choice
from ._population import spike_counts, tiles
from ._trains import check_trains, milliseconds


def cross_correlogram(
    reference: SpikeTrains,
    target: SpikeTrains,
    *,
    max_lag: int | float,
    bin_size: int | float,
    normalise: str = "counts",
) -> tuple[Float[np.ndarray, " lag"], Float[np.ndarray, " lag"]]:
    r"""The cross-correlogram of two populations (or two neurons).

    $$c_k = \sum_b n_b\, m_{b + k}$$

    with the spike counts $n_b$ of the reference and $m_b$ of the target in successive bins. At a
    positive lag the target follows the reference. Take neurons out with
    [`brainfn.measure.select`][]; the correlogram of a population with itself also counts each spike
    with itself at lag 0, which [`brainfn.measure.auto_correlogram`][] does not.

    **Arguments:**

    - `reference`, `target`: the spikes, over one window.
    - `max_lag`: the largest lag in ms, a whole number of bins.
    - `bin_size`: width of a bin in ms, a whole number of steps.
    - `normalise`: `"counts"` for $c_k$; `"rate"` for the rate of the target in 1/ms given a spike
        of the reference, corrected for the bins that overlap less at large lags; `"correlation"`
        for Pearson's correlation of the counts, $(c_k / B - \bar n \bar m) / \sigma_n \sigma_m$.

    **Returns:** the lags in ms, from `-max_lag` to `max_lag`, and the values.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Perkel, Gerstein and Moore (1967), "Neuronal spike trains and stochastic point processes:
        II. Simultaneous spike trains", doi:10.1016/S0006-3495(67)86597-4.
    """
    check_trains(reference, "reference")
    check_trains(target, "target")
    mine, other = ((x.dt, x.start, x.stop) for x in (reference, target))
    if mine != other:
        raise ValueError(
            "`reference` and `target` must share their `dt` and window, got "
            f"{mine} and {other} (dt in ms, start and stop in steps)."
        )
    normalise = choice("normalise", normalise, ("counts", "rate", "correlation"))
    most, width = _lags(reference, max_lag, bin_size)
    n = spike_counts(reference, bin_size).astype(np.float64)
    m = spike_counts(target, bin_size).astype(np.float64)
    bins = n.size
    # By FFT, rounded: products of counts are whole numbers.
    length = 1 << (bins + most).bit_length()
    product = np.conj(np.fft.rfft(n, length)) * np.fft.rfft(m, length)
    circular = np.rint(np.fft.irfft(product, length))
    lags = np.arange(-most, most + 1)
    counts = circular[lags]
    if normalise == "rate":
        # Of the spikes of the reference only those count whose partner bin lies in the window.
        total = np.concatenate([[0.0], np.cumsum(n)])
        inside = total[np.minimum(bins, bins - lags)] - total[np.maximum(0, -lags)]
        with np.errstate(invalid="ignore", divide="ignore"):
            counts = counts / (inside * width)
    elif normalise == "correlation":
        with np.errstate(invalid="ignore", divide="ignore"):
            counts = (counts / bins - n.mean() * m.mean()) / (n.std() * m.std())
    return lags * width, counts


def auto_correlogram(
    trains: SpikeTrains,
    *,
    max_lag: int | float,
    bin_size: int | float,
    normalise: str = "counts",
) -> tuple[Float[np.ndarray, " lag"], Float[np.ndarray, " lag"]]:
    """The autocorrelogram, summed over neurons: the lags of all spikes of a neuron to each other.

    A spike is not counted with itself. Bins are of the difference in bins, as in
    [`brainfn.measure.cross_correlogram`][].

    **Arguments:**

    - `trains`: the spikes.
    - `max_lag`: the largest lag in ms, a whole number of bins.
    - `bin_size`: width of a bin in ms, a whole number of steps.
    - `normalise`: `"counts"`, or `"rate"` for the rate in 1/ms that a spike is followed by at this
        lag, without a correction at the ends of the window.

    **Returns:** the lags in ms, from `-max_lag` to `max_lag`, and the values.

    ??? cite

        Perkel, Gerstein and Moore (1967), "Neuronal spike trains and stochastic point processes: I.
        The single spike train", doi:10.1016/S0006-3495(67)86596-2.
    """
    check_trains(trains)
    normalise = choice("normalise", normalise, ("counts", "rate"))
    most, width = _lags(trains, max_lag, bin_size)
    steps, bins = tiles(trains, bin_size)
    place = (np.asarray(trains.steps) - trains.start) // steps
    inside = place < bins
    place, neurons = place[inside], np.asarray(trains.neurons)[inside]
    order = np.lexsort((place, neurons))
    place, neurons = place[order], neurons[order]
    half = np.zeros(most + 1)
    # The k-th next spike of the same neuron, for as long as one is near enough.
    for k in range(1, place.size):
        lag = place[k:] - place[:-k]
        near = (neurons[k:] == neurons[:-k]) & (lag <= most)
        if not near.any():
            break
        half += np.bincount(lag[near], minlength=most + 1)
    counts = np.concatenate([half[:0:-1], [2 * half[0]], half[1:]])
    if normalise == "rate":
        with np.errstate(invalid="ignore", divide="ignore"):
            counts = counts / (place.size * width)
    return np.arange(-most, most + 1) * width, counts


def _lags(trains: SpikeTrains, max_lag: int | float, bin_size: int | float) -> tuple[int, float]:
    """The largest lag in bins, and the width of a bin in ms."""
    steps, bins = tiles(trains, bin_size)
    width = steps * trains.dt
    most = whole_steps("max_lag", milliseconds("max_lag", max_lag), width)
    if most >= bins:
        raise ValueError(
            f"`max_lag` must be less than the window of {bins * width:g} ms, got {max_lag} ms."
        )
    return most, width
