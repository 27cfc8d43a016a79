"""Helpers for all plots: access to matplotlib, colours, populations by name."""

from collections.abc import Mapping
from typing import Any

from ..record import SpikeTrains

# Colours that can be distinguished with any colour vision: Wong (2011), "Points of view: Color
# blindness", doi:10.1038/nmeth.1618. Excitatory is warm and inhibitory cold.
_EXCITATORY, _INHIBITORY = "#D55E00", "#0072B2"
_OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")

INK, GREY = "#222222", "#8A8A8A"


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure without a window, in the style of these plots.

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
    return Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="white")


def new_axes(ax: Any) -> Any:
    """`ax`, or the axes of a new figure."""
    if ax is None:
        return new_figure(10.0, 4.0).add_subplot()
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


def colour(name: str, place: int) -> str:
    """The colour of a population: warm for excitatory, cold for inhibitory."""
    first = name[:1].lower()
    if first == "e" or (not name and place == 0):
        return _EXCITATORY
    if first == "i":
        return _INHIBITORY
    return _OTHERS[place % len(_OTHERS)]


def label(name: str) -> str:
    """A population's name, written out where it is one of the field's abbreviations."""
    return {"exc": "excitatory", "inh": "inhibitory"}.get(name, name)
