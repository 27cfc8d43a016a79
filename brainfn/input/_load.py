"""Spike trains from files."""

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

_TIMES = ("times", "time", "time_ms", "t", "spike_times")
_UNITS = ("units", "unit", "senders", "sender", "neurons", "neuron", "ids", "id", "gid", "gids")


def load_spikes(
    path: str | os.PathLike, *, first: int = 0
) -> tuple[Float64[np.ndarray, " spikes"], Int64[np.ndarray, " spikes"]]:
    """Times and units of spikes from a file, for [`brainfn.input.SpikeTimes`][].

    ```python
    times, units = bf.input.load_spikes("spikes.gdf", first=1)
    source = bf.input.SpikeTimes(100, times, units, stamp="end")
    ```

    - `.npz`: one array of times and one of units, called `times` and `units` or as below.
    - `.csv`, with commas, and `.gdf`, `.dat`, `.txt`, `.tsv`, with blanks or tabs: a spike in each
        line. If the first line has names (`time`, `time_ms`, `t`; `unit`, `sender`, `neuron`,
        `id`), they say which column is which; without names a line is unit and time in a `.gdf` or
        `.dat` (as NEST writes them), time and unit otherwise. Empty lines, and what follows a `#`,
        are ignored.

    **Arguments:**

    - `path`: the file.
    - `first`: the unit called 0 in the result; 1 for NEST, which counts from there.

    **Returns:** `(times, units)`: times in ms, as float64, and units from 0, in the order of the
    file.

    **Raises:** `FileNotFoundError`; `ValueError` naming the file, and the line, for what is not a
    list of spikes.
    """
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"`path`: there is no file {str(file)!r}.")
    if isinstance(first, bool) or not isinstance(first, int | np.integer):
        raise TypeError(f"`first` must be a whole number (int), got {first!r}.")
    kind = file.suffix.lower()
    if kind == ".npz":
        times, units = _from_npz(file)
    elif kind in (".csv", ".gdf", ".dat", ".txt", ".tsv"):
        times, units = _from_text(file, kind)
    else:
        raise ValueError(
            f"`path` must end with .npz, .csv, .tsv, .gdf, .dat or .txt, got {file.name!r}."
        )
    if not np.all(np.isfinite(times) & (times >= 0)):
        bad = times[~(np.isfinite(times) & (times >= 0))][0]
        raise ValueError(f"{file.name}: times must be finite and not negative (in ms), got {bad}.")
    units = units - int(first)
    if units.size and units.min() < 0:
        raise ValueError(
            f"{file.name}: units must be at least `first` = {first}, got {units.min() + first}."
        )
    return times, units


def _from_npz(file: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        stored = np.load(file, allow_pickle=False)
        names = list(stored.files)
        columns = _columns(names)
        if columns is None:
            raise ValueError(f"{file.name}: there must be arrays `times` and `units`, got {names}.")
        times, units = (np.asarray(stored[names[c]]) for c in columns)
    except ValueError as error:
        if str(error).startswith(file.name):
            raise
        raise ValueError(f"{file.name} is not a file of arrays: {error}") from None
    except Exception as error:  # NumPy raises errors of zipfile, of pickle, and others
        raise ValueError(f"{file.name} is not a file of arrays: {error}") from None
    if times.ndim != 1 or times.shape != units.shape:
        raise ValueError(
            f"{file.name}: `times` and `units` must be lists of equal length, got shapes "
            f"{times.shape} and {units.shape}."
        )
    if times.dtype.kind not in "iuf" or units.dtype.kind not in "iuf":
        raise ValueError(
            f"{file.name}: `times` and `units` must hold numbers, got dtypes {times.dtype} and "
            f"{units.dtype}."
        )
    if units.size and not np.all(units == np.floor(units)):
        raise ValueError(f"{file.name}: `units` must be whole numbers.")
    return times.astype(np.float64), units.astype(np.int64)


def _columns(names: Any) -> tuple[int, int] | None:
    """Which of the named columns are times and units."""
    lower = [str(name).strip().lower() for name in names]
    when = [lower.index(name) for name in _TIMES if name in lower]
    which = [lower.index(name) for name in _UNITS if name in lower]
    return (when[0], which[0]) if when and which else None


def _from_text(file: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    columns = (1, 0) if kind in (".gdf", ".dat") else (0, 1)
    times, units = [], []
    begun = False
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{file.name} is not a text file.") from None
    for number, line in enumerate(lines, 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        cells = next(csv.reader([line])) if kind == ".csv" else line.split()
        if not begun and not _is_number(cells[0]):
            found = _columns(cells)
            if found is None:
                raise ValueError(
                    f"{file.name}, line {number}: the names of the columns must include a time and "
                    f"a unit, such as 'time' and 'unit', got {cells}."
                )
            columns, begun = found, True
            continue
        begun = True
        try:
            when, which = float(cells[columns[0]]), float(cells[columns[1]])
        except (ValueError, IndexError):
            raise ValueError(
                f"{file.name}, line {number}: expected a time and a unit, got {line!r:.80}."
            ) from None
        if not which.is_integer():
            raise ValueError(
                f"{file.name}, line {number}: units must be whole numbers, got {which} in "
                f"{line!r:.80}. Are the columns exchanged? Give them names in the first line."
            )
        times.append(when)
        units.append(int(which))
    return np.asarray(times, np.float64), np.asarray(units, np.int64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
