"""Matrices of weights or correlations."""

from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Shaped

from ._style import colour_bar, new_axes, signed_map


def connectivity(
    matrix: Shaped[ArrayLike, "n_pre n_post"],
    *,
    ax: Any = None,
    quantity: str = "weight",
    unit: str = "",
    xlabel: str = "postsynaptic neuron",
    ylabel: str = "presynaptic neuron",
    limit: float | None = None,
) -> Any:
    """A matrix of weights or correlations: positive is warm, negative cold, and 0 (or not a number)
    has the colour of the background.

    **Arguments:**

    - `matrix`: shape `(n_pre, n_post)`; one row for each presynaptic neuron, from the top.
    - `ax`: matplotlib axes to draw into; by default those of a new figure.
    - `quantity`, `unit`: what the numbers are, for the colour bar.
    - `xlabel`, `ylabel`: what the columns and rows are.
    - `limit`: the magnitude with the full colour; by default the 99 % quantile of the magnitudes
        that are not 0.

    **Returns:** the axes.

    **Raises:** `ValueError` for another shape.
    """
    host = np.asarray(matrix, np.float64)
    if host.ndim != 2 or host.size == 0:
        raise ValueError(f"`matrix` must have shape (n_pre, n_post), got {host.shape}.")
    if limit is not None and not limit > 0:
        raise ValueError(f"`limit` must be positive, got {limit}.")
    ax = new_axes(ax, 5.7, 4.6)
    size = np.abs(host[np.isfinite(host) & (host != 0)])
    top = limit or (float(np.quantile(size, 0.99)) if size.size else 1.0)
    colours = signed_map(ax)
    image = ax.imshow(
        np.ma.masked_invalid(host),
        cmap=colours,
        vmin=-top,
        vmax=top,
        aspect="auto",
        interpolation="nearest",
    )
    # Ticks name neurons: whole numbers, few of them.
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True, nbins=6)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    colour_bar(image, ax, f"{quantity} ({unit})" if unit else quantity)
    signs = host[np.isfinite(host)]
    if signs.size and (signs.min() >= 0 or signs.max() <= 0):
        # The colours of one sign alone, on the bar as well.
        half = np.linspace(0.5, 1.0, 256) if signs.min() >= 0 else np.linspace(0.0, 0.5, 256)
        image.set_cmap(type(colours)(colours(half), "one_sign"))
        image.set_clim((0, top) if signs.min() >= 0 else (-top, 0))
    return ax
