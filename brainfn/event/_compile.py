"""Compiles C++ and CUDA sources of users at first use, and keeps the libraries on disk."""

import ctypes
import functools as ft
import hashlib
import os
import pathlib
import platform as host
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import jax

from ._native import register_handler

_LOCK = threading.RLock()
_LOADED: dict[str, ctypes.CDLL] = {}
_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
_HANDLER = re.compile(r"\bXLA_FFI_DEFINE_HANDLER_SYMBOL\s*\(\s*(\w+)")


class CompileError(RuntimeError):
    """The compiler rejected the source of an operator; the message contains its output."""


class Source(NamedTuple):
    """Source of a native kernel: code, where it came from, and the handler to be called."""

    code: str
    path: str | None
    symbol: str
    platform: str  # "cpu" or "cuda"
    flags: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in messages."""
        suffix = ".cu" if self.platform == "cuda" else ".cc"
        return self.path if self.path is not None else f"{self.symbol}{suffix}"


def cache_folder() -> pathlib.Path:
    """Where compiled operators are kept: `BRAINFN_CACHE_DIR`, or the user's cache directory; an
    absolute path."""
    chosen = os.environ.get("BRAINFN_CACHE_DIR")
    if chosen:
        return pathlib.Path(chosen).expanduser().absolute()
    home = pathlib.Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif sys.platform == "win32":
        base = pathlib.Path(os.environ.get("LOCALAPPDATA", home))
    else:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return (base / "brainfn").absolute()


def compiled_target(
    source: Source, ready: Callable[[ctypes.CDLL], None] | None = None
) -> str | None:
    """Compiles, loads and registers the handler of `source`, and calls `ready` with the loaded
    library. Returns its name in XLA, or None if there is no compiler (after one warning)."""
    compiler = _compiler(source.platform)
    if compiler is None:
        return None
    command, release = compiler
    flags = _flags(source)
    parts = (
        *(source.code, source.platform, *command, release, *flags),
        *(version("jaxlib"), sys.platform, host.machine()),
        *(_processor() if "-march=native" in flags else ()),
        *_included(source),
    )
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    target = f"{source.symbol}_{key}"
    with _LOCK:
        if target not in _LOADED:
            library = _library(source, [*command, *flags], key)
            if library is None:
                return None
            try:
                function = getattr(library, source.symbol)
            except AttributeError:
                defined = sorted(set(_HANDLER.findall(source.code)))
                raise CompileError(
                    f"define: {source.name} has no handler {source.symbol!r}; it defines "
                    f"{', '.join(defined) or 'none'}. Define it with "
                    f"XLA_FFI_DEFINE_HANDLER_SYMBOL({source.symbol}, ...), or name another by "
                    "symbol=."
                ) from None
            if ready is not None:
                ready(library)
            register_handler(target, function, source.platform)
            _LOADED[target] = library
    return target


def _library(source: Source, command: list[str], key: str) -> ctypes.CDLL | None:
    """The compiled source, from the cache or newly compiled; None if it can't be stored (after a
    warning): the reference then runs."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _is_ours(folder):
            raise OSError(f"{folder} belongs to another user or can be written by others")
        path = folder / f"{key}.so"
        library = _load(path)
        if library is None:
            _compile(source, command, path)
            library = _load(path)
        return library
    except (OSError, RuntimeError) as error:
        if isinstance(error, CompileError):
            raise
        warnings.warn(
            f"brainfn runs {source.symbol} on its pure-JAX reference: its compiled kernel can't be "
            f"stored ({error}). Set BRAINFN_CACHE_DIR to a folder of your own.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


def _is_ours(path: pathlib.Path) -> bool:
    """Whether a file or folder belongs to this user and is not writable by others: its contents are
    executed."""
    if not hasattr(os, "getuid"):
        return True
    about = path.stat()
    return about.st_uid == os.getuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _load(path: pathlib.Path) -> ctypes.CDLL | None:
    """The library at `path`; None if it does not exist, belongs to another user, or is not what was
    written."""
    written = path.with_suffix(".sha256")
    try:
        if not (path.exists() and written.exists() and _is_ours(path) and _is_ours(written)):
            return None
        if written.read_text().strip() != _digest(path):
            return None
        return ctypes.CDLL(str(path))
    except OSError:
        return None  # made on another machine that shares the directory: recompiled


def _keep(made: pathlib.Path, path: pathlib.Path) -> None:
    """Writes a file atomically: it appears whole or not at all, even after a power cut."""
    with open(made, "rb+") as file:
        os.fsync(file.fileno())
    made.chmod(0o700)
    made.replace(path)


def _compile(source: Source, command: list[str], path: pathlib.Path) -> None:
    # Written next to its destination and then renamed: other processes see all of it or nothing.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".compile-") as folder:
        code = pathlib.Path(folder) / pathlib.Path(source.name).name
        code.write_text(source.code)
        made = pathlib.Path(folder) / "operator.so"
        where = [] if source.path is None else ["-I", str(pathlib.Path(source.path).parent)]
        done = subprocess.run(
            [*command, *where, str(code), "-o", str(made)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not made.exists():
            said = (done.stderr + done.stdout).replace(f"{folder}{os.sep}", "").strip()
            raise CompileError(
                f"define: {command[0]} could not compile {source.name} (exit status "
                f"{done.returncode}):\n{said}"
            )
        digest = pathlib.Path(folder) / "operator.sha256"
        digest.write_text(_digest(made) + "\n")
        _keep(made, path)
        _keep(digest, path.with_suffix(".sha256"))


def _flags(source: Source) -> list[str]:
    include = str(jax.ffi.include_dir())
    if source.platform == "cpu":
        fixed = ["-std=c++17", "-shared", "-fPIC", "-isystem", include]
        return [*fixed, *(source.flags or ("-O3", "-march=native"))]
    capability = next(str(d.compute_capability) for d in jax.devices("cuda"))
    arch = f"-arch=sm_{capability.replace('.', '')}"
    fixed = ["-std=c++17", "-shared", "-Xcompiler", "-fPIC", "-I", include, arch]
    return [*fixed, *(source.flags or ("-O3",))]


def _included(source: Source) -> list[str]:
    """The text of the headers next to the source that it includes."""
    if source.path is None:
        return []
    folder, texts, todo = pathlib.Path(source.path).parent, {}, [source.code]
    while todo:
        for name in _INCLUDE.findall(todo.pop()):
            header = folder / name
            if name not in texts and header.is_file():
                texts[name] = header.read_text()
                todo.append(texts[name])
    return [f"{name}\0{text}" for name, text in sorted(texts.items())]


def _compiler(platform: str) -> tuple[tuple[str, ...], str] | None:
    """The command and version of the compiler, or None after a warning."""
    variable, names = ("CXX", ("g++", "clang++", "c++"))
    if platform == "cuda":
        home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
        variable, names = ("NVCC", ("nvcc", os.path.join(home, "bin", "nvcc")))
    return _probe(variable, os.environ.get(variable), names, os.environ.get("PATH"))


@ft.cache
def _probe(variable: str, chosen: str | None, names: tuple[str, ...], path: str | None):
    del path  # part of the key: another search path may have another compiler
    for command in [tuple(shlex.split(chosen))] if chosen else [(name,) for name in names]:
        found = shutil.which(command[0])
        if found is None:
            continue
        done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return (found, *command[1:]), done.stdout
    looked = f"{variable}={chosen!r}" if chosen else " or ".join(names)
    warnings.warn(
        f"brainfn runs custom operators on their pure-JAX reference: no working compiler was found "
        f"({looked}). Install one, or set {variable}.",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


@ft.cache
def _processor() -> tuple[str, ...]:
    """The properties of this processor on which a library compiled for it depends."""
    info = pathlib.Path("/proc/cpuinfo")
    if not info.exists():
        return (host.processor(),)
    lines = info.read_text().splitlines()
    wanted = ("model name", "flags", "Features", "CPU part")
    return tuple(sorted({line for line in lines if line.startswith(wanted)}))
