"""The folder of a run: its fingerprint, its records, and the snapshot to resume from."""

import json
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from ._files import (
    DamagedFileError,
    check_archive,
    read_array,
    reading,
    write_arrays,
    write_json,
)
from ._fingerprint import differences, host_array

_FORMAT = 2


class RunFolder:
    """Files of a run, each of which stays whole even if the process is killed.

    - `run.json`: the fingerprint of the run.
    - `snapshot.npz`: the latest state from which it can be resumed; `snapshot.before.npz`: the one
      before, in case that is damaged.
    - `records/`: the records, a `.npz` for each chunk.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.records = self.path / "records"
        self._manifest = self.path / "run.json"
        self._snapshot = self.path / "snapshot.npz"
        self._before = self.path / "snapshot.before.npz"
        # The snapshot that was found intact, to be loaded.
        self._found = self._snapshot

    def check(self, resume: bool) -> None:
        """Raise if the folder can't be used, before anything is written."""
        name = os.fspath(self.path)
        if "\0" in name:
            raise ValueError(
                f"`folder` must be a path, got {name!r}, which contains a null character."
            )
        for parent in self.path.parents:
            if parent.exists() and not parent.is_dir():
                raise ValueError(
                    f"`folder`: {name!r} can't be created, since {os.fspath(parent)!r} is a file. "
                    "Try another path."
                )
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"`folder` must be a folder, but {name!r} is a file.")
        present = self._manifest.exists()
        if present and not resume:
            raise ValueError(
                f"`folder`: {name!r} already contains a run. Try resume=True to continue it, or "
                "another folder."
            )
        if present or not self.path.exists():
            return
        # A process killed during the very first write leaves a temporary file instead of the
        # manifest.
        others = [p.name for p in self.path.iterdir()]
        foreign = sorted(set(others) - {"run.json.tmp", "records", "lock"})
        if "records" in others:
            # The manifest is written before any record.
            inside = [self.records] if not self.records.is_dir() else self.records.iterdir()
            foreign += sorted(os.fspath(p.relative_to(self.path)) for p in inside)
        if foreign:
            raise ValueError(
                f"`folder` must be new, empty or the folder of a run, but {name!r} holds "
                f"{foreign[0]!r}. Try another path."
            )

    def open(self, lines: dict[str, str], records: dict[str, Any]) -> dict[str, Any] | None:
        """Begin a new run here or resume the existing one.

        **Returns:** the description that `save` stored with the snapshot; `None` if there is none
        yet.
        """
        name = os.fspath(self.path)
        self.records.mkdir(parents=True, exist_ok=True)
        if not self._manifest.exists():
            about = {
                "format": _FORMAT,
                "fingerprint": lines,
                "records": records,
                "jax": jax.__version__,
            }
            write_json(self._manifest, about)
            return None
        old = self.manifest()
        changed = differences(old["fingerprint"], lines)
        if changed:
            more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
            raise ValueError(
                f"`resume`: the run in {name!r} was started with other arguments. What differs: "
                f"{', '.join(changed[:4])}{more}. Give the arguments of that run, or another "
                "folder."
            )
        return self.about()

    def manifest(self) -> dict[str, Any]:
        """The contents of `run.json`."""
        with reading(self._manifest):
            about = json.loads(self._manifest.read_bytes())
            if not isinstance(about["fingerprint"], dict):
                raise TypeError
        if about["format"] != _FORMAT:
            raise ValueError(
                f"`folder`: {os.fspath(self.path)!r} was written by another version of brainfn."
            )
        return about

    def about(self) -> dict[str, Any] | None:
        """The description that `save` stored with the latest intact snapshot; `None` if there is
        none."""
        present = [path for path in (self._snapshot, self._before) if path.exists()]
        trouble: list[str] = []
        for path in present:
            try:
                check_archive(path)
                with reading(path), zipfile.ZipFile(path) as archive:
                    broken = archive.testzip()
                    if broken is not None:
                        raise ValueError(broken)
                about = json.loads(str(read_array(path, "about")))
            except DamagedFileError as error:
                trouble.append(str(error))
                continue
            if trouble:
                warnings.warn(
                    f"{trouble[0]} The run continues from the previous snapshot, after "
                    f"{about['steps']} steps.",
                    stacklevel=4,
                )
            self._found = path
            return about
        if trouble:
            raise DamagedFileError(
                f"{' '.join(trouble)} There is no other snapshot. Remove it to restart the run "
                "from its beginning; its records can be read with brainfn.load."
            )
        return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock out other processes. The system frees the lock whenever and however the process
        ends."""
        try:
            import fcntl
        except ImportError:  # not available on this system
            yield
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / "lock", "wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(
                    f"`folder`: another process is running in {os.fspath(self.path)!r}."
                ) from None
            yield

    def save(self, tree: Any, about: dict[str, Any]) -> None:
        """Replace the snapshot: a pytree, and its description, which `open` returns."""
        arrays = [host_array(x) for x in jtu.tree_leaves(tree) if _is_array(x)]
        if self._snapshot.exists() and self._found == self._snapshot:
            os.replace(self._snapshot, self._before)
        named = {str(i): array for i, array in enumerate(arrays)}
        write_arrays(self._snapshot, {"about": np.asarray(json.dumps(about)), **named})
        self._found = self._snapshot

    def load(self, like: Any) -> Any:
        """The pytree of the snapshot, in the structure, shapes and dtypes of `like`."""
        leaves, structure = jtu.tree_flatten(like)
        out, i = [], 0
        for leaf in leaves:
            if not _is_array(leaf):
                out.append(leaf)
                continue
            loaded = jnp.asarray(read_array(self._found, str(i), host_array(leaf).dtype))
            i += 1
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                loaded = jax.random.wrap_key_data(loaded, impl=jax.random.key_impl(leaf))
            if loaded.shape != leaf.shape:
                raise ValueError(
                    f"`resume`: the snapshot in {os.fspath(self.path)!r} does not fit this model: "
                    f"it has an array of shape {loaded.shape} where {leaf.shape} is expected."
                )
            out.append(loaded)
        return jtu.tree_unflatten(structure, out)


def _is_array(x: Any) -> bool:
    return isinstance(x, jax.Array | np.ndarray)
