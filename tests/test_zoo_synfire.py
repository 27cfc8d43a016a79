"""The synfire chain: its synapses and background in closed form, and which packets survive."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import brainfn as bf
from brainfn.zoo import _synfire as synfire

KEY = jax.random.key(0)
TAU, TAU_S, AMPLITUDE = 10.0, 0.325, 4.86


def potential(t):
    """The closed form of the potential in mV, `t` ms after a spike: an alpha function of current,
    filtered by the membrane."""
    k = 1 / TAU_S - 1 / TAU
    rise = 1 / k**2 - np.exp(-k * t) * (t / k + 1 / k**2)
    return AMPLITUDE / (TAU * TAU_S) * np.exp(-t / TAU) * rise


def test_a_spike_and_the_background():
    """Of neurons that can't spike: the potential after one spike of the packet, and mean and
    variance with background, by Campbell's theorem."""
    network, inputs = bf.zoo.synfire(1.0, 0.0, start=1.0, pools=2, size=1000, key=KEY)
    network = eqx.tree_at(lambda n: n.populations["chain"].v_threshold, network, 1e6)
    quiet = eqx.tree_at(lambda n: n.populations["chain"].v_init, network, bf.init.Constant(-70.0))

    def record(state, output):
        return state["chain"].v

    packet = {"packet": inputs["packet"]}
    out = bf.simulate(quiet, inputs=packet, duration=6.0, dt=0.1, record=record, key=KEY)
    v = np.asarray(out.outputs)
    # Emitted in the step that begins at 1 ms, it acts from the beginning of the next.
    t = 0.1 * np.arange(1, v.shape[0] + 1) - 1.1
    np.testing.assert_allclose(v[:, 0] + 70, np.where(t > 0, potential(t), 0.0), atol=1e-12)
    assert np.max(v[:, :1000]) + 70 == pytest.approx(0.14, abs=0.005)
    # Neurons do not spike, so the second pool gets nothing.
    assert np.all(v[:, 1000:] == -70.0)
    end = bf.simulate(network, inputs=inputs, duration=60.0, dt=0.1, record=bf.record.nothing,
                      key=KEY).state["chain"].v  # fmt: skip
    rates = np.array([17_600 * 2e-3, 2400 * 12.5e-3])
    mean = AMPLITUDE * TAU_S * (rates[0] - rates[1])
    variance = rates.sum() * quad(lambda t: potential(t) ** 2, 0, 100)[0]
    # 2000 neurons: four standard errors; arrivals on a grid of 0.1 ms change little.
    found = np.asarray(end) + 70
    assert found.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 2000) + 0.02)
    assert found.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / 2000))


def test_packets_have_the_size_and_the_spread_asked_for():
    def drawn(spikes, key):
        return bf.zoo.pulse_packet(spikes, 2.0, start=30.0, key=key).values

    n = np.asarray(jax.vmap(drawn)(jnp.asarray([100.0, 37.0]), jax.random.split(KEY, 2)))
    np.testing.assert_array_equal(n.sum(1), [100, 37])
    ts = 0.1 * np.arange(n.shape[1]) + 0.05
    mean = n[0] @ ts / 100
    # Standard errors of 100 draws: 0.2 and 0.14 ms; four of them.
    assert mean == pytest.approx(30.0, abs=0.8)
    assert np.sqrt(n[0] @ (ts - mean) ** 2 / 100) == pytest.approx(2.0, abs=0.6)


def test_a_packet_is_followed():
    rng = np.random.default_rng(0)
    counts = rng.poisson(100 * 2e-3 * 0.1, (1200, 3))
    for pool, (size, spread) in enumerate(((90, 2.0), (60, 1.0), (0, 1.0))):
        at = rng.normal(51.5 + 3.5 * pool, spread, size)
        np.add.at(counts[:, pool], (at / 0.1).astype(int), 1)
    found = synfire.follow(counts, 0.1, 2.0)
    # A few spikes of the background; the standard error of a spread by quartiles is 1.2 s/sqrt(n).
    np.testing.assert_allclose(found.spikes, [90, 60, 0], atol=6)
    np.testing.assert_allclose(found.spread[:2], [2.0, 1.0], rtol=0.4)
    assert np.isnan(found.spread[2])


def test_packets_survive_or_die():
    """Strong ones become synchronous, broad or weak ones die; in float32, as by the command."""
    with jax.enable_x64(False):
        chains = synfire.run_synfire(100.0, 0.1, KEY, (25.0, 70.0, 120.0), (0.0, 4.0), 3)
    assert not chains.survives[0].any()
    assert chains.survives[1, 0].all() and not chains.survives[1, 1].all()
    assert chains.survives[2].all()
    spikes, spread = (x[..., -1][chains.survives] for x in chains.packets)
    # Nearly all neurons of the last pool, within less than a millisecond.
    assert spikes.mean() > 90 and spread.max() < 1.0
    assert chains.packets.spread[2, 1, :, 0].min() > 1.5
    critical = chains.critical
    assert 25 < critical[0] < 70 and critical[1] > critical[0]
    # About 2 Hz by the paper; 18 chains of 1000 neurons for 10 ms, after the start from random
    # potentials.
    assert 1.0 < 1e3 * chains.background < 4.0
    assert synfire._picture(chains, 0.1).axes


def test_wrong_calls():
    for call, message in (
        (lambda: bf.zoo.synfire(pools=0, key=KEY), "`pools` must be at least 1"),
        (lambda: bf.zoo.synfire(300.0, key=KEY), "`spikes` must lie in"),
        (lambda: bf.zoo.pulse_packet(3.0, -1.0, key=KEY), "`spread` must lie in"),
        (lambda: bf.zoo.pulse_packet(start=0.0, key=KEY), "`start` must be positive"),
        (lambda: synfire._experiment("", scale=0.01, duration=100.0, dt=0.1, key=KEY), "`scale`"),
        (lambda: synfire._experiment("", scale=1.0, duration=50.0, dt=0.1, key=KEY), "`duration`"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            call()
