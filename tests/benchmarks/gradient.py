"""What the mask of neurons near threshold brings: the gradient of a recurrent network with and
without it.

    python tests/benchmarks/gradient.py [--neurons 4000] [--fan-out 80 1000] [--repeats 5]

Prints the median microseconds per step of a simulation and of its gradient with respect to weights
and membrane time constant, the ways interleaved in one process, and the activity.
"""

import argparse
import statistics
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

import brainfn as bf
from brainfn.network import _stepper

DT = 0.1


def network(n: int, fan_out: int, width: float) -> bf.Network:
    """COBA with weights scaled to the fan-out, so that activity is that of the usual 80."""
    n_exc = int(0.8 * n)
    lif = {
        "v_init": bf.init.Uniform(-60.0, -50.0),
        "surrogate": bf.surrogate.ReluGrad(alpha=0.3, width=width),
    }
    both, rule = ["exc", "inh"], bf.connect.FixedOutDegree(fan_out)

    def projection(pre, weight, tau, reversal):
        return bf.Projection(
            pre,
            both,
            rule,
            weight=bf.init.Uniform(0.9 * weight * 80 / fan_out, 1.1 * weight * 80 / fan_out),
            synapse=bf.synapse.Exponential(tau),
            output=bf.synapse.Conductance(reversal),
            delay=1.0,
        )

    return bf.Network(
        {"exc": bf.neuron.LIF(n_exc, **lif), "inh": bf.neuron.LIF(n - n_exc, **lif)},
        [projection("exc", 6.0, 5.0, 0.0), projection("inh", 67.0, 10.0, -80.0)],
        key=jr.key(0),
    )


def parameters(net):
    p = net.projections
    return p["exc"].weight, p["inh"].weight, net.populations["exc"].tau


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, default=4000)
    parser.add_argument("--fan-out", type=int, nargs="+", default=[80, 1000])
    parser.add_argument("--width", type=float, default=0.05)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    marks = _stepper.has_marks
    for fan_out in args.fan_out:
        net = network(args.neurons, fan_out, args.width)

        def loss(theta, net=net):
            record = bf.record.Mean(lambda state, output: (state["exc"].v, output["exc"]))
            out = bf.simulate(
                eqx.tree_at(parameters, net, theta),
                inputs=200.0,
                duration=args.steps * DT,
                dt=DT,
                key=jr.key(1),
                record=record,
            )
            v, spikes = out.outputs
            return jnp.mean(v) + 100 * jnp.mean(spikes), jnp.mean(spikes)

        ways = {}
        for name, choice in {"with": marks, "without": lambda _: False}.items():
            _stepper.has_marks = choice
            grad = jax.jit(jax.grad(lambda theta: loss(theta)[0]))
            ways[f"gradient {name} mask"] = grad.lower(parameters(net)).compile()
        _stepper.has_marks = marks
        ways["simulation"] = jax.jit(loss).lower(parameters(net)).compile()
        times = {name: [] for name in ways}
        for _ in range(args.repeats):
            for name, f in ways.items():
                start = time.perf_counter()
                out = jax.block_until_ready(f(parameters(net)))
                times[name].append((time.perf_counter() - start) / args.steps * 1e6)
                if name == "simulation":
                    rate = float(out[1])
        print(f"{args.neurons} neurons, fan-out {fan_out}, {rate:.3%} of neurons spike in a step")
        for name, values in times.items():
            print(f"  {name:<22} {statistics.median(values):8.1f} us/step (min {min(values):.1f})")


if __name__ == "__main__":
    main()
