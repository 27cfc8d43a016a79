"""The commands."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import jax

from .._config import show_config
from .._errors import whole_steps
from ._experiment import run_experiment
from ._parser import choose, choose_task, fail, listing, make_parser, task_listing
from ._run import run_network
from ._settings import Settings
from ._train import TrainSettings, run_training


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    **Arguments:**

    - `arguments`: the command-line arguments; by default those of this process.

    **Returns:** the exit code: 0, 130 after Ctrl-C. Wrong arguments exit with 2.
    """
    parser = make_parser(_version())
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    if options.command == "info":
        show_config()
        return 0
    if options.list:
        print(listing() if options.command == "run" else task_listing())
        return 0
    prog = f"{parser.prog} {options.command}"
    work = _training(prog, options) if options.command == "train" else _run(prog, options)
    try:
        work()
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, ImportError, MemoryError, OSError, ArithmeticError) as error:
        fail(prog, str(error))
    return 0


def _run(prog: str, options: Any) -> Callable[[], None]:
    """The run of a network, its arguments checked."""
    entry, variant = choose(prog, options.network, options.variant)
    duration = entry.duration if options.duration is None else options.duration
    dt = entry.dt if options.dt is None else options.dt
    try:
        whole_steps("--duration", duration, dt, minimum=1)
        for what, value in entry.multiples.items():
            whole_steps(what, value, dt, minimum=1)
    except ValueError as error:
        fail(prog, str(error))
    name = f"{entry.name}-{variant}" if len(entry.variants) > 1 else entry.name
    folder = options.out or os.path.join("results", name)
    _check_folder(prog, folder)
    jax.config.update("jax_enable_x64", options.precision == 64)
    settings = Settings(
        name=name,
        variant=variant,
        scale=entry.scale if options.scale is None else options.scale,
        duration=duration,
        dt=dt,
        seed=options.seed,
        precision=options.precision,
        folder=folder,
        plot=not options.no_plot,
    )
    how = run_network if entry.experiment is None else run_experiment
    return lambda: how(entry, settings)


def _training(prog: str, options: Any) -> Callable[[], None]:
    """A training, its arguments checked."""
    task, variant = choose_task(prog, options.task, options.variant)
    name = f"{task.name}-{variant}" if len(task.variants) > 1 else task.name
    folder = options.out or os.path.join("results", f"train-{name}")
    _check_folder(prog, folder)
    jax.config.update("jax_enable_x64", options.precision == 64)
    settings = TrainSettings(
        name=name,
        variant=variant,
        epochs=options.epochs or task.epochs,
        batch=options.batch or task.batch,
        seed=options.seed,
        precision=options.precision,
        data=options.data,
        folder=folder,
        resume=options.resume,
        plot=not options.no_plot,
    )
    return lambda: run_training(task, settings)


def _check_folder(prog: str, folder: str) -> None:
    """Create the folder, and check that it is writable, before any work."""
    try:
        os.makedirs(folder, exist_ok=True)
        probe = os.path.join(folder, ".brainfn-probe")
        with open(probe, "w"):
            pass
        os.remove(probe)
    except OSError as error:
        reason = error.strerror or str(error)
        fail(prog, f"cannot write to {folder!r}: {reason}. Try another folder with --out.")


def _version() -> str:
    try:
        return metadata.version("brainfn")
    except metadata.PackageNotFoundError:
        return "(not installed)"
