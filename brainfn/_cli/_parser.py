"""The parser and its help texts."""

import argparse
import math
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .._errors import nearest
from ..tasks import TASKS, Task
from ..zoo import NETWORKS, Entry

_INTRO = "brainfn: a differentiable brain simulator in JAX."

# The network and the task of the examples: the first ones.
_FIRST = next(iter(NETWORKS.values()))
_FIRST_TASK = next(iter(TASKS.values()))

_EXAMPLES = f"""
examples:
  python -m brainfn run {_FIRST.name:<15}  {_FIRST.size}, with a picture
  python -m brainfn run --list           which networks there are, and what is expected of them
  python -m brainfn train {_FIRST_TASK.name:<13}  {_FIRST_TASK.title}
  python -m brainfn info                 versions, devices and kernels, for a bug report
"""

_RUN = """
Simulate a well-known network, compare it with its publication and other simulators, and draw it.

{}

Scripts under one name often differ in parameters, so variants are named by the source of theirs;
`--list` shows all of them.
"""

_RUN_EXAMPLES = f"""
examples:
  python -m brainfn run {_FIRST.name}
  python -m brainfn run {_FIRST.name} --seed 3 --duration 1200 --precision 64
  python -m brainfn run {_FIRST.name} --variant {list(_FIRST.variants)[-1]}
  python -m brainfn run {_FIRST.name} --scale 100 --no-plot

output files (in results/NETWORK-VARIANT, or --out):
  overview.png   a picture: usually spikes, rates, membrane potentials, distributions
  spikes.npz     numpy.load("spikes.npz") has exc_times (ms), exc_neurons, ... by population;
                 experiments of several runs write results.npz instead
  summary.json   every figure that is printed, with all settings

the same in Python:
  import jax, brainfn as bf
  key = jax.random.key(0)
  network, inputs = {_FIRST.python.replace("VARIANT", next(iter(_FIRST.variants)))}
  out = bf.simulate(network, inputs=inputs, duration=1000.0, dt=0.1, key=key)
"""


_TRAIN = """
Train a spiking network on a task, and draw its course.

{}
"""

_TRAIN_EXAMPLES = f"""
examples:
  python -m brainfn train digits
  python -m brainfn train {_FIRST_TASK.name} --epochs 30
  python -m brainfn train {_FIRST_TASK.name} --variant {list(_FIRST_TASK.variants)[-1]} --seed 3

output files (in results/train-TASK-VARIANT, or --out):
  overview.png   a picture: the course, answers, and an example
  summary.json   every figure that is printed, the records of all epochs, and all settings
  checkpoint     for --resume: goes on where the last one ended, or was interrupted by Ctrl-C

the same in Python:
  import jax, brainfn as bf
  ready = bf.tasks.TASKS["digits"].build(epochs=10, key=jax.random.key(0))
  done = bf.learn.fit(
      ready.step, ready.state, ready.batches, epochs=10, evaluate=ready.evaluate
  )
"""


class Parser(argparse.ArgumentParser):
    """Reports errors in one line (argparse intends `error` to be overridden)."""

    def error(self, message: str) -> NoReturn:
        fail(self.prog, message)


def fail(prog: str, message: str) -> NoReturn:
    """One line on standard error, and exit code 2."""
    line = " ".join(str(message).split())
    print(f"{prog}: error: {line}", file=sys.stderr)
    sys.exit(2)


def make_parser(version: str) -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="brainfn",
        description=_INTRO,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"brainfn {version}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=Parser
    )
    run = commands.add_parser(
        "run",
        help="simulate a well-known network",
        description=_RUN.format("\n".join(f"  {e.name:<14} {e.title}" for e in NETWORKS.values())),
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("network", nargs="?", metavar="NETWORK", help="its name")
    run.add_argument("--list", action="store_true", help="list networks and variants, and stop")
    run.add_argument(
        "--variant", metavar="NAME", help="see `--list` (default: the first of the network)"
    )
    run.add_argument(
        "--scale",
        type=_positive("e.g. 1 for the published size, 0.1 for a tenth of it"),
        metavar="X",
        help="size relative to the published one (default: as `--list` says)",
    )
    run.add_argument(
        "--duration",
        type=_positive("in ms, e.g. 1000 for one second"),
        metavar="MS",
        help="model time in ms (default: as `--list` says)",
    )
    run.add_argument(
        "--dt",
        type=_positive("in ms, e.g. 0.1"),
        metavar="MS",
        help="step size in ms (default: as `--list` says)",
    )
    run.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="of connections and initial values (default: 0)",
    )
    run.add_argument(
        "--precision",
        type=_precision,
        default=32,
        metavar="BITS",
        help="32 or 64 bits for each number (default: 32)",
    )
    run.add_argument("--out", metavar="DIR", help="folder (default: results/NETWORK-VARIANT)")
    run.add_argument("--no-plot", action="store_true", help="draw no picture")
    _add_train(commands)
    commands.add_parser(
        "info",
        help="print versions, devices and kernels",
        description="Versions, devices, precision and which kernels are native.",
    )
    return parser


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="train a spiking network on a task",
        description=_TRAIN.format("\n".join(f"  {t.name:<14} {t.title}" for t in TASKS.values())),
        epilog=_TRAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("task", nargs="?", metavar="TASK", help="its name")
    train.add_argument("--list", action="store_true", help="list tasks and variants, and stop")
    train.add_argument(
        "--variant", metavar="NAME", help="see `--list` (default: the first of the task)"
    )
    for name, meaning in (("epochs", "in all"), ("batch", "examples per step")):
        train.add_argument(
            f"--{name}", type=_whole, metavar="N", help=f"{meaning} (default: as `--list` says)"
        )
    train.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of weights and order (default: 0)"
    )
    train.add_argument(
        "--precision",
        type=_precision,
        default=32,
        metavar="BITS",
        help="32 or 64 bits for each number (default: 32)",
    )
    train.add_argument("--data", metavar="DIR", help="folder of the data, where these are files")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.add_argument("--out", metavar="DIR", help="folder (default: results/train-TASK-VARIANT)")
    train.add_argument("--no-plot", action="store_true", help="draw no picture")


