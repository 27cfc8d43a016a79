"""The records of a run as named series of rows, and back."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.tree_util as jtu
import numpy as np

from ..record import AbstractEvents, AbstractReducer, SpikeTrains
from ._loop import Example, finish
from ._recorders import is_recorder


class Records:
    """Knows, for each recorder of a run, which series it fills and how they are returned.

    **Arguments:**

    - `record`: as given to [`brainfn.run`][].
    - `example`: shapes and dtypes of one step.
    - `every`: number of steps per row of a series that does not record events.
    """

    def __init__(self, record: Any, example: Example, every: int):
        self.record, self._output, self._every = record, example.output, every
        self._parts: list[tuple[Any, Any, list[str]]] = []
        self.empty: dict[str, np.ndarray] = {}
        self._dense: list[str] = []
        self.row_bytes = 0
        leaves = jtu.tree_leaves_with_path(record, is_leaf=is_recorder)
        for (path, recorder), kept in zip(leaves, example.kept, strict=True):
            if isinstance(recorder, AbstractReducer):
                self._parts.append((recorder, None, []))
                continue
            none = jax.tree.map(lambda x: np.zeros((0, *x.shape), x.dtype), kept)
            rows = none
            if isinstance(recorder, AbstractEvents):
                rows = recorder.decode(none, 0, self._output)
            series, structure = jtu.tree_flatten_with_path(rows)
            names = [self._name((*path, *inner)) for inner, _ in series]
            self.empty.update(zip(names, (array for _, array in series), strict=True))
            self._parts.append((recorder, structure, names))
            size = sum(math.prod(x.shape) * x.dtype.itemsize for x in jtu.tree_leaves(kept))
            if isinstance(recorder, AbstractEvents):
                size *= every
            else:
                self._dense += names
            self.row_bytes += size

    def _name(self, path: tuple[Any, ...]) -> str:
        name = jtu.keystr(path, simple=True, separator=".") or "outputs"
        while name in self.empty:
            name += "_"
        return name

    def about(self, dt: float) -> dict[str, Any]:
        """The information needed to read the series without the model, see [`brainfn.load`][]."""
        trains: dict[str, Any] = {}
        for recorder, structure, names in self._parts:
            if not isinstance(recorder, AbstractEvents):
                continue
            # Names are passed instead of rows, and come out in place of the arrays.
            result = recorder.result(jtu.tree_unflatten(structure, names), (0, 1), dt, self._output)
            for leaf in jtu.tree_leaves(result, is_leaf=lambda x: isinstance(x, SpikeTrains)):
                if isinstance(leaf, SpikeTrains):
                    name = str(leaf.steps).removesuffix("steps").rstrip(".") or "outputs"
                    trains[name] = (leaf.steps, leaf.neurons, leaf.size)
        series = {name: (str(x.dtype), x.shape[1:]) for name, x in self.empty.items()}
        return {
            "series": series,
            "dense": self._dense,
            "trains": trains,
            "every": self._every,
            "dt": dt,
        }

    def totals(self, n_steps: int) -> dict[str, int]:
        """The number of rows of each series, if known."""
        return dict.fromkeys(self._dense, n_steps // self._every)

    def dense_bytes(self, n_steps: int) -> int:
        """The memory of the series with a known number of rows."""
        arrays = [self.empty[name] for name in self._dense]
        row = sum(math.prod(x.shape[1:]) * x.dtype.itemsize for x in arrays)
        return row * (n_steps // self._every)

    def rows(self, kept: tuple[Any, ...], first: int) -> dict[str, np.ndarray]:
        """The rows that recorders kept of the chunk that begins at step `first`, on the host."""
        out: dict[str, np.ndarray] = {}
        host = jax.device_get(kept)
        for (recorder, _, names), part in zip(self._parts, host, strict=True):
            if isinstance(recorder, AbstractEvents):
                part = recorder.decode(part, first, self._output)
            out.update(zip(names, jtu.tree_leaves(part), strict=True))
        return out

    def outputs(
        self,
        joined: Mapping[str, Any],
        summaries: tuple[Any, ...],
        steps: tuple[int, int],
        dt: float,
    ) -> Any:
        """The `outputs` that [`brainfn.run`][] returns."""
        kept = []
        for recorder, structure, names in self._parts:
            part = None
            if structure is not None:
                part = jtu.tree_unflatten(structure, [joined[name] for name in names])
            if isinstance(recorder, AbstractEvents):
                part = recorder.result(part, steps, dt, self._output)
            kept.append(part)
        return finish(self.record, summaries, tuple(kept))
