"""Records, plasticity and inputs that vary: the native loop beside the scan of steps.

    python tests/benchmarks/loop.py [--scale 1] [--repeats 7] [--cases potentials mean noise stdp]

COBA (4000 neurons at scale 1), 1 s of model time at scale 1. Prints the median microseconds per
step of each way, interleaved in one process, and the median of the ratios of neighbours in time.
"""

import argparse
import statistics
import time
from typing import Any

import jax
import jax.random as jr

import brainfn as bf
from brainfn.driver import _loop


def network(scale: float, plastic: bool) -> bf.Network:
    n_exc, n_inh = round(3200 * scale), round(800 * scale)

    def cells(n):
        return bf.neuron.LIF(n, refractory=5.0, v_init=bf.init.Normal(-55.0, 2.0), surrogate=None)

    exc = {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Conductance(0.0)}
    inh = {"synapse": bf.synapse.Exponential(10.0), "output": bf.synapse.Conductance(-80.0)}
    rule = bf.plasticity.STDP(A_plus=0.01, A_minus=0.0105, w_max=12.0) if plastic else None

    def project(pre, post, weight, rule, receptor):
        connect = bf.connect.FixedProbability(0.02 / scale)
        return bf.Projection(pre, post, connect, weight=weight, plasticity=rule, **receptor)

    return bf.Network(
        {"exc": cells(n_exc), "inh": cells(n_inh)},
        {
            "ee": project("exc", "exc", bf.init.Constant(6.0), rule, exc),
            "ei": project("exc", "inh", 6.0, None, exc),
            "i": project("inh", ["exc", "inh"], 67.0, None, inh),
        },
        key=jr.key(0),
    )


def potentials(state: Any, output: Any) -> Any:
    return state["exc"].v[:5]


def mean(state: Any, output: Any) -> Any:
    return state["exc"].v.mean()


COUNT = bf.record.SpikeCount()
NOISE = {"exc": bf.input.OrnsteinUhlenbeck(50.0, 5.0, mean=200.0), "inh": 200.0}
WAVE = 200.0 + bf.input.Sine(50.0, 0.01)
CASES: dict[str, dict[str, Any]] = {
    "count": {"record": COUNT},
    "potentials": {"record": {"count": COUNT, "v": potentials}},
    "mean": {"record": {"count": COUNT, "v": mean}},
    "every": {"record": {"count": COUNT, "v": mean}, "every": 10},
    "moments": {"record": bf.record.MeanVariance(lambda state, output: state["exc"].v)},
    "wave": {"inputs": {"exc": WAVE, "inh": 200.0}, "record": COUNT},
    "noise": {"inputs": NOISE, "record": COUNT},
    "stdp": {"record": COUNT},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    args = parser.parse_args()
    may = _loop.may_run_natively
    nets = {plastic: network(args.scale, plastic) for plastic in (False, True)}
    duration = 1000.0 / args.scale
    for case in args.cases:
        net = nets[case == "stdp"]
        options = {"inputs": 200.0, "duration": duration, "dt": 0.1, "key": jr.key(1)}
        options |= CASES[case]
        # Another structure of the record, so that each way is compiled and kept on its own.
        ways = {"loop": (may, options["record"]), "scan": (lambda *_: False, [options["record"]])}
        times: dict[str, list[float]] = {way: [] for way in ways}
        for i in range(args.repeats + 1):
            for way, (choice, record) in ways.items():
                _loop.may_run_natively = choice
                start = time.perf_counter()
                jax.block_until_ready(bf.simulate(net, **{**options, "record": record}))
                if i:  # the first call compiles
                    times[way].append((time.perf_counter() - start) / duration * 1e5)
            if i == 0:
                how = bf.kernel.reports()[f"loop of {', '.join(net.populations)}"]
        step = {way: round(statistics.median(values), 1) for way, values in times.items()}
        ratios = [b / a for a, b in zip(times["loop"], times["scan"], strict=True)]
        ratio = statistics.median(ratios)
        print(f"{case}: {step} us/step, scan / loop = {ratio:.2f} ({how})", flush=True)


if __name__ == "__main__":
    main()
