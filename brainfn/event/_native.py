"""Finds, loads and registers the native library; says which kernels are native."""

import ctypes
import functools as ft
import os
import pathlib
import warnings
from typing import Any

import jax

_HANDLERS = (
    "brainfn_scatter",
    "brainfn_gather",
    "brainfn_sddmm",
    "brainfn_transpose",
    "brainfn_materialize",
    "brainfn_lif",
    "brainfn_call",
)
_NAMES = ("libbrainfn_event.so", "libbrainfn_event.dylib", "brainfn_event.dll")


@ft.cache
def library() -> ctypes.CDLL | None:
    """The native library with its handlers registered, or None (after one warning that says
    why)."""
    if not enabled():
        return None
    folder = pathlib.Path(__file__).parent
    path = next((folder / name for name in _NAMES if (folder / name).exists()), None)
    if path is None:
        return _without(
            f"no native library in {folder.name}/: no C++ compiler was found when brainfn was "
            f"installed"
        )
    try:
        lib = ctypes.CDLL(str(path))
        for name in _HANDLERS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(lib, name)), platform="cpu")
    except (OSError, AttributeError) as e:
        return _without(f"{path.name} could not be loaded ({e})")
    lib.brainfn_isa.restype = ctypes.c_char_p
    return lib


def _without(reason: str) -> None:
    warnings.warn(
        f"brainfn runs its event operators on the pure-JAX reference lowering, which is much "
        f"slower: {reason}.",
        RuntimeWarning,
        stacklevel=4,
    )


_registered: set[str] = set()


def enabled() -> bool:
    """Whether native kernels are wanted: `BRAINFN_NATIVE=0` turns all of them off."""
    return os.environ.get("BRAINFN_NATIVE", "1") != "0"


def register_handler(target: str, function: Any, platform: str) -> None:
    """Makes a handler of another library known to XLA, once; a target is for one platform."""
    if target not in _registered:
        jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(function), platform=platform)
        _registered.add(target)


def handler_available(target: str) -> bool:
    """Whether the native handler `target` can be called on its platform."""
    return target in _registered or (target in _HANDLERS and library() is not None)


def kernels() -> dict[str, str]:
    """Which event kernels run natively on CPU.

    **Returns:** a dictionary from the kernel's name to `"native (AVX2)"`, `"native (generic)"` or
    `"reference"`.
    """
    lib = library()
    how = "reference" if lib is None else f"native ({lib.brainfn_isa().decode()})"
    return {name.removeprefix("brainfn_"): how for name in _HANDLERS}
