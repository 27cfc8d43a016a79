"""Releases: short-term plasticity and the NMDA gate against their equations, apart from brainfn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _differences import assert_gradient
from models import all_releases
from scipy.integrate import solve_ivp

import brainfn as bf
from brainfn._field import float_dtype
from brainfn.synapse import Graded, NMDAGate, Spikes, TsodyksMarkram

STEPS = 300


def raster(size=3, p=0.03, seed=0):
    return np.random.default_rng(seed).uniform(size=(STEPS, size)) < p


def sent_by(release, emitted, dt=0.1):
    state, sent = scan(release, emitted, dt)
    return state, np.asarray(sent)


def scan(release, emitted, dt=0.1):
    """What is sent in each step, by neurons whose potentials go up and down."""
    emitted = jnp.asarray(emitted)
    steps = jnp.arange(emitted.shape[0], dtype=jnp.int32)
    v = 5 * jnp.sin(steps.astype(float) * dt)[:, None] * jnp.ones(emitted.shape[1])[None]

    def step(state, x):
        n, spikes, v = x
        pre = bf.neuron.Voltage(v.astype(float_dtype(release)))
        key = jax.random.fold_in(jax.random.key(0), n)
        return release.release(state, spikes, pre, bf.Clock(n, dt), key=key)

    return jax.lax.scan(step, release.init(emitted.shape[1]), (steps, emitted, v))


@pytest.mark.parametrize(
    ("utilisation", "facilitation", "recovery"), [(0.5, 20.0, 800.0), (0.1, 500.0, 100.0)]
)
def test_tsodyks_markram_from_spike_to_spike(utilisation, facilitation, recovery):
    """The recursion over spikes of NEST's `tsodyks2_synapse`, which knows no steps: eqs. 4 and 5 of
    Tsodyks, Pawelzik and Markram (1998)."""
    release = TsodyksMarkram(U=utilisation, tau_facilitation=facilitation, tau_recovery=recovery)
    spikes = raster(p=0.1)
    _, sent = sent_by(release, spikes)
    assert np.all(sent[~spikes] == 0.0)
    for i in range(spikes.shape[1]):
        times = np.flatnonzero(spikes[:, i]) * 0.1
        u, x, last, expected = utilisation, 1.0, None, []
        for t in times:
            if last is not None:
                x = 1.0 + (x - x * u - 1.0) * np.exp(-(t - last) / recovery)
                u = utilisation + u * (1.0 - utilisation) * np.exp(-(t - last) / facilitation)
            expected.append(u * x)
            last = t
        np.testing.assert_allclose(sent[spikes[:, i], i], expected, rtol=1e-12)


def test_tsodyks_markram_at_a_constant_rate():
    """Its fixed point at regular spikes, from the published map."""
    release = TsodyksMarkram(U=0.2, tau_facilitation=30.0, tau_recovery=50.0)
    spikes = np.zeros((12000, 1), bool)
    spikes[::100] = True
    _, sent = sent_by(release, spikes)
    u = 0.2 / (1 - 0.8 * np.exp(-10 / 30.0))
    x = (1 - np.exp(-10 / 50.0)) / (1 - (1 - u) * np.exp(-10 / 50.0))
    np.testing.assert_allclose(sent[11900, 0], u * x, rtol=1e-12)


def test_nmda_gate_converges_to_its_equation_with_order_two():
    def exact(times, end):
        y, t, out = np.zeros(2), 0.0, None
        for until, jump in [*((s, 1.0) for s in times), (end, 0.0)]:
            if until > t:
                out = solve_ivp(
                    lambda t, y: [-y[0] / 2.0, -y[1] / 100.0 + 0.5 * y[0] * (1 - y[1])],
                    (t, until),
                    y,
                    rtol=1e-11,
                    atol=1e-13,
                )
                y, t = out.y[:, -1], until
            y = y + np.array([jump, 0.0])
        return y[1]

    times, end = (1.0, 3.0, 3.5, 9.0), 20.0
    reference, errors = exact(times, end), []
    for dt in (0.25, 0.125, 0.0625, 0.03125):
        spikes = np.zeros((round(end / dt), 1), bool)
        # A spike is emitted at the end of its step.
        spikes[[round(t / dt) - 1 for t in times]] = True
        _, sent = sent_by(NMDAGate(), spikes, dt)
        errors.append(abs(sent[-1, 0] - reference))
    slope = np.polyfit(np.log([0.25, 0.125, 0.0625, 0.03125]), np.log(errors), 1)[0]
    assert 1.8 < slope < 2.2
    assert errors[-1] < 1e-5


def test_nmda_gate_saturates():
    _, sent = sent_by(NMDAGate(), np.ones((2000, 1), bool))
    assert np.all((sent >= 0) & (sent < 1))
    assert np.all(np.diff(sent[:, 0]) >= 0)


def test_spikes_and_graded():
    spikes = jnp.array([True, False])
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)
    assert Spikes().release(None, spikes, None, clock)[1] is spikes
    pre = bf.synapse.Conducting(jnp.array([1.0, 2.0]))
    assert Graded(lambda s: s.g).release(None, spikes, pre, clock)[1] is pre.g
    assert not Spikes().graded
    assert Graded(lambda s: s.g).graded


STATEFUL = [n for n in all_releases if n not in ("Spikes", "Graded")]


@pytest.mark.parametrize("name", [n for n in STATEFUL if n != "Quantal"])
def test_gradients_are_central_differences(name):
    spikes = raster(p=0.2).astype(float)[:100]
    mix = np.random.default_rng(1).normal(size=spikes.shape)
    assert_gradient(lambda release: jnp.sum(mix * scan(release, spikes)[1]), all_releases[name]())


@pytest.mark.parametrize("name", STATEFUL)
def test_float32_and_without_jit(name):
    release = bf.astype(all_releases[name](), jnp.float32)
    spikes = jnp.asarray(raster(p=0.2))[:12]
    assert spikes.any()
    state, sent = scan(release, spikes)
    assert {x.dtype for x in (*jax.tree.leaves(state), sent)} == {jnp.dtype(jnp.float32)}
    with jax.disable_jit():
        _, again = scan(release, spikes)
    np.testing.assert_allclose(sent, again, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", STATEFUL)
def test_silent_neurons_send_zero(name):
    """Unless it is graded, nothing is sent without spikes, or long after them."""
    release = all_releases[name]()
    if release.graded:
        return
    spikes = np.zeros((40, 2), bool)
    spikes[3, 0] = True
    _, sent = sent_by(release, spikes)
    assert np.all(sent[:, 1] == 0) and np.all(sent[15:] == 0) and np.any(sent[3:15, 0] > 0)
