"""Atomic files: a process killed at any moment leaves them whole or absent."""

import contextlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file atomically, so that it is whole or absent even if the process is killed: it is
    written under another name and then renamed."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    # The new name is on disk only once its folder is synced. Not every system can open folders.
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=1) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """An uncompressed `.npz`. Unlike `numpy.savez` it accepts any array name."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, array in arrays.items():
                with archive.open(name + ".npy", "w", force_zip64=True) as member:
                    # A shape of () is preserved; dtypes that NumPy lacks are stored as raw bytes.
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    write_whole(path, write)


class DamagedFileError(ValueError):
    """A file of a run that can't be read: cut short, overwritten, or not written by brainfn."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Report any error while a file is read with its name."""
    try:
        yield
    except FileNotFoundError:
        raise DamagedFileError(f"`folder`: the file {os.fspath(path)!r} is missing.") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DamagedFileError(
            f"`folder`: the file {os.fspath(path)!r} is damaged ({type(error).__name__})."
        ) from None


def read_array(path: Path, name: str, dtype: Any = None) -> np.ndarray:
    """One array of an `.npz`, with its `dtype` restored if NumPy lacks it."""
    with reading(path), zipfile.ZipFile(path) as archive, archive.open(name + ".npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        # The archive verifies its checksum only at the end of the data.
        member.read()
        return array if dtype is None or array.dtype == dtype else array.view(dtype)


def check_archive(path: Path) -> None:
    """Raise `DamagedFileError` unless the file is an archive with all its bytes; the contents are
    compared with their checksums when they are read."""
    with reading(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            archive.open(member).close()
