"""The parser and its help texts."""

import argparse
import math
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import NoReturn

from .._errors import nearest
from ..zoo import VOGELS_ABBOTT

# The networks, each with its variants: the first is the default.
NETWORKS: dict[str, list[str]] = {
    network: [name.split("-", 1)[1] for name in VOGELS_ABBOTT if name.startswith(f"{network}-")]
    for network in ("coba", "cuba")
}

_INTRO = "brainfn: a differentiable brain simulator in JAX."

_EXAMPLES = """
examples:
  python -m brainfn run coba             4000 neurons for one second, with a picture
  python -m brainfn run coba --scale 10  the same with 40 000 neurons
  python -m brainfn run --list           which networks there are, and where they come from
  python -m brainfn info                 versions, devices and kernels, for a bug report
"""

_RUN = """
Simulate a network of excitatory and inhibitory leaky integrate-and-fire neurons (Vogels and
Abbott 2005), compare it with NEST and Brian2, and draw it.

  coba    synapses are conductances: irregular bursts at about 20 Hz
  cuba    synapses are currents: irregular spikes at about 5.7 Hz

Scripts under these names differ in drive, weights and initial values, so a variant is named by the
source of its parameters; `--list` shows all of them.
"""

_RUN_EXAMPLES = """
examples:
  python -m brainfn run coba
  python -m brainfn run cuba --seed 3 --duration 1200
  python -m brainfn run coba --variant brian1 --precision 64
  python -m brainfn run coba --scale 100 --no-plot      400 000 neurons, 32 million synapses

output files (in results/NETWORK-VARIANT, or --out): overview.png raster, population rate, membrane
potentials, distributions spikes.npz numpy.load("spikes.npz") has exc_times (ms), exc_neurons,
inh_times, ... summary.json every figure that is printed, with all settings

the same in Python:
  import jax, brainfn as bf
  key = jax.random.key(0)
  network, drive = bf.zoo.vogels_abbott("coba-drive", key=key)
  out = bf.simulate(network, inputs=drive, duration=1000.0, dt=0.1, key=key)
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
        help="simulate a well-known network (coba, cuba)",
        description=_RUN,
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("network", nargs="?", metavar="NETWORK", help="coba or cuba")
    run.add_argument("--list", action="store_true", help="list networks and variants, and stop")
    variants = "; ".join(f"{name}: {', '.join(known)}" for name, known in NETWORKS.items())
    run.add_argument(
        "--variant",
        metavar="NAME",
        help=f"{variants} (default: the first)",
    )
    run.add_argument(
        "--scale",
        type=_positive("e.g. 1 for 4000 neurons, 10 for 40 000"),
        default=1.0,
        metavar="X",
        help="how many times 4000 neurons, with 80 synapses each (default: 1)",
    )
    run.add_argument(
        "--duration",
        type=_positive("in ms, e.g. 1000 for one second"),
        default=1000.0,
        metavar="MS",
        help="model time in ms (default: 1000)",
    )
    run.add_argument(
        "--dt",
        type=_positive("in ms, e.g. 0.1"),
        default=0.1,
        metavar="MS",
        help="step size in ms; 5 ms must be a whole number of steps (default: 0.1)",
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
    commands.add_parser(
        "info",
        help="print versions, devices and kernels",
        description="Versions, devices, precision and which kernels are native.",
    )
    return parser


def choose(parser: argparse.ArgumentParser, network: str | None, variant: str | None) -> str:
    """The name of a network and its variant in the zoo, or an error that lists them."""
    prog = f"{parser.prog} run"
    if network is None:
        fail(prog, "which network? Try `brainfn run coba`, or `brainfn run --list`.")
    if network not in NETWORKS:
        if network in VOGELS_ABBOTT:
            kind, _, name = network.partition("-")
            fail(prog, f"write {network!r} as `{kind} --variant {name}`.")
        fail(prog, f"no network {network!r}, only {_listed(NETWORKS)}.{nearest(network, NETWORKS)}")
    known = NETWORKS[network]
    variant = known[0] if variant is None else variant
    if variant not in known:
        others = [n for n, v in NETWORKS.items() if variant in v]
        hint = nearest(variant, known)
        if others:
            hint = f" It belongs to {others[0]}: `brainfn run {others[0]} --variant {variant}`."
        fail(prog, f"{network} has no variant {variant!r}, only {_listed(known)}.{hint}")
    return f"{network}-{variant}"


def listing() -> str:
    """All networks and variants, their sources, and the rates of other simulators."""
    lines, pad = [], "    "
    for network, variants in NETWORKS.items():
        for variant in variants:
            entry = VOGELS_ABBOTT[f"{network}-{variant}"]
            default = "  (default)" if variant == variants[0] else ""
            lines.append(f"{network} --variant {variant}{default}")
            lines += textwrap.wrap(
                entry.source, 90, initial_indent="    ", subsequent_indent="    "
            )
            figures = [
                f"{simulator} {windows['200-1200']['rate_exc']:.1f} Hz"
                for simulator, windows in entry.reference.items()
                if "200-1200" in windows
            ]
            if figures:
                lines.append(f"{pad}excitatory rate: {', '.join(figures)}")
    return "\n".join(lines)


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
