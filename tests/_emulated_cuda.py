"""Runs the source of the CUDA kernels on the CPU: in C++, a launch is a loop over its teams.

The sizes from which work is divided are made small, so that small matrices take every branch.
As a plugin (`pytest -p _emulated_cuda FILE...`) it puts any test of the operators on these kernels.
"""

import contextlib
import ctypes
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

import jax
import jaxlib
import pytest

SIZES = {"TEAMS": 16, "SEGMENT": 8, "LONG_ROW": 40, "TILES": 1}
HANDLERS = ("scatter", "gather", "sddmm", "update")


def compiler() -> str | None:
    """A C++ compiler, or None."""
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


@functools.cache
def library() -> ctypes.CDLL:
    """Compiles the kernels for the CPU, and registers them as `emulated_*`."""
    import brainfn.event as ev

    if compiler() is None:
        pytest.skip("no C++ compiler, which the emulation of the CUDA kernels needs")
    source = pathlib.Path(ev.__file__).parent / "native" / "cuda"
    include = pathlib.Path(jaxlib.__file__).parent / "include"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "libemulated.so"
        subprocess.run(
            [
                *(compiler(), "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared"),
                *("-fPIC", "-fvisibility=hidden", "-isystem", include, "-DBRAINFN_EMULATE"),
                *(f"-DBRAINFN_CUDA_{name}={value}" for name, value in SIZES.items()),
                *("-x", "c++", source / "handlers.cc", source / "launch.cu", "-o", path),
            ],
            check=True,
        )
        lib = ctypes.CDLL(str(path))
    for name in HANDLERS:
        handler = jax.ffi.pycapsule(getattr(lib, f"brainfn_{name}"))
        jax.ffi.register_ffi_target(f"emulated_{name}", handler, platform="cpu")
    return lib


def _renamed(cuda):
    def native(*avals, spec):
        call = cuda(*avals, spec=spec)
        return call and call._replace(target=call.target.replace("brainfn", "emulated"))

    return native


@contextlib.contextmanager
def operators():
    """While it lasts, every operator runs the emulated CUDA kernels, by what its lowering for CUDA
    says. Gives the library, whose `brainfn_emulated_order` sets the order of teams and lanes."""
    from brainfn.event import _bilinear, _prim, _update, _update_prim

    lib = library()
    old, old_update = dict(_bilinear._OPERATORS), _update._linear
    available = _prim.handler_available
    for role, name in enumerate(("gather", "scatter", "sddmm")):
        _bilinear._OPERATORS[role] = _prim.define(
            f"emulated_{name}",
            reference=functools.partial(_bilinear._reference, role),
            outputs=functools.partial(_bilinear._outputs, role),
            native=_renamed(functools.partial(_bilinear.cuda_call, role)),
            jvp=functools.partial(_bilinear._jvp, role),
            accumulate=functools.partial(_bilinear._transpose, role),
            batch=functools.partial(_bilinear._batch, role),
        )
    _update._linear = _update_prim.make(
        "emulated_update",
        _update._linear_rule,
        _renamed(_update_prim.cuda_kernel("brainfn_update")),
    )
    _prim.handler_available = lambda target, platform="cpu": (
        target.startswith("emulated") or available(target, platform)
    )
    jax.clear_caches()
    try:
        yield lib
    finally:
        lib.brainfn_emulated_order(0)
        _bilinear._OPERATORS.update(old)
        _update._linear = old_update
        _prim.handler_available = available
        jax.clear_caches()


def pytest_sessionstart(session):
    del session
    operators().__enter__()
