"""Reading the folder of a run without its model."""

import os
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..record import SpikeTrains
from ._folder import RunFolder
from ._stream import FolderStream


class Loaded(eqx.Module):
    """The records of a run in a folder, see [`brainfn.load`][].

    - `ts`: times in ms of the recorded steps (their beginning), NumPy float64, shape `(time,)`.
    - `records`: by name, e.g. `"v"` or `"spikes.exc"`: arrays on disk
        ([`brainfn.StoredArray`][]) or [`brainfn.record.SpikeTrains`][].
    - `steps`: number of recorded steps.
    - `dt`: step size in ms.
    """

    ts: Float[np.ndarray, " time"]
    records: dict[str, Any]
    steps: int
    dt: float

    def __getitem__(self, name: str) -> Any:
        if name not in self.records:
            raise KeyError(f"there is no record {name!r}, only {list(self.records)}.")
        return self.records[name]


def load(folder: str | os.PathLike[str]) -> Loaded:
    """Open the records that [`brainfn.run`][] wrote to a folder, finished or not, without the
    model.

    A run that is still in progress, or was killed, is read up to its last complete chunk.

    **Arguments:**

    - `folder`: the folder that `run` was given.

    **Returns:** a [`brainfn.Loaded`][]. The names are those in `record`, joined by dots; a record
    that is not a dictionary is called `"outputs"`. Results of reducers are not in the folder before
    the run ends: resume it to get them.

    **Raises:** `ValueError` if the folder contains no run, or naming a damaged file. A damaged
    record is detected when it is read; other chunks remain readable.
    """
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"`folder` must be a path, got {type(folder).__name__}.")
    files = RunFolder(folder)
    if "\0" in os.fspath(folder) or not (Path(folder) / "run.json").is_file():
        raise ValueError(
            f"`folder`: {os.fspath(folder)!r} contains no run. Give the `folder` that brainfn.run "
            "was given."
        )
    about = files.manifest()["records"]
    empty = {
        name: np.zeros((0, *shape), jnp.dtype(dtype))
        for name, (dtype, shape) in about["series"].items()
    }
    first, every, dt = about["first"], about["every"], about["dt"]
    stream = FolderStream(files.records, empty, about["dense"], every)
    steps = stream.whole_until()
    joined = stream.joined(steps)
    records: dict[str, Any] = {}
    for name, (at, neurons, size) in about["trains"].items():
        pair = joined.pop(at), joined.pop(neurons)
        records[name] = SpikeTrains(*pair, size, first, first + steps, dt)
    rows = np.arange(1, steps // every + 1)
    return Loaded((first + rows * every - 1) * dt, {**joined, **records}, steps, dt)
