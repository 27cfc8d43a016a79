"""Regularity of firing."""

import numpy as np
from jaxtyping import Float, Int

from .._errors import count, whole_steps
from ..record import SpikeTrains
from ._check import positive
from ._trains import check_trains, milliseconds


def interspike_intervals(
    trains: SpikeTrains, *, order: int = 1
) -> tuple[Float[np.ndarray, " interval"], Int[np.ndarray, " interval"]]:
    """The intervals between successive spikes of the same neuron, both inside the window.

    **Arguments:**

    - `trains`: the spikes.
    - `order`: the interval from each spike to the `order`-th one after it. Those of a Poisson
        process of rate $r$ follow a gamma distribution of mean `order / r`.

    **Returns:** the intervals in ms, sorted by neuron and then by time; and the neuron of each.
    """
    check_trains(trains)
    steps, neurons = np.asarray(trains.steps), np.asarray(trains.neurons)
    sort = np.lexsort((steps, neurons))
    steps, neurons = steps[sort], neurons[sort]
    order = count("order", order, minimum=1)
    same = neurons[order:] == neurons[:-order]
    return (steps[order:] - steps[:-order])[same] * trains.dt, neurons[order:][same]


def cv_isi(trains: SpikeTrains, *, minimum: int = 3) -> Float[np.ndarray, " n"]:
    r"""The coefficient of variation of the interspike intervals of each neuron.

    $$\mathrm{CV}_i = \frac{\sqrt{\langle (I - \langle I \rangle)^2 \rangle}}{\langle I \rangle}$$

    0 for a clock, 1 for a Poisson process. The variance divides by the number of intervals. Short
    windows bias it downwards.

    **Arguments:**

    - `trains`: the spikes.
    - `minimum`: minimal number of spikes of a neuron, at least 3 (two intervals).

    **Returns:** shape `(size,)`, NaN for neurons with fewer spikes; most papers report its
    `np.nanmean`.

    ??? cite

        Softky and Koch (1993), "The highly irregular firing of cortical cells is inconsistent with
        temporal integration of random EPSPs", doi:10.1523/JNEUROSCI.13-01-00334.1993.
    """
    check_trains(trains)
    minimum = count("minimum", minimum, minimum=3)
    intervals, neurons = interspike_intervals(trains)
    number = np.bincount(neurons, minlength=trains.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(neurons, intervals, minlength=trains.size) / number
        square = (intervals - mean[neurons]) ** 2
        variance = np.bincount(neurons, square, minlength=trains.size) / number
        return np.where(number >= minimum - 1, np.sqrt(variance) / mean, np.nan)


def local_variation(trains: SpikeTrains, *, minimum: int = 3) -> Float[np.ndarray, " n"]:
    r"""The local variation of each neuron's intervals, which is insensitive to slow rate changes.

    $$\mathrm{LV} = \frac{3}{m - 1} \sum_{k=1}^{m-1}
    \left(\frac{I_k - I_{k+1}}{I_k + I_{k+1}}\right)^2$$

    0 for a clock, 1 for a Poisson process.

    **Arguments:**

    - `trains`: the spikes.
    - `minimum`: minimal number of spikes of a neuron, at least 3 (two intervals).

    **Returns:** shape `(size,)`, NaN for neurons with fewer spikes.

    ??? cite

        Shinomoto, Shima and Tanji (2003), "Differences in spiking patterns among cortical
        neurons", doi:10.1162/089976603322518759.
    """
    first, second, owner = _pairs(trains)
    term = 3 * ((first - second) / (first + second)) ** 2
    return _mean_of_pairs(term, owner, trains.size, minimum)


def revised_local_variation(
    trains: SpikeTrains, *, refractory: int | float = 5.0, minimum: int = 3
) -> Float[np.ndarray, " n"]:
    r"""The local variation of each neuron's intervals, corrected for the refractory period.

    $$\mathrm{LvR} = \frac{3}{m - 1} \sum_{k=1}^{m-1}
    \left(1 - \frac{4 I_k I_{k+1}}{(I_k + I_{k+1})^2}\right)
    \left(1 + \frac{4 R}{I_k + I_{k+1}}\right)$$

    **Arguments:**

    - `trains`: the spikes.
    - `refractory`: $R$ in ms. The default is that of the source.
    - `minimum`: minimal number of spikes of a neuron, at least 3 (two intervals).

    **Returns:** shape `(size,)`, NaN for neurons with fewer spikes.

    ??? cite

        Shinomoto et al. (2009), "Relating neuronal firing patterns to functional differentiation of
        cerebral cortex", doi:10.1371/journal.pcbi.1000433.
    """
    refractory = positive("refractory", refractory, "ms", zero=True)
    first, second, owner = _pairs(trains)
    both = first + second
    term = 3 * (1 - 4 * first * second / both**2) * (1 + 4 * refractory / both)
    return _mean_of_pairs(term, owner, trains.size, minimum)


def cv2(trains: SpikeTrains, *, minimum: int = 3) -> Float[np.ndarray, " n"]:
    r"""The local coefficient of variation of each neuron's intervals.

    $$\mathrm{CV}_2 = \frac{1}{m - 1} \sum_{k=1}^{m-1} \frac{2\,|I_{k+1} - I_k|}{I_{k+1} + I_k}$$

    0 for a clock, 1 for a Poisson process.

    **Arguments:**

    - `trains`: the spikes.
    - `minimum`: minimal number of spikes of a neuron, at least 3 (two intervals).

    **Returns:** shape `(size,)`, NaN for neurons with fewer spikes.

    ??? cite

        Holt, Softky, Koch and Douglas (1996), "Comparison of discharge variability in vitro and in
        vivo in cat visual cortex neurons", doi:10.1152/jn.1996.75.5.1806.
    """
    first, second, owner = _pairs(trains)
    term = 2 * np.abs(second - first) / (first + second)
    return _mean_of_pairs(term, owner, trains.size, minimum)


def isi_correlation(
    trains: SpikeTrains, *, lag: int = 1, minimum: int = 3
) -> Float[np.ndarray, " n"]:
    r"""The serial correlation of each neuron's intervals.

    $$\rho_k = \frac{\mathrm{cov}(I_j, I_{j+k})}{\sigma(I_j)\,\sigma(I_{j+k})}$$

    Pearson's correlation of the intervals with those `lag` later. 0 for a renewal process, negative
    where a long interval follows a short one, as with adaptation.

    **Arguments:**

    - `trains`: the spikes.
    - `lag`: $k$, in intervals.
    - `minimum`: minimal number of pairs of intervals of a neuron, at least 3.

    **Returns:** shape `(size,)`, NaN for neurons with fewer pairs, or with equal intervals.

    ??? cite

        Farkhooi, Strube-Bloss and Nawrot (2009), "Serial correlation in neural spike trains:
        Experimental evidence, stochastic modeling, and single neuron variability",
        doi:10.1103/PhysRevE.79.021905.
    """
    minimum = count("minimum", minimum, minimum=3)
    first, second, owner = _pairs(trains, count("lag", lag, minimum=1))

    def mean(x: np.ndarray) -> np.ndarray:
        return np.bincount(owner, x, minlength=trains.size) / number

    number = np.bincount(owner, minlength=trains.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = first - mean(first)[owner], second - mean(second)[owner]
        spread = np.sqrt(mean(a**2) * mean(b**2))
        # Intervals are multiples of `dt`: anything below is rounding.
        known = (number >= minimum) & (spread > 1e-12 * trains.dt**2)
        return np.where(known, mean(a * b) / spread, np.nan)


def isi_histogram(
    trains: SpikeTrains, bin_size: int | float, *, maximum: int | float, order: int = 1
) -> tuple[Float[np.ndarray, " bin"], Int[np.ndarray, " bin"]]:
    """The number of interspike intervals of all neurons in bins of their length.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps.
    - `maximum`: end of the last bin in ms, a whole number of bins; longer intervals are left out.
    - `order`: as for [`brainfn.measure.interspike_intervals`][].

    **Returns:** the centres of the bins in ms, and the numbers. A bin holds the intervals from its
    left edge up to, not including, the right one.
    """
    check_trains(trains)
    width = whole_steps("bin_size", milliseconds("bin_size", bin_size), trains.dt, minimum=1)
    bins = whole_steps("maximum", milliseconds("maximum", maximum), width * trains.dt, minimum=1)
    intervals, _ = interspike_intervals(trains, order=order)
    place = np.rint(intervals / trains.dt).astype(np.int64) // width
    number = np.bincount(place[place < bins], minlength=bins)
    return (np.arange(bins) + 0.5) * width * trains.dt, number


def _pairs(
    trains: SpikeTrains, lag: int = 1
) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    """Each interval with the one `lag` later of the same neuron, and the neuron."""
    intervals, neurons = interspike_intervals(trains)
    pair = neurons[lag:] == neurons[:-lag]
    return intervals[:-lag][pair], intervals[lag:][pair], neurons[lag:][pair]


def _mean_of_pairs(
    term: Float[np.ndarray, " pair"], owner: Int[np.ndarray, " pair"], size: int, minimum: int
) -> Float[np.ndarray, " n"]:
    minimum = count("minimum", minimum, minimum=3)
    number = np.bincount(owner, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.bincount(owner, term, minlength=size) / number
        return np.where(number >= minimum - 2, value, np.nan)
