"""Pieces of pictures that are not a plain overview."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..plot import colour, grey, ink, new_figure, open_frame
from ._entry import Finished


def presented(picture: Callable[..., Any]) -> Callable[..., Any]:
    """A function that makes a picture, with letters that can be read on a slide."""

    @functools.wraps(picture)
    def made(*args: Any, **kwargs: Any) -> Any:
        import matplotlib as mpl

        style: Any = {
            "font.family": "DejaVu Sans",
            "font.size": 15,
            "axes.labelsize": 16,
            "legend.fontsize": 14,
        }
        with mpl.rc_context(style):
            return picture(*args, **kwargs)

    return made


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
        ax.legend(frameon=False, labelcolor=ink(ax), handletextpad=0.1, borderpad=0.1)
    ax.set_yticks(at, names)
    ax.locator_params(axis="x", nbins=5)
    ax.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
    open_frame(ax)


def finite(x: np.ndarray) -> np.ndarray:
    """What is not NaN; a zero if there is nothing."""
    x = x[np.isfinite(x)]
    return x if x.size else np.zeros(1)


def histogram(ax: Any, values: np.ndarray, label: str) -> Any:
    """The distribution of `values` with its mean, which is written above."""
    x = finite(values)
    shade = colour("e", 0, ax)
    # Values that hardly differ would be shown as if they did.
    least = 0.1 * max(abs(float(x.mean())), 0.1)
    low, high = float(x.min()), float(x.max())
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    ax.hist(x, 30, (low, high), weights=np.full(x.size, 100 / x.size), color=shade, alpha=0.35)
    ax.axvline(x.mean(), color=shade, linewidth=1.6)
    ax.locator_params(axis="x", nbins=5)
    ax.set(xlabel=label, ylabel="neurons (%)")
    ax.set_title(f"mean {x.mean():.3g}", color=shade, loc="right", fontsize=14)
    return ax
