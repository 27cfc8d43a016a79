"""Histograms: lags of spikes, interspike intervals, weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Shaped

from .. import measure
from .._errors import count
from ..record import SpikeTrains
from ..units import ms
from ._style import by_name, colour, grey, label, new_axes, open_frame


def correlogram(
    lags: Shaped[ArrayLike, " lag"],
    values: Shaped[ArrayLike, " lag"],
    *,
    ax: Any = None,
    ylabel: str = "pairs of spikes",
) -> Any:
    """A correlogram, such as that of [`brainfn.measure.cross_correlogram`][].

    **Arguments:**

    - `lags`: in ms, evenly spaced, shape `(lag,)`.
    - `values`: counts, or a rate or a correlation, shape `(lag,)`.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `ylabel`: what the values are, with their unit.

    **Returns:** the axes.

    **Raises:** `ValueError` naming the argument for shapes that do not fit.
    """
    ax = new_axes(ax)
    x, y = np.asarray(lags), np.asarray(values)
    if x.ndim != 1 or x.size < 2:
        raise ValueError(f"`lags` must be a list of at least two numbers, got shape {x.shape}.")
    if y.shape != x.shape:
        raise ValueError(f"`values` must have one value for each of {x.size} lags, got {y.shape}.")
    width = float(x[1] - x[0])
    edges = np.append(x - width / 2, x[-1] + width / 2)
    ax.axvline(0, color=grey(ax), linewidth=0.8, linestyle=(0, (4, 4)))
    ax.stairs(y, edges / ms, fill=True, color=colour("", 0, ax), linewidth=0)
    if y.min() < 0:
        ax.axhline(0, color=grey(ax), linewidth=0.8)
    ax.set(xlabel="lag (ms)", ylabel=ylabel, xlim=(edges[0], edges[-1]))
    open_frame(ax)
    return ax


def isi_histogram(
    trains: SpikeTrains | Mapping[str, SpikeTrains],
    *,
    ax: Any = None,
    bin_size: int | float = 2.0,
    maximum: int | float = 200.0,
) -> Any:
    """The interspike intervals of each population, see [`brainfn.measure.isi_histogram`][].

    **Arguments:**

    - `trains`: the spikes of a population, or of several by name.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `bin_size`: width of a bin in ms, a whole number of steps.
    - `maximum`: the end of the axis in ms, a whole number of bins.

    **Returns:** the axes.
    """
    populations = by_name(trains)
    ax = new_axes(ax)
    for place, (name, p) in enumerate(populations.items()):
        centres, number = measure.isi_histogram(p, bin_size, maximum=maximum)
        total = max(1, measure.interspike_intervals(p)[0].size)
        _steps(ax, number * (100 / total), _edges(centres, bin_size) / ms, name, place)
    ax.set(xlabel="interspike interval (ms)", ylabel="intervals (%)", xlim=(0, maximum / ms))
    _finish(ax, populations)
    return ax


def weight_histogram(
    weights: Shaped[ArrayLike, "..."] | Mapping[str, Shaped[ArrayLike, "..."]],
    *,
    ax: Any = None,
    unit: str = "pA",
    bins: int = 50,
) -> Any:
    """The distribution of synaptic weights, of one or several projections.

    **Arguments:**

    - `weights`: of any shape; or a dictionary of such by projection. Those of a network are
        `{name: p.weight for name, p in network.projections.items()}`.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `unit`: of the weights, for the label.
    - `bins`: number of bins, from the least to the largest weight of all.

    **Returns:** the axes.

    **Raises:** `ValueError` if there are no weights.
    """
    ax = new_axes(ax)
    named = dict(weights) if isinstance(weights, Mapping) else {"": weights}
    flat = {name: np.asarray(w, np.float64).reshape(-1) for name, w in named.items()}
    if not sum(w.size for w in flat.values()):
        raise ValueError("`weights` must hold at least one weight, got none.")
    everything = np.concatenate(list(flat.values()))
    edges = np.histogram_bin_edges(everything, count("bins", bins, minimum=1))
    for place, (name, w) in enumerate(flat.items()):
        number, _ = np.histogram(w, edges)
        _steps(ax, number * (100 / max(1, w.size)), edges, name, place)
    ax.set(xlabel=f"weight ({unit})", ylabel="synapses (%)", xlim=(edges[0], edges[-1]))
    _finish(ax, flat)
    return ax


def _steps(ax: Any, height: np.ndarray, edges: np.ndarray, name: str, place: int) -> None:
    """One histogram of several: an outline over a faint area."""
    shade = colour(name, place, ax)
    ax.stairs(height, edges, fill=True, color=shade, alpha=0.18, linewidth=0)
    ax.stairs(height, edges, color=shade, linewidth=1.6, label=label(name) or None)


def _finish(ax: Any, named: Mapping[str, Any]) -> None:
    ax.set_ylim(bottom=0)
    if len(named) > 1:
        ax.legend(frameon=False)
    open_frame(ax)


def _edges(centres: np.ndarray, width: float) -> np.ndarray:
    return np.append(centres - width / 2, centres[-1] + width / 2)
