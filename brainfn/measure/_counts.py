"""Spike counts of each neuron in bins: their variability and the correlations of all pairs."""

import numpy as np
from jaxtyping import Float, Int

from ..record import SpikeTrains
from ._check import positive
from ._population import tiles
from ._trains import check_trains, duration, times_by_neuron


def count_matrix(trains: SpikeTrains, bin_size: int | float) -> Int[np.ndarray, "bin n"]:
    """The number of spikes of each neuron in successive bins.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps. Bins tile the window from its
        start; an incomplete bin at its end is dropped.

    **Returns:** shape `(bin, size)`.

    **Raises:** as [`brainfn.measure.spike_counts`][].
    """
    check_trains(trains)
    width, bins = tiles(trains, bin_size)
    where = (np.asarray(trains.steps) - trains.start) // width
    inside = where < bins
    cell = where[inside] * trains.size + np.asarray(trains.neurons)[inside]
    return np.bincount(cell, minlength=bins * trains.size).reshape(bins, trains.size)


def fano_factors(trains: SpikeTrains, bin_size: int | float) -> Float[np.ndarray, " n"]:
    r"""Variance over mean of the spike counts of each neuron in successive bins.

    1 for a Poisson process, $\mathrm{CV}^2$ for a renewal process and wide bins. The variance
    divides by the number of bins. [`brainfn.measure.fano_factor`][] is that of the whole
    population.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps.

    **Returns:** shape `(size,)`, NaN for silent neurons.

    ??? cite

        Nawrot et al. (2008), "Measurement of variability dynamics in cortical spike trains",
        doi:10.1016/j.jneumeth.2007.10.013.
    """
    counts = count_matrix(trains, bin_size)
    mean = counts.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mean > 0, counts.var(axis=0) / mean, np.nan)


def covariance_matrix(trains: SpikeTrains, bin_size: int | float) -> Float[np.ndarray, "n n"]:
    r"""The covariances of the spike counts of all pairs of neurons.

    $$C_{ij} = \frac{1}{B - 1} \sum_b (n_{bi} - \bar n_i) (n_{bj} - \bar n_j)$$

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps; there must be two bins.

    **Returns:** shape `(size, size)`.
    """
    counts = count_matrix(trains, bin_size).astype(np.float64)
    if len(counts) < 2:
        raise ValueError(
            f"`bin_size` must fit twice into the window of {duration(trains):g} ms, got {bin_size} "
            "ms."
        )
    counts -= counts.mean(axis=0)
    return counts.T @ counts / (len(counts) - 1)


def correlation_matrix(trains: SpikeTrains, bin_size: int | float) -> Float[np.ndarray, "n n"]:
    r"""Pearson's correlations of the spike counts of all pairs of neurons,
    $\rho_{ij} = C_{ij} / \sqrt{C_{ii} C_{jj}}$.

    [`brainfn.measure.correlation`][] is its mean over pairs, without the matrix.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps.

    **Returns:** shape `(size, size)`, NaN in rows and columns of neurons whose counts don't vary.

    ??? cite

        de la Rocha et al. (2007), "Correlation between neural spike trains increases with firing
        rate", doi:10.1038/nature06028.
    """
    covariance = covariance_matrix(trains, bin_size)
    variance = np.diag(covariance)
    sigma = np.sqrt(np.where(variance > 1e-12, variance, np.nan))
    return covariance / np.outer(sigma, sigma)


def spike_time_tiling(trains: SpikeTrains, delta: int | float) -> Float[np.ndarray, "n n"]:
    r"""The spike time tiling coefficient of all pairs of neurons, a correlation that does not
    depend on their rates.

    $$\mathrm{STTC} = \frac12 \left(\frac{P_A - T_B}{1 - P_A T_B}
    + \frac{P_B - T_A}{1 - P_B T_A}\right)$$

    $T_A$ is the part of the window within $\pm \Delta t$ of a spike of A, and $P_A$ the part of the
    spikes of A within $\pm \Delta t$ of a spike of B. A term of 0/0 is 1. From -1 to 1, 0 for
    independent neurons.

    **Arguments:**

    - `trains`: the spikes.
    - `delta`: $\Delta t$ in ms. The authors suggest values from 10 to 100 ms.

    **Returns:** shape `(size, size)`, NaN for silent neurons.

    ??? cite

        Cutts and Eglen (2014), "Detecting pairwise correlations in spike trains: an objective
        comparison of methods and application to the study of retinal waves",
        doi:10.1523/JNEUROSCI.2767-14.2014.
    """
    times = times_by_neuron(trains)
    delta = positive("delta", delta, "ms")
    low, high = trains.start * trains.dt, trains.stop * trains.dt
    slack = 1e-6 * trains.dt  # so that spikes at a distance of exactly `delta` count
    tiled = [_covered(t, delta, low, high) for t in times]
    result = np.full((trains.size, trains.size), np.nan)
    for i, a in enumerate(times):
        for j, b in enumerate(times[: i + 1]):
            if a.size and b.size:
                near_a = float(np.mean(_nearest(a, b) <= delta + slack))
                near_b = float(np.mean(_nearest(b, a) <= delta + slack))
                terms = _tile(near_a, tiled[j]) + _tile(near_b, tiled[i])
                result[i, j] = result[j, i] = 0.5 * terms
    return result


def _tile(p: float, t: float) -> float:
    return 1.0 if p * t == 1 else (p - t) / (1 - p * t)


def _covered(times: Float[np.ndarray, " spike"], delta: float, low: float, high: float) -> float:
    """The part of `[low, high]` that is within `delta` of a time."""
    if times.size == 0:
        return 0.0
    left = np.maximum(times - delta, low)
    right = np.minimum(times + delta, high)
    # Each stretch begins where the one before ended, if they overlap.
    left[1:] = np.maximum(left[1:], right[:-1])
    return float(np.sum(right - left) / (high - low))


def _nearest(
    a: Float[np.ndarray, " spike"], b: Float[np.ndarray, " other"]
) -> Float[np.ndarray, " spike"]:
    """The distance of each of `a` to the nearest of `b`, which is sorted and not empty."""
    after = np.searchsorted(b, a)
    left, right = b[np.maximum(after - 1, 0)], b[np.minimum(after, b.size - 1)]
    return np.minimum(np.abs(a - left), np.abs(a - right))
