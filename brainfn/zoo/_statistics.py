"""Figures that most networks of the zoo are known by."""

import math
from collections.abc import Iterable

import numpy as np

from .. import measure
from ..record import SpikeTrains
from ..units import Hz


def rate(trains: SpikeTrains) -> float:
    """Mean rate in Hz."""
    return measure.mean_rate(trains) / Hz


def mean_cv(trains: SpikeTrains) -> float:
    """The coefficient of variation of intervals, averaged over neurons with three spikes or more;
    NaN if there are none."""
    cv = measure.cv_isi(trains)
    return float(np.nanmean(cv)) if np.isfinite(cv).any() else math.nan


def synchrony(trains: SpikeTrains, width: float = 2.0) -> float:
    """Fano factor of the number of spikes of all neurons in bins of about `width` ms; NaN if the
    window is shorter."""
    bin_size = max(1, round(width / trains.dt)) * trains.dt
    if bin_size > (trains.stop - trains.start) * trains.dt:
        return math.nan
    return measure.fano_factor(trains, bin_size)


def windowed(
    trains: dict[str, SpikeTrains], names: Iterable[str], window: tuple[float, float]
) -> dict[str, SpikeTrains]:
    """The spikes of some populations within a window in ms."""
    return {name: measure.window(trains[name], *window) for name in names}
