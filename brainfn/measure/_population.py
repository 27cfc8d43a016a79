"""Statistics of whole populations."""

import numpy as np
from jaxtyping import Float, Int

from .._errors import whole_steps
from ..record import SpikeTrains
from ._trains import check_trains, duration, milliseconds


def spike_counts(trains: SpikeTrains, bin_size: int | float) -> Int[np.ndarray, " bin"]:
    """The number of spikes of the whole population in successive bins.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps. Bins tile the window from its
        start; an incomplete bin at its end is dropped.

    **Returns:** shape `(bin,)`.

    **Raises:** `ValueError` for a bin that is not a whole number of steps, or longer than the
    window.
    """
    check_trains(trains)
    width, bins = tiles(trains, bin_size)
    where = (np.asarray(trains.steps) - trains.start) // width
    return np.bincount(where[where < bins], minlength=bins)


def population_rate(
    trains: SpikeTrains, bin_size: int | float
) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, " bin"]]:
    r"""The rate of the population over time, $A(t) = \frac{1}{N} \frac{n(t; t + \Delta)}{\Delta}$.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width $\Delta$ of a bin in ms, a whole number of steps.

    **Returns:** the centres of the bins in ms, and the rate in 1/ms.

    ??? cite

        Gerstner, Kistler, Naud and Paninski (2014), Neuronal Dynamics, eq. 12.1.
    """
    check_trains(trains)
    counts = spike_counts(trains, bin_size)
    width, bins = tiles(trains, bin_size)
    centres = (trains.start + (np.arange(bins) + 0.5) * width) * trains.dt
    return centres, counts / (trains.size * width * trains.dt)


def fano_factor(trains: SpikeTrains, bin_size: int | float) -> float:
    r"""Variance over mean of the number of spikes of the population in successive bins.

    $$F = \frac{\langle n^2 \rangle - \langle n \rangle^2}{\langle n \rangle}$$

    A measure of synchrony: 1 for independent Poisson neurons, below 1 for regular ones, and up to
    the number of neurons if they fire together. NaN if there are no spikes.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps.

    ??? cite

        Fano (1947), "Ionization yield of radiations. II", doi:10.1103/PhysRev.72.26.
    """
    check_trains(trains)
    counts = spike_counts(trains, bin_size)
    mean = counts.mean()
    return float(counts.var() / mean) if mean > 0 else float("nan")


def correlation(trains: SpikeTrains, bin_size: int | float) -> float:
    r"""The mean Pearson correlation of the spike counts of all pairs of neurons.

    $$\bar\rho = \frac{1}{M (M - 1)} \sum_{i \ne j}
    \frac{\mathrm{cov}(n_i, n_j)}{\sigma_i\,\sigma_j}$$

    over the $M$ neurons whose counts vary. In terms of standardised counts $z_i$ it is
    $(\mathrm{var} \sum_i z_i - M) / (M (M - 1))$, so no loop over pairs is needed. NaN with fewer
    than two such neurons.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps.

    ??? cite

        de la Rocha et al. (2007), "Correlation between neural spike trains increases with firing
        rate", doi:10.1038/nature06028.
    """
    check_trains(trains)
    width, bins = tiles(trains, bin_size)
    where = (np.asarray(trains.steps) - trains.start) // width
    inside = where < bins
    # One entry for each bin and neuron with a spike, with the number of spikes.
    cell, n = np.unique(
        where[inside] * trains.size + np.asarray(trains.neurons)[inside], return_counts=True
    )
    where, neurons = cell // trains.size, cell % trains.size
    total = np.bincount(neurons, n, minlength=trains.size)
    square = np.bincount(neurons, n.astype(float) ** 2, minlength=trains.size)
    mean = total / bins
    variance = square / bins - mean**2
    varying = variance > 1e-12
    m = int(varying.sum())
    if m < 2:
        return float("nan")
    sigma = np.sqrt(np.where(varying, variance, 1.0))
    scale = np.where(varying, 1 / sigma, 0.0)
    z = np.bincount(where, n * scale[neurons], minlength=bins) - np.sum(mean * scale)
    return float((np.mean(z**2) - m) / (m * (m - 1)))


def tiles(trains: SpikeTrains, bin_size: int | float) -> tuple[int, int]:
    """The width of a bin in steps, and the number of whole bins in the window."""
    width = whole_steps("bin_size", milliseconds("bin_size", bin_size), trains.dt, minimum=1)
    bins = (trains.stop - trains.start) // width
    if bins == 0:
        raise ValueError(
            f"`bin_size` must not exceed the window of {duration(trains):g} ms, got {bin_size} ms."
        )
    return width, bins
