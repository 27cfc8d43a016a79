"""Time and memory from nothing to the first step of networks of many parts.

    python building.py                        # the microcircuit at 2 %, and 32 areas
    python building.py --microcircuit 1.0     # 3 x 10^8 synapses

`microcircuit`: the 8 populations and 55 projections of Potjans and Diesmann (2014), Cerebral Cortex
24, doi:10.1093/cercor/bhs358, with the probabilities of its Table 5 and weights and delays drawn
for each synapse. A scale keeps the probabilities and takes that part of the neurons. `areas`: 8
small populations in each of 32 areas, 2000 projections. `split`: 4096 neurons in 1, 64 and 256
populations.
Each case is a fresh process, which prints one line of JSON.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

NAMES = ("23E", "23I", "4E", "4I", "5E", "5I", "6E", "6I")
SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
# Rows are targets, columns sources.
PROBABILITY = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0, 0.0076, 0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0, 0.0042, 0),
    (0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0, 0.1057, 0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443),
)
DIRECT = (562.0, 526.9, 737.6, 667.3, 702.5, 667.3, 1018.6, 737.6)


def microcircuit(scale):
    import jax

    import brainfn as bf

    cell = {
        "tau": 10.0,
        "capacitance": 250.0,
        "v_rest": -65.0,
        "v_threshold": -50.0,
        "v_reset": -65.0,
        "refractory": 2.0,
        "v_init": bf.init.Normal(-58.0, 5.0),
    }
    sizes = {name: max(1, round(scale * n)) for name, n in zip(NAMES, SIZES, strict=True)}
    exponential, current = bf.synapse.Exponential(0.5), bf.synapse.Current()
    projections = []
    for target, row in zip(NAMES, PROBABILITY, strict=True):
        for source, p in zip(NAMES, row, strict=True):
            if p == 0:
                continue
            excitatory = source.endswith("E")
            weight = 87.81 * (1 if excitatory else -4)
            weight *= 2 if (source, target) == ("4E", "23E") else 1
            delay = 1.5 if excitatory else 0.75
            low, high = (0.0, float("inf")) if excitatory else (-float("inf"), 0.0)
            projections.append(
                bf.Projection(
                    source,
                    target,
                    bf.connect.FixedProbability(p),
                    weight=bf.init.TruncatedNormal(weight, abs(weight) / 10, low=low, high=high),
                    delay=bf.init.TruncatedNormal(delay, delay / 2, low=0.1, high=10 * delay),
                    synapse=exponential,
                    output=current,
                )
            )
    net = bf.Network(
        {name: bf.neuron.LIF(n, **cell) for name, n in sizes.items()},
        projections,
        key=jax.random.key(0),
    )
    return net, dict(zip(NAMES, DIRECT, strict=True))


def areas(n_areas, populations_of=8, size=16):
    """`n_areas` areas of 8 populations, all connected inside, and each to the next 0.8 areas."""
    import jax
    import numpy as np

    import brainfn as bf

    exponential, current = bf.synapse.Exponential(2.0), bf.synapse.Current()
    names = [f"area{a}/{p}" for a in range(n_areas) for p in range(populations_of)]
    rng = np.random.default_rng(0)
    pairs = {
        (i, j)
        for i in range(len(names))
        for j in range(len(names))
        if i // 8 == j // 8 and (i + j) % 2
    }
    while len(pairs) < 2000 * n_areas // 32:
        pairs.add(tuple(int(x) for x in rng.integers(len(names), size=2)))
    projections = [
        bf.Projection(
            names[i],
            names[j],
            bf.connect.FixedProbability(0.2),
            weight=bf.init.Normal(20.0, 2.0),
            delay=bf.init.Uniform(0.5, 3.0),
            synapse=exponential,
            output=current,
        )
        for i, j in sorted(pairs)
    ]
    cell = {"v_init": bf.init.Normal(-60.0, 5.0)}
    net = bf.Network(
        {name: bf.neuron.LIF(size, **cell) for name in names}, projections, key=jax.random.key(0)
    )
    return net, 300.0


def split(n_populations, n=4096):
    """`n` neurons in some populations, without connections."""
    import jax

    import brainfn as bf

    size = n // n_populations
    net = bf.Network(
        {f"p{i}": bf.neuron.LIF(size) for i in range(n_populations)}, [], key=jax.random.key(0)
    )
    return net, 300.0


def peak():
    rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return rise * (1 if sys.platform == "darwin" else 1024) / 1e9


def case(name, scale, only_build):
    import jax

    import brainfn as bf

    compilations = 0

    def count(event, *_, **__):
        nonlocal compilations
        compilations += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(count)
    jax.block_until_ready(jax.numpy.zeros(1) + 1)
    before = peak()
    start = time.perf_counter()
    net, inputs = {"microcircuit": microcircuit, "areas": areas, "split": split}[name](scale)
    jax.block_until_ready(jax.tree.leaves(net))
    result = {"case": name, "scale": scale, "build_s": round(time.perf_counter() - start, 3)}
    result |= {"build_compilations": compilations, "peak_gb": round(peak(), 3), "before_gb": before}
    matrices = {id(m): m for p in net.projections.values() for m in p.matrices}
    result["synapses"] = sum(m.synapses for m in matrices.values())
    if not only_build:
        compilations = 0

        def run(n_steps, state=None):
            out = bf.simulate(
                net,
                inputs=inputs,
                duration=n_steps * 0.1,
                dt=0.1,
                key=jax.random.key(1),
                state=state,
                record=bf.record.nothing,
            )
            return jax.block_until_ready(out.state)

        start = time.perf_counter()
        run(1)
        result["first_step_s"] = round(time.perf_counter() - start, 3)
        result |= {"first_step_compilations": compilations, "peak_run_gb": round(peak(), 3)}

        def timed(n_steps):
            run(n_steps)
            times = []
            for _ in range(5):
                start = time.perf_counter()
                run(n_steps)
                times.append(time.perf_counter() - start)
            return statistics.median(times)

        n = 2000 if name != "microcircuit" else 500
        one, many = timed(1), timed(n)
        result |= {"call_ms": 1e3 * one, "step_us": 1e6 * (many - one) / (n - 1)}
    return result | {"jax": jax.__version__, "load": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--microcircuit", type=float, nargs="*", default=None, metavar="SCALE")
    parser.add_argument("--areas", type=int, nargs="*", default=None)
    parser.add_argument("--split", type=int, nargs="*", default=None)
    parser.add_argument("--build", action="store_true", help="do not run the network")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, scale = options.one
        number = float(scale) if name == "microcircuit" else int(scale)
        print(json.dumps(case(name, number, options.build)))
        return
    chosen = {n: getattr(options, n) for n in ("microcircuit", "areas", "split")}
    if all(value is None for value in chosen.values()):
        chosen = {"microcircuit": [0.02], "areas": [32], "split": [1, 64, 256]}
    for name, scales in chosen.items():
        for scale in scales or ():
            command = [sys.executable, __file__, "--one", name, str(scale)]
            command += ["--build"] if options.build else []
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
