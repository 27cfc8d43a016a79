"""Single plots: spikes as dots, a rate over time, membrane potentials."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float, Shaped

from .. import measure
from .._errors import count
from ..record import SpikeTrains
from ..units import Hz, ms
from ._style import background, by_name, colour, grey, ink, label, new_axes


def raster(
    trains: SpikeTrains | Mapping[str, SpikeTrains], *, ax: Any = None, neurons: int = 500
) -> Any:
    """Spikes as dots: time on the horizontal axis, neurons on the vertical, one colour per
    population.

    **Arguments:**

    - `trains`: the spikes of a population, or of several by name. Names that begin with `e` or
        end with `E` are drawn in the colour of excitatory neurons, those with `i` or `I` in that of
        inhibitory ones.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `neurons`: maximal number of neurons to show. They are sampled evenly, so populations keep
      their proportions.

    **Returns:** the axes (`.figure` is the figure).

    **Raises:** `ImportError` without matplotlib, naming the extra.
    """
    populations = by_name(trains)
    ax = new_axes(ax)
    total = sum(p.size for p in populations.values())
    stride = max(1, -(-total // count("neurons", neurons, minimum=1)))
    offset, ticks, names = 0, [], []
    # The first population is at the top.
    for place, (name, p) in reversed(list(enumerate(populations.items()))):
        cells, times = np.asarray(p.neurons), p.times
        shown = cells % stride == 0
        rows = -(-p.size // stride)
        ax.scatter(
            times[shown] / ms,
            cells[shown] // stride + offset + 0.5,
            s=2.6,
            marker="o",
            linewidths=0,
            color=colour(name, place, ax),
            rasterized=True,
        )
        ticks.append(offset + rows / 2)
        names.append(label(name))
        offset += rows
        if place:
            ax.axhline(offset, color=background(ax), linewidth=2.5)
            ax.axhline(offset, color=grey(ax), linewidth=0.8)
    ax.set(xlabel="time (ms)", ylim=(0, offset), xlim=_span(populations))
    if names != [""]:
        ax.set_yticks(ticks, names, rotation=90, va="center")
        ax.tick_params(axis="y", length=0)
        for text, (place, name) in zip(
            ax.get_yticklabels(), reversed(list(enumerate(populations))), strict=True
        ):
            text.set_color(colour(name, place, ax.figure))
    else:
        ax.set_ylabel("neuron")
    return ax


def population_rate(
    trains: SpikeTrains | Mapping[str, SpikeTrains], *, ax: Any = None, bin_size: int | float = 2.0
) -> Any:
    """The mean rate of each population over time, see [`brainfn.measure.population_rate`][].

    **Arguments:**

    - `trains`: the spikes of a population, or of several by name.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `bin_size`: width of a bin in ms, a whole number of steps.

    **Returns:** the axes.
    """
    populations = by_name(trains)
    ax = new_axes(ax)
    peaks, usual = [], []
    for place, (name, p) in enumerate(populations.items()):
        centres, rate = measure.population_rate(p, bin_size)
        shade = colour(name, place, ax)
        ax.plot(centres / ms, rate / Hz, color=shade, linewidth=1.5, label=label(name) or None)
        if place == 0:
            ax.fill_between(centres / ms, rate / Hz, color=shade, alpha=0.15, linewidth=0)
        peaks.append(float(rate.max()))
        usual.append(float(np.quantile(rate, 0.99)))
    ax.set(xlabel="time (ms)", ylabel="rate (Hz)", xlim=_span(populations))
    # An initial volley may exceed everything else by far: it is then cut off, and its height is
    # written next to it.
    top = max(peaks)
    if top > 2.5 * max(usual) > 0:
        ax.annotate(
            f"peak {top / Hz:.0f} Hz",
            (0.012, 0.93),
            xycoords="axes fraction",
            va="top",
            color=grey(ax),
            fontsize="small",
        )
        top = 2 * max(usual)
    ax.set_ylim(0, 1.1 * top / Hz if top > 0 else 1)
    return ax


def traces(
    ts: Float[ArrayLike, " time"],
    v: Float[ArrayLike, "time n"] | Mapping[str, Float[ArrayLike, "time _"]],
    *,
    spikes: Shaped[ArrayLike, "time n"] | Mapping[str, Shaped[ArrayLike, "time _"]] | None = None,
    ax: Any = None,
    v_threshold: float | None = None,
    v_spike: float = -20.0,
) -> Any:
    """Membrane potentials, one above the other, with a scale bar.

    **Arguments:**

    - `ts`: times in ms, shape `(time,)`.
    - `v`: membrane potentials in mV, shape `(time, n)`; or a dictionary of such arrays by
      population.
    - `spikes`: spikes of the same shape and structure (0/1 or bool). Integrate-and-fire neurons
        have no action potential; it is drawn as a line up to `v_spike`.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `v_threshold`: draws the threshold as a dotted line, in mV.
    - `v_spike`: upper end of drawn spikes, in mV.

    **Returns:** the axes.

    **Raises:** `ValueError` naming the argument for shapes that do not fit.
    """
    ax = new_axes(ax)
    named = dict(v) if isinstance(v, Mapping) else {"": v}
    fired = dict(spikes) if isinstance(spikes, Mapping) else {"": spikes}
    times = np.asarray(ts)
    if times.ndim != 1:
        raise ValueError(f"`ts` must have shape (time,), got {times.shape}.")
    given: dict[str, dict[str, Any]] = {"v": named, "spikes": {} if spikes is None else fired}
    for argument, parts in given.items():
        for name, values in parts.items():
            path = f"{argument}[{name!r}]" if name else argument
            if np.ndim(values) != 2:
                raise ValueError(
                    f"`{path}` must have shape (time, n), got {np.shape(values)}. For one neuron "
                    "try v[:, None]."
                )
            if len(times) != np.shape(values)[0]:
                raise ValueError(
                    f"`ts` must have one time for each row of `{path}`, got shapes {times.shape} "
                    f"and {np.shape(values)}."
                )
    rows = [
        (place, name, np.asarray(values)[:, i], None if s is None else np.asarray(s)[:, i] > 0)
        for place, (name, values) in enumerate(named.items())
        for s in [fired.get(name)]
        for i in range(np.shape(values)[1])
    ]
    lowest = min((float(np.min(trace)) for _, _, trace, _ in rows), default=v_spike)
    highest = max((float(np.max(trace)) for _, _, trace, _ in rows), default=v_spike)
    if v_threshold is not None:
        highest = max(highest, v_threshold)
    v_spike = max(v_spike, highest + 0.05 * (highest - lowest))
    spacing = v_spike - lowest + 12.0
    for row, (place, name, trace, fire) in enumerate(rows):
        base = -row * spacing
        shade = colour(name, place, ax)
        if v_threshold is not None:
            ax.axhline(base + v_threshold, color=grey(ax), linewidth=0.8, linestyle=(0, (1, 2)))
        if fire is not None:
            trace = np.where(fire, v_spike, trace)
        ax.plot(times / ms, trace + base, color=shade, linewidth=1.2, solid_joinstyle="round")
    ax.set(xlabel="time (ms)", ylim=(v_spike - len(rows) * spacing + 6, v_spike + 6))
    if times.size:
        ax.set_xlim(times[0], times[-1])
    # At least a twentieth of the height.
    whole = len(rows) * spacing
    length = next((x for x in (20, 50, 100, 200, 500) if 20 * x >= whole), 1000)
    _scale_bar(ax, float(length), f"{length} mV")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylabel("membrane potential")
    return ax


def _scale_bar(ax: Any, length: float, text: str) -> None:
    """A vertical bar of `length` in data units, right of the axes."""
    low, high = ax.get_ylim()
    centre = (low + high) / 2
    across = ax.get_yaxis_transform()
    ax.plot(
        [1.012, 1.012],
        [centre - length / 2, centre + length / 2],
        color=ink(ax.figure),
        linewidth=2.5,
        transform=across,
        clip_on=False,
        solid_capstyle="butt",
    )
    ax.text(1.022, centre, text, transform=across, va="center", color=ink(ax.figure), clip_on=False)


def _span(populations: Mapping[str, SpikeTrains]) -> tuple[float, float]:
    first = next(iter(populations.values()))
    return first.start * first.dt, first.stop * first.dt
