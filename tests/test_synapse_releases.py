"""Releases: short-term plasticity and the NMDA gate against their equations, apart from brainfn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models import all_releases
from scipy.integrate import solve_ivp

import brainfn as bf
from brainfn.synapse import Graded, NMDAGate, Spikes, TsodyksMarkram

STEPS = 300


def raster(size=3, p=0.03, seed=0):
    return np.random.default_rng(seed).uniform(size=(STEPS, size)) < p


def sent_by(release, emitted, dt=0.1):
    emitted = jnp.asarray(emitted)

    def step(state, x):
        n, spikes = x
        clock = bf.Clock(n, dt)
        return release.release(state, spikes, None, clock)

    steps = jnp.arange(emitted.shape[0], dtype=jnp.int32)
    state, sent = jax.lax.scan(step, release.init(emitted.shape[1]), (steps, emitted))
    return state, np.asarray(sent)


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


@pytest.mark.parametrize("name", [n for n in all_releases if n not in ("Spikes", "Graded")])
def test_gradients_are_central_differences(name):
    release = all_releases[name]()
    leaves, structure = jax.tree.flatten(release)
    spikes = raster(p=0.2).astype(float)
    mix = np.random.default_rng(1).normal(size=spikes.shape)

    @jax.jit
    def loss(leaves):
        _, sent = _scan(jax.tree.unflatten(structure, leaves), spikes)
        return jnp.sum(mix * sent)

    gradients = jax.grad(loss)(leaves)
    for i, gradient in enumerate(gradients):
        h = 1e-5 * float(leaves[i])
        up, down = ([*leaves[:i], leaves[i] + d, *leaves[i + 1 :]] for d in (h, -h))
        np.testing.assert_allclose(
            gradient, (loss(up) - loss(down)) / (2 * h), rtol=1e-6, atol=1e-9
        )


def _scan(release, emitted):
    def step(state, spikes):
        return release.release(state, spikes, None, bf.Clock(jnp.asarray(0, jnp.int32), 0.1))

    return jax.lax.scan(step, release.init(emitted.shape[1]), jnp.asarray(emitted))


@pytest.mark.parametrize("name", [n for n in all_releases if n not in ("Spikes", "Graded")])
def test_float32_and_without_jit(name):
    release = bf.astype(all_releases[name](), jnp.float32)
    spikes = jnp.asarray(raster(p=0.2))[:20]
    state, sent = _scan(release, spikes)
    assert {x.dtype for x in (*jax.tree.leaves(state), sent)} == {jnp.dtype(jnp.float32)}
    with jax.disable_jit():
        _, again = _scan(release, spikes)
    np.testing.assert_allclose(sent, again, rtol=1e-5, atol=1e-7)
