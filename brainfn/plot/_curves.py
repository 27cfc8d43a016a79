"""The response of neurons to a constant current: f-I curve and phase portrait."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Shaped

from .._errors import count
from ..neuron import as_drive
from ..units import Hz
from ._style import colour, grey, ink, label, new_axes, open_frame


def fi_curve(
    currents: Shaped[ArrayLike, " current"],
    rates: Float[ArrayLike, " current"] | Mapping[str, Float[ArrayLike, " current"]],
    *,
    ax: Any = None,
    unit: str = "pA",
) -> Any:
    """The rate of neurons as a function of their input current.

    A population whose neurons get one current each gives the curve in one simulation, with
    [`brainfn.measure.firing_rates`][].

    **Arguments:**

    - `currents`: shape `(current,)`.
    - `rates`: in 1/ms, shape `(current,)`; or a dictionary of such by model.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `unit`: of the currents, for the label.

    **Returns:** the axes.

    **Raises:** `ValueError` naming the argument for shapes that do not fit.
    """
    ax = new_axes(ax)
    x = np.asarray(currents)
    if x.ndim != 1:
        raise ValueError(f"`currents` must be a list of numbers, got shape {x.shape}.")
    named = dict(rates) if isinstance(rates, Mapping) else {"": rates}
    for place, (name, values) in enumerate(named.items()):
        path = f"rates[{name!r}]" if name else "rates"
        y = np.asarray(values)
        if y.shape != x.shape:
            raise ValueError(
                f"`{path}` must have one rate for each of {x.size} currents, got shape {y.shape}."
            )
        shade, text = colour(name, place, ax), label(name) or None
        marker = "o" if x.size <= 40 else ""
        ax.plot(x, y / Hz, color=shade, linewidth=1.6, marker=marker, markersize=4, label=text)
    ax.set(xlabel=f"current ({unit})", ylabel="rate (Hz)")
    ax.set_ylim(bottom=0)
    if len(named) > 1:
        ax.legend(frameon=False)
    open_frame(ax)
    return ax


_UNITS = {"v": "mV", "w": "pA", "u": "mV/ms"}


def phase_portrait(
    neuron: Any,
    *,
    x: tuple[int | float, int | float],
    y: tuple[int | float, int | float],
    current: int | float = 0.0,
    trajectory: tuple[Shaped[ArrayLike, " time"], Shaped[ArrayLike, " time"]] | None = None,
    ax: Any = None,
    index: int = 0,
    points: int = 200,
    labels: tuple[str, str] | None = None,
) -> Any:
    """The phase plane of a neuron with two variables: its nullclines, where one of them does not
    change, the flow, and a trajectory.

    ```python
    ax = bf.plot.phase_portrait(bf.neuron.AdEx(1), x=(-80.0, -40.0), y=(-100.0, 400.0))
    ```

    **Arguments:**

    - `neuron`: neurons with a `vector_field` of two variables, such as [`brainfn.neuron.AdEx`][].
    - `x`, `y`: the range of the first and of the second variable in their units.
    - `current`: constant input in pA.
    - `trajectory`: values of the two variables over time, shape `(time,)` each. A reset is drawn as
        a gap where the first one jumps by a fifth of its range.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `index`: which neuron of the population.
    - `points`: of the grid, in either direction.
    - `labels`: of the axes, with units; by default the names of the variables.

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` naming the argument.
    """
    names, field = _plane(neuron, float(current), index)
    points = count("points", points, minimum=10)
    (left, right), (low, high) = _range("x", x), _range("y", y)
    ax = new_axes(ax, 6.4, 5.0)
    a, b = np.linspace(left, right, points), np.linspace(low, high, points)
    grid = np.meshgrid(a, b)
    slopes = [np.asarray(s) for s in field(*(jnp.asarray(g) for g in grid))]
    # Axes first: the lines of the flow are evenly spaced on the page.
    ax.set(xlim=(left, right), ylim=(low, high))
    ax.streamplot(
        a, b, *slopes, color=grey(ax), density=1.1, linewidth=0.6, arrowsize=0.8, zorder=1
    )
    shades = colour("i", 0, ax), colour("e", 0, ax)
    for name, slope, shade in zip(names, slopes, shades, strict=True):
        if slope.min() < 0 < slope.max():
            ax.contour(a, b, slope, levels=[0.0], colors=[shade], linewidths=2.0, zorder=2)
        ax.plot([], [], color=shade, linewidth=2.0, label=f"d{name}/dt = 0")
    if trajectory is not None:
        first, second = (np.asarray(part, np.float64) for part in trajectory)
        if first.ndim != 1 or first.shape != second.shape:
            raise ValueError(
                "`trajectory` must be two lists of one length, got shapes "
                f"{first.shape} and {second.shape}."
            )
        jump = np.flatnonzero(np.abs(np.diff(first)) > 0.2 * (right - left)) + 1
        path = np.insert(first, jump, np.nan), np.insert(second, jump, np.nan)
        ax.plot(*path, color=ink(ax), linewidth=1.8, zorder=3, label="trajectory")
        ax.plot(first[:1], second[:1], "o", color=ink(ax), markersize=5, zorder=3)
    texts = labels or tuple(f"{n} ({_UNITS[n]})" if n in _UNITS else n for n in names)
    ax.set(xlabel=texts[0], ylabel=texts[1])
    legend = ax.legend(loc="upper left", framealpha=0.85, edgecolor="none")
    legend.set_zorder(4)
    return ax


def _plane(neuron: Any, current: float, index: int) -> tuple[list[str], Any]:
    """The names of the two variables, and a function from their values to their slopes."""
    if not callable(getattr(neuron, "vector_field", None)):
        raise TypeError(
            f"`neuron` must be neurons with a vector_field, got {type(neuron).__name__}. Try "
            "brainfn.neuron.AdEx(1)."
        )
    example = neuron.initial(None)
    names = [field.name for field in dataclasses.fields(example)]
    if len(names) != 2 or any(jnp.ndim(getattr(example, name)) != 1 for name in names):
        raise ValueError(f"`neuron` must have two variables, got {names}.")
    index = count("index", index)
    if index >= neuron.size:
        raise ValueError(f"`index` must be below {neuron.size}, got {index}.")

    def slopes(first: Any, second: Any) -> Any:
        values = [
            jnp.full_like(getattr(example, name), value)
            for name, value in zip(names, (first, second), strict=True)
        ]
        y = type(example)(*values)
        change = neuron.vector_field(0.0, y, as_drive(current, values[0]))
        return tuple(getattr(change, name)[index] for name in names)

    return names, jax.jit(jax.vmap(jax.vmap(slopes)))


def _range(name: str, ends: Any) -> tuple[float, float]:
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError(f"`{name}` must be two increasing numbers, got {ends!r}.")
    return float(ends[0]), float(ends[1])
