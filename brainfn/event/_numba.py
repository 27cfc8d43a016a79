"""Numba functions as kernels of custom operators: compiled for each combination of dtypes and
numbers of dimensions, and called by address."""

import ctypes
import hashlib
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._native import enabled, library

_LOCK = threading.RLock()
# Kernels in use must not be garbage-collected: they are kept for the life of the process.
_COMPILED: dict[tuple, tuple[int, Any]] = {}
_IDS: set[int] = set()
_WARNED: set[str] = set()


def import_numba() -> Any:
    """The package, or an error that says how to install it."""
    try:
        import numba
    except ImportError as e:
        raise ImportError(
            "define: numba= needs the package `numba`, which is not installed. Try `pip install "
            "numba`, or give the kernel as C++ (cpp=)."
        ) from e
    return numba


def function_id(
    kernel: Callable, name: str, avals: Sequence, outputs: Sequence, static: dict[str, Any]
) -> int | None:
    """The id under which the native library knows `kernel` for these dtypes and numbers of
    dimensions; None if the library is absent (after one warning) or a dtype is not NumPy's."""
    lib = library()
    if lib is None:
        if enabled() and "numba" not in _WARNED:
            _WARNED.add("numba")
            warnings.warn(
                "brainfn runs custom operators on their pure-JAX reference: Numba kernels are "
                "called by brainfn's native library, which is absent.",
                RuntimeWarning,
                stacklevel=2,
            )
        return None
    arrays = tuple((np.dtype(a.dtype).name, len(a.shape)) for a in (*avals, *outputs))
    if any(dtype not in np.sctypeDict for dtype, _ in arrays):
        return None
    key = (kernel, arrays, tuple(sorted(static.items())))
    with _LOCK:
        if key not in _COMPILED:
            compiled = _compile(kernel, name, arrays, static)
            number = _new_id(kernel, name, key[1:])
            lib.brainfn_register_function(ctypes.c_int64(number), ctypes.c_void_p(compiled.address))
            _COMPILED[key] = (number, compiled)
        return _COMPILED[key][0]


def _compile(kernel: Callable, name: str, arrays: tuple, static: dict[str, Any]):
    numba = import_numba()
    from numba import types

    inner = kernel if isinstance(kernel, numba.core.dispatcher.Dispatcher) else numba.njit(kernel)
    # One line for each array: a view of its buffer.
    lines, start = ["def call(buffers, dimensions):"], 0
    for i, (dtype, ndim) in enumerate(arrays):
        shape = "".join(f"dimensions[{start + d}], " for d in range(ndim))
        lines.append(f"    x{i} = carray(buffers[{i}], ({shape}), np.{_numpy_name(dtype)})")
        start += ndim
    names = [f"x{i}" for i in range(len(arrays))] + [f"{k}=static_{k}" for k in static]
    lines.append(f"    kernel({', '.join(names)})")
    scope = {"np": np, "carray": numba.carray, "kernel": inner}
    scope |= {f"static_{k}": v for k, v in static.items()}
    exec("\n".join(lines), scope)
    signature = types.void(types.CPointer(types.voidptr), types.CPointer(types.int64))
    try:
        return numba.cfunc(signature)(scope["call"])
    except numba.core.errors.NumbaError as e:
        given = ", ".join(f"{dtype}[{ndim}d]" for dtype, ndim in arrays)
        raise TypeError(
            f"define: Numba could not compile the kernel of {name!r} for operands and outputs "
            f"({given}) and static {static}:\n{e}"
        ) from e


def _numpy_name(dtype: str) -> str:
    return "bool_" if dtype == "bool" else dtype


def _new_id(kernel: Callable, name: str, how: tuple) -> int:
    """An id that is the same in every process that defines the same kernel, for programs that XLA
    stores."""
    function = getattr(kernel, "py_func", kernel)
    code = function.__code__
    text = f"{name}\0{function.__qualname__}\0{code.co_code.hex()}\0{code.co_consts}\0{how}"
    for salt in range(1000):
        digest = hashlib.sha256(f"{text}\0{salt}".encode()).digest()
        number = int.from_bytes(digest[:8], "little", signed=True)
        if number not in _IDS:
            break
    _IDS.add(number)
    return number
