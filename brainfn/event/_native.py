"""Finds, loads and registers the native library, and reports which kernels are native."""

import ctypes
import functools as ft
import os
import pathlib
import warnings
from typing import Any

import jax

from ._cuda import CUDA_HANDLERS, cuda_library

_HANDLERS = (
    "brainfn_scatter",
    "brainfn_gather",
    "brainfn_sddmm",
    "brainfn_update",
    "brainfn_update_power",
    "brainfn_update_eligibility",
    "brainfn_take_slot",
    "brainfn_put_slot",
    "brainfn_transpose",
    "brainfn_materialize",
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


def threads() -> tuple[int, int, int] | None:
    """The addresses of two functions of the native library, which run the parts of a job in its
    threads, in any order and all at once; and the number of threads. None without the library."""
    lib = library()
    if lib is None:
        return None
    both = (lib.brainfn_run_parts, lib.brainfn_run_together)
    in_parts, together = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in both)
    return in_parts, together, int(lib.brainfn_threads())


_registered: set[str] = set()


def enabled() -> bool:
    """Whether native kernels are wanted: `BRAINFN_NATIVE=0` turns all of them off."""
    return os.environ.get("BRAINFN_NATIVE", "1") != "0"


def register_handler(target: str, function: Any, platform: str) -> None:
    """Registers a handler of another library with XLA, once; a target is for one platform."""
    if target not in _registered:
        # XLA's own name: a handler registered under any other is accepted but never found.
        known_as = "CUDA" if platform == "cuda" else platform
        jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(function), platform=known_as)
        _registered.add(target)


def handler_available(target: str, platform: str = "cpu") -> bool:
    """Whether the native handler `target` can be called on `platform`, `"cpu"` or `"cuda"`."""
    if target in _registered:
        return True
    if platform == "cuda":
        return target in CUDA_HANDLERS and cuda_library() is not None
    return target in _HANDLERS and library() is not None


def kernels(platform: str = "cpu") -> dict[str, str]:
    """Which event kernels run natively.

    **Arguments:**

    - `platform`: `"cpu"` or `"cuda"`.

    **Returns:** a dictionary from the kernel's name to `"native (AVX2)"`, `"native (generic)"`,
    `"native (CUDA)"` or `"reference"`. On CUDA, kernels for which XLA's own code is as good
    (elementwise and sorting) are always `"reference"`. Raises `ValueError` for any other platform.
    """
    if platform == "cuda":
        built = CUDA_HANDLERS if cuda_library() is not None else ()
        how = {name: "native (CUDA)" if name in built else "reference" for name in _HANDLERS}
    elif platform == "cpu":
        lib = library()
        isa = "reference" if lib is None else f"native ({lib.brainfn_isa().decode()})"
        how = dict.fromkeys(_HANDLERS, isa)
    else:
        raise ValueError(f'kernels: platform must be "cpu" or "cuda", got {platform!r}.')
    return {name.removeprefix("brainfn_"): value for name, value in how.items()}
