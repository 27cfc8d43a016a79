"""Synapses of every kind in networks: gap junctions, NMDA, short-term plasticity."""

import jax
import jax.numpy as jnp
import numpy as np

import brainfn as bf
from brainfn.event import CSR, Dense
from brainfn.synapse import (
    Conductance,
    Diffusive,
    Exponential,
    Graded,
    Instant,
    MagnesiumBlock,
    NMDAGate,
    TsodyksMarkram,
)

DT = 0.1


def silent(n, v, **options):
    return bf.neuron.LIF(n, v_threshold=1e6, v_init=v, **options)


def gap(pre, post, w, **options):
    return bf.Projection(
        pre,
        post,
        Dense(jnp.asarray(w)),
        release=Graded(lambda s: s.v),
        synapse=Instant(),
        output=Diffusive(),
        **options,
    )


def test_gap_junctions_between_two_populations():
    """Each step is the exact solution of a linear membrane with the voltages of the step before."""
    rng = np.random.default_rng(0)
    w = rng.uniform(0.0, 4.0, (3, 2))
    a, b = np.array([-70.0, -55.0, -40.0]), np.array([-65.0, -30.0])
    network = bf.Network(
        {"a": silent(3, a), "b": silent(2, b, tau=10.0)},
        {"ab": gap("a", "b", w), "ba": gap("b", "a", w.T)},
    )
    out = bf.simulate(
        network, duration=5.0, dt=DT, record=lambda s, o: (s["a"].v, s["b"].v)
    ).outputs
    for n in range(50):
        new = []
        for v, other, g, tau in ((a, b, w.T, 20.0), (b, a, w, 10.0)):
            leak, total = 200.0 / tau, g.sum(0)
            rest = (leak * -60.0 + other @ g) / (leak + total)
            new.append(rest + (v - rest) * np.exp(-(leak + total) / 200.0 * DT))
        a, b = new
        np.testing.assert_allclose(out[0][n], a, rtol=1e-11)
        np.testing.assert_allclose(out[1][n], b, rtol=1e-11)


def test_equal_voltages_pass_no_current():
    network = bf.Network(
        {"a": silent(3, -60.0), "b": silent(2, -60.0)},
        [gap("a", "b", np.full((3, 2), 2.0), delay=1.0)],
    )
    out = bf.simulate(network, duration=5.0, dt=DT, record=lambda s, o: s["b"].v).outputs
    np.testing.assert_allclose(out, -60.0, atol=1e-11)


def given(n=2):
    return bf.input.SpikeTimes(n, [0.5, 1.0, 1.5, 4.0, 4.5, 4.5], [0, 0, 1, 0, 1, 0])


def test_nmda_in_one_projection():
    """What the neuron sees is the gate of `NMDAGate`, one delay later, through the block."""
    w = np.array([[3.0], [2.0]])
    network = bf.Network(
        {"in": given(), "cell": silent(1, -50.0)},
        [
            bf.Projection(
                "in",
                "cell",
                Dense(jnp.asarray(w)),
                release=NMDAGate(),
                synapse=Instant(),
                output=MagnesiumBlock(),
                delay=0.3,
            )
        ],
    )
    out = bf.simulate(
        network, duration=20.0, dt=DT, record=lambda s, o: (s["cell"].v, o["in"])
    ).outputs
    gate, clock = NMDAGate(), bf.Clock(jnp.asarray(0, jnp.int32), DT)
    state, v = gate.init(2), -50.0
    sent = [np.zeros(2)] * 3
    for n in range(200):
        g = float((sent[n] @ w)[0])
        v_now = v
        # The exponential Euler step, with the derivative of the blocked current by v.
        block = 1 / (1 + np.exp(-0.062 * v_now) / 3.57)
        slope = -g * block - g * v_now * 0.062 * block * (1 - block)
        rate = -1 / 20.0 + slope / 200.0
        field = (-60.0 - v_now) / 20.0 - g * block * v_now / 200.0
        v = v_now + field * np.expm1(rate * DT) / rate
        np.testing.assert_allclose(out[0][n], [v], rtol=1e-9)
        state, s = gate.release(state, jnp.asarray(out[1][n]), None, clock)
        sent.append(np.asarray(s))


def test_short_term_plasticity_in_a_network_merged_and_apart():
    def run(merge):
        cells = {name: bf.neuron.LIF(3, refractory=1.0, v_init=-52.0) for name in "abc"}
        dense = np.random.default_rng(1).uniform(1.0, 5.0, (3, 3))
        projections = [
            bf.Projection(
                pre,
                post,
                CSR.fromdense(dense),
                release=TsodyksMarkram(U=u),
                synapse=Exponential(5.0),
                output=Conductance(0.0),
                delay=0.4,
            )
            for pre, post, u in (("a", "b", 0.5), ("b", "c", 0.2), ("c", "a", 0.9))
        ]
        network = bf.Network(cells, projections, merge=merge)
        out = bf.simulate(network, inputs=250.0, duration=40.0, dt=DT)
        return jax.tree.map(np.asarray, dict(out.outputs)), out.state.model_state

    (x, state), (y, _) = run(True), run(False)
    for name in "abc":
        assert x[name].sum() > 3
        np.testing.assert_array_equal(x[name], y[name])
    # The utilisation of `b` after its spikes, by hand.
    u = np.zeros(3)
    for spikes in x["b"]:
        u = u * np.exp(-DT / 20.0)
        u = u + spikes * 0.2 * (1 - u)
    found = np.concatenate([np.asarray(r.u) for r in state.releases])
    assert all(np.any(np.isclose(found, value, rtol=1e-12)) for value in u)
