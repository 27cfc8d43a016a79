"""Files that are whole or not there: what a kill at any moment must leave behind."""

import contextlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file so that it is seen either whole or not at all, whenever the process is killed:
    into another file first, which then takes the name."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    # The new name is on the disk only when its folder is. Not every system can open folders.
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
    """An uncompressed `.npz`. Unlike `numpy.savez` it takes any name for an array."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, array in arrays.items():
                with archive.open(name + ".npy", "w", force_zip64=True) as member:
                    # A shape of () is kept; dtypes that NumPy lacks are stored as raw bytes.
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    write_whole(path, write)


class DamagedFileError(ValueError):
    """A file of a run that can't be read: cut short, overwritten, or not written by brainfn."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a file is read is reported with its name."""
    try:
        yield
    except FileNotFoundError:
        raise DamagedFileError(f"`folder`: the file {os.fspath(path)!r} is missing.") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DamagedFileError(
            f"`folder`: the file {os.fspath(path)!r} is damaged ({type(error).__name__})."
        ) from None


def read_array(path: Path, name: str, dtype: Any = None) -> np.ndarray:
    """One array of an `.npz`, with its `dtype` given back if NumPy lacks it."""
    with reading(path), zipfile.ZipFile(path) as archive, archive.open(name + ".npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        # Only at its end does the archive compare what was read with its checksum.
        member.read()
        return array if dtype is None or array.dtype == dtype else array.view(dtype)


def check_archive(path: Path) -> None:
    """Raise `DamagedFileError` unless the file is an archive with all its bytes; what they say is
    compared with their checksums when they are read."""
    with reading(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            archive.open(member).close()
