"""Regularity of firing."""

import numpy as np
from jaxtyping import Float, Int

from .._errors import count
from ..record import SpikeTrains
from ._trains import check_trains


def interspike_intervals(
    trains: SpikeTrains,
) -> tuple[Float[np.ndarray, " interval"], Int[np.ndarray, " interval"]]:
    """The intervals between successive spikes of the same neuron, both inside the window.

    **Arguments:**

    - `trains`: the spikes.

    **Returns:** the intervals in ms, sorted by neuron and then by time; and the neuron of each.
    """
    check_trains(trains)
    steps, neurons = np.asarray(trains.steps), np.asarray(trains.neurons)
    order = np.lexsort((steps, neurons))
    steps, neurons = steps[order], neurons[order]
    same = neurons[1:] == neurons[:-1]
    return np.diff(steps)[same] * trains.dt, neurons[1:][same]


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
    check_trains(trains)
    minimum = count("minimum", minimum, minimum=3)
    intervals, neurons = interspike_intervals(trains)
    pair = neurons[1:] == neurons[:-1]
    first, second, owner = intervals[:-1][pair], intervals[1:][pair], neurons[1:][pair]
    term = 3 * ((first - second) / (first + second)) ** 2
    number = np.bincount(owner, minlength=trains.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.bincount(owner, term, minlength=trains.size) / number
        return np.where(number >= minimum - 2, value, np.nan)
