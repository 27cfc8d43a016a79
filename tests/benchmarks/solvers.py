"""What a solver costs: steps of leaky integrate-and-fire neurons in one compiled loop.

The membrane has a constant leak and a conductance that changes in every step. The baseline is
exponential Euler written out by hand for this one equation; the others state the vector field once
and take the step with `brainfn.solver.integrate`. Every case does the same work around the step:
threshold, reset and the decay of the conductance.

    python tests/benchmarks/solvers.py [--neurons 4000] [--steps 10000] [--repeats 9] [--x64]

Repeats of all cases are interleaved, so that a busy machine slows all alike. Prints a table, and
with `--json FILE` writes every repeat with versions and device.
"""

import argparse
import json
import platform
import statistics
import time

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np

from brainfn.solver import ExponentialEuler, Heun, Midpoint, integrate

TAU, V_REST, V_THRESHOLD, REVERSAL, CAPACITANCE, DT = 20.0, -60.0, -50.0, 0.0, 200.0, 0.1


def field(t, v, args):
    del t
    g, current = args
    return (V_REST - v) / TAU + (g * (REVERSAL - v) + current) / CAPACITANCE


def by_hand(v, g, current):
    rate = 1 / TAU + g / CAPACITANCE
    end = (V_REST / TAU + (g * REVERSAL + current) / CAPACITANCE) / rate
    return end + (v - end) * jnp.exp(-rate * DT)


def with_solver(solver):
    return lambda v, g, current: integrate(solver, field, v, DT, (g, current))


CASES = {
    "by hand": by_hand,
    "ExponentialEuler": with_solver(ExponentialEuler()),
    "Heun": with_solver(Heun()),
    "Midpoint": with_solver(Midpoint()),
    "diffrax.Euler": with_solver(dfx.Euler()),
    "diffrax.Heun": with_solver(dfx.Heun()),
    "diffrax.Tsit5": with_solver(dfx.Tsit5()),
}


def loop(advance, steps):
    def step(carry, _):
        v, g, current = carry
        v = advance(v, g, current)
        spikes = v >= V_THRESHOLD
        v = jnp.where(spikes, V_REST, v)
        g = g * 0.98 + jnp.where(spikes, 1.0, 0.02)
        return (v, g, current), None

    return jax.jit(lambda carry: jax.lax.scan(step, carry, length=steps)[0])


def measure(neurons, steps, repeats):
    rng = np.random.default_rng(0)
    dtype = jnp.result_type(float)
    carry = (
        jnp.asarray(rng.uniform(V_REST, V_THRESHOLD, neurons), dtype),
        jnp.asarray(rng.uniform(0, 30, neurons), dtype),
        jnp.full(neurons, 100.0, dtype),
    )
    results = {}
    for name, advance in CASES.items():
        start = time.perf_counter()
        run = loop(advance, steps).lower(carry).compile()
        results[name] = {"compile_s": time.perf_counter() - start, "run_s": [], "run": run}
        jax.block_until_ready(run(carry))
    for _ in range(repeats):
        for result in results.values():
            start = time.perf_counter()
            jax.block_until_ready(result["run"](carry))
            result["run_s"].append(time.perf_counter() - start)
    for result in results.values():
        del result["run"]
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--x64", action="store_true", help="float64 instead of float32")
    parser.add_argument("--json", metavar="FILE", help="write all figures here")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", options.x64)

    results = measure(options.neurons, options.steps, options.repeats)
    baseline = min(results["by hand"]["run_s"])
    kind = "float64" if options.x64 else "float32"
    print(f"{options.neurons} neurons, {options.steps} steps, {kind}, {jax.devices()[0]}")
    print(f"{'':18}{'compile':>9}{'best':>12}{'median':>12}{'ratio of best':>15}")
    for name, result in results.items():
        best, median = min(result["run_s"]), statistics.median(result["run_s"])
        per_step = 1e6 / options.steps
        print(
            f"{name:18}{result['compile_s']:8.2f}s{best * per_step:9.2f} us"
            f"{median * per_step:9.2f} us{best / baseline:15.2f}"
        )
    if options.json:
        environment = {
            "jax": jax.__version__,
            "diffrax": dfx.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "device": str(jax.devices()[0]),
        }
        with open(options.json, "w") as file:
            json.dump({**vars(options), "environment": environment, "results": results}, file)


if __name__ == "__main__":
    main()
