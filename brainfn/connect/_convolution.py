"""Connections that are a convolution."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Int64

from .._custom_types import Key
from .._errors import count, from_host, is_concrete
from .._field import as_parameter
from ._check import check_synapses
from ._rule import AbstractRule, Structure, check_sizes, of_places


class Convolution(AbstractRule):
    r"""Each neuron of a sheet is connected with a window of another sheet, with weights that depend
    on the place in the window: a convolution in any number of dimensions, as sparse connections.

    $$I_{o\,y} = \sum_{c\,a} K_{o c a}\, s_{c,\ y\,\mathrm{stride} + a - \mathrm{padding}}$$

    ```python
    kernel = np.random.default_rng(0).normal(size=(8, 1, 5, 5))  # to 8 channels from 1
    rule = bf.connect.Convolution(kernel, (1, 28, 28), stride=2, padding=2)
    cells = bf.neuron.LIF(math.prod(rule.output_shape))
    bf.Projection("image", "cells", rule, ...)  # the weights are the kernel's
    ```

    As in deep learning the kernel is not mirrored. Neurons are numbered with the last axis fastest.
    Every element of the kernel makes connections, also one that is zero. The weights of a network
    are one for each synapse: they begin equal where the kernel says so, and learn independently.

    **Arguments:**

    - `kernel`: $K$, in nS or pA: the shape of the window, e.g. `(height, width)`; or with channels
        `(channels out, channels in, height, width)`.
    - `shape`: of the presynaptic sheet, e.g. `(height, width)`, or with channels `(channels in,
        height, width)`.
    - `stride`: the step from window to window, for all axes or one for each.
    - `padding`: how many silent neurons are added on each side, for all axes or one for each.

    **Raises:** `ValueError` or `TypeError`, naming the argument, where shapes do not fit.
    """

    kernel: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)
    stride: tuple[int, ...] = eqx.field(static=True)
    padding: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        kernel: Any,
        shape: Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
    ):
        kernel = as_parameter(np.asarray(kernel) if isinstance(kernel, list | tuple) else kernel)
        if not isinstance(kernel, jax.Array):
            raise TypeError(f"`kernel` must be an array of weights, got {kernel!r:.100}.")
        self.kernel = kernel
        self.shape = tuple(count("shape", n) for n in shape)
        channels = kernel.ndim == len(self.shape) + 1
        if not channels and kernel.ndim != len(self.shape):
            raise ValueError(
                f"`kernel` must have as many axes as `shape` = {self.shape}, or one more with "
                f"channels, (out, in, ...), got shape {kernel.shape}."
            )
        if channels and kernel.shape[1] != self.shape[0]:
            raise ValueError(
                f"`kernel` must have shape (channels out, channels in, ...) with {self.shape[0]} "
                f"channels in, as `shape` = {self.shape} has, got shape {kernel.shape}."
            )
        axes = len(self.shape) - channels
        self.stride = _for_each("stride", stride, axes, 1)
        self.padding = _for_each("padding", padding, axes, 0)
        if min(self._sheet(), default=1) < 1:
            raise ValueError(
                f"`kernel` of shape {kernel.shape} does not fit into `shape` = {self.shape} with "
                f"padding {self.padding}."
            )

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the postsynaptic sheet, with channels if the kernel has them."""
        channels = self.kernel.ndim > len(self.shape)
        return (self.kernel.shape[0], *self._sheet()) if channels else self._sheet()

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        del key, diagonal
        n_pre, n_post, _ = check_sizes(n_pre, n_post, None)
        for name, n, shape in (("n_pre", n_pre, self.shape), ("n_post", n_post, self.output_shape)):
            if n != np.prod(shape):
                raise ValueError(
                    f"`{name}` must be {np.prod(shape)} for Convolution, a sheet of shape {shape}, "
                    f"got {n}."
                )
        check_synapses("Convolution()", self.expected(n_pre, n_post), copies=8)
        indices, indptr = of_places(self._places()[0], n_pre, n_post)
        return from_host(indices), from_host(indptr)

    def expected(self, n_pre: int, n_post: int, *, diagonal: int | None = None) -> int:
        del n_pre, n_post, diagonal
        total = int(np.prod(self.kernel.shape[: self.kernel.ndim - len(self.stride)]))
        for source, _, _ in self._axes():
            total *= source.size
        return total

    def weights(self) -> Float[Array, " nnz"]:
        places, elements = self._places()
        order = elements[np.argsort(places, kind="stable")]
        if is_concrete(self.kernel):
            return from_host(np.asarray(self.kernel).reshape(-1)[order])
        return self.kernel.reshape(-1)[order]

    def _sheet(self) -> tuple[int, ...]:
        axes = len(self.stride)
        sizes = zip(
            self.shape[-axes:], self.kernel.shape[-axes:], self.stride, self.padding, strict=True
        )
        return tuple((n + 2 * pad - k) // step + 1 for n, k, step, pad in sizes)

    def _axes(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Along each axis: source, target and place in the window of each connection."""
        axes, found = len(self.stride), []
        for n, k, m, step, pad in zip(
            self.shape[-axes:],
            self.kernel.shape[-axes:],
            self._sheet(),
            self.stride,
            self.padding,
            strict=True,
        ):
            target, window = (x.reshape(-1) for x in np.indices((m, k)))
            source = target * step + window - pad
            inside = (source >= 0) & (source < n)
            found.append((source[inside], target[inside], window[inside]))
        return found

    def _places(self) -> tuple[Int64[np.ndarray, " nnz"], Int64[np.ndarray, " nnz"]]:
        """Source and target of each connection as one number, and its element of the kernel."""
        one = np.zeros(1, np.int64)
        source, target, element = one, one, one
        sizes = self.shape, self.output_shape, self.kernel.shape
        if self.kernel.ndim > len(self.shape):
            out, into = (x.reshape(-1) for x in np.indices(self.kernel.shape[:2]))
            source, target, element = into, out, out * self.kernel.shape[1] + into
        axes = len(self.stride)
        for a, (i, j, k) in enumerate(self._axes()):
            n, m, w = (shape[a - axes] for shape in sizes)
            source = (source[:, None] * n + i).reshape(-1)
            target = (target[:, None] * m + j).reshape(-1)
            element = (element[:, None] * w + k).reshape(-1)
        return source * int(np.prod(self.output_shape)) + target, element


def _for_each(name: str, value: Any, axes: int, minimum: int) -> tuple[int, ...]:
    each = tuple(value) if isinstance(value, list | tuple) else (value,) * axes
    if len(each) != axes:
        raise ValueError(f"`{name}` must be one number or one for each of {axes} axes, got {each}.")
    return tuple(count(name, x, minimum=minimum) for x in each)
