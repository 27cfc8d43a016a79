"""Plots of spectra."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from ..units import Hz, ms
from ._style import colour, colour_bar, label, new_axes, open_frame


def power_spectrum(
    frequencies: Float[ArrayLike, " frequency"],
    power: Float[ArrayLike, " frequency"] | Mapping[str, Float[ArrayLike, " frequency"]],
    *,
    ax: Any = None,
    unit: str = "",
    highest: int | float | None = None,
) -> Any:
    """A power spectrum, such as that of [`brainfn.measure.welch`][], on logarithmic axes.

    **Arguments:**

    - `frequencies`: in 1/ms, shape `(frequency,)`. Frequency 0 is left out.
    - `power`: of the signal in the square of its unit times ms, shape `(frequency,)`; or a
        dictionary of such by population.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `unit`: of the signal, for the label.
    - `highest`: the highest frequency shown in 1/ms; by default all.

    **Returns:** the axes.

    **Raises:** `ValueError` naming the argument for shapes that do not fit.
    """
    ax = new_axes(ax)
    f = _line("frequencies", frequencies)
    named = dict(power) if isinstance(power, Mapping) else {"": power}
    shown = (f > 0) & (f <= (np.inf if highest is None else highest))
    for place, (name, values) in enumerate(named.items()):
        path = f"power[{name!r}]" if name else "power"
        s = _line(path, values)
        if s.shape != f.shape:
            raise ValueError(
                f"`{path}` must have one value for each of {f.size} frequencies, got {s.size}."
            )
        shade = colour(name, place, ax)
        text = label(name) or None
        # From 1 per 1/ms to 1 per Hz.
        ax.plot(f[shown] / Hz, s[shown] * Hz, color=shade, linewidth=1.4, label=text)
    ax.set(xlabel="frequency (Hz)", ylabel=_density(unit), xscale="log", yscale="log")
    if shown.any():
        ax.set_xlim(f[shown][0] / Hz, f[shown][-1] / Hz)
    if len(named) > 1:
        ax.legend(frameon=False)
    open_frame(ax)
    return ax


def spectrogram(
    times: Float[ArrayLike, " segment"],
    frequencies: Float[ArrayLike, " frequency"],
    power: Float[ArrayLike, "segment frequency"],
    *,
    ax: Any = None,
    unit: str = "",
    highest: int | float | None = None,
) -> Any:
    """A spectrogram, such as that of [`brainfn.measure.spectrogram`][], in decibels relative to its
    largest power.

    **Arguments:**

    - `times`: the centres of the segments in ms, shape `(segment,)`.
    - `frequencies`: in 1/ms, shape `(frequency,)`.
    - `power`: shape `(segment, frequency)`.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `unit`: of the signal, to name what 0 dB is.
    - `highest`: the highest frequency shown in 1/ms; by default all.

    **Returns:** the axes.

    **Raises:** `ValueError` naming the argument for shapes that do not fit.
    """
    ax = new_axes(ax)
    t, f, s = _line("times", times), _line("frequencies", frequencies), np.asarray(power)
    if s.shape != (t.size, f.size):
        raise ValueError(
            f"`power` must have shape (segment, frequency) = {(t.size, f.size)}, got {s.shape}."
        )
    shown = f <= (np.inf if highest is None else highest)
    largest = float(s[:, shown].max())
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10(s[:, shown].T / largest) if largest > 0 else s[:, shown].T
    image = ax.pcolormesh(
        t / ms,
        f[shown] / Hz,
        np.maximum(decibels, -40.0),
        shading="nearest",
        cmap="magma",
        vmin=-40.0,
        vmax=0.0,
        rasterized=True,
    )
    ax.set(xlabel="time (ms)", ylabel="frequency (Hz)")
    reference = f" re {largest * Hz:.2g} {_unit(unit)}" if unit else ""
    colour_bar(image, ax, f"power (dB{reference})")
    return ax


def _unit(unit: str) -> str:
    square = f"({unit})²" if "/" in unit or " " in unit else f"{unit}²"
    return f"{square}/Hz" if unit else "1/Hz"


def _density(unit: str) -> str:
    return f"power ({_unit(unit)})"


def _line(name: str, x: Any) -> np.ndarray:
    x = np.asarray(x)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"`{name}` must be a list of numbers, got shape {x.shape}.")
    return x
