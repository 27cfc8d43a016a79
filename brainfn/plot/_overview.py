"""An overview figure of a network, sized for a slide."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import measure
from ..record import SpikeTrains
from ..units import Hz
from ._panels import population_rate, raster, traces
from ._style import by_name, colour, grey, ink, label, new_figure


def overview(
    trains: SpikeTrains | Mapping[str, SpikeTrains],
    *,
    title: str = "",
    subtitle: str = "",
    ts: Any = None,
    v: Any = None,
    spikes: Any = None,
    v_threshold: float | None = None,
    bin_size: int | float = 2.0,
    statistics: Mapping[str, SpikeTrains] | None = None,
) -> Any:
    """Raster, population rate, membrane potentials and the distributions of rates and CVs.

    **Arguments:**

    - `trains`: the spikes of each population by name.
    - `title`, `subtitle`: title and subtitle of the figure, e.g. the network and its rates.
    - `ts`, `v`, `spikes`, `v_threshold`: see [`brainfn.plot.traces`][]; left out if `v` is `None`.
    - `bin_size`: bin width of the population rate, in ms.
    - `statistics`: the spikes used for the distributions, e.g. without the initial transient; by
      default `trains`.

    **Returns:** a matplotlib `Figure` of 1600 x 1000 pixels; `figure.savefig("network.png")`.

    **Raises:** `ImportError` without matplotlib, naming the extra.
    """
    populations = by_name(trains)
    measured = populations if statistics is None else by_name(statistics)
    figure = new_figure(16.0, 10.0)
    import matplotlib as mpl

    with mpl.rc_context(_style(figure)):
        heights = [3.1, 1.15, 1.75] if v is not None else [3.1, 1.4]
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.06, rect=(0.01, 0.01, 0.98, 0.865))
        grid = figure.add_gridspec(
            len(heights), 2, height_ratios=heights, width_ratios=[4.0, 1.0], wspace=0.02
        )
        figure.text(
            0.022, 0.952, title, fontsize=27, fontweight="bold", color=ink(figure), va="center"
        )
        figure.text(0.022, 0.903, subtitle, fontsize=17, color=grey(figure), va="center")

        top = raster(populations, ax=figure.add_subplot(grid[0, 0]), neurons=600)
        middle = population_rate(
            populations, ax=figure.add_subplot(grid[1, 0], sharex=top), bin_size=bin_size
        )
        panels = [top, middle]
        if v is not None:
            bottom = figure.add_subplot(grid[2, 0], sharex=top)
            span = top.get_xlim()
            traces(ts, v, spikes=spikes, ax=bottom, v_threshold=v_threshold)
            bottom.set_xlim(span)
            panels.append(bottom)
        for panel in panels[:-1]:
            panel.set_xlabel("")
            panel.tick_params(labelbottom=False)
        right = grid[:, 1].subgridspec(2, 1, hspace=0.16)
        _distribution(
            figure.add_subplot(right[0]),
            {name: measure.firing_rates(p) / Hz for name, p in measured.items()},
            "rate of a neuron (Hz)",
            "{:.1f}",
            max(1 / ((p.stop - p.start) * p.dt) for p in measured.values()) / Hz,
        )
        _distribution(
            figure.add_subplot(right[1]),
            {name: measure.cv_isi(p) for name, p in measured.items()},
            "CV of its intervals",
            "{:.2f}",
            0.0,
        )
        for panel in figure.axes:
            panel.spines[["top", "right"]].set_visible(False)
    return figure


def _style(figure: Any) -> Any:
    return {
        "font.family": "DejaVu Sans",
        "font.size": 15,
        "axes.labelsize": 16,
        "axes.labelcolor": ink(figure),
        "axes.edgecolor": grey(figure),
        "axes.linewidth": 1.0,
        "xtick.color": grey(figure),
        "ytick.color": grey(figure),
        "xtick.labelcolor": ink(figure),
        "ytick.labelcolor": ink(figure),
    }


def _distribution(
    ax: Any, values: Mapping[str, np.ndarray], xlabel: str, form: str, quantum: float
) -> None:
    """Overlaid histograms, with the mean of each population above and as a line."""
    finite = {name: x[np.isfinite(x)] for name, x in values.items()}
    everything = np.concatenate(list(finite.values()))
    high = float(np.quantile(everything, 0.995)) if everything.size else 1.0
    # Rates are multiples of one spike in the window: narrower bins would look like a comb.
    width = max(high / 30, quantum) if high > 0 else 1.0
    width = -(-width // quantum) * quantum if quantum else width
    bins = np.arange(0.0, high + width, width) if high > 0 else np.array([0.0, 1.0])
    for place, (name, x) in enumerate(finite.items()):
        if x.size == 0:
            continue
        shade = colour(name, place, ax)
        weights = np.full(x.size, 100 / x.size)
        if place == 0:
            ax.hist(x, bins, weights=weights, histtype="stepfilled", color=shade, alpha=0.18)
        ax.hist(x, bins, weights=weights, histtype="step", color=shade, linewidth=1.8)
        mean = float(x.mean())
        ax.axvline(mean, color=shade, linewidth=1.4, linestyle=(4 * place, (4, 4)))
        ax.text(
            1.0,
            1.03 + 0.075 * (len(finite) - 1 - place),
            f"{label(name)} mean {form.format(mean)}".strip(),
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            color=shade,
        )
    ax.set(xlabel=xlabel, ylabel="neurons (%)", xlim=(0, bins[-1]))
