"""The folder of a run: what it was made of, its records, and the snapshot to resume from."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from ._files import read_array, write_arrays, write_json
from ._fingerprint import differences, host_array

_FORMAT = 1


class RunFolder:
    """Files of a run, each of which is whole whenever the process is killed.

    - `run.json`: the fingerprint of what the run was made of.
    - `snapshot.npz`: the latest state from which it can be resumed.
    - `records/`: what was recorded, a `.npz` for each chunk.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.records = self.path / "records"
        self._manifest = self.path / "run.json"
        self._snapshot = self.path / "snapshot.npz"

    def check(self, resume: bool) -> None:
        """Raise if the folder can't be used, before anything is written."""
        name = os.fspath(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"`folder` must be a folder, but {name!r} is a file.")
        present = self._manifest.exists()
        if present and not resume:
            raise ValueError(
                f"`folder`: {name!r} holds a run already. Try resume=True to continue it, or "
                "another folder."
            )
        others = [] if not self.path.exists() else [p.name for p in self.path.iterdir()]
        # A kill during the very first write leaves a file that is not yet the manifest.
        if not present and set(others) - {"run.json.tmp", "records", "lock"}:
            raise ValueError(
                f"`folder` must be new, empty or the folder of a run, but {name!r} holds "
                f"{sorted(others)[0]!r}."
            )

    def open(self, lines: dict[str, str]) -> dict[str, Any] | None:
        """Begin a new run here or take up the one that is here.

        **Returns:** what `save` was told about the snapshot; `None` if there is none yet.
        """
        name = os.fspath(self.path)
        self.records.mkdir(parents=True, exist_ok=True)
        if not self._manifest.exists():
            about = {"format": _FORMAT, "fingerprint": lines, "jax": jax.__version__}
            write_json(self._manifest, about)
            return None
        old = json.loads(self._manifest.read_text())
        if old["format"] != _FORMAT:
            raise ValueError(f"`folder`: {name!r} was written by another version of brainfn.")
        changed = differences(old["fingerprint"], lines)
        if changed:
            more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
            raise ValueError(
                f"`resume`: the run in {name!r} was made of something else. What differs: "
                f"{', '.join(changed[:4])}{more}. Give the arguments of that run, or another "
                "folder."
            )
        if not self._snapshot.exists():
            return None
        return json.loads(str(read_array(self._snapshot, "about")))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out. The system frees the lock when a process ends, however."""
        try:
            import fcntl
        except ImportError:  # not on this system
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
        """Replace the snapshot: a pytree, and something about it for `open` to return."""
        arrays = [host_array(x) for x in jtu.tree_leaves(tree) if _is_array(x)]
        named = {str(i): array for i, array in enumerate(arrays)}
        write_arrays(self._snapshot, {"about": np.asarray(json.dumps(about)), **named})

    def load(self, like: Any) -> Any:
        """The pytree of the snapshot, in the structure, shapes and dtypes of `like`."""
        leaves, structure = jtu.tree_flatten(like)
        out, i = [], 0
        for leaf in leaves:
            if not _is_array(leaf):
                out.append(leaf)
                continue
            loaded = jnp.asarray(read_array(self._snapshot, str(i), host_array(leaf).dtype))
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
