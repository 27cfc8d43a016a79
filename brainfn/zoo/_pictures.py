"""Pieces of pictures that are not a plain overview."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..plot import new_figure
from ..plot._style import colour, grey, ink, open_frame
from ._entry import Finished


def sheet(
    finished: Finished, *, columns: Sequence[float], rows: Sequence[float], facts: str = ""
) -> tuple[Any, Any]:
    """A figure of the size of [`brainfn.plot.overview`][] with title and subtitle, and its grid."""
    cells = sum(p.size for p in finished.network.populations.values() if p.ports())
    synapses = sum(p.synapses for p in finished.network.projections.values())
    size = f"{cells:,} neurons, {synapses:,.0f} synapses"
    return titled(
        finished.title, "   ·   ".join([size, *([facts] if facts else [])]), columns, rows
    )


def titled(
    title: str, subtitle: str, columns: Sequence[float], rows: Sequence[float]
) -> tuple[Any, Any]:
    """A figure with title and subtitle, and a grid for its panels."""
    figure = new_figure(16.0, 10.0)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08, rect=(0.01, 0.01, 0.98, 0.865))
    figure.text(0.022, 0.952, title, fontsize=27, fontweight="bold", color=ink(figure), va="center")
    figure.text(0.022, 0.903, subtitle, fontsize=17, color=grey(figure), va="center")
    grid = figure.add_gridspec(
        len(rows), len(columns), width_ratios=list(columns), height_ratios=list(rows)
    )
    return figure, grid


def boxes(
    ax: Any,
    names: Sequence[str],
    values: Sequence[np.ndarray],
    label: str,
    published: Sequence[float] | None = None,
) -> None:
    """Distributions as horizontal boxes (quartiles, and 5 to 95 %), the first at the top; their
    means as dots, and published means as crosses."""
    at = np.arange(len(names))
    for place, (name, x) in enumerate(zip(names, values, strict=True)):
        shade = colour(name, place, ax)
        low, first, middle, third, high = np.quantile(x, [0.05, 0.25, 0.5, 0.75, 0.95])
        ax.plot([low, high], [place, place], color=shade, linewidth=1.2)
        ax.barh(place, third - first, 0.62, first, color=shade, alpha=0.3, linewidth=0)
        ax.plot([middle, middle], [place - 0.31, place + 0.31], color=shade, linewidth=2.0)
        ax.plot(x.mean(), place, "o", color=shade, markersize=6)
    if published is not None:
        ax.plot(published, at, "x", color=ink(ax), markersize=8, label="mean, published")
        ax.legend(frameon=False, fontsize="small", labelcolor=ink(ax))
    ax.set_yticks(at, names)
    ax.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
    open_frame(ax)


def finite(x: np.ndarray) -> np.ndarray:
    """What is not NaN; a zero if there is nothing."""
    x = x[np.isfinite(x)]
    return x if x.size else np.zeros(1)
