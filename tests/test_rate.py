"""Rate units in a network with delays, against a loop in NumPy and a delay equation."""

import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf

DT = 0.1


def network(weights, steps, x0, tau, gain):
    n = len(x0)
    return bf.Network(
        {"r": bf.rate.Tanh(n, tau=tau, gain=gain, x_init=x0)},
        [
            bf.Projection(
                "r",
                "r",
                bf.event.Dense(weights),
                synapse=bf.synapse.Instant(),
                output=bf.synapse.Current(),
                delay=bf.delay.Axonal(DT * steps),
            )
        ],
    )


def test_against_a_loop():
    rng = np.random.default_rng(0)
    n, n_steps = 12, 300
    weights, steps = rng.normal(0, 1.5 / np.sqrt(n), (n, n)), rng.integers(1, 30, n)
    tau, x0 = rng.uniform(5, 15, n), rng.uniform(-1, 1, n)
    net = network(weights, steps, x0, tau, 1.3)
    out = bf.simulate(net, inputs=0.2, duration=n_steps * DT, dt=DT).outputs["r"]

    x, past = x0.copy(), [np.zeros(n)] * 30
    expected = []
    for _ in range(n_steps):
        arriving = np.array([past[-d][i] for i, d in enumerate(steps)])
        goal = arriving @ weights + 0.2
        x = goal + (x - goal) * np.exp(-DT / tau)
        past.append(np.tanh(1.3 * x))
        expected.append(past[-1])
    # The same arithmetic in another order, over 300 steps of a network that is not chaotic yet.
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-12)
    assert np.ptp(np.asarray(out)) > 0.5


def test_delay_equation_converges_with_order_one():
    r"""$\tau\dot x = -x - 2\tanh(x(t - 4))$, silent before the beginning, by the method of steps:
    on each interval of 4 ms an ordinary equation, solved to 1e-11."""
    from scipy.integrate import solve_ivp

    tau, delay, w = 10.0, 4.0, -2.0
    pieces, start = [], 0.8
    for k in range(10):
        before = pieces[-1] if pieces else None

        def field(t, x, before=before):
            sent = 0.0 if before is None else np.tanh(before(t - delay))
            return (-x + w * sent) / tau

        span = (k * delay, (k + 1) * delay)
        found = solve_ivp(field, span, [start], rtol=1e-11, atol=1e-12, dense_output=True)
        pieces.append(found.sol)
        start = found.y[0, -1]
    errors = []
    for dt in (0.1, 0.05, 0.025):
        net = bf.Network(
            {"r": bf.rate.Tanh(1, tau=tau, x_init=0.8)},
            [
                bf.Projection(
                    "r",
                    "r",
                    bf.event.Dense(np.array([[w]])),
                    synapse=bf.synapse.Instant(),
                    output=bf.synapse.Current(),
                    delay=delay,
                )
            ],
        )
        end = bf.simulate(net, duration=40.0, dt=dt).state["r"].x[0]
        errors.append(abs(float(end) - start))
    # Order one: what is sent is held over a step; |x| is below 1 and moves in 10 ms.
    what = "end of a delay equation, dt 0.025 ms"
    measured(["rate.Tanh"], what, against="SciPy at 1e-11", error=errors[-1], bound=0.01)
    order = np.polyfit(np.log([0.1, 0.05, 0.025]), np.log(errors), 1)[0]
    assert order == pytest.approx(1.0, abs=0.15)


def test_merged_equals_apart_and_rates_meet_spikes():
    rng = np.random.default_rng(1)

    def build(merge):
        shared = {"synapse": bf.synapse.Instant(), "output": bf.synapse.Current()}
        return bf.Network(
            {
                "a": bf.rate.Tanh(5, tau=8.0, x_init=bf.init.Uniform(-1.0, 1.0)),
                "b": bf.rate.Tanh(4, tau=12.0, x_init=bf.init.Uniform(-1.0, 1.0)),
                "cells": bf.neuron.LIF(6),
            },
            {
                "ab": bf.Projection(
                    "a", "b", bf.event.Dense(rng.normal(size=(5, 4))), delay=0.5, **shared
                ),
                "cells": bf.Projection(
                    "b",
                    "cells",
                    bf.connect.AllToAll(),
                    weight=100.0,
                    synapse=bf.synapse.Instant(),
                    output=bf.synapse.Current(),
                ),
            },
            merge=merge,
        )

    rng = np.random.default_rng(1)
    one = build(True)
    rng = np.random.default_rng(1)
    two = build(False)
    assert len(one.layout.groups) == 2 and len(two.layout.groups) == 3
    inputs = {"a": 0.5, "cells": 250.0}
    a, b = (
        bf.simulate(net, inputs=inputs, duration=20.0, dt=DT, key=jr.key(0)).outputs
        for net in (one, two)
    )
    for name in ("a", "b", "cells"):
        np.testing.assert_array_equal(a[name], b[name])
    assert float(a["cells"].sum()) > 0
