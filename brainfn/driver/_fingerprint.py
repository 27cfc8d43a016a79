"""Fingerprints of runs as text: two runs that differ in anything have different fingerprints."""

import dataclasses
import hashlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from ._callables import UNKNOWN as _UNKNOWN, callable_text


def fingerprint(**parts: Any) -> dict[str, str]:
    """A line for each leaf of some pytrees, under its path as seen by the user; and one for the
    structure of each, including static fields.

    Arrays contribute all their values; functions their code, constants, defaults, closures and used
    globals; other callables their class and attributes. Anything that can't be compared between
    processes always counts as different.
    """
    lines: dict[str, str] = {}
    for name, tree in parts.items():
        leaves, structure = jtu.tree_flatten_with_path(tree)
        lines[name] = digest(_stable(str(structure)).encode())
        for path, leaf in leaves:
            lines[name + jtu.keystr(path)] = _describe(leaf)
        for path, function in _static_functions(tree, name):
            lines[path] = _describe(function)
    return lines


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """The paths at which two fingerprints differ, arrays before structures."""
    changed = [path for path in {**old, **new} if _differ(old.get(path), new.get(path))]
    return sorted(changed, key=lambda path: (path.isidentifier(), path))


def digest(data: Any) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def host_array(x: Any) -> np.ndarray:
    """An array as a NumPy array; a random key as its raw data."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    return np.asarray(jax.device_get(x))


def _describe(leaf: Any) -> str:
    if isinstance(leaf, jax.Array | np.ndarray):
        host = np.ascontiguousarray(host_array(leaf))
        return f"{leaf.dtype}{leaf.shape} {digest(host.reshape(-1).view(np.uint8))}"
    if callable(leaf):
        return _UNKNOWN if (text := callable_text(leaf)) is None else digest(text.encode())
    return _stable(repr(leaf))


def _differ(old: str | None, new: str | None) -> bool:
    return old != new or new == _UNKNOWN


def _static_functions(tree: Any, path: str) -> list[tuple[str, Any]]:
    """Functions in the static fields of modules, which are no leaves for `jax.tree`."""
    found: list[tuple[str, Any]] = []
    if isinstance(tree, dict):
        for name, value in tree.items():
            found += _static_functions(value, f"{path}[{name!r}]")
    elif isinstance(tree, list | tuple):
        for i, value in enumerate(tree):
            found += _static_functions(value, f"{path}[{i}]")
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            value = getattr(tree, field.name, None)
            if not field.metadata.get("static"):
                found += _static_functions(value, f"{path}.{field.name}")
            elif callable(value) and not isinstance(value, type):
                found.append((f"{path}.{field.name}", value))
    return found


def _stable(text: str) -> str:
    """Remove memory addresses, which differ between processes."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)
