"""Steady states and time constants of channel gates, and their derivatives, from mpmath.

    python channel_table.py --output channel_table.json

Needs an interpreter with `mpmath`. The formulas are those of the sources named in the docstrings of
the channels, in the notation of NMODL files, without any care for overflow. Only `x / (1 - exp(-x /
k))` knows its limit at 0. Derivatives are central differences with a step of 1e-40 at 130 digits.

Rows are [steady state, time constant in ms, their derivatives], by the voltage in mV or by the
concentration of calcium in mM.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
from mpmath import cosh, exp, mpf

mpmath.mp.dps = 130

Function = Callable[[Any], Any]


def d(x: float) -> Any:
    """A constant as it is written: 0.07 is 7/100."""
    return mpf(repr(x))


def L(x: Any, k: float) -> Any:
    z = x / d(k)
    if abs(z) < mpf(10) ** -30:
        return d(k) * (1 + z / 2 + z**2 / 12)
    return x / (1 - exp(-z))


def S(v: Any, half: float, k: float) -> Any:
    return 1 / (1 + exp(-(v - d(half)) / d(k)))


def E(x: Any, k: float) -> Any:
    return exp(x / d(k))


def rates(alpha: Function, beta: Function, factor: Any = 1) -> Function:
    def both(v: Any) -> tuple[Any, Any]:
        a, b = alpha(v), beta(v)
        return a / (a + b), 1 / (factor * (a + b))

    return both


def steady(inf: Function, tau: Function, factor: Any = 1) -> Function:
    return lambda v: (inf(v), tau(v) / factor)


def shifted(gate: Function, by: float) -> Function:
    return lambda v: gate(v + d(by))


q = d(2.3) ** d(1.3)  # 34 degrees from 21
tadj = d(2.3) ** d(1.4)  # 37 degrees from 23


def traub(v_t: float) -> tuple[Function, Function, Function]:
    m = rates(lambda u: d(0.32) * L(u - 13, 4), lambda u: d(0.28) * L(40 - u, 5))
    h = rates(lambda u: d(0.128) * E(17 - u, 18), lambda u: 4 / (1 + E(40 - u, 5)))
    n = rates(lambda u: d(0.032) * L(u - 15, 5), lambda u: d(0.5) * E(10 - u, 40))
    m, h, n = (shifted(x, -v_t) for x in (m, h, n))
    return m, h, n


def colbert_pan(m: float, h: float) -> dict[str, Function]:
    return {
        "m": rates(lambda v: d(0.182) * L(v - m, 6), lambda v: d(0.124) * L(m - v, 6), q),
        "h": rates(lambda v: d(0.015) * L(h - v, 6), lambda v: d(0.015) * L(v - h, 6), q),
    }


def migliore(z0: float, half: float, a0: float, g: float, least: float) -> dict[str, Function]:
    k = d(96480) / (d(8.315) * d(308.16)) / 1000  # as in the source
    fast = d(5) ** d(1.1)

    def n(v: Any) -> tuple[Any, Any]:
        zeta = d(z0) - 1 / (1 + exp((v + 40) / 5))
        a, b = exp(zeta * (v - half) * k), exp(d(g) * zeta * (v - half) * k)
        return 1 / (1 + a), max(b / (fast * d(a0) * (1 + a)), d(least))

    return {
        "n": n,
        "l": lambda v: (1 / (1 + exp(3 * (v + 56) * k)), max(d(0.26) * (v + 50), mpf(2))),
    }


def a_current(half: float, k: float, edge: float, above: float) -> dict[str, Function]:
    def tau_h(v: Any) -> Any:
        low = 1 / (E(v + 46, 5) + E(-(v + 238), 37.5))
        return low if v < edge else mpf(above)

    def tau_m(v: Any) -> Any:
        return d(0.37) + 1 / (E(v + d(35.8), 19.7) + E(-(v + d(79.7)), 12.7))

    return {
        "m": steady(lambda v: S(v, half, k), tau_m),
        "h": steady(lambda v: S(v, -78, -6), tau_h),
    }


def k2_slow(v: Any) -> Any:
    return 120 + 1 / (E(v - 1329, 200) + E(-(v + 130), 7.1))


def destexhe_t(w: Any) -> tuple[Any, Any]:
    tau = d(30.8) + (d(211.4) + E(w + d(113.2), 5)) / (1 + E(w + 84, 3.2))
    return S(w, -81, -4), tau / d(3) ** d(1.2)


cold = d(2.5) ** d(1.2)
traub_m, traub_h, traub_n = traub(-63)
wb_m = rates(lambda v: d(0.1) * L(v + 35, 10), lambda v: 4 * E(-(v + 60), 18))

# Gates, and voltages where a rate is 0/0.
VOLTAGE: dict[str, tuple[dict[str, Function], list[float]]] = {
    "SodiumHH": (
        {
            "m": rates(lambda v: d(0.1) * L(v + 40, 10), lambda v: 4 * E(-(v + 65), 18)),
            "h": rates(lambda v: d(0.07) * E(-(v + 65), 20), lambda v: S(v, -35, 10)),
        },
        [-40],
    ),
    "PotassiumHH": (
        {"n": rates(lambda v: d(0.01) * L(v + 55, 10), lambda v: d(0.125) * E(-(v + 65), 80))},
        [-55],
    ),
    "SodiumTraubMiles": ({"m": traub_m, "h": traub_h}, [-50, -23]),
    "PotassiumTraubMiles": ({"n": traub_n}, [-48]),
    "SodiumWangBuzsaki": (
        {
            "m": lambda v: (wb_m(v)[0], mpf(0)),
            "h": rates(lambda v: d(0.07) * E(-(v + 58), 20), lambda v: S(v, -28, 10), 5),
        },
        [-35],
    ),
    "PotassiumWangBuzsaki": (
        {"n": rates(lambda v: d(0.01) * L(v + 34, 10), lambda v: d(0.125) * E(-(v + 44), 80), 5)},
        [-34],
    ),
    "SodiumHuguenard": (
        {
            "m": rates(lambda v: d(0.091) * L(v + 38, 5), lambda v: d(0.062) * L(-(v + 38), 5)),
            "h": rates(lambda v: d(0.016) * E(-(v + 55), 15), lambda v: d(2.07) * S(v, 17, 21)),
        },
        [-38],
    ),
    "SodiumTransientAxonal": (colbert_pan(-38, -66), [-38, -66]),
    "SodiumTransientSomatic": (colbert_pan(-32, -60), [-32, -60]),
    "SodiumPersistent": (
        {
            "m": steady(
                lambda v: S(v, -52.6, 4.6),
                lambda v: 6 / (d(0.182) * L(v + 38, 6) + d(0.124) * L(-(v + 38), 6)),
                q,
            ),
            "h": steady(
                lambda v: S(v, -48.8, -10),
                lambda v: 1 / (d(2.88e-6) * L(-(v + 17), 4.63) + d(6.94e-6) * L(v + d(64.4), 2.63)),
                q,
            ),
        },
        [-38, -17, -64.4],
    ),
    "SodiumMainen": (
        {
            "m": shifted(
                rates(
                    lambda w: d(0.182) * L(w + 35, 9), lambda w: d(0.124) * L(-(w + 35), 9), tadj
                ),
                -10,
            ),
            "h": shifted(
                steady(
                    lambda w: S(w, -65, -6.2),
                    lambda w: 1 / (d(0.024) * L(w + 50, 5) + d(0.0091) * L(-(w + 75), 5)),
                    tadj,
                ),
                -10,
            ),
        },
        [-25, -40, -65],
    ),
    "PotassiumMainen": (
        {"n": rates(lambda v: d(0.02) * L(v - 25, 9), lambda v: d(0.002) * L(25 - v, 9), tadj)},
        [25],
    ),
    "MCurrentMainen": (
        {"n": rates(lambda v: d(0.001) * L(v + 30, 9), lambda v: d(0.001) * L(-v - 30, 9), tadj)},
        [-30],
    ),
    "SodiumConnorStevens": (
        {
            "m": rates(
                lambda v: d(0.38) * L(v + d(29.7), 10),
                lambda v: d(15.2) * exp(-d(0.0556) * (v + d(54.7))),
            ),
            "h": rates(
                lambda v: d(0.266) * exp(-d(0.05) * (v + 48)),
                lambda v: d(3.8) / (1 + exp(-d(0.1) * (v + 18))),
            ),
        },
        [-29.7],
    ),
    "PotassiumConnorStevens": (
        {
            "n": rates(
                lambda v: d(0.02) * L(v + d(45.7), 10),
                lambda v: d(0.25) * exp(-d(0.0125) * (v + d(55.7))),
            )
        },
        [-45.7],
    ),
    "ACurrentConnorStevens": (
        {
            "a": steady(
                lambda v: (
                    (
                        d(0.0761)
                        * exp(d(0.0314) * (v + d(94.22)))
                        / (1 + exp(d(0.0346) * (v + d(1.17))))
                    )
                    ** (mpf(1) / 3)
                ),
                lambda v: d(0.3632) + d(1.158) / (1 + exp(d(0.0497) * (v + d(55.96)))),
            ),
            "b": steady(
                lambda v: (1 + exp(d(0.0688) * (v + d(53.3)))) ** -4,
                lambda v: d(1.24) + d(2.678) / (1 + exp(d(0.0624) * (v + 50))),
            ),
        },
        [],
    ),
    "ACurrentHuguenardFast": (a_current(-60, 8.5, -63, 19), []),
    "ACurrentHuguenardSlow": (a_current(-36, 20, -73, 60), []),
    "K2CurrentHuguenard": (
        {
            "m": steady(
                lambda v: S(v, -43, 17),
                lambda v: d(9.9) + 1 / (E(v - 81, 25.6) + E(-(v + 132), 18)),
            ),
            "h1": steady(lambda v: S(v, -58, -10.6), k2_slow),
            "h2": steady(
                lambda v: S(v, -58, -10.6), lambda v: k2_slow(v) if v < -70 else mpf(8930)
            ),
        },
        [],
    ),
    "MCurrentYamada": (
        {
            "p": steady(
                lambda v: S(v, -35, 10),
                lambda v: 1000 / (d(3.3) * E(v + 35, 20) + E(-(v + 35), 20)),
            )
        },
        [],
    ),
    "MCurrentAdams": (
        {
            "m": rates(
                lambda v: d(3.3e-3) * E(v + 35, 10), lambda v: d(3.3e-3) * E(-(v + 35), 10), q
            )
        },
        [],
    ),
    "ACurrentKorngreen": (
        {
            "m": steady(
                lambda v: S(v, -10, 19),
                lambda v: d(0.34) + d(0.92) * exp(-(((v + 81) / 59) ** 2)),
                q,
            ),
            "h": steady(
                lambda v: S(v, -76, -10), lambda v: 8 + 49 * exp(-(((v + 83) / 23) ** 2)), q
            ),
        },
        [],
    ),
    "PotassiumPersistentKorngreen": (
        {
            "m": steady(
                lambda v: S(v, -11, 12),
                lambda v: (
                    d(1.25)
                    + (
                        d(175.03) * exp(d(0.026) * (v + 10))
                        if v < -60
                        else 13 * exp(-d(0.026) * (v + 10))
                    )
                ),
                q,
            ),
            "h": steady(
                lambda v: S(v, -64, -11),
                lambda v: 360 + (1010 + 24 * (v + 65)) * exp(-(((v + 85) / 48) ** 2)),
                q,
            ),
        },
        [],
    ),
    "PotassiumRettig": (
        {"m": steady(lambda v: S(v, 18.7, 9.7), lambda v: 4 * S(v, -46.56, 44.14))},
        [],
    ),
    "ACurrentMigliore": (migliore(-1.5, 11, 0.05, 0.55, 0.1), []),
    "ACurrentMigliore, distal": (migliore(-1.8, -1, 0.1, 0.39, 0.2), []),
    "TCurrentHuguenard": (
        {
            "m": steady(
                lambda v: S(v, -57, 6.2),
                lambda v: d(0.612) + 1 / (E(-(v + 132), 16.7) + E(v + d(16.8), 18.2)),
            ),
            "h": steady(
                lambda v: S(v, -81, -4),
                lambda v: E(v + 467, 66.6) if v < -80 else 28 + E(-(v + 22), 10.5),
            ),
        },
        [],
    ),
    "TCurrentDestexhe": (
        {
            "m": lambda v: (S(v + 2, -57, 6.2), mpf(0)),
            "h": shifted(destexhe_t, 2),
        },
        [],
    ),
    "TCurrentHuguenardPrince": (
        {
            "m": shifted(
                steady(
                    lambda w: S(w, -50, 7.4),
                    lambda w: 3 + 1 / (E(w + 25, 10) + E(-(w + 100), 15)),
                    cold,
                ),
                2,
            ),
            "h": shifted(
                steady(
                    lambda w: S(w, -78, -5),
                    lambda w: 85 + 1 / (E(w + 46, 4) + E(-(w + 405), 50)),
                    cold,
                ),
                2,
            ),
        },
        [],
    ),
    "LCurrentHuguenard": (
        {
            "m": rates(
                lambda v: d(1.6) / (1 + exp(-d(0.072) * (v - 5))),
                lambda v: d(0.02) * L(d(1.31) - v, 5.36),
            )
        },
        [1.31],
    ),
    "LCurrentReuveni": (
        {
            "m": rates(lambda v: d(0.055) * L(v + 27, 3.8), lambda v: d(0.94) * E(-(v + 75), 17)),
            "h": rates(
                lambda v: d(4.57e-4) * E(-(v + 13), 50), lambda v: d(0.0065) * S(v, -15, 28)
            ),
        },
        [-27],
    ),
    "TCurrentAvery": (
        {
            "m": steady(lambda v: S(v, -40, 6), lambda v: 5 + 20 / (1 + E(v + 35, 5)), q),
            "h": steady(lambda v: S(v, -90, -6.4), lambda v: 20 + 50 / (1 + E(v + 50, 7)), q),
        },
        [],
    ),
    "LCurrentInoue": (
        {
            "m": steady(
                lambda v: S(v, -10, 4), lambda v: d(0.4) + d(0.7) / (2 * cosh((v + 5) / 15))
            ),
            "h": steady(
                lambda v: S(v, -25, -2), lambda v: 300 + 100 / (2 * cosh((v + 40) / d(9.5)))
            ),
        },
        [],
    ),
    "CANCurrentInoue": (
        {
            "p": steady(
                lambda v: S(v, -43, 5.2), lambda v: d(1.6) + d(2.7) / (2 * cosh((v + 55) / 15))
            )
        },
        [],
    ),
    "HCurrentHuguenard": (
        {
            "m": steady(
                lambda v: S(v, -75, -5.5),
                lambda v: 1 / (exp(-d(14.59) - d(0.086) * v) + exp(-d(1.87) + d(0.0701) * v)),
            )
        },
        [],
    ),
    "HCurrentDestexhe": (
        {
            "o": steady(
                lambda v: S(v, -75, -5.5),
                lambda v: 20 + 1000 / (E(v + d(71.5), 14.2) + E(-(v + 89), 11.6)),
            )
        },
        [],
    ),
    "HCurrentKole": (
        {
            "m": rates(
                lambda v: d(0.00643) * L(-(v + d(154.9)), 11.9), lambda v: d(0.193) * E(v, 33.1)
            )
        },
        [-154.9],
    ),
}
CALCIUM: dict[str, dict[str, Function]] = {
    "SKCurrentKohler": {"z": lambda c: (1 / (1 + (d(4.3e-4) / c) ** d(4.8)) if c else c, mpf(1))},
    "AHPCurrentDestexhe": {"p": rates(lambda c: 48 * c**2, lambda c: d(0.03))},
    "KCaCurrentMainen": {"n": rates(lambda c: d(0.01) * c, lambda c: d(0.02), tadj)},
    "HCurrentDestexhe": {"p1": rates(lambda c: d(4e-4) * (c / d(0.002)) ** 4, lambda c: d(4e-4))},
}
GRID = [-105.0, -90.0, -75.0, -65.0, -57.5, -50.0, -40.0, -30.0, -20.0, 0.0, 20.0, 45.0]
CONCENTRATIONS = [1e-5, 5e-5, 2.4e-4, 4.3e-4, 1e-3, 1e-2, 0.2]


def row(gate: Function, x: float) -> list[float]:
    at, h = mpf(x), mpf(10) ** -40
    values, up, down = gate(at), gate(at + h), gate(at - h)
    slopes = [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]
    return [float(mpmath.nstr(y, 17)) for y in (*values, *slopes)]


def table(gates: dict[str, Function], grid: list[float]) -> dict[str, Any]:
    return {"at": grid, "gates": {k: [row(gate, x) for x in grid] for k, gate in gates.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    document = {
        "script": Path(__file__).name,
        "mpmath": mpmath.__version__,
        "digits": mpmath.mp.dps,
        "voltage": {
            name: table(gates, sorted({*GRID, *map(float, singular)}))
            for name, (gates, singular) in VOLTAGE.items()
        },
        "calcium": {name: table(gates, CONCENTRATIONS) for name, gates in CALCIUM.items()},
    }
    args.output.write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
