"""What a run was made of, as text: two runs that differ in anything give different fingerprints."""

import hashlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np


def fingerprint(**parts: Any) -> dict[str, str]:
    """A line for each leaf of some pytrees, under the path that a user knows it by; and one for
    the structure of each, static fields included.

    Arrays count with all their values, functions with their names only.
    """
    lines: dict[str, str] = {}
    for name, tree in parts.items():
        leaves, structure = jtu.tree_flatten_with_path(tree)
        lines[name] = digest(_stable(str(structure)).encode())
        for path, leaf in leaves:
            lines[name + jtu.keystr(path)] = _describe(leaf)
    return lines


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """The paths at which two fingerprints differ, arrays before structures."""
    changed = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    return sorted(changed, key=lambda path: (path.isidentifier(), path))


def digest(data: Any) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def host_array(x: Any) -> np.ndarray:
    """An array as NumPy's; a random key as the numbers it consists of."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    return np.asarray(jax.device_get(x))


def _describe(leaf: Any) -> str:
    if isinstance(leaf, jax.Array | np.ndarray):
        host = np.ascontiguousarray(host_array(leaf))
        return f"{leaf.dtype}{leaf.shape} {digest(host.reshape(-1).view(np.uint8))}"
    name = getattr(leaf, "__qualname__", None)
    if callable(leaf) and name is not None:
        # Not the module: a script is `__main__`, and another name where it is imported.
        return name
    return _stable(repr(leaf))


def _stable(text: str) -> str:
    """Without the addresses that differ from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)
