"""`brainfn run` for an experiment that is not one run of one network."""

import os
import time
from typing import Any, cast

import jax.random as jr
import numpy as np

from ..zoo import Entry
from ._report import print_costs, print_figures
from ._settings import Settings, check_plot, peak_memory, write_summary


def run_experiment(entry: Entry, settings: Settings) -> None:
    """Run the experiment, print its results, and write them to the folder."""
    check_plot(settings)
    variant = entry.variants[settings.variant]
    print(f"{variant.title}: {variant.source}", flush=True)
    assert entry.experiment is not None
    start = time.perf_counter()
    outcome = entry.experiment(
        settings.variant,
        scale=settings.scale,
        duration=settings.duration,
        dt=settings.dt,
        key=jr.key(settings.seed),
    )
    wall = time.perf_counter() - start
    print(outcome.size)
    theirs = {
        who: figures for who, windows in variant.reference.items() for figures in [windows[""]]
    }
    print_figures("results", entry, outcome.figures, theirs, settings.scale)
    rows = [
        ("all of it", f"{wall:.2f} s", "with building and compilation"),
        ("real-time factor", f"{1e3 * wall / outcome.model_time:.3g}", "wall time / model time"),
    ]
    print_costs(rows, peak_memory())
    arrays = os.path.join(settings.folder, "results.npz")
    np.savez(arrays, **cast(dict[str, Any], outcome.arrays))
    about = {"seconds": wall, "model_time_ms": outcome.model_time, "size": outcome.size}
    paths = [arrays, write_summary(settings, outcome.figures, about)]
    if settings.plot and outcome.picture is not None:
        paths.insert(0, os.path.join(settings.folder, "overview.png"))
        outcome.picture().savefig(paths[0])
    print("\n".join(f"wrote {path}" for path in paths))
