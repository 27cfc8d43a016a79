"""Distances between spike trains without a time scale: ISI, SPIKE and SPIKE-synchronization."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ..record import SpikeTrains
from ._trains import times_by_neuron

_Times = Float[np.ndarray, " _"]


def isi_distance(trains: SpikeTrains) -> Float[np.ndarray, "n n"]:
    r"""The ISI-distances of all pairs of neurons, from 0 to 1.

    $$D = \frac1T \int_0^T \frac{|\nu_1 - \nu_2|}{\max(\nu_1, \nu_2)}\,dt$$

    $\nu(t)$ is the present interspike interval. At the ends of the window it is the distance to its
    end, or the interval next to it if that is longer. A silent neuron is taken to have an interval
    as long as the window.

    **Arguments:**

    - `trains`: the spikes.

    **Returns:** shape `(size, size)`.

    ??? cite

        Kreuz, Haas, Morelli, Abarbanel and Politi (2007), "Measuring spike train synchrony",
        doi:10.1016/j.jneumeth.2007.05.031. Ends: Kreuz, Mulansky and Bozanic (2015), "SPIKY: a
        graphical user interface for monitoring spike train synchrony", doi:10.1152/jn.00848.2014.
    """

    def distance(a: _Times, b: _Times, low: float, high: float) -> float:
        edges, (x, y) = _edges(a, b, low, high)
        first, second = _interval(x, edges), _interval(y, edges)
        ratio = np.abs(first - second) / np.maximum(first, second)
        return float(np.sum(ratio * np.diff(edges)) / (high - low))

    return _pairs(trains, distance)


def spike_distance(trains: SpikeTrains) -> Float[np.ndarray, "n n"]:
    r"""The SPIKE-distances of all pairs of neurons, from 0 to 1: how far spikes are apart compared
    to the intervals.

    $$D = \frac1T \int_0^T \frac{S_1 \nu_2 + S_2 \nu_1}{2 \bar\nu^2}\,dt, \qquad
    S = \frac{d_P x_F + d_F x_P}{\nu}$$

    $d_P$ and $d_F$ are the distances of the previous and the following spike to the nearest spike
    of the other neuron, and $x_P$, $x_F$ the times to them; $\nu$ are the intervals and $\bar\nu$
    their mean. Auxiliary spikes at the ends of the window are as far away as the interval next to
    them, if that reaches beyond.

    **Arguments:**

    - `trains`: the spikes.

    **Returns:** shape `(size, size)`.

    ??? cite

        Kreuz, Chicharro, Houghton, Andrzejak and Mormann (2013), "Monitoring spike train
        synchrony", doi:10.1152/jn.00873.2012. Ends: Kreuz, Mulansky and Bozanic (2015), "SPIKY: a
        graphical user interface for monitoring spike train synchrony", doi:10.1152/jn.00848.2014.
    """

    def distance(a: _Times, b: _Times, low: float, high: float) -> float:
        edges, (x, y) = _edges(a, b, low, high)
        first, second = _interval(x, edges), _interval(y, edges)
        total = 0.0
        # Between two edges it is linear in time: the mean of its values at either end.
        for side in (edges[:-1], edges[1:]):
            s = np.interp(side, x, _to_nearest(x, y)), np.interp(side, y, _to_nearest(y, x))
            value = 2 * (s[0] * second + s[1] * first) / (first + second) ** 2
            total += 0.5 * np.sum(value * np.diff(edges))
        return float(total / (high - low))

    return _pairs(trains, distance)


def spike_synchronization(trains: SpikeTrains) -> Float[np.ndarray, "n n"]:
    r"""The SPIKE-synchronization of all pairs of neurons: the part of their spikes that coincide,
    from 0 to 1.

    Two spikes coincide if they are closer than half of the shortest of the four intervals around
    them. 1 for two silent neurons.

    **Arguments:**

    - `trains`: the spikes.

    **Returns:** shape `(size, size)`.

    ??? cite

        Kreuz, Mulansky and Bozanic (2015), "SPIKY: a graphical user interface for monitoring spike
        train synchrony", doi:10.1152/jn.00848.2014. The windows are those of Quian Quiroga, Kreuz
        and Grassberger (2002), "Event synchronization", doi:10.1103/PhysRevE.66.041904.
    """

    def similarity(a: _Times, b: _Times, low: float, high: float) -> float:
        if a.size + b.size == 0:
            return 1.0
        if a.size == 0 or b.size == 0:
            return 0.0
        # Within these windows no two spikes coincide with the same one.
        nearest = _index_of_nearest(a, b)
        window = np.minimum(_reach(a, high - low), _reach(b, high - low)[nearest])
        return 2 * float(np.sum(np.abs(a - b[nearest]) < window)) / (a.size + b.size)

    return _pairs(trains, similarity, own=1.0)


def _pairs(
    trains: SpikeTrains, measure: Callable[..., float], own: float = 0.0
) -> Float[np.ndarray, "n n"]:
    times = times_by_neuron(trains)
    low, high = trains.start * trains.dt, trains.stop * trains.dt
    result = np.full((trains.size, trains.size), own)
    for i, a in enumerate(times):
        for j, b in enumerate(times[:i]):
            result[i, j] = result[j, i] = measure(a, b, low, high)
    return result


def _edges(a: _Times, b: _Times, low: float, high: float) -> tuple[_Times, tuple[_Times, _Times]]:
    """The times at which the profile of a pair changes, and both trains with auxiliary spikes."""
    inner = np.union1d(a, b)
    inner = inner[(inner > low) & (inner < high)]
    return np.concatenate([[low], inner, [high]]), (_bounded(a, low, high), _bounded(b, low, high))


def _bounded(times: _Times, low: float, high: float) -> _Times:
    """Spikes with an auxiliary one before and after them."""
    if times.size == 0:
        return np.array([low, high])
    first = low if times.size == 1 else min(low, 2 * times[0] - times[1])
    last = high if times.size == 1 else max(high, 2 * times[-1] - times[-2])
    return np.concatenate([[first], times, [last]])


def _interval(bounded: _Times, edges: _Times) -> _Times:
    """The interval that contains each stretch between two edges."""
    after = np.searchsorted(bounded, edges[:-1], side="right")
    return bounded[after] - bounded[after - 1]


def _to_nearest(mine: _Times, other: _Times) -> _Times:
    """The distance of each spike to the nearest of the other train. An auxiliary spike has that of
    the spike beside it."""
    distance = np.abs(mine - other[_index_of_nearest(mine, other)])
    if mine.size > 2:
        distance[0], distance[-1] = distance[1], distance[-2]
    return distance


def _index_of_nearest(a: _Times, b: _Times) -> np.ndarray:
    after = np.clip(np.searchsorted(b, a), 1, max(b.size - 1, 1))
    left, right = np.maximum(after - 1, 0), np.minimum(after, b.size - 1)
    return np.where(np.abs(a - b[left]) <= np.abs(b[right] - a), left, right)


def _reach(times: _Times, most: float) -> _Times:
    """Half of the shorter interval beside each spike."""
    gap = np.concatenate([[most], np.diff(times), [most]])
    return 0.5 * np.minimum(gap[:-1], gap[1:])
