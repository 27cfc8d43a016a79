"""Exponential synapses and their outputs against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

import brainfn as bf
from brainfn.synapse import Conductance, Current, Exponential


def clock(step=0, dt=0.1):
    return bf.Clock(jnp.asarray(step, jnp.int32), dt)


def test_exponential_sum_over_spikes_is_exact():
    rng = np.random.default_rng(0)
    tau, dt, n_steps = np.array([2.0, 5.0, 50.0]), 0.1, 400
    synapse = Exponential(tau, size=3)
    weights = np.where(rng.uniform(size=(n_steps, 3)) < 0.1, rng.normal(size=(n_steps, 3)), 0.0)
    out = bf.simulate(synapse, inputs=weights, duration=n_steps * dt, dt=dt).outputs
    n, m = np.arange(n_steps)[:, None], np.arange(n_steps)[None]
    kernel = np.where((n >= m)[..., None], np.exp(-np.maximum(n - m, 0)[..., None] * dt / tau), 0)
    exact = np.einsum("nmi,mi->ni", kernel, weights)
    # The recursion and the sum round differently, at most as often as there are steps.
    np.testing.assert_allclose(out, exact, atol=1e-12, rtol=0)


def test_output_is_the_value_after_the_arrivals_of_the_step():
    synapse = Exponential(5.0, size=2, init=1.0)
    state, out = synapse.step(synapse.init(), jnp.array([0.0, 2.0]), clock())
    np.testing.assert_array_equal(out, [1.0, 3.0])
    np.testing.assert_allclose(state.g, np.array([1.0, 3.0]) * np.exp(-0.1 / 5.0), rtol=1e-15)


def test_conductance_within_a_step():
    synapse = Exponential(5.0, size=1, init=2.0)
    state = synapse.init()
    assert synapse.conductance(state, 0.0) is state.g
    np.testing.assert_allclose(
        synapse.conductance(state, jnp.asarray(0.05)), 2.0 * np.exp(-0.01), rtol=1e-15
    )


def test_outputs():
    g, v = jnp.array([2.0, 3.0]), jnp.array([-60.0, -50.0])
    np.testing.assert_array_equal(Current()(g, v), g)
    np.testing.assert_array_equal(Conductance(-80.0)(g, v), [-40.0, -90.0])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtype(dtype):
    synapse = Exponential(5.0, size=3, init=bf.init.Uniform(0.0, 1.0), dtype=dtype)
    import jax.random as jr

    state = synapse.init(key=jr.key(0))
    assert state.g.dtype == dtype
    state, out = synapse.step(state, jnp.ones(3, dtype), clock())
    assert state.g.dtype == dtype
    assert out.dtype == dtype
    assert Conductance(0.0, dtype=dtype)(out, out).dtype == dtype


def test_size_from_the_network_or_from_the_user():
    with pytest.raises(ValueError, match="`size`"):
        Exponential(5.0).init()
    assert Exponential(5.0).init(size=4).g.shape == (4,)
    assert Exponential(5.0, size=4).init().g.shape == (4,)
