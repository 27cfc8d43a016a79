"""COBA in brainfn, with or without STDP on the synapses between excitatory neurons.

The figures are of the second call of the whole duration from the same initial state; `compile_s` is
the first call for 1 ms of model time less the second.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
from _report import DT, FAN_OUT, STDP, Stopwatch, arguments, peak_rss_mb, report, sizes
from coba_brainfn import version

import brainfn as bf
from brainfn.units import ms, mV, nS, pA, pF


def network(n: int, key: jax.Array, plastic: bool) -> bf.Network:
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
            surrogate=None,
        )

    exc = bf.synapse.Exponential(5 * ms), bf.synapse.Conductance(0 * mV)
    inh = bf.synapse.Exponential(10 * ms), bf.synapse.Conductance(-80 * mV)

    def project(pre, post, weight, receptor, **more):
        return bf.Projection(
            pre,
            post,
            bf.connect.FixedProbability(FAN_OUT / n),
            weight=weight,
            synapse=receptor[0],
            output=receptor[1],
            delay=DT * ms,
            **more,
        )

    rule = bf.plasticity.STDP(
        A_plus=STDP["A_plus"] * nS,
        A_minus=STDP["A_minus"] * nS,
        tau_plus=STDP["tau"] * ms,
        tau_minus=STDP["tau"] * ms,
        w_max=STDP["w_max"] * nS,
    )
    return bf.Network(
        populations={"exc": cells(n_exc), "inh": cells(n_inh)},
        projections={
            # With a weight for each synapse in both cases; a static network joins "ee" and "ei".
            "ee": project(
                "exc",
                "exc",
                bf.init.Constant(6 * nS),
                exc,
                plasticity=rule if plastic else None,
            ),
            "ei": project("exc", "inh", 6 * nS, exc),
            "i": project("inh", ["exc", "inh"], 67 * nS, inh),
        },
        key=key,
    )


def main() -> None:
    args = arguments(__doc__, mode=["static", "stdp"], dtype=["float32", "float64"])
    jax.config.update("jax_enable_x64", args.dtype == "float64")
    build_key, run_key = jr.split(jr.key(args.seed))
    watch = Stopwatch()
    net = network(args.n, build_key, args.mode == "stdp")
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
    weights = out.state.model_state.weights.get("ee")
    report(
        simulator="brainfn",
        version=f"{version()} (jax {jax.__version__})",
        mode=args.mode,
        n=args.n,
        threads=0,
        dtype=args.dtype,
        build_s=build_s,
        compile_s=compile_s,
        run_s=run_s,
        run_cpu_s=watch.cpu,
        rate_hz=spikes / args.n / (args.duration * 1e-3),
        peak_rss_mb=peak_rss_mb(),
        weight_mean=6.0 if weights is None else float(jnp.mean(weights)),
    )


if __name__ == "__main__":
    main()
