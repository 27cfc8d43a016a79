"""Settings of a run, its cost, and what is written about it."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .._config import config_dict


class Settings(NamedTuple):
    """The user's settings."""

    name: str
    variant: str
    scale: float
    duration: float
    dt: float
    seed: int
    precision: int
    folder: str
    plot: bool


class Timing(NamedTuple):
    """Wall time in seconds."""

    build: float
    compile: float
    run: float


def check_plot(settings: Any) -> None:
    """Fails before the work, not after it, if a picture can't be drawn."""
    if settings.plot:
        from ..plot import new_figure

        new_figure(1.0, 1.0)


def peak_memory() -> float | None:
    """The peak memory of this process in bytes; `None` if the system doesn't report it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def write_summary(settings: Any, figures: Mapping[str, float], about: dict[str, Any]) -> str:
    """Writes `summary.json`, and returns its path."""
    path = os.path.join(settings.folder, "summary.json")
    finite = {name: value if np.isfinite(value) else None for name, value in figures.items()}
    document = {
        "settings": settings._asdict(),
        "figures": finite,
        **about,
        "peak_memory_bytes": peak_memory(),
        "config": config_dict(),
    }
    with open(path, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    return path
