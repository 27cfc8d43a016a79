"""COBA in brainfn, by its public interface.

`--mode bool` has neurons without a surrogate, `--mode float` the default ones, which can be
differentiated. `compile_s` is the first call for 1 ms of model time less the second (the compiled
program has the same size whatever the duration); the figures are of the second call of the whole
duration from the same initial state.
"""

from importlib import metadata

import jax
import jax.random as jr
from _report import DT, FAN_OUT, Stopwatch, arguments, peak_rss_mb, report, sizes

import brainfn as bf
from brainfn.units import ms, mV, nS, pA, pF


def version() -> str:
    try:
        return metadata.version("brainfn")
    except metadata.PackageNotFoundError:
        return "not installed"


def network(n: int, key: jax.Array, surrogate: dict) -> bf.Network:
    n_exc, n_inh = sizes(n)

    def cells(size):
        return bf.neuron.LIF(
            size,
            tau=20 * ms,
            capacitance=200 * pF,
            v_rest=-60 * mV,
            v_threshold=-50 * mV,
            v_reset=-60 * mV,
            refractory=5 * ms,
            v_init=bf.init.Normal(-55 * mV, 2 * mV),
            **surrogate,
        )

    def project(pre, weight, tau, reversal):
        return bf.Projection(
            pre,
            ["exc", "inh"],
            bf.connect.FixedProbability(FAN_OUT / n),
            weight=weight,
            synapse=bf.synapse.Exponential(tau),
            output=bf.synapse.Conductance(reversal),
            delay=DT * ms,
        )

    return bf.Network(
        populations={"exc": cells(n_exc), "inh": cells(n_inh)},
        projections=[
            project("exc", 6 * nS, 5 * ms, 0 * mV),
            project("inh", 67 * nS, 10 * ms, -80 * mV),
        ],
        key=key,
    )


def main() -> None:
    args = arguments(__doc__, mode=["bool", "float"], dtype=["float32", "float64"])
    jax.config.update("jax_enable_x64", args.dtype == "float64")
    build_key, run_key = jr.split(jr.key(args.seed))
    watch = Stopwatch()
    net = network(args.n, build_key, {"surrogate": None} if args.mode == "bool" else {})
    jax.block_until_ready(net)
    build_s = watch()

    def simulate(duration):
        out = bf.simulate(
            net,
            inputs=200 * pA,
            duration=duration,
            dt=DT * ms,
            key=run_key,
            record=bf.record.SpikeCount(),
        )
        return jax.block_until_ready(out)

    watch()
    simulate(1.0)
    first = watch()
    simulate(1.0)
    compile_s = first - watch()
    simulate(args.duration)
    watch()
    out = simulate(args.duration)
    run_s = watch()
    spikes = int(out.outputs["exc"].sum()) + int(out.outputs["inh"].sum())
    report(
        simulator="brainfn",
        version=f"{version()} (jax {jax.__version__})",
        mode=f"{args.mode} spikes",
        n=args.n,
        threads=0,
        dtype=args.dtype,
        build_s=build_s,
        compile_s=compile_s,
        run_s=run_s,
        run_cpu_s=watch.cpu,
        rate_hz=spikes / args.n / (args.duration * 1e-3),
        peak_rss_mb=peak_rss_mb(),
    )


if __name__ == "__main__":
    main()
