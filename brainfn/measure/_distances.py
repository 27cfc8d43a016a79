"""Distances between spike trains with a time scale, for all pairs of neurons."""

import numpy as np
from jaxtyping import Float

from ..record import SpikeTrains
from ._check import positive
from ._trains import check_trains, times_by_neuron


def van_rossum_distance(trains: SpikeTrains, tau: int | float) -> Float[np.ndarray, "n n"]:
    r"""The van Rossum distances of all pairs of neurons.

    $$D_{ij}^2 = \frac{2}{\tau} \int_{-\infty}^\infty (f_i - f_j)^2\,dt, \qquad
    f_i(t) = \sum_{t_i^k \le t} e^{-(t - t_i^k) / \tau}$$

    In closed form $D_{ij}^2 = K_{ii} + K_{jj} - 2 K_{ij}$ with $K_{ij} = \sum_{k, l}
    e^{-|t_i^k - t_j^l| / \tau}$. A train has a distance of 1 to the same train with one spike more,
    if that is far from the others; the original has $1/\tau$ in place of $2/\tau$. Much below the
    intervals $\tau$ finds coincidences, and much above them $D$ is the difference of spike counts.

    **Arguments:**

    - `trains`: the spikes. Two populations are compared by [`brainfn.measure.pool`][].
    - `tau`: $\tau$ in ms.

    **Returns:** shape `(size, size)`, dimensionless.

    ??? cite

        van Rossum (2001), "A novel spike distance", doi:10.1162/089976601300014321. Closed form and
        scale: Houghton and Kreuz (2012), "On the efficient calculation of van Rossum distances",
        doi:10.3109/0954898X.2012.673048.
    """
    check_trains(trains)
    tau = positive("tau", tau, "ms")
    times, neurons = trains.times, np.asarray(trains.neurons)
    earlier = np.zeros((trains.size, trains.size))
    # The trace of each neuron's spikes so far, at the present spike.
    trace = np.zeros(trains.size)
    decays = np.exp(-np.diff(times, prepend=times[:1]) / tau)
    for decay, neuron in zip(decays, neurons, strict=True):
        trace *= decay
        earlier[neuron] += trace
        trace[neuron] += 1.0
    kernel = earlier + earlier.T + np.diag(trains.count)
    own = np.diag(kernel)
    square = own[:, None] + own - 2 * kernel
    np.fill_diagonal(square, 0.0)
    return np.sqrt(np.maximum(square, 0.0))


def victor_purpura_distance(trains: SpikeTrains, cost: int | float) -> Float[np.ndarray, "n n"]:
    r"""The Victor-Purpura distances of all pairs of neurons: the cheapest way to turn one spike
    train into the other.

    To add or to remove a spike costs 1, and to shift one by $\Delta t$ costs $q |\Delta t|$. At $q
    = 0$ it is the difference of spike counts. Spikes further apart than $2 / q$ are not worth
    shifting.

    **Arguments:**

    - `trains`: the spikes. Two populations are compared by [`brainfn.measure.pool`][].
    - `cost`: $q$ in 1/ms.

    **Returns:** shape `(size, size)`, dimensionless.

    ??? cite

        Victor and Purpura (1996), "Nature and precision of temporal coding in visual cortex: a
        metric-space analysis", doi:10.1152/jn.1996.76.2.1310.
    """
    times = times_by_neuron(trains)
    cost = positive("cost", cost, "1/ms", zero=True)
    result = np.zeros((trains.size, trains.size))
    for i, a in enumerate(times):
        for j, b in enumerate(times[:i]):
            result[i, j] = result[j, i] = _victor_purpura(a, b, cost)
    return result


def _victor_purpura(
    a: Float[np.ndarray, " spike"], b: Float[np.ndarray, " other"], cost: float
) -> float:
    places = np.arange(b.size + 1.0)
    best = places.copy()  # from none of a's spikes to the first so many of b's
    for time in a:
        row = best + 1
        row[1:] = np.minimum(row[1:], best[:-1] + cost * np.abs(time - b))
        # Then some of b's spikes may be added at 1 each: a running minimum of `row - places`.
        best = np.minimum.accumulate(row - places) + places
    return float(best[-1])
