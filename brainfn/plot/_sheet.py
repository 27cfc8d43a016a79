"""Activity of a sheet of neurons over time: a strip of pictures, or an animation."""

from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float, Shaped

from .._errors import count
from ..units import ms
from ._style import background, colour_bar, grey, ink, new_axes


def film_strip(
    ts: Float[ArrayLike, " time"],
    frames: Shaped[ArrayLike, "time row column"],
    *,
    ax: Any = None,
    number: int = 6,
    quantity: str = "activity",
    limits: tuple[float, float] | None = None,
) -> Any:
    """Pictures of a sheet at evenly spaced times, side by side.

    **Arguments:**

    - `ts`: the times in ms, shape `(time,)`.
    - `frames`: one picture for each time, shape `(time, row, column)`. A population of `rows *
        columns` neurons is reshaped.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `number`: of pictures.
    - `quantity`: what the numbers are, with their unit, for the colour bar.
    - `limits`: the values with the first and the last colour; by default the least and the largest.

    **Returns:** the axes.

    **Raises:** `ValueError` naming the argument for shapes that do not fit.
    """
    times, films, (low, high) = _film(ts, frames, limits)
    ax = new_axes(ax, 10.0, 2.4)
    from matplotlib.patches import Rectangle

    chosen = np.unique(np.linspace(0, len(times) - 1, count("number", number, minimum=1)).round())
    rows, columns = films.shape[1:]
    pitch = columns * 1.06
    for place, i in enumerate(chosen.astype(int)):
        left = place * pitch
        image = ax.imshow(
            films[i],
            extent=(left, left + columns, rows, 0),
            cmap="inferno",
            vmin=low,
            vmax=high,
            interpolation="nearest",
        )
        frame: Any = {"fill": False, "color": grey(ax.figure), "linewidth": 0.8, "clip_on": False}
        ax.add_patch(Rectangle((left, 0), columns, rows, **frame))
    ax.set(xlim=(0, (len(chosen) - 1) * pitch + columns), ylim=(rows, 0), aspect="equal")
    middle = np.arange(len(chosen)) * pitch + columns / 2
    ax.set_xticks(middle, [f"{t / ms:g}" for t in np.round(times[chosen.astype(int)], 6)])
    ax.set_yticks([])
    ax.tick_params(axis="x", length=0)
    ax.spines[:].set_visible(False)
    ax.set_facecolor(background(ax.figure))
    ax.set_xlabel("time (ms)")
    colour_bar(image, ax, quantity)
    return ax


def animation(
    ts: Float[ArrayLike, " time"],
    frames: Shaped[ArrayLike, "time row column"],
    *,
    ax: Any = None,
    interval: int | float = 40.0,
    quantity: str = "activity",
    limits: tuple[float, float] | None = None,
) -> Any:
    """A film of a sheet.

    ```python
    film = bf.plot.animation(out.ts, rates.reshape(-1, 64, 64))
    film.save("sheet.gif")
    ```

    **Arguments:**

    - `ts`, `frames`, `quantity`, `limits`: as for [`brainfn.plot.film_strip`][].
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `interval`: between two pictures, in ms of the one who watches.

    **Returns:** a `matplotlib.animation.FuncAnimation`, which must be kept for as long as it is
    shown. In a notebook `IPython.display.HTML(film.to_jshtml())` shows it.

    **Raises:** `ValueError` naming the argument for shapes that do not fit.
    """
    times, films, (low, high) = _film(ts, frames, limits)
    if not interval > 0:
        raise ValueError(f"`interval` must be positive (in ms), got {interval}.")
    ax = new_axes(ax, 5.0, 4.4)
    from matplotlib.animation import FuncAnimation

    image = ax.imshow(films[0], cmap="inferno", vmin=low, vmax=high, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color(grey(ax.figure))
    title = ax.set_title("", color=ink(ax.figure), fontsize="medium")
    colour_bar(image, ax, quantity)

    def draw(i: int) -> Any:
        image.set_data(films[i])
        title.set_text(f"{times[i] / ms:g} ms")
        return image, title

    draw(0)
    return FuncAnimation(ax.figure, draw, frames=len(films), interval=interval)


def _film(
    ts: Any, frames: Any, limits: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    times, films = np.asarray(ts, np.float64), np.asarray(frames, np.float64)
    if films.ndim != 3 or films.size == 0:
        raise ValueError(
            f"`frames` must have shape (time, row, column), got {films.shape}. Try "
            "frames.reshape(len(ts), rows, columns)."
        )
    if times.shape != films.shape[:1]:
        raise ValueError(
            f"`ts` must have one time for each of {len(films)} frames, got shape {times.shape}."
        )
    low, high = (float(films.min()), float(films.max())) if limits is None else limits
    if limits is not None and not low < high:
        raise ValueError(f"`limits` must be two increasing numbers, got {limits!r}.")
    return times, films, (low, high if high > low else low + 1)
