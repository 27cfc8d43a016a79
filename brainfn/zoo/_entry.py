"""What a network of the zoo says about itself, for the command line, the pages and the tests."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .._errors import nearest
from ..record import SpikeTrains

Window = tuple[float, float]
Figures = dict[str, float]


class Variant(NamedTuple):
    """One set of parameters of a network.

    - `title`: its name in words.
    - `source`: where its parameters come from.
    - `expected`: the published behaviour in one line; by default that of the network.
    - `reference`: figures of others, `{who: {window in ms, "0-1000": {figure: value}}}`; a window
      called `""` fits all.
    """

    title: str
    source: str
    expected: str = ""
    reference: Mapping[str, Mapping[str, Mapping[str, float]]] = {}


class Finished(NamedTuple):
    """A finished run, for a picture: the network, its spikes in ms, traced membrane potentials
    `(time, neurons)`, its figures and the window in which these were measured."""

    network: Any
    trains: dict[str, SpikeTrains]
    potentials: dict[str, np.ndarray]
    figures: Figures
    window: Window
    duration: float
    dt: float
    title: str


class Outcome(NamedTuple):
    """The result of an experiment that is not one run of one network.

    - `figures`: results by name, compared with the `reference` of the variant.
    - `arrays`: what is written to `results.npz`.
    - `size`: what was simulated, in words.
    - `model_time`: in ms, of all trials together.
    - `picture`: makes a matplotlib figure.
    """

    figures: Figures
    arrays: dict[str, np.ndarray]
    size: str
    model_time: float
    picture: Callable[[], Any] | None = None


def whole_run(duration: float) -> Window:
    """Measured from the beginning to the end."""
    return 0.0, duration


class Entry(NamedTuple):
    """A network of the zoo. With it in `brainfn.zoo.NETWORKS`, `python -m brainfn run NAME`
    simulates, measures and draws it, and the page of networks lists it.

    - `name`: that of the command.
    - `title`, `source`: what it is, and the paper.
    - `size`: neurons and synapses at scale 1, in words.
    - `expected`: the published behaviour in one line.
    - `variants`: by name; the first is the default.
    - `build`: `build(variant, *, scale, key, dt) -> (network, inputs)`.
    - `experiment`: for what is not one run of one network, in place of `build` and what follows:
      `experiment(variant, *, scale, duration, dt, key) -> Outcome`.
    - `python`: the function of the zoo that builds it, as a user calls it.
    - `drawn`: how many membrane potentials of which populations are drawn.
    - `figures`: `figures(trains, window) -> {name: value}`.
    - `rows`: how figures are printed, `{name: (label, format)}`.
    - `window`: `window(duration)`, in which they are measured, in ms.
    - `picture`: `picture(finished)`, a matplotlib figure; by default [`brainfn.plot.overview`][].
    - `facts`: `facts(figures)`, a few results in words for the subtitle of the picture.
    - `duration`, `dt`, `scale`: those of the command if none is given; times in ms.
    - `multiples`: times in ms that must be whole numbers of steps, by name.
    - `v_threshold`: drawn as a line, in mV.
    - `note`, `scale_note`: printed below figures of others; the latter for another scale.
    """

    name: str
    title: str
    source: str
    size: str
    expected: str
    variants: Mapping[str, Variant]
    build: Callable[..., tuple[Any, Any]] | None = None
    experiment: Callable[..., Outcome] | None = None
    python: str = ""
    drawn: Mapping[str, int] = {}
    figures: Callable[[dict[str, SpikeTrains], Window], Figures] | None = None
    rows: Mapping[str, tuple[str, str]] = {}
    window: Callable[[float], Window] = whole_run
    picture: Callable[[Finished], Any] | None = None
    facts: Callable[[Figures], list[str]] | None = None
    duration: float = 1000.0
    dt: float = 0.1
    scale: float = 1.0
    multiples: Mapping[str, float] = {}
    v_threshold: float | None = None
    note: str = ""
    scale_note: str = ""


def choose(kind: str, name: Any, known: Mapping[str, Any]) -> Any:
    """`known[name]`, or an error that lists the names and says which is nearest."""
    if name not in known:
        raise ValueError(
            f"`{kind}` must be one of {list(known)}, got {name!r}.{nearest(str(name), known)}"
        )
    return known[name]


def check_scale(scale: Any, low: int | float, high: int | float, low_means: str, one: str) -> float:
    """`scale` as a number between two bounds.

    **Raises:** `TypeError` or `ValueError`, saying what the smallest means and what 1 is.
    """
    if isinstance(scale, bool) or not isinstance(scale, int | float | np.number):
        raise TypeError(f"`scale` must be a number, got {type(scale).__name__}: {scale!r}.")
    if not (np.isfinite(scale) and scale >= low):
        raise ValueError(
            f"`scale` must be at least {low} ({low_means}), got {scale}. Try 1 for {one}."
        )
    if scale > high:
        raise ValueError(
            f"`scale` must be at most {high} (32-bit indices can't count more synapses), got "
            f"{scale}."
        )
    return float(scale)
