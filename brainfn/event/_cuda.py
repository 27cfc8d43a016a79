"""Finds, loads and registers the CUDA kernels, and says whether they must be deterministic."""

import ctypes
import functools as ft
import os
import pathlib
import warnings

import jax

CUDA_HANDLERS = ("brainfn_scatter", "brainfn_gather", "brainfn_sddmm", "brainfn_update")
_NAMES = ("libbrainfn_event_cuda.so", "brainfn_event_cuda.dll")
_YES, _NO = ("1", "true"), ("", "0", "false")


@ft.cache
def cuda_library() -> ctypes.CDLL | None:
    """The library of CUDA kernels with its handlers registered, or None (after one warning that
    says why).

    It is loaded when something is first lowered for a GPU. Loading it needs no driver.
    """
    if os.environ.get("BRAINFN_NATIVE", "1") == "0":
        return None
    folder = pathlib.Path(__file__).parent
    path = next((folder / name for name in _NAMES if (folder / name).exists()), None)
    if path is None:
        return _without(
            f"no CUDA library in {folder.name}/: nvcc was not found, or failed, when brainfn was "
            f"installed"
        )
    try:
        lib = ctypes.CDLL(str(path))
        for name in CUDA_HANDLERS:
            jax.ffi.register_ffi_target(
                name, jax.ffi.pycapsule(getattr(lib, name)), platform="CUDA"
            )
    except (OSError, AttributeError) as e:
        return _without(f"{path.name} could not be loaded ({e})")
    return lib


def _without(reason: str) -> None:
    warnings.warn(
        f"brainfn runs its event operators on the pure-JAX reference lowering on the GPU, which "
        f"does not skip silent neurons: {reason}.",
        RuntimeWarning,
        stacklevel=4,
    )


def deterministic() -> bool:
    """Whether results on a GPU must not depend on the order of atomic additions.

    True where the environment has `BRAINFN_DETERMINISTIC=1`, or asks the same of XLA with
    `--xla_gpu_deterministic_ops` or `--xla_gpu_exclude_nondeterministic_ops` in `XLA_FLAGS`. Both
    are read when a function is compiled. Raises `ValueError` for any other value of the variable.
    """
    value = os.environ.get("BRAINFN_DETERMINISTIC", "").lower()
    if value in _YES:
        return True
    if value not in _NO:
        raise ValueError(
            f"BRAINFN_DETERMINISTIC must be 0 or 1, got {os.environ['BRAINFN_DETERMINISTIC']!r}."
        )
    wanted = False
    for flag in os.environ.get("XLA_FLAGS", "").split():
        name, _, setting = flag.partition("=")
        if name in ("--xla_gpu_deterministic_ops", "--xla_gpu_exclude_nondeterministic_ops"):
            wanted |= setting.lower() not in ("0", "false")
    return wanted
