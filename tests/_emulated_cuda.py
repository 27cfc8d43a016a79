"""Runs the source of the CUDA kernels on the CPU: compiled as C++, a launch is a loop over its teams.

The sizes from which work is divided are made small, so that small matrices take every branch.
As a plugin (`pytest -p _emulated_cuda FILE...`) it puts any test of the operators on these kernels.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
import tempfile

import jax
import jaxlib

SIZES = {"TEAMS": 16, "SEGMENT": 16, "LONG_ROW": 64}


def compiler() -> str | None:
    """A C++ compiler, or None."""
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


def build(folder: pathlib.Path) -> ctypes.CDLL:
    """Compiles the kernels for the CPU into `folder`, and registers them as `emulated_*`."""
    import brainfn.event as ev

    source = pathlib.Path(ev.__file__).parent / "native" / "cuda"
    include = pathlib.Path(jaxlib.__file__).parent / "include"
    path = folder / "libemulated.so"
    subprocess.run(
        [
            *(compiler(), "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"),
            *("-fvisibility=hidden", "-isystem", include, "-DBRAINFN_EMULATE"),
            *(f"-DBRAINFN_CUDA_{name}={value}" for name, value in SIZES.items()),
            *("-x", "c++", source / "handlers.cc", source / "launch.cu", "-o", path),
        ],
        check=True,
    )
    lib = ctypes.CDLL(str(path))
    for name in ("scatter", "gather", "sddmm"):
        handler = jax.ffi.pycapsule(getattr(lib, f"brainfn_{name}"))
        jax.ffi.register_ffi_target(f"emulated_{name}", handler, platform="cpu")
    return lib


@contextlib.contextmanager
def operators():
    """While it lasts, every operator runs the emulated CUDA kernels, by what its lowering for CUDA
    says."""
    from brainfn.event import _bilinear, _prim

    def with_role(f, role):
        return lambda *args, **kwargs: f(role, *args, **kwargs)

    def native(role, *avals, spec):
        call = _bilinear.cuda_call(role, *avals, spec=spec)
        return call and call._replace(target=call.target.replace("brainfn", "emulated"))

    old, available = dict(_bilinear._OPERATORS), _prim.handler_available
    for role, name in enumerate(("gather", "scatter", "sddmm")):
        _bilinear._OPERATORS[role] = _prim.define(
            f"emulated_{name}",
            reference=with_role(_bilinear._reference, role),
            outputs=with_role(_bilinear._outputs, role),
            native=with_role(native, role),
            jvp=with_role(_bilinear._jvp, role),
            accumulate=with_role(_bilinear._transpose, role),
            batch=with_role(_bilinear._batch, role),
        )
    _prim.handler_available = lambda target, platform="cpu": (
        target.startswith("emulated") or available(target, platform)
    )
    jax.clear_caches()
    try:
        yield
    finally:
        _bilinear._OPERATORS.update(old)
        _prim.handler_available = available
        jax.clear_caches()


def pytest_sessionstart(session):
    del session
    build(pathlib.Path(tempfile.mkdtemp()))
    operators().__enter__()
