"""`brainfn train`: build, train, print, draw, write."""

import os
import time
from typing import Any, NamedTuple

import jax.random as jr

from ..learn import fit
from ..tasks import Task
from ._report import print_costs, print_figures
from ._settings import check_plot, peak_memory, write_summary


class TrainSettings(NamedTuple):
    """The user's settings of a training."""

    name: str
    variant: str
    epochs: int
    batch: int
    seed: int
    precision: int
    data: str | None
    folder: str
    resume: bool
    plot: bool


def run_training(task: Task, settings: TrainSettings) -> None:
    """Train, print the results, and write them to the folder."""
    check_plot(settings)
    variant = task.variants[settings.variant]
    print(f"{task.name}, {variant.title}: {task.source}", flush=True)
    checkpoint = os.path.join(settings.folder, "checkpoint")
    if not settings.resume:
        _remove(os.path.join(checkpoint, "training.eqx"))
    start = time.perf_counter()
    ready = task.build(
        batch=settings.batch,
        epochs=settings.epochs,
        key=jr.key(settings.seed),
        path=settings.data,
        **variant.settings,
    )
    build = time.perf_counter() - start
    print(f"{ready.size}; {ready.examples:,} examples, batches of {settings.batch}", flush=True)
    start = time.perf_counter()
    done = fit(
        ready.step,
        ready.state,
        ready.batches,
        epochs=settings.epochs,
        evaluate=ready.evaluate,
        checkpoint=checkpoint,
    )
    wall = time.perf_counter() - start
    if done.interrupted:
        print(f"interrupted after {len(done.records)} epochs; --resume goes on")
    if not done.records:
        raise KeyboardInterrupt
    # Not the best one: that would be chosen by the examples that it is tested with.
    last = done.records[-1]
    figures = {k: v for k, v in last.items() if k not in ("epoch", "seconds")}
    print_figures(f"after {last['epoch'] + 1} epochs", task, figures, variant.reference, 1.0)
    # The first epoch has the compilation.
    seconds = [r["seconds"] for r in done.records]
    per_epoch = sum(seconds[1:]) / len(seconds[1:]) if seconds[1:] else seconds[0]
    rows = [
        ("build", f"{build:.2f} s", "network and data"),
        ("training", f"{wall:.2f} s", f"{len(seconds)} epochs, with compilation and tests"),
        ("an epoch", f"{per_epoch:.2f} s", "with its test"),
        ("examples", f"{ready.examples / per_epoch:,.0f}/s", ""),
    ]
    print_costs(rows, peak_memory())
    about: dict[str, Any] = {"size": ready.size, "seconds": wall, "records": done.records}
    paths = [write_summary(settings, figures, about)]
    if settings.plot:
        paths.insert(0, os.path.join(settings.folder, "overview.png"))
        ready.picture(done).savefig(paths[0])
    print("\n".join(f"wrote {path}" for path in paths))


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.remove(path)
