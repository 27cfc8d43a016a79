"""Helpers for all plots: access to matplotlib, colours, populations by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..record import SpikeTrains

# Colours that can be distinguished with any colour vision: Wong (2011), "Points of view: Color
# blindness", doi:10.1038/nmeth.1618. Excitatory is warm and inhibitory cold. On a dark background
# they are lighter.
_LIGHT = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DARK = ("#FF8A3C", "#5BB8F0", "#3FCFA5", "#E89CC6", "#F5C04A", "#A8DCFA")


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure without a window. Its colours are those of matplotlib's settings,
    so `matplotlib.style.use("dark_background")` makes dark plots.

    **Arguments:**

    - `width`, `height`: in inches.

    **Raises:** `ImportError` if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "brainfn.plot draws with matplotlib, which is not installed. "
            "Try: pip install 'brainfn[plot]'"
        ) from error
    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def new_axes(ax: Any, width: float = 10.0, height: float = 4.0) -> Any:
    """`ax`, or the axes of a new figure."""
    if ax is None:
        return new_figure(width, height).add_subplot()
    if not callable(getattr(ax, "scatter", None)):
        raise TypeError(
            f"`ax` must be matplotlib axes, got {type(ax).__name__}. Try matplotlib.pyplot.gca(), "
            "or leave it out."
        )
    return ax


def by_name(trains: SpikeTrains | Mapping[str, SpikeTrains]) -> dict[str, SpikeTrains]:
    """Populations by name; a single one has an empty name."""
    if isinstance(trains, SpikeTrains):
        return {"": trains}
    if not isinstance(trains, Mapping) or not trains:
        raise TypeError(
            "`trains` must be a SpikeTrains or a dictionary of them by population, got "
            f"{type(trains).__name__}. Try brainfn.measure.from_dense(spikes, dt=0.1)."
        )
    for name, p in trains.items():
        if not isinstance(p, SpikeTrains):
            raise TypeError(
                f"`trains[{name!r}]` must be a SpikeTrains, got {type(p).__name__}. Try "
                "brainfn.measure.from_dense(spikes, dt=0.1)."
            )
    windows = {(p.start * p.dt, p.stop * p.dt) for p in trains.values()}
    if len(windows) > 1:
        raise ValueError(
            "`trains` must all have been observed over the same time, got windows (in ms) "
            f"{sorted(windows)}. Try brainfn.measure.window."
        )
    return dict(trains)


def background(where: Any) -> Any:
    """The colour behind what is drawn on axes, or beside them on a figure: red, green, blue."""
    import matplotlib as mpl
    from matplotlib.colors import to_rgb, to_rgba

    face = to_rgba(where.get_facecolor())
    if face[3] >= 0.5:
        return face[:3]
    parent = getattr(where, "figure", None)
    if parent is None or parent is where:
        return to_rgb(mpl.rcParams["figure.facecolor"])
    return background(parent)


def is_dark(where: Any) -> bool:
    """Whether white is easier to read there than black: a relative luminance below 0.18."""
    linear = [c**2.2 for c in background(where)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] < 0.18


def ink(where: Any) -> str:
    """The colour of text on axes, or beside them on a figure."""
    return "#EDEDED" if is_dark(where) else "#222222"


def grey(where: Any) -> str:
    """The colour of what supports the data."""
    return "#A0A0A0" if is_dark(where) else "#7A7A7A"


def colour(name: str, place: int, where: Any) -> str:
    """The colour of a population on axes: warm for excitatory (`exc`, `L4E`), cold for inhibitory
    (`inh`, `L4I`)."""
    excitatory, inhibitory, *others = _DARK if is_dark(where) else _LIGHT
    first, last = name[:1].lower(), name[-1:]
    if first == "e" or last == "E" or (not name and place == 0):
        return excitatory
    if first == "i" or last == "I":
        return inhibitory
    return others[place % len(others)]


def signed_map(where: Any) -> Any:
    """Inhibitory, background, excitatory: a colour map for numbers around 0, in which small numbers
    can be told from none."""
    from matplotlib.colors import ListedColormap, to_rgb

    x = np.linspace(-1.0, 1.0, 511)[:, None]
    part = np.abs(x) ** 0.6
    sides = np.where(x < 0, to_rgb(colour("i", 0, where)), to_rgb(colour("e", 0, where)))
    return ListedColormap(part * sides + (1 - part) * np.array(background(where)), "signed")


def colour_bar(image: Any, ax: Any, text: str) -> None:
    """A colour bar beside axes, in the colours of their figure."""
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.05)
    bar.set_label(text, color=ink(ax.figure))
    bar.ax.tick_params(color=grey(ax.figure), labelcolor=ink(ax.figure))
    bar.outline.set_visible(False)


def open_frame(ax: Any) -> None:
    """Leave out the lines above and to the right."""
    ax.spines[["top", "right"]].set_visible(False)


def label(name: str) -> str:
    """A population's name, written out where it is one of the field's abbreviations."""
    return {"exc": "excitatory", "inh": "inhibitory"}.get(name, name)
