"""Steps of networks by XLA, with generated kernels, and in the native loop.

    python tests/benchmarks/kernel.py [--scales 1 10] [--repeats 5] [--networks lif yours adex hh]

COBA with LIF neurons, with a neuron that a user wrote (the equations of `LIF`, as in
`docs/write_your_own.md`), with AdEx, and COBAHH. Prints the median microseconds per step,
interleaved in one process, and the ratios to the native loop.
"""

import argparse
import os
import statistics
import time
from typing import Any

import jax
import jax.random as jr

import brainfn as bf
from brainfn.driver import _loop


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
        return neuron(n, refractory=5.0, v_init=bf.init.Normal(-55.0, 2.0), surrogate=None)

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


def networks(name: str, scale: float) -> tuple[bf.Network, Any]:
    if name == "hh":
        return bf.zoo.cobahh(scale=scale, key=jr.key(0), surrogate=None)
    kinds = {"lif": bf.neuron.LIF, "yours": Leaky, "adex": bf.neuron.AdEx}
    return network(kinds[name], scale), 500.0 if name == "adex" else 200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 10.0, 100.0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--networks", nargs="+", default=["lif", "yours", "adex", "hh"])
    args = parser.parse_args()
    may = _loop.may_run_natively
    for name in args.networks:
        for scale in args.scales:
            net, drive = networks(name, scale)
            count = bf.record.SpikeCount()
            # Other names of one record, so that each way is compiled and kept on its own.
            ways: dict[str, tuple[Any, str, Any]] = {
                "loop": (may, "1", count),
                "kernels": (lambda *_: False, "1", [count]),
                "XLA": (lambda *_: False, "0", {"count": count}),
            }
            duration = 1000.0 / scale if scale <= 10 else 50.0
            times: dict[str, list[float]] = {way: [] for way in ways}
            for i in range(args.repeats + 1):
                for way, (choice, generate, record) in ways.items():
                    _loop.may_run_natively, os.environ["BRAINFN_GENERATE"] = choice, generate
                    start = time.perf_counter()
                    out = bf.simulate(
                        net, inputs=drive, duration=duration, dt=0.1, key=jr.key(1), record=record
                    )
                    jax.block_until_ready(out)
                    if i:  # the first call compiles
                        times[way].append((time.perf_counter() - start) / duration * 1e5)
            step = {way: round(statistics.median(values), 1) for way, values in times.items()}
            ratios = {way: round(value / step["loop"], 2) for way, value in step.items()}
            print(f"{name}, {4000 * scale:,.0f} neurons: {step} us/step, to the loop's {ratios}")


if __name__ == "__main__":
    main()
