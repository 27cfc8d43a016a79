"""Weights of plastic synapses from Brian2, for 10 s of spikes.

    python plasticity_brian2.py --output plasticity_brian2.json

Needs an interpreter with `brian2` (the extra `oracle`). Spikes and parameters are those of
`plasticity_nest.json`; stored are the weights after each presynaptic spike. `clopath_voltage` is
the voltage that Clopath's rule sees. Times are in ms, variables have no units.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from parts_brian2 import begin, generator, ms, rounded

NEST = json.loads(Path(__file__).with_name("plasticity_nest.json").read_text())
DT, DURATION = 0.1, 10_010.0


def recorded(synapses: Any, objects: list[Any], namespace: dict[str, Any]) -> np.ndarray:
    """The weights at the ends of the steps of presynaptic spikes."""
    monitor = b2.StateMonitor(synapses, "w", record=0, when="end", order=10)
    net = b2.Network([synapses, monitor, *objects])
    net.run(DURATION * ms, namespace=namespace | {"ms": ms})
    return monitor.w[0][np.rint(np.array(NEST["pre"]) / DT).astype(int)]


def pairwise(name: str, equations: str, on_pre: str, on_post: str) -> np.ndarray:
    begin(DT)
    pre, post = (generator(NEST[side]) for side in ("pre", "post"))
    synapses = b2.Synapses(pre, post, equations, on_pre=on_pre, on_post=on_post, method="exact")
    synapses.connect()
    synapses.w = NEST["weight"]
    return recorded(synapses, [pre, post], NEST["cases"][name]["parameters"])


def inhibitory() -> np.ndarray:
    return pairwise(
        "Vogels-Sprekeler",
        """
        w : 1
        dx/dt = -x/(tau*ms) : 1 (event-driven)
        dy/dt = -y/(tau*ms) : 1 (event-driven)
        """,
        "x += 1; w = clip(w + eta*(y - alpha), 0, Wmax)",
        "y += 1; w = clip(w + eta*x, 0, Wmax)",
    )


def triplet() -> np.ndarray:
    return pairwise(
        "triplet",
        """
        w : 1
        dr1/dt = -r1/(tau_plus*ms) : 1 (event-driven)
        dr2/dt = -r2/(tau_plus_triplet*ms) : 1 (event-driven)
        do1/dt = -o1/(tau_minus*ms) : 1 (event-driven)
        do2/dt = -o2/(tau_minus_triplet*ms) : 1 (event-driven)
        """,
        """
        w = clip(w - o1*(Aminus + Aminus_triplet*r2), 0, Wmax)
        r1 += 1
        r2 += 1
        """,
        """
        w = clip(w + r1*(Aplus + Aplus_triplet*o2), 0, Wmax)
        o1 += 1
        o2 += 1
        """,
    )


def dopamine() -> np.ndarray:
    """The weight is integrated by a rule of order four, in steps of 0.1 ms."""
    begin(DT)
    pre, post, released = (generator(NEST[side]) for side in ("pre", "post", "dopamine"))
    synapses = b2.Synapses(
        pre,
        post,
        """
        dw/dt = c*(n - b)/ms : 1 (clock-driven)
        dc/dt = -c/(tau_c*ms) : 1 (clock-driven)
        dn/dt = -n/(tau_n*ms) : 1 (clock-driven)
        dx/dt = -x/(tau_plus*ms) : 1 (event-driven)
        dy/dt = -y/(tau_minus*ms) : 1 (event-driven)
        """,
        on_pre="x += 1; c -= A_minus*y",
        on_post="y += 1; c += A_plus*x",
        method="rk4",
    )
    synapses.connect()
    synapses.w = NEST["weight"]
    teacher = b2.Synapses(released, synapses, on_pre="n_post += 1/tau_n")
    teacher.connect()
    parameters = NEST["cases"]["dopamine"]["parameters"]
    return recorded(synapses, [pre, post, released, teacher], parameters)


def clopath_voltage(post: Any, dt: float, duration: float) -> np.ndarray:
    """Slow waves, and for each spike an upswing of 90 mV with an after-depolarisation."""
    t = dt * np.arange(round(duration / dt))
    v = -62.0 + 6.0 * np.sin(0.02 * np.pi * t) + 3.0 * np.sin(0.14 * np.pi * t)
    for spike in post:
        s = t - spike
        near = (s > -5) & (s < 100)
        s = s[near]
        v[near] += 90.0 * np.exp(-0.5 * (s / 0.4) ** 2)
        v[near] += 8.0 * (s > 0) * (np.exp(-s / 12.0) - np.exp(-s / 2.0))
    return v


def clopath() -> np.ndarray:
    """As brainfn describes it: voltages are held over a step in the filters, depression takes them
    before a step and potentiation after it."""
    begin(DT)
    parameters = NEST["clopath"]["parameters"]
    pre = generator(NEST["pre"], early=DT)  # a presynaptic spike acts before the next step
    voltage = b2.TimedArray(clopath_voltage(NEST["post"], DT, DURATION), dt=DT * ms)
    post = b2.NeuronGroup(
        1,
        """
        u : 1
        du_minus/dt = (u - u_minus)/(tau_u_bar_minus*ms) : 1
        du_plus/dt = (u - u_plus)/(tau_u_bar_plus*ms) : 1
        """,
        method="exact",
    )
    post.run_regularly("u = voltage(t)", when="start")
    post.u_minus = post.u_plus = parameters["u_init"]
    synapses = b2.Synapses(
        pre,
        post,
        """
        w : 1
        dx/dt = -x/(tau_x*ms) : 1 (clock-driven)
        """,
        on_pre={
            "depress": "w = clip(w - A_LTD*clip(u_minus_post - theta_minus, 0, inf), 0, Wmax)",
            "trace": "x += 1/tau_x",
        },
        delay={"depress": 0 * ms, "trace": DT * ms},
        method="exact",
    )
    synapses.connect()
    synapses.w = parameters["weight"]
    synapses.run_regularly(
        """
        gate = clip(u_post - theta_plus, 0, inf)*clip(u_plus_post - theta_minus, 0, inf)
        w = clip(w + A_LTP*x*gate*step, 0, Wmax)
        """,
        when="end",
    )
    return recorded(synapses, [pre, post], parameters | {"step": DT, "voltage": voltage})


CASES = {
    "Vogels-Sprekeler": inhibitory,
    "triplet": triplet,
    "dopamine": dopamine,
    "clopath": clopath,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    b2.prefs.codegen.target = "numpy"
    document = {
        "script": Path(__file__).name,
        "brian2": b2.__version__,
        "weights": {name: rounded(case()) for name, case in CASES.items()},
    }
    args.output.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
