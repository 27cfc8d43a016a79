"""Where neurons are."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Integer

from .._custom_types import Key
from .._errors import count, describe, is_concrete
from .._field import as_parameter
from ._check import check_key
from ._counter import key_words, threefry

Offsets = Float[np.ndarray, "pairs dimensions"]


class Positions(eqx.Module):
    r"""The positions of the neurons of a population, in one, two, three or more dimensions.

    The vector from neuron $i$ to neuron $j$ is $x_j - x_i$; along an axis with period $L$ it is the
    shortest of its periodic images, $d - L\,\mathrm{round}(d / L)$.

    **Arguments:**

    - `values`: coordinates in um, shape `(size, dimensions)`, or `(size,)` for neurons on a line.
    - `period`: the period of each axis in um, `None` for an axis without one: one number or `None`
        for all axes, or one for each.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    values: Float[Array, "size dimensions"]
    period: tuple[float | None, ...] = eqx.field(static=True)

    def __init__(self, values: Any, period: float | Sequence[float | None] | None = None):
        given = np.asarray(values) if isinstance(values, list | tuple) else values
        if isinstance(given, np.ndarray) and given.ndim == 1:
            given = given[:, None]
        array = as_parameter(given)
        if not eqx.is_array(array) or array.ndim not in (1, 2):
            shape = f"shape {array.shape}" if eqx.is_array(array) else repr(values)[:100]
            raise ValueError(
                f"`values` must be an array of shape (size, dimensions), the positions in um, got "
                f"{shape}."
            )
        if is_concrete(array) and not np.all(np.isfinite(np.asarray(array))):
            raise ValueError(f"`values` must be finite, got {describe(np.asarray(array))} um.")
        self.values = array[:, None] if array.ndim == 1 else array
        self.period = _periods(period, self.values.shape[1])

    @property
    def size(self) -> int:
        """The number of neurons."""
        return self.values.shape[0]

    @property
    def dimensions(self) -> int:
        """The number of coordinates."""
        return self.values.shape[1]

    def on_host(self, argument: str) -> Float[np.ndarray, "size dimensions"]:
        """The coordinates in float64; raises, naming the argument, if they are traced."""
        if not is_concrete(self.values):
            raise TypeError(
                f"`{argument}` is traced by JAX, but positions decide where synapses are. Try to "
                "build the connections outside of `jit`."
            )
        return np.asarray(self.values, np.float64)


def _periods(period: Any, dimensions: int) -> tuple[float | None, ...]:
    each = tuple(period) if isinstance(period, list | tuple) else (period,) * dimensions
    if len(each) != dimensions:
        raise ValueError(
            f"`period` must have one entry for each of {dimensions} dimensions, got {period!r}."
        )
    for value in each:
        if value is not None and not (_is_number(value) and 0 < value < math.inf):
            raise ValueError(f"`period` must be positive lengths in um or None, got {period!r}.")
    return tuple(None if value is None else float(value) for value in each)


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float | np.integer | np.floating) and not isinstance(x, bool)


def displacements(
    pre: Float[np.ndarray, "n_pre dimensions"],
    post: Float[np.ndarray, "n_post dimensions"],
    period: Sequence[float | None],
    i: Integer[np.ndarray, " pairs"],
    j: Integer[np.ndarray, " pairs"],
) -> Offsets:
    """The vector from source `i` to target `j`, pair by pair."""
    # Coordinate by coordinate, which is several times faster than vector by vector.
    offset = np.empty((len(period), i.size))
    for axis, side in enumerate(period):
        column = np.subtract(post[:, axis][j], pre[:, axis][i], out=offset[axis])
        if side is not None and max(column.max(initial=0), -column.min(initial=0)) > side / 2:
            column -= side * np.rint(column / side)
    return offset.T


