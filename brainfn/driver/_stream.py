"""Storage of records while a simulation runs: host memory or a folder."""

import abc
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ._files import DamagedFileError, check_archive, read_array, reading, write_arrays

# The names of our files. Anything else in the folder is neither read nor removed.
_CHUNK = re.compile(r"(\d{10,})-(\d{10,})\.npz")
_UNFINISHED = re.compile(r"\d{10,}-\d{10,}\.npz\.tmp")


class AbstractStream(abc.ABC):
    """Named series of rows that grow chunk by chunk. A mutable object on the host."""

    @abc.abstractmethod
    def append(self, first: int, last: int, rows: Mapping[str, np.ndarray]) -> None:
        """Add the rows of steps `first` up to `last` (not included)."""

    @abc.abstractmethod
    def joined(self, last: int) -> dict[str, Any]:
        """All rows of each series up to step `last`: arrays, or objects that behave like them."""


class MemoryStream(AbstractStream):
    """Keeps records in host memory.

    **Arguments:**

    - `empty`: for each series an array without rows: its dtype and the shape of a row.
    - `totals`: number of rows of each series, if known: memory for all of them is then allocated at
      once (the system provides it page by page), and nothing is copied at the end.
    """

    def __init__(self, empty: Mapping[str, np.ndarray], totals: Mapping[str, int]):
        self._whole = {
            name: np.empty((total, *empty[name].shape[1:]), empty[name].dtype)
            for name, total in totals.items()
        }
        self._pieces = {name: [none] for name, none in empty.items() if name not in totals}
        self._ends = [(0, dict.fromkeys(empty, 0))]

    def append(self, first: int, last: int, rows: Mapping[str, np.ndarray]) -> None:
        del first
        ends = dict(self._ends[-1][1])
        for name, new in rows.items():
            start, ends[name] = ends[name], ends[name] + len(new)
            if name in self._whole:
                self._whole[name][start : ends[name]] = new
            else:
                self._pieces[name].append(np.array(new))
        self._ends.append((last, ends))

    def joined(self, last: int) -> dict[str, Any]:
        # An interrupt may have occurred between two series: count only rows of finished chunks.
        ends = [ends for step, ends in self._ends if step <= last][-1]
        out = {}
        for name, end in ends.items():
            if name in self._whole:
                out[name] = self._whole[name][:end]
            else:
                out[name] = np.concatenate(self._pieces[name])[:end]
        return out


class FolderStream(AbstractStream):
    """Keeps records in a folder, a `.npz` for each chunk, named by its steps.

    **Arguments:**

    - `folder`: an existing folder.
    - `empty`: for each series an array without rows: its dtype and the shape of a row.
    - `dense`: the series that have a row for each `every` steps.
    """

    def __init__(
        self, folder: Path, empty: Mapping[str, np.ndarray], dense: Iterable[str], every: int
    ):
        self._folder, self._every = folder, every
        self._empty, self._dense = dict(empty), frozenset(dense)

    def append(self, first: int, last: int, rows: Mapping[str, np.ndarray]) -> None:
        if rows:
            write_arrays(self._folder / f"{first:010d}-{last:010d}.npz", rows)

    def joined(self, last: int) -> dict[str, Any]:
        chunks = [chunk for chunk in _chunks(self._folder) if chunk[1] <= last]
        paths = [path for _, _, path in chunks]
        rows = [(stop - start) // self._every for start, stop, _ in chunks]
        return {
            name: StoredArray(paths, name, none, rows if name in self._dense else None)
            for name, none in self._empty.items()
        }

    def whole_until(self) -> int:
        """The step up to which records exist without a gap."""
        expected = 0
        for start, stop, _ in _chunks(self._folder):
            if start == expected:
                expected = stop
        return expected

    def cut(self, first: int, last: int) -> None:
        """Remove records after step `last`; raise unless all steps from `first` on are present."""
        for path in self._folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):
                path.unlink()
        expected = first
        for start, stop, path in _chunks(self._folder):
            if stop > last:
                path.unlink()
                continue
            if start != expected:
                break
            try:
                check_archive(path)
            except DamagedFileError as error:
                raise DamagedFileError(
                    f"{error} It contains the records of steps {start} to {stop}, which are before "
                    "the snapshot and are not recomputed. The others can be read with "
                    "brainfn.load; restart the run in another folder."
                ) from None
            expected = stop
        if expected != last and self._empty:
            raise ValueError(
                f"`resume`: records of steps {expected} to {last} are missing in "
                f"{os.fspath(self._folder)!r}. Restart in another folder."
            )


def _chunks(folder: Path) -> list[tuple[int, int, Path]]:
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        name = _CHUNK.fullmatch(path.name)
        if name is not None:
            found.append((int(name[1]), int(name[2]), path))
    return sorted(found)


class StoredArray:
    """A recorded array on disk, stored in chunks and read on access.

    `np.asarray(stored)` reads all of it, `stored[1000:2000]` only the chunks concerned, and
    `stored.chunks()` iterates over it in pieces. `shape`, `dtype` and `len` are those of the whole.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        name: str,
        empty: np.ndarray,
        lengths: list[int] | None = None,
    ):
        self._paths, self._name, self._empty = tuple(paths), name, empty
        # Known from the file names, or read from the files on access.
        self._lengths = lengths

    @property
    def dtype(self) -> np.dtype:
        return self._empty.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self._empty.shape[1:])

    @property
    def ndim(self) -> int:
        return self._empty.ndim

    def chunks(self) -> Iterator[np.ndarray]:
        """The chunks in the order of time."""
        for path in self._paths:
            yield self._read(path)

    def __len__(self) -> int:
        return sum(self._row_counts())

    def __getitem__(self, index: Any) -> Any:
        first = index[0] if isinstance(index, tuple) and index else index
        if isinstance(first, int | np.integer):
            row = range(len(self))[int(first)]
            start, stop, new = row, row + 1, 0
        elif isinstance(first, slice) and (first.step is None or first.step > 0):
            start, stop, step = first.indices(len(self))
            new = slice(0, max(stop - start, 0), step)
        else:
            return np.asarray(self)[index]
        part = self._rows(start, stop)
        return part[(new, *index[1:])] if isinstance(index, tuple) else part[new]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a record on disk can't be read without copying it into memory.")
        array = np.concatenate([self._empty, *self.chunks()])
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"StoredArray(shape={self.shape}, dtype={self.dtype})"

    def _rows(self, start: int, stop: int) -> np.ndarray:
        parts, end = [self._empty], 0
        for path, length in zip(self._paths, self._row_counts(), strict=True):
            begin, end = end, end + length
            if begin < stop and end > start:
                parts.append(self._read(path)[max(start - begin, 0) : stop - begin])
        return np.concatenate(parts)

    def _read(self, path: Path) -> np.ndarray:
        return read_array(path, self._name, self.dtype)

    def _row_counts(self) -> list[int]:
        if self._lengths is None:
            self._lengths = [_length(path, self._name) for path in self._paths]
        return self._lengths


def _length(path: Path, name: str) -> int:
    """The number of rows, from the header alone."""
    with reading(path), zipfile.ZipFile(path) as archive, archive.open(name + ".npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        return read(member)[0][0]
