"""Bursts of spikes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from .._errors import count
from ..record import SpikeTrains
from ._check import positive
from ._intervals import interspike_intervals
from ._trains import check_trains


class Bursts(NamedTuple):
    """Bursts of a population, sorted by neuron and then by time.

    - `neurons`: the neuron of each burst, shape `(burst,)`.
    - `start`, `stop`: the time of its first and of its last spike in ms.
    - `spikes`: its number of spikes.
    """

    neurons: Int[np.ndarray, " burst"]
    start: Float[np.ndarray, " burst"]
    stop: Float[np.ndarray, " burst"]
    spikes: Int[np.ndarray, " burst"]


def max_interval_bursts(
    trains: SpikeTrains,
    *,
    max_begin: int | float = 170.0,
    max_end: int | float = 300.0,
    min_between: int | float = 200.0,
    min_duration: int | float = 10.0,
    min_spikes: int = 3,
) -> Bursts:
    """Bursts by the MaxInterval method.

    A burst begins with an interval of at most `max_begin` and goes on while intervals are at most
    `max_end`. Bursts less than `min_between` apart are joined. Then those that are too short or
    have too few spikes are dropped.

    **Arguments:**

    - `trains`: the spikes.
    - `max_begin`, `max_end`: the longest interval at the beginning and within a burst, in ms.
    - `min_between`: the shortest time between two bursts in ms.
    - `min_duration`: of a burst, in ms.
    - `min_spikes`: of a burst, at least 2.

    **Returns:** [`brainfn.measure.Bursts`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Cotterill, Charlesworth, Thomas, Paulsen and Eglen (2016), "A comparison of computational
        methods for detecting bursts in neuronal spike trains and their application to human stem
        cell-derived neuronal networks", doi:10.1152/jn.00093.2016, with their defaults.
    """
    check_trains(trains)
    begin, end = positive("max_begin", max_begin, "ms"), positive("max_end", max_end, "ms")
    if begin > end:
        raise ValueError(f"`max_begin` must not exceed `max_end`, got {begin} and {end} ms.")
    between = positive("min_between", min_between, "ms", zero=True)
    shortest = positive("min_duration", min_duration, "ms", zero=True)
    fewest = count("min_spikes", min_spikes, minimum=2)
    slack = 1e-6 * trains.dt  # times are multiples of `dt`: limits hold up to rounding
    neurons, times = _sorted(trains)
    gap = np.where(neurons[1:] == neurons[:-1], np.diff(times), np.inf)
    # Runs of intervals within the limit, each from its first one that may begin a burst.
    inside = gap <= end + slack
    run = np.cumsum(~inside)
    starting = np.flatnonzero(inside & (gap <= begin + slack))
    _, place = np.unique(run[starting], return_index=True)
    first = starting[place]
    stops = np.append(np.flatnonzero(~inside), gap.size)
    last = stops[np.searchsorted(stops, first)]
    if first.size:
        apart = (neurons[first[1:]] != neurons[last[:-1]]) | (
            times[first[1:]] - times[last[:-1]] >= between - slack
        )
        first, last = first[np.append(True, apart)], last[np.append(apart, True)]
    keep = (times[last] - times[first] >= shortest - slack) & (last - first + 1 >= fewest)
    first, last = first[keep], last[keep]
    return Bursts(neurons[first], times[first], times[last], last - first + 1)


def log_isi_threshold(
    trains: SpikeTrains,
    *,
    void: float = 0.7,
    within: int | float = 100.0,
    bins_per_decade: int = 10,
) -> float:
    r"""The interval that separates those within bursts from those between, by the logISI method.

    The histogram of the logarithm of the intervals has a peak within bursts and others beyond. The
    threshold is the lowest point between them where it separates them well enough,

    $$1 - \frac{g_\mathrm{min}}{\sqrt{g_1 g_2}} \ge 0.7$$

    with the heights $g_1, g_2$ of the peaks. It is used with
    [`brainfn.measure.max_interval_bursts`][].

    **Arguments:**

    - `trains`: the spikes; the intervals of all neurons are pooled.
    - `void`: the separation that is asked for, in `(0, 1)`.
    - `within`: a peak at longer intervals than this, in ms, is not one within bursts.
    - `bins_per_decade`: of the histogram, which is smoothed over three bins.

    **Returns:** the threshold in ms; NaN if there are no two peaks that are well separated.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Pasquale, Martinoia and Chiappalone (2010), "A self-adapting approach for the detection of
        bursts and network bursts in neuronal cultures", doi:10.1007/s10827-009-0175-1, with their
        defaults.
    """
    if not 0 < void < 1:
        raise ValueError(f"`void` must lie in (0, 1), got {void}.")
    within = positive("within", within, "ms")
    per = count("bins_per_decade", bins_per_decade, minimum=1)
    intervals, _ = interspike_intervals(trains)
    if intervals.size == 0:
        return float("nan")
    # From one `dt` on: there are no shorter intervals.
    place = np.floor(np.log10(intervals / trains.dt) * per + 1e-9).astype(np.int64)
    height = np.convolve(np.bincount(place), np.ones(3) / 3, "same")
    centre = trains.dt * 10 ** ((np.arange(height.size) + 0.5) / per)
    padded = np.concatenate([[0.0], height, [0.0]])
    peaks = np.flatnonzero((height > padded[:-2]) & (height >= padded[2:]))
    early = peaks[centre[peaks] <= within]
    if early.size == 0:
        return float("nan")
    first = early[np.argmax(height[early])]
    for second in peaks[peaks > first]:
        low = first + int(np.argmin(height[first : second + 1]))
        if 1 - height[low] / np.sqrt(height[first] * height[second]) >= void:
            return float(centre[low])
    return float("nan")


def _sorted(
    trains: SpikeTrains,
) -> tuple[Int[np.ndarray, " spike"], Float[np.ndarray, " spike"]]:
    """Neurons and times, sorted by neuron and then by time."""
    neurons, times = np.asarray(trains.neurons), trains.times
    order = np.lexsort((times, neurons))
    return neurons[order].astype(np.int64), times[order]