def grid(
    shape: int | Sequence[int],
    spacing: float | Sequence[float] = 1.0,
    periodic: bool | Sequence[bool] = False,
) -> Positions:
    r"""Neurons on a regular grid, centred on the origin; the last axis varies fastest.

    ```python
    layer = bf.connect.grid((40, 50), spacing=20.0)                 # a sheet of 800 x 1000 um
    torus = bf.connect.grid((40, 40), spacing=20.0, periodic=True)  # without a boundary
    block = bf.connect.grid((10, 10, 5), spacing=(20.0, 20.0, 50.0))
    ```

    **Arguments:**

    - `shape`: the number of neurons along each axis.
    - `spacing`: the distance of neighbours in um, one for all axes or one for each.
    - `periodic`: whether the grid closes on itself (in two dimensions, a torus), for all axes or
        for each; the period is the number of neurons times the spacing.

    **Returns:** [`brainfn.connect.Positions`][].
    """
    sizes = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    sizes = tuple(count("shape", n) for n in sizes)
    steps, closed = (_for_each(value, len(sizes)) for value in (spacing, periodic))
    if len(steps) != len(sizes) or not all(_is_number(s) and 0 < s < math.inf for s in steps):
        raise ValueError(f"`spacing` must be positive, one for all axes or each, got {spacing!r}.")
    if len(closed) != len(sizes) or not all(isinstance(c, bool) for c in closed):
        raise ValueError(f"`periodic` must be a bool, or one for each axis, got {periodic!r}.")
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(sizes, steps, strict=True)]
    values = np.stack([x.reshape(-1) for x in np.meshgrid(*axes, indexing="ij")], axis=1)
    lengths = zip(sizes, steps, closed, strict=True)
    return Positions(values, [n * s if c and n else None for n, s, c in lengths])


def ring(n: int, length: float) -> Positions:
    """Neurons at equal distances on a ring; distances are measured along it.

    **Arguments:**

    - `n`: the number of neurons.
    - `length`: the circumference in um; `360.0` makes distances angles in degrees.

    **Returns:** [`brainfn.connect.Positions`][] in one dimension.
    """
    n = count("n", n)
    if not (_is_number(length) and 0 < length < math.inf):
        raise ValueError(f"`length` must be a positive length in um, got {length!r}.")
    return Positions(np.arange(n) * (length / max(n, 1)), period=length)


def scattered(
    n: int, extent: float | Sequence[float], *, key: Key, periodic: bool | Sequence[bool] = False
) -> Positions:
    """Neurons at uniformly random positions in a box that is centred on the origin.

    **Arguments:**

    - `n`: the number of neurons.
    - `extent`: the lengths of the box in um, one for each dimension.
    - `key`: a JAX key.
    - `periodic`: whether the box closes on itself, for all axes or for each.

    **Returns:** [`brainfn.connect.Positions`][].
    """
    n = count("n", n)
    sides: Any = tuple(extent) if isinstance(extent, list | tuple) else (extent,)
    if not all(_is_number(side) and 0 < side < math.inf for side in sides):
        raise ValueError(f"`extent` must be positive lengths in um, got {extent!r}.")
    closed = _for_each(periodic, len(sides))
    if len(closed) != len(sides) or not all(isinstance(c, bool) for c in closed):
        raise ValueError(f"`periodic` must be a bool, or one for each axis, got {periodic!r}.")
    words = np.asarray(key_words(check_key("scattered", key)))
    counter = np.arange(n, dtype=np.uint32)[:, None], np.arange(len(sides), dtype=np.uint32)
    high, low = threefry(words, *counter)
    u = high * 2.0**-32 + low * 2.0**-64
    values = (u - 0.5) * np.asarray(sides, np.float64)
    return Positions(values, [s if c else None for s, c in zip(sides, closed, strict=True)])


def _for_each(value: Any, n: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,) * n


def check_positions(rule: str, pre: Any, post: Any) -> None:
    """Raises unless both are positions in the same space."""
    for name, value in (("pre", pre), ("post", post)):
        if not isinstance(value, Positions):
            raise TypeError(
                f"`{name}` of {rule} must be positions, got {type(value).__name__}: {value!r:.100}."
                " Try bf.connect.grid((20, 30), spacing=10.0) or bf.connect.Positions(array)."
            )
    if pre.period != post.period:
        raise ValueError(
            f"`pre` and `post` of {rule} must be positions in the same space, got {pre.dimensions} "
            f"and {post.dimensions} dimensions with periods {pre.period} and {post.period}."
        )


def check_fits(rule: str, pre: Positions, post: Positions, n_pre: int, n_post: int) -> None:
    """Raises unless there is one position for each neuron."""
    for name, positions, n in (("pre", pre, n_pre), ("post", post, n_post)):
        if positions.size != n:
            raise ValueError(
                f"`{name}` of {rule} must have one position for each of {n} neurons, got "
                f"{positions.size}."
            )
