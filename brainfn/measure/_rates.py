"""Firing rates."""

import numpy as np
from jaxtyping import Float

from ..record import SpikeTrains
from ._trains import check_trains, duration


def firing_rates(trains: SpikeTrains) -> Float[np.ndarray, " n"]:
    r"""The rate of each neuron, $r_i = n_i / T$: its number of spikes divided by the length of the
    window.

    **Arguments:**

    - `trains`: the spikes.

    **Returns:** rates in 1/ms (divide by `brainfn.units.Hz`), shape `(size,)`.
    """
    check_trains(trains)
    return trains.count / duration(trains)


def mean_rate(trains: SpikeTrains) -> float:
    r"""The firing rate averaged over the population, $\sum_i n_i / (N T)$, in 1/ms.

    **Arguments:**

    - `trains`: the spikes.
    """
    check_trains(trains)
    return len(trains) / (trains.size * duration(trains))
