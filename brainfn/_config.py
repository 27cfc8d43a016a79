"""Describes this installation, for bug reports and benchmark records."""

import io
import os
import platform
import sys
from importlib import metadata

import jax

from . import event, kernel

_PACKAGES = ("brainfn", "jax", "jaxlib", "equinox", "diffrax", "optax", "numpy")


def config_dict() -> dict[str, str | int | bool | list[str] | dict[str, str]]:
    """Versions, devices, precision and kernels of this installation, ready for JSON.

    **Returns:** a dictionary with the version of every package that results depend on (`"not
    installed"` if brainfn is used from its sources), `python`, `platform`, `processor`, `cpu_count`
    (cores available to this process), `backend` and `devices` as JAX names them, `x64` (whether
    float64 is on), `kernels` (which event operators run natively) and `generated` (how the
    functions run that were compiled so far: as generated kernels or by XLA, and why).
    """
    config: dict[str, str | int | bool | list[str] | dict[str, str]] = {}
    config.update({name: _version(name) for name in _PACKAGES})
    config["python"] = platform.python_version()
    config["platform"] = platform.platform()
    config["processor"] = _processor()
    config["cpu_count"] = _cpu_count()
    config["backend"] = jax.default_backend()
    config["devices"] = [str(device) for device in jax.devices()]
    config["x64"] = bool(jax.config.read("jax_enable_x64"))
    config["kernels"] = dict(event.kernels())
    config["generated"] = kernel.reports() or {"(none)": "no function was compiled yet"}
    return config


def show_config(file: io.TextIOBase | None = None) -> None:
    """Print versions, devices, precision and which kernels are native.

    **Arguments:**

    - `file`: where to print, a text stream; standard output if `None`.

    **Returns:** nothing. For the same facts as data, see [`brainfn.config_dict`][].

    !!! example

        ```python
        import brainfn as bf

        bf.show_config()
        ```
    """
    stream = sys.stdout if file is None else file
    for name, value in config_dict().items():
        if isinstance(value, dict):
            print(f"{name}:", file=stream)
            for key, entry in value.items():
                print(f"  {key:<12} {entry}", file=stream)
        else:
            text = ", ".join(value) if isinstance(value, list) else value
            print(f"{name:<14} {text}", file=stream)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cpu_count() -> int:
    # If a process is bound to some of the cores (taskset, SLURM), only those count.
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    if sys.platform == "linux":
        with open("/proc/cpuinfo") as cpuinfo:
            for line in cpuinfo:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
