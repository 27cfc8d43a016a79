"""The protocol: the parts by hand give what `Network` gives, and users' models work."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import brainfn as bf

DT = 0.1


def test_the_parts_by_hand_are_the_network():
    """DESIGN 1: the functional path is the product; `Network` is its convenience."""
    n = 20
    rng = np.random.default_rng(0)
    w = np.where(rng.uniform(size=(n, n)) < 0.3, rng.uniform(10.0, 80.0, (n, n)), 0.0)
    v = rng.uniform(-60.0, -50.0, n)
    matrix = bf.event.CSR.fromdense(w)
    neuron = bf.neuron.LIF(n, v_init=v, refractory=1.0)
    synapse = bf.synapse.Exponential(5.0)
    output, line = bf.synapse.Current(), bf.Delay(3, n)
    network = bf.Network(
        {"a": neuron},
        [bf.Projection("a", "a", matrix, synapse=synapse, output=output, delay=0.3)],
    )
    expected = bf.simulate(network, inputs=250.0, duration=20.0, dt=DT).outputs["a"]

    def step(carry, i):
        neurons, g, spikes = carry
        clock = bf.Clock(i, DT)
        arriving = line.read(spikes, clock, 3) @ matrix
        g = synapse.arrive(g, arriving)
        # What has, on a membrane with this decay, the effect of the synapse over the step.
        held = synapse.held(g, 1 / neuron.tau, DT)
        drive = lambda t, v: 250.0 + output(held, v)  # noqa: E731
        neurons, out = neuron.step(neurons, drive, clock)
        g = synapse.advance(g, DT)
        return (neurons, g, line.write(spikes, out, clock)), out

    start = (neuron.init(), synapse.init(n), line.init())
    _, spikes = jax.lax.scan(step, start, jnp.arange(200, dtype=jnp.int32))
    assert 50 < np.asarray(spikes).sum() < 1500
    np.testing.assert_array_equal(spikes, expected)


class Walk(bf.AbstractModel):
    """A random walk with a drift: what a user writes in ten lines."""

    drift: jax.Array

    def init(self, *, key=None):
        return jr.normal(key, self.drift.shape)

    def step(self, state, inputs, clock, *, key=None):
        assert isinstance(clock.dt, float)
        state = state + self.drift * clock.dt + inputs + jr.normal(key, state.shape)
        return state, {"x": state, "t": clock.t}


def test_a_users_model():
    model = Walk(jnp.arange(3.0))
    out = bf.simulate(model, inputs=1.0, duration=5.0, dt=0.5, key=jr.key(0))
    np.testing.assert_allclose(out.outputs["t"], np.arange(10) * 0.5, rtol=1e-15)
    np.testing.assert_allclose(out.ts, out.outputs["t"], rtol=1e-15)
    first = bf.simulate(model, inputs=1.0, duration=2.0, dt=0.5, key=jr.key(0))
    rest = bf.simulate(model, inputs=1.0, duration=3.0, dt=0.5, key=jr.key(0), state=first.state)
    np.testing.assert_array_equal(rest.state.model_state, out.state.model_state)

    def end(drift):
        changed = eqx.tree_at(lambda m: m.drift, model, drift)
        return bf.simulate(changed, inputs=0.0, duration=5.0, dt=0.5, key=jr.key(0)).outputs["x"][
            -1
        ]

    np.testing.assert_allclose(jax.jacobian(end)(jnp.arange(3.0)), 5.0 * np.eye(3), rtol=1e-14)


def test_clock_counts_steps():
    clock = bf.Clock(jnp.asarray(2**31 - 1, jnp.int32), 0.1)
    np.testing.assert_allclose(clock.t, (2**31 - 1) * 0.1, rtol=1e-15)


def test_network_steps_by_hand_are_simulate():
    network = bf.Network({"a": bf.neuron.LIF(3, v_init=np.array([-58.0, -55.0, -51.0]))})
    prepared = network.prepare(DT)
    state = network.init(dt=DT)
    for model in (network, prepared):
        now = state
        for n in range(3):
            now, out = model.step(now, {"a": 300.0}, bf.Clock(jnp.asarray(n, jnp.int32), DT))
        expected = bf.simulate(network, inputs=300.0, duration=0.3, dt=DT)
        # Compiled at once or step by step: rounding.
        np.testing.assert_allclose(now["a"].v, expected.state["a"].v, rtol=1e-14)
        assert out["a"].shape == (3,)
