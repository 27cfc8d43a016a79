"""A step of COBA with the native kernel of LIF neurons, without it, and with a user's neuron.

    python tests/benchmarks/kernel.py [--scales 1 10 100] [--repeats 5]

Prints the median microseconds per step, interleaved in one process, and the ratios. The user's
neuron has the equations of `LIF`, written as `docs/write_your_own.md` shows.
"""

import argparse
import statistics
import time
from typing import Any

import jax
import jax.random as jr

import brainfn as bf
from brainfn.network import _local


class Leaky(bf.neuron.AbstractIntegrateAndFire):
    size: int = bf.size()
    tau: Any = bf.param(20.0, unit="ms", sign="positive")
    capacitance: Any = bf.param(200.0, unit="pF", sign="positive")
    v_rest: Any = bf.param(-60.0, unit="mV")
    v_threshold: Any = bf.param(-50.0, unit="mV")
    v_reset: Any = bf.param(-60.0, unit="mV")
    refractory: Any = bf.param(5.0, unit="ms", sign="nonnegative")
    v_init: Any = bf.init.initial()
    solver: Any = bf.neuron.solver()
    surrogate: Any = bf.neuron.surrogate()
    detach_reset: bool = bf.flag(False)

    def initial(self, key):
        return bf.neuron.Voltage(bf.init.start(self.v_init, self.v_rest, self.size, key))

    def vector_field(self, t, y, drive):
        current = drive(t, y.v) / self.capacitance
        return bf.neuron.Voltage((self.v_rest - y.v) / self.tau + current)

    def fired(self, y):
        return y.v >= self.v_threshold

    def distance(self, state):
        return (state.v - self.v_threshold) / (self.v_threshold - self.v_reset)

    def on_spike(self, y, spikes):
        return bf.neuron.Voltage(bf.neuron.reset(y.v, spikes, self.v_reset))


def network(neuron, scale: float) -> bf.Network:
    n_exc, n_inh = round(3200 * scale), round(800 * scale)

    def cells(n):
        return neuron(n, refractory=5.0, v_init=bf.init.Normal(-55.0, 2.0))

    def project(pre, weight, tau, reversal):
        return bf.Projection(
            pre,
            ["exc", "inh"],
            bf.connect.FixedProbability(0.02 / scale),
            weight=weight,
            synapse=bf.synapse.Exponential(tau),
            output=bf.synapse.Conductance(reversal),
        )

    return bf.Network(
        {"exc": cells(n_exc), "inh": cells(n_inh)},
        [project("exc", 6.0, 5.0, 0.0), project("inh", 67.0, 10.0, -80.0)],
        key=jr.key(0),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 10.0, 100.0])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    find = _local.find
    for scale in args.scales:
        ours = network(bf.neuron.LIF, scale)
        # Two names of one record, so that each path is compiled and kept on its own.
        ways = {
            "kernel": (find, ours, bf.record.SpikeCount()),
            "no kernel": (lambda *_: None, ours, [bf.record.SpikeCount()]),
            "user's": (find, network(Leaky, scale), bf.record.SpikeCount()),
        }
        duration = 1000.0 if scale <= 1 else 150.0
        times: dict[str, list[float]] = {name: [] for name in ways}
        for i in range(args.repeats + 1):
            for name, (choice, net, record) in ways.items():
                _local.find = choice
                start = time.perf_counter()
                out = bf.simulate(
                    net, inputs=200.0, duration=duration, dt=0.1, key=jr.key(1), record=record
                )
                jax.block_until_ready(out)
                if i:  # the first call compiles
                    times[name].append((time.perf_counter() - start) / duration * 1e5)
        _local.find = find
        step = {name: statistics.median(values) for name, values in times.items()}
        ratios = {name: round(value / step["kernel"], 2) for name, value in step.items()}
        print(f"{4000 * scale:,.0f} neurons: {step} us/step, to the kernel's {ratios}")


if __name__ == "__main__":
    main()
