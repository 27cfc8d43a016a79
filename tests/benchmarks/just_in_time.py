"""Products with just-in-time matrices: microseconds per call of brainfn beside brainevent.

    python tests/benchmarks/just_in_time.py --output just_in_time.json
    python tests/benchmarks/just_in_time.py --libraries brainevent       # where that is installed

Each synapse exists with probability fan_out / n and is made anew in each call. Both libraries
choose along which axis the synapses of a row are drawn: "own axis" has the events on the axis whose
streams are drawn, "other axis" on the other one. The loop is that of `operators.py`.
"""

import argparse
import json
import sys

from _products import POOL, about, measure, scanned, vectors

LAWS = ("homogeneous", "uniform", "normal")
ROWS = ("own axis", "other axis", "floats, own axis", "floats, other axis")


def brainfn(law, n, probability, pool, case):
    import jax.numpy as jnp

    import brainfn as bf
    import brainfn.event as ev

    common = {"shape": (n, n), "probability": probability, "seed": 1}
    one, two = jnp.float32(0.5), jnp.float32(1.5)
    matrix = {
        "homogeneous": lambda: ev.JIT(one, **common),
        "uniform": lambda: ev.JIT(bf.init.Uniform(one, two), **common),
        "normal": lambda: ev.JIT(bf.init.Normal(one, two), **common),
    }[law]()
    return scanned(lambda w, x: x @ w, matrix.T if "other" in case else matrix, pool)


def brainevent(law, n, probability, pool, case):
    import brainevent as be
    import jax.numpy as jnp

    kind, weights = {
        "homogeneous": (be.JITCScalarR, (0.5,)),
        "uniform": (be.JITCUniformR, (0.5, 1.5)),
        "normal": (be.JITCNormalR, (0.5, 1.5)),
    }[law]
    weights = [jnp.float32(w) for w in weights]
    matrix = kind((*weights, probability, 1), shape=(n, n), corder="other" not in case)

    def product(_, x):
        return (be.BinaryArray(x) if pool.dtype == bool else x) @ matrix

    product((), jnp.asarray(pool[0]))
    return scanned(product, (), pool)


LIBRARIES = {f.__name__: f for f in (brainfn, brainevent)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--libraries", nargs="+", default=list(LIBRARIES), choices=LIBRARIES)
    parser.add_argument("--laws", nargs="+", default=LAWS, choices=LAWS)
    parser.add_argument("--cases", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[100_000])
    parser.add_argument("--fan-out", nargs="+", type=int, default=[80])
    parser.add_argument("--activity", nargs="+", type=float, default=[0.001, 0.01, 0.1, 1.0])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--pool", type=int, default=POOL, help="vectors of one loop")
    parser.add_argument("--output", help="a JSON file for the results")
    options = parser.parse_args()
    results = []
    for n in options.sizes:
        for fan_out in options.fan_out:
            for law in options.laws:
                for case in options.cases:
                    floats = case.startswith("floats")
                    for activity in [1.0] if floats else options.activity:
                        pool = vectors(n, activity, "float" if floats else "bool")[: options.pool]
                        for library in options.libraries:
                            row = {"n": n, "fan_out": fan_out, "law": law, "case": case}
                            row["activity"] = activity
                            try:
                                run = LIBRARIES[library](law, n, fan_out / n, pool, case)
                            except ImportError as e:
                                print(f"{library}: left out ({e})", file=sys.stderr)
                                continue
                            row |= measure(run, len(pool), options.seconds)
                            results.append({"library": library, **row})
                            print(
                                f"{n:>8} x {fan_out:<5} {law:<12} {case:<19} {activity:>6.1%}  "
                                f"{library:<10} {row['fastest_us']:>10.1f} us "
                                f"(median {row['median_us']:.1f})",
                                flush=True,
                            )
    if options.output:
        with open(options.output, "w") as file:
            json.dump({**about(), "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
