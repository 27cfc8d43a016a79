"""Ring attractors: head direction against its theory, and working memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.zoo import _ring_attractor as ring, _working_memory as memory

KEY = jax.random.key(0)


def test_a_bump_stays_and_moves_at_the_velocity():
    dt = 0.5
    turns = ring.run_ring(2000.0, dt)
    found = ring._figures(turns)
    assert abs(found["drift"]) < 1e-6
    # A step of forward Euler type shifts a bump by (1 - exp(-dt/tau)) tau omega, if the change in
    # its shape is neglected, which is of second order in the velocity.
    exact = -np.expm1(-dt / 10) * 10 / dt
    slow = np.abs(turns.velocities) <= 120
    gain = np.polyfit(turns.velocities[slow], turns.speeds[slow], 1)[0]
    measured(
        ["event.Circulant"], "velocity gain of a ring attractor", against="theory of Zhang (1996)",
        error=abs(gain / exact - 1), bound=1e-3,
    )  # fmt: skip
    np.testing.assert_allclose(turns.speeds, -turns.speeds[::-1], atol=1e-6)
    assert found["bend"] < 0.01 and found["error"] < 10
    # Nearly the tuning curve that it was designed for: its peak, and its width at half height,
    # where exp(K (cos x - 1)) = (1 + exp(-2 K)) / 2.
    assert 0.85 < found["peak"] / 40 < 1.0
    width = 2 * np.degrees(np.arccos(1 + np.log((1 + np.exp(-16)) / 2) / 8))
    assert ring.half_width(ring.tuning(ring.angles(400))) == pytest.approx(width, abs=0.05)
    assert width < found["width"] < 1.3 * width
    assert ring._picture(turns).axes


def test_the_weights_maintain_the_tuning_curve():
    """W * r gives back the input of which r is the rate, up to what regularisation takes away."""
    symmetric, turning = ring.ring_weights(64)
    x, r = ring._start(64), ring.tuning(ring.angles(64))
    cells = bf.zoo.HeadDirection(64)
    np.testing.assert_allclose(cells.rate(jnp.asarray(x)), r, rtol=1e-12)
    back = np.asarray(jnp.asarray(r) @ bf.event.Circulant(jnp.asarray(symmetric)))
    moved = np.asarray(jnp.asarray(r) @ bf.event.Circulant(jnp.asarray(turning)))
    scale = np.ptp(x)
    assert np.max(np.abs(back - x)) < 0.1 * scale
    # Minus the derivative of what is maintained, by central differences of order two.
    step = 2 * np.pi / 64
    slope = (np.roll(back, -1) - np.roll(back, 1)) / (2 * step)
    np.testing.assert_allclose(moved, -slope, atol=0.03 * np.max(np.abs(slope)))


def test_directions_are_alike_and_differentiable():
    """A bump that begins elsewhere moves in the same way; the direction at the end has the
    derivative that its velocity says."""

    def end(velocity, direction):
        network, inputs = bf.zoo.ring_attractor(velocity, direction=direction, size=60)
        out = bf.simulate(network, inputs=inputs, duration=100.0, dt=0.5)
        rates = out.outputs["cells"]
        angles = ring.angles(60)
        vector = [rates[-1] @ jnp.asarray(f(angles)) for f in (np.sin, np.cos)]
        return jnp.arctan2(*vector), rates

    run = jax.jit(jax.value_and_grad(end, has_aux=True), static_argnums=1)
    (first, rates), slope = run(jnp.asarray(5e-3), 0.0)
    (other, moved), _ = run(jnp.asarray(5e-3), 2 * np.pi / 6)
    np.testing.assert_allclose(moved, np.roll(rates, 10, 1), atol=1e-12)
    assert float(other - first) == pytest.approx(2 * np.pi / 6, abs=1e-9)
    h = 1e-6
    differences = [run(jnp.asarray(5e-3 + s * h), 0.0)[0][0] for s in (1, -1)]
    assert float(slope) == pytest.approx(float(differences[0] - differences[1]) / (2 * h), rel=1e-7)
    # 100 ms, less the part by which a step of half a ms is late.
    assert float(slope) == pytest.approx(100.0 * 0.975, rel=0.02)
    bf.check(bf.zoo.HeadDirection(5, x_init=0.1))


def test_a_direction_is_remembered():
    """With half of the neurons: a bump where the cue was, at about 20 Hz, and none without."""
    with jax.enable_x64(False):
        m = memory.run_working_memory(0.5, 1400.0, 0.2, KEY, trials=2, silent=1)
    found = memory._figures(m)
    assert found["kept"] == 1.0 and found["untuned"] == 1.0
    # Diffusion by some 10 degrees within a second; the cue itself is known to one or two.
    assert found["error"] < 30
    during = (m.ts > 600) & (m.ts <= 750)
    direction = np.angle(m.rates[:, during].mean(1) @ np.exp(2j * np.pi * np.arange(64) / 64))
    np.testing.assert_allclose(np.degrees(direction) % 360, 180.0, atol=8)
    assert 12 < found["peak"] < 40 and 40 < found["width"] < 140
    # The paper: 3 and 9 Hz, in an infinite time that this is the beginning of.
    assert 1 < found["spontaneous"] < 6 and 4 < found["spontaneous_inh"] < 14
    assert memory._picture(m, 1280).axes


def test_the_network_has_the_published_numbers():
    network, _ = bf.zoo.working_memory(90.0)
    ring = network.matrix("nmda_exc")
    assert ring.kind == "circulant" and ring.synapses == 2048**2
    relative = np.asarray(ring.data) / 0.381
    assert relative.max() == relative[0] == pytest.approx(1.62, rel=1e-12)
    assert relative.mean() == pytest.approx(1.0, rel=1e-12)
    # The weight at the distance sigma = 14.4 degrees, between those of its neighbours.
    low = relative.min()
    at = np.interp(14.4, 360 / 2048 * np.arange(1024), relative[:1024])
    assert at == pytest.approx(low + (1.62 - low) * np.exp(-0.5), rel=1e-5)
    for name, weight in (("nmda_inh", 0.292), ("gaba_exc", 1.336), ("gaba_inh", 1.024)):
        assert float(network.matrix(name).weight) == pytest.approx(weight, rel=1e-12)
    half, _ = bf.zoo.working_memory(scale=0.5)
    assert float(half.matrix("gaba_exc").weight) == pytest.approx(2 * 1.336, rel=1e-12)
    assert half.matrix("nmda_exc").shape == (1024, 1024)
    with pytest.raises(ValueError, match="`scale` must be at least 0.1"):
        bf.zoo.working_memory(scale=0.01)


def test_float32_stays_float32():
    for network, inputs in (
        bf.zoo.synfire(pools=2, key=KEY, dtype=jnp.float32),
        bf.zoo.gamma("ping", scale=0.1, key=KEY, dtype=jnp.float32),
        bf.zoo.ring_attractor(1e-3, size=16, dtype=jnp.float32),
        bf.zoo.working_memory(scale=0.1, dtype=jnp.float32),
    ):
        for leaf in filter(eqx.is_array, jax.tree.leaves((network, inputs))):
            assert leaf.dtype != jnp.float64
