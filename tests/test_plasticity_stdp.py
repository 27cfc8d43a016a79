"""Pair STDP against the double sum over all pairs of spikes, and in a network with delays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn as bf
from brainfn.event import CSR, Dense, FixedFanin, FixedFanout
from brainfn.plasticity import STDP
from brainfn.synapse import Activity

DT, STEPS, N_PRE, N_POST = 0.5, 120, 4, 6
RULE = {"A_plus": 0.03, "A_minus": 0.02, "tau_plus": 12.0, "tau_minus": 25.0}


def rasters():
    rng = np.random.default_rng(3)
    return rng.uniform(size=(STEPS, N_PRE)) < 0.1, rng.uniform(size=(STEPS, N_POST)) < 0.1


def weights():
    rng = np.random.default_rng(4)
    w = rng.uniform(0.4, 0.6, (N_PRE, N_POST))
    # Three postsynaptic neurons each, two presynaptic ones each: fit for every format.
    mask = np.zeros_like(w, bool)
    for i in range(N_PRE):
        for k in range(3):
            mask[i, (3 * i + k) % N_POST] = True
    return np.where(mask, w, 0.0)


def formats():
    w = weights()
    csr = CSR.fromdense(w)
    fanout = FixedFanout(
        csr.data.reshape(N_PRE, 3), csr.indices.reshape(N_PRE, 3), shape=(N_PRE, N_POST)
    )
    by_post = CSR.fromdense(w.T)
    fanin = FixedFanin(
        by_post.data.reshape(N_POST, 2), by_post.indices.reshape(N_POST, 2), shape=(N_PRE, N_POST)
    )
    return {"CSR": csr, "CSC": csr.tocsc(), "FixedFanout": fanout, "FixedFanin": fanin}


def learn(rule, matrix, pre, post):
    def step(carry, x):
        traces, weight = carry
        clock = bf.Clock(jnp.asarray(0, jnp.int32), DT)
        a, b = Activity(x[0], None), Activity(x[1], None)
        traces, after = rule.step(traces, matrix.with_weight(weight), a, b, None, clock)
        return (traces, after.weight), None

    start = (rule.init(matrix), matrix.weight)
    (_, weight), _ = jax.lax.scan(step, start, (jnp.asarray(pre), jnp.asarray(post)))
    return matrix.with_weight(weight)


def all_pairs(w, pre, post, A_plus, A_minus, tau_plus, tau_minus):
    """The weights after all pairs: those of one step count as pre before post."""
    w = w.copy()
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            for a in np.flatnonzero(pre[:, i]):
                for b in np.flatnonzero(post[:, j]):
                    lag = (b - a) * DT
                    if lag >= 0:
                        w[i, j] += A_plus * np.exp(-lag / tau_plus)
                    else:
                        w[i, j] -= A_minus * np.exp(lag / tau_minus)
    return w


@pytest.mark.parametrize("name", ["CSR", "CSC", "FixedFanout", "FixedFanin", "Dense"])
def test_sum_over_all_pairs(name):
    pre, post = rasters()
    w = weights()
    matrix = Dense(jnp.asarray(w)) if name == "Dense" else formats()[name]
    out = learn(STDP(**RULE, w_min=-100.0, w_max=100.0), matrix, pre, post).todense()
    expected = all_pairs(w, pre, post, **RULE)
    there = np.ones_like(w, bool) if name == "Dense" else w != 0
    np.testing.assert_allclose(out[there], expected[there], rtol=1e-12)
    assert np.abs(expected - w)[there].max() > 0.05


def test_bounds_hold_at_each_change():
    """A loop over steps with clipping, which makes the result hang on the order."""
    pre, post = rasters()
    w, rule = weights(), RULE | {"A_plus": 0.3, "A_minus": 0.2}
    x, y, expected = np.zeros(N_PRE), np.zeros(N_POST), w.copy()
    for s, t in zip(pre, post, strict=True):
        x = x * np.exp(-DT / rule["tau_plus"]) + s
        y = y * np.exp(-DT / rule["tau_minus"])
        for i in np.flatnonzero(s):
            expected[i] = np.clip(expected[i] - rule["A_minus"] * y, 0.1, 0.9)
        for j in np.flatnonzero(t):
            expected[:, j] = np.clip(expected[:, j] + rule["A_plus"] * x, 0.1, 0.9)
        y = y + t
    out = learn(STDP(**rule, w_min=0.1, w_max=0.9), formats()["CSR"], pre, post).todense()
    np.testing.assert_allclose(np.asarray(out)[w != 0], expected[w != 0], rtol=1e-12)
    assert np.isin([0.1, 0.9], expected[w != 0]).all()


def test_gradients_are_central_differences():
    pre, post = (x.astype(float) for x in rasters())
    matrix = formats()["CSR"]
    mix = jnp.asarray(np.random.default_rng(5).normal(size=matrix.weight.shape))

    @jax.jit
    def loss(parameters):
        rule = STDP(**parameters, w_min=-100.0, w_max=100.0)
        return jnp.sum(mix * learn(rule, matrix, pre, post).weight)

    values = {name: jnp.asarray(value) for name, value in RULE.items()}
    gradients = jax.grad(loss)(values)
    for name, value in values.items():
        h = 1e-5 * float(value)
        up, down = loss(values | {name: value + h}), loss(values | {name: value - h})
        np.testing.assert_allclose(gradients[name], (up - down) / (2 * h), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("delay", [0.5, 2.5])
def test_in_a_network_with_delays(delay):
    """The weights of the state after a run, from the spikes that the run emitted."""
    steps, units = np.nonzero(rasters()[0])
    times = steps * DT
    w = weights()
    network = bf.Network(
        {
            "in": bf.input.SpikeTimes(N_PRE, times, units),
            "out": bf.neuron.LIF(N_POST, refractory=1.0, v_init=np.linspace(-60, -51, N_POST)),
        },
        {
            "p": bf.Projection(
                "in",
                "out",
                CSR.fromdense(w),
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                plasticity=STDP(**RULE, w_min=-100.0, w_max=100.0),
                delay=delay,
            )
        },
    )
    out = bf.simulate(network, inputs={"out": 300.0}, duration=60.0, dt=DT)
    emitted = {name: np.asarray(x) for name, x in out.outputs.items()}
    assert emitted["out"].sum() > 10
    lag = round(delay / DT)
    arrived = np.concatenate([np.zeros((lag, N_PRE)), emitted["in"][:-lag]])
    assert arrived.max() == 1.0
    expected = all_pairs(w, arrived, emitted["out"], **RULE)
    learnt = out.state.model_state.weights["p"]
    np.testing.assert_allclose(learnt, expected[w != 0], rtol=1e-11)
