"""Rates of the gates of ion channels, with their derivatives, from mpmath at 40 digits.

    python channel_gates.py --output channel_gates.json

Needs an interpreter with `mpmath`. The formulas are those of the papers, written without any
care for 0/0: where a rate has a removable singularity its limit is taken by l'Hopital's rule.
Voltages are the singular ones, their neighbours at distances from 1e-12 to 1 mV, and every 7.5 mV
from -120 to 60 mV; each as a double, and rounded to single precision.
"""

import argparse
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
from mpmath import exp, mpf

mpmath.mp.dps = 40

Rate = Callable[[Any], Any]
D = mpmath.mpf  # decimal constants are given as text, so that 0.07 is 7/100


def over_exponential(scale: str, v0: str, k: str) -> tuple[Rate, Rate]:
    """scale * (V - V0) / (1 - exp(-(V - V0)/k)), and its derivative."""
    c, v0, k = D(scale), D(v0), D(k)

    def rate(v):
        x = v - v0
        return c * k if x == 0 else c * x / (1 - exp(-x / k))

    def slope(v):
        x = v - v0
        if x == 0:
            return c / 2
        with mpmath.workdps(120):  # two poles of second order cancel
            e = exp(-x / k)
            return +(c / (1 - e) - c * x * e / k / (1 - e) ** 2)

    return rate, slope


def exponential(scale: str, v0: str, k: str) -> tuple[Rate, Rate]:
    """scale * exp((V - V0)/k), and its derivative."""
    c, v0, k = D(scale), D(v0), D(k)
    return lambda v: c * exp((v - v0) / k), lambda v: c / k * exp((v - v0) / k)


def sigmoid(scale: str, v0: str, k: str) -> tuple[Rate, Rate]:
    """scale / (1 + exp(-(V - V0)/k)), and its derivative."""
    c, v0, k = D(scale), D(v0), D(k)

    def slope(v):
        e = exp(-(v - v0) / k)
        return c / k * e / (1 + e) ** 2

    return lambda v: c / (1 + exp(-(v - v0) / k)), slope


# Hodgkin and Huxley (1952), J. Physiol. 117:500-544, equations 12, 13, 20, 21, 23 and 24, with the
# modern sign and a rest of -65 mV: V of the paper is -(v + 65).
GATES = {
    "SodiumHH": {
        "m": (over_exponential("0.1", "-40", "10"), exponential("4", "-65", "-18")),
        "h": (exponential("0.07", "-65", "-20"), sigmoid("1", "-35", "10")),
    },
    "PotassiumHH": {
        "n": (over_exponential("0.01", "-55", "10"), exponential("0.125", "-65", "-80")),
    },
}
SINGULAR = {"SodiumHH": [-40.0], "PotassiumHH": [-55.0]}
DISTANCES = [1e-12, 1e-9, 1e-6, 1e-3, 1.0]


def to_single(x: float) -> float:
    return struct.unpack("f", struct.pack("f", x))[0]


def voltages(channel: str) -> list[float]:
    grid = {-120.0 + 7.5 * i for i in range(25)}
    for v0 in SINGULAR[channel]:
        grid |= {v0} | {v0 + sign * d for d in DISTANCES for sign in (-1, 1)}
    return sorted(grid | {to_single(v) for v in grid})


def table(channel: str) -> dict[str, Any]:
    grid = voltages(channel)
    gates = {}
    for name, ((alpha, d_alpha), (beta, d_beta)) in GATES[channel].items():
        rows: dict[str, list[float]] = {
            key: [] for key in ("alpha", "beta", "d_alpha", "d_beta", "steady", "d_steady")
        }
        for x in grid:
            v = mpf(x)
            a, b, da, db = alpha(v), beta(v), d_alpha(v), d_beta(v)
            # The closed form of the slope against mpmath's own, which uses differences.
            with mpmath.workdps(120):
                for slope, rate in ((da, alpha), (db, beta)):
                    numeric = mpmath.diff(rate, v, h=mpf(10) ** -40)
                    assert abs(numeric - slope) < mpf(10) ** -30 * (1 + abs(slope)), (name, x)
            values = (a, b, da, db, a / (a + b), (da * b - a * db) / (a + b) ** 2)
            for key, value in zip(rows, values, strict=True):
                rows[key].append(float(value))
        gates[name] = rows
    return {"v": grid, "gates": gates}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    document = {
        "script": Path(__file__).name,
        "mpmath": mpmath.__version__,
        "digits": mpmath.mp.dps,
        "units": "mV, 1/ms; derivatives by mV",
        "channels": {name: table(name) for name in GATES},
    }
    args.output.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
