"""Available memory, and checks against it."""

import contextlib
import math
from pathlib import Path
from typing import Any

import jax
import jax.tree_util as jtu

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def free_memory() -> int | None:
    """Bytes of memory that this process may still allocate, if known: those available on the
    machine, or fewer if a container has a limit."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    for limit, used in _CGROUPS:
        with contextlib.suppress(OSError, ValueError):
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
            # A limit of about 2^63 means none.
            if left < 2**60:
                found.append(max(left, 0))
    return min(found, default=None)


def check_memory(needed: int, argument: str, what: str, hint: str) -> None:
    """Raise `MemoryError` naming the argument if `needed` bytes exceed the available memory."""
    free = free_memory()
    if free is not None and needed > free:
        raise MemoryError(
            f"`{argument}`: {what} would take {_size(needed)}, but {_size(free)} of memory are "
            f"free. {hint}"
        )


def _size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e8 else f"{n / 1e6:.1f} MB"


def array_bytes(shapes: Any) -> int:
    """Bytes of the arrays that a pytree of `jax.ShapeDtypeStruct` describes."""
    return sum(
        math.prod(x.shape) * x.dtype.itemsize
        for x in jtu.tree_leaves(shapes)
        if isinstance(x, jax.ShapeDtypeStruct)
    )