def choose_task(prog: str, name: str | None, variant: str | None) -> tuple[Task, str]:
    """A task and the name of its variant, or an error that lists them."""
    if name is None:
        fail(prog, f"which task? Try `brainfn train {next(iter(TASKS))}`, or `--list`.")
    if name not in TASKS:
        hint = nearest(name, TASKS) or " Try `brainfn train --list`."
        fail(prog, f"no task {name!r}, only {_listed(TASKS)}.{hint}")
    known = TASKS[name].variants
    variant = next(iter(known)) if variant is None else variant
    if variant not in known:
        hint = nearest(variant, known)
        fail(prog, f"{name} has no variant {variant!r}, only {_listed(known)}.{hint}")
    return TASKS[name], variant


def task_listing() -> str:
    """All tasks and variants: source, what is expected, and defaults."""
    lines: list[str] = []
    for name, task in TASKS.items():
        lines.append(f"{name}: {task.title}")
        lines += _indented(f"source: {task.source}", 2)
        lines.append(f"  default: --epochs {task.epochs} --batch {task.batch}")
        for place, (variant, about) in enumerate(task.variants.items()):
            default = "" if place else "  (default)"
            lines.append(f"  {name} --variant {variant}{default}")
            lines += _indented(f"{about.title}: {about.expected}", 6)
        lines.append("")
    return "\n".join(lines[:-1])


def choose(prog: str, network: str | None, variant: str | None) -> tuple[Entry, str]:
    """An entry of the zoo and the name of its variant, or an error that lists them."""
    if network is None:
        first = next(iter(NETWORKS))
        fail(prog, f"which network? Try `brainfn run {first}`, or `brainfn run --list`.")
    if network not in NETWORKS:
        for kind, entry in NETWORKS.items():
            if network.removeprefix(f"{kind}-") in entry.variants:
                name = network.removeprefix(f"{kind}-")
                fail(prog, f"write {network!r} as `{kind} --variant {name}`.")
        hint = nearest(network, NETWORKS) or " Try `brainfn run --list`."
        fail(prog, f"no network {network!r}, only {_listed(NETWORKS)}.{hint}")
    entry = NETWORKS[network]
    known = entry.variants
    variant = next(iter(known)) if variant is None else variant
    if variant not in known:
        others = [n for n, e in NETWORKS.items() if variant in e.variants]
        hint = nearest(variant, known)
        if others:
            hint = f" It belongs to {others[0]}: `brainfn run {others[0]} --variant {variant}`."
        fail(prog, f"{network} has no variant {variant!r}, only {_listed(known)}.{hint}")
    return entry, variant


def listing() -> str:
    """All networks and variants: source, size, what is expected, and defaults."""
    lines: list[str] = []
    for name, entry in NETWORKS.items():
        lines.append(f"{name}: {entry.title}")
        lines += _indented(f"source: {entry.source}", 2)
        lines += _indented(f"size: {entry.size}", 2)
        lines += _indented(f"expected: {entry.expected}", 2)
        lines.append(
            f"  default: --scale {entry.scale:g} --duration {entry.duration:g} --dt {entry.dt:g}"
        )
        for place, (variant, about) in enumerate(entry.variants.items()):
            default = "" if place else "  (default)"
            lines.append(f"  {name} --variant {variant}{default}")
            lines += _indented(about.source, 6)
            if about.expected:
                lines += _indented(about.expected, 6)
        lines.append("")
    return "\n".join(lines[:-1])


def _indented(text: str, by: int) -> list[str]:
    pad = " " * by
    return textwrap.wrap(text, 96, initial_indent=pad, subsequent_indent=pad + "  ")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _positive(hint: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number; {hint}") from None
        if not (math.isfinite(value) and value > 0):
            raise argparse.ArgumentTypeError(f"must be positive and finite, got {text}; {hint}")
        return value

    return read


def _whole(text: str) -> int:
    if not (text.isdigit() and 0 < int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"must be a positive whole number, got {text!r}; e.g. 10")
    return int(text)


def _seed(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number; e.g. 0") from None
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"must lie in [0, 2**31), got {text}; e.g. 0")
    return value


def _precision(text: str) -> int:
    if text not in ("32", "64"):
        raise argparse.ArgumentTypeError(f"must be 32 or 64, got {text!r}")
    return int(text)
