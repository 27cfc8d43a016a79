"""Gradients through 100 ms of a COBA network of 400 neurons, and through small smooth ones."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf

DT = 0.1
KEY = jr.key(1)
RELU = bf.surrogate.ReluGrad()


def coba(n_exc=320, n_inh=80, p=0.2, surrogate=RELU, delay=0.1, w=(6.0, 67.0)):
    lif = {"v_init": bf.init.Normal(-55.0, 2.0), "surrogate": surrogate}
    rule = bf.connect.FixedProbability(p)
    both = ["exc", "inh"]
    return bf.Network(
        {"exc": bf.neuron.LIF(n_exc, **lif), "inh": bf.neuron.LIF(n_inh, **lif)},
        [
            bf.Projection(
                "exc",
                both,
                rule,
                weight=bf.init.Uniform(0.9 * w[0], 1.1 * w[0]),
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                delay=delay,
            ),
            bf.Projection(
                "inh",
                both,
                rule,
                weight=w[1],
                synapse=bf.synapse.Exponential(10.0),
                output=bf.synapse.Conductance(-80.0),
                delay=delay,
            ),
        ],
        key=jr.key(0),
    )


def parameters(network):
    """Weights (one for each synapse, and one for all), time constants of membrane and synapse."""
    p = network.projections
    return (
        p["exc"].weight,
        p["inh"].weight,
        network.populations["exc"].tau,
        p["inh"].synapse.tau,
    )


def losses(theta, network, duration, checkpoint, current=None):
    """Mean membrane potential in mV, and mean rate in spikes per step."""
    values, drive = theta
    network = eqx.tree_at(parameters, network, values)
    record = bf.record.Mean(lambda s, o: (s["exc"].v, o["exc"], o["inh"]))
    out = bf.simulate(
        network,
        inputs=drive,
        duration=duration,
        dt=DT,
        key=KEY,
        record=record,
        checkpoint=checkpoint,
    )
    v, exc, inh = out.outputs
    return jnp.mean(v), jnp.mean(exc) + jnp.mean(inh)


def smooth(theta, network, duration=20.0, checkpoint=False):
    v, _ = losses(theta, network, duration, checkpoint)
    return v


def rate(theta, network, duration=100.0, checkpoint=False):
    _, r = losses(theta, network, duration, checkpoint)
    return r


def both(theta, network, duration=100.0, checkpoint=False):
    v, r = losses(theta, network, duration, checkpoint)
    return v / 10.0 + r * 1e3


def theta_of(network, current=200.0):
    return parameters(network), jnp.asarray(current)


@pytest.fixture(scope="module")
def gradient():
    network = coba()
    theta = theta_of(network)
    plain = jax.jit(jax.value_and_grad(both), static_argnums=(2, 3))
    return network, theta, plain, plain(theta, network, 100.0, False)


def test_gradient_is_finite_and_reaches_every_parameter(gradient):
    network, theta, _, (value, grads) = gradient
    _, r = losses(theta, network, 100.0, False)
    # An active network, of some tens of spikes per second.
    assert 1e-4 < float(r) < 2e-2
    assert np.isfinite(value)
    for leaf in jax.tree.leaves(grads):
        assert np.isfinite(leaf).all()
        assert np.any(leaf != 0)
    # Nearly all synapses of neurons that spiked matter.
    assert np.mean(np.asarray(grads[0][0]) != 0) > 0.2


@pytest.mark.parametrize("checkpoint", [True])
def test_checkpointed_gradient_is_the_plain_gradient(gradient, checkpoint):
    network, theta, plain, (value, grads) = gradient
    again, others = plain(theta, network, 100.0, checkpoint)
    np.testing.assert_allclose(again, value, rtol=1e-12)
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(others), strict=True):
        # The same numbers summed within segments first: rounding, relative to the largest.
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(a).max())


QUIET = {"n_exc": 20, "n_inh": 8, "p": 0.3}


def central(f, theta, direction, h):
    forward = f(jax.tree.map(lambda x, d: x + h * d, theta, direction))
    backward = f(jax.tree.map(lambda x, d: x - h * d, theta, direction))
    return (forward - backward) / (2 * h)


@pytest.mark.parametrize(
    ("surrogate", "solver"),
    [
        (None, bf.solver.ExponentialEuler()),
        (bf.surrogate.ReluGrad(), bf.solver.Heun()),
    ],
    ids=["bool, exponential Euler", "surrogate, Heun"],
)
def test_gradient_where_the_loss_is_smooth(surrogate, solver):
    """Synapses that start charged drive a membrane that never spikes: no surrogate is involved."""
    # Threshold and reset are near each other, so that the membrane is outside of any support.
    options = {"surrogate": surrogate, "solver": solver, "v_init": -55.0}
    options |= {"v_threshold": 1e4, "v_reset": 1e4 - 1}
    network = bf.Network(
        {"exc": bf.neuron.LIF(5, **options), "inh": bf.neuron.LIF(3, tau=12.0, **options)},
        {
            name: bf.Projection(
                name,
                ["exc", "inh"],
                bf.connect.AllToAll(),
                weight=1.0,
                synapse=bf.synapse.Exponential(tau, g_init=20.0),
                output=bf.synapse.Conductance(reversal),
                delay=0.5,
            )
            for name, tau, reversal in (("exc", 5.0, 0.0), ("inh", 10.0, -80.0))
        },
    )
    where = lambda n: (  # noqa: E731
        n.populations["exc"].tau,
        n.populations["inh"].capacitance,
        n.projections["exc"].synapse.tau,
        n.projections["inh"].output.reversal,
        n.populations["exc"].v_rest,
    )

    @jax.jit
    def loss(theta):
        values, current = theta
        changed = eqx.tree_at(where, network, values)
        record = bf.record.Mean(lambda s, _: (s["exc"].v, s["inh"].v))
        out = bf.simulate(changed, inputs=current, duration=10.0, dt=DT, record=record)
        return jnp.mean(out.outputs[0]) + jnp.mean(out.outputs[1] ** 2) / 100

    theta = (where(network), jnp.asarray(100.0))
    gradient = jax.jit(jax.grad(loss))(theta)
    slope_along = jax.jit(lambda d: jax.jvp(loss, (theta,), (d,))[1])
    leaves, structure = jax.tree.flatten(theta)
    for i, slope in enumerate(jax.tree.leaves(gradient)):
        direction = structure.unflatten([float(i == j) for j in range(len(leaves))])
        expected = central(loss, theta, direction, 1e-4 * float(abs(leaves[i])))
        # Central differences in float64: 1e-6 (truncation and cancellation both below).
        np.testing.assert_allclose(slope, expected, rtol=1e-6)
        forward = slope_along(jax.tree.map(jnp.asarray, direction))
        np.testing.assert_allclose(forward, slope, rtol=1e-11)


def test_weights_under_a_fixed_spike_train_match_central_differences():
    """With spikes that do not depend on the weights the voltage is smooth in them."""
    delays = np.array([0.1, 0.2, 1.5, 0.7])
    network = bf.Network(
        {
            "in": bf.input.Poisson(4, 0.5),
            "a": bf.neuron.LIF(3, v_threshold=1e4, v_reset=1e4 - 1),
        },
        {
            "in": bf.Projection(
                "in",
                "a",
                bf.connect.AllToAll(),
                weight=np.linspace(5.0, 20.0, 12),
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                delay=delays,
            )
        },
    )

    @jax.jit
    def loss(weight):
        changed = eqx.tree_at(lambda n: n.projections["in"].weight, network, weight)
        record = bf.record.Mean(lambda s, _: s["a"].v)
        out = bf.simulate(changed, duration=20.0, dt=DT, key=KEY, record=record)
        return jnp.sum(out.outputs**2) / 1e3

    weight = network.projections["in"].weight
    gradient = jax.jit(jax.grad(loss))(weight)
    for i in range(12):
        unit = jnp.zeros(12).at[i].set(1.0)
        expected = central(loss, weight, unit, 1e-3)
        np.testing.assert_allclose(gradient[i], expected, rtol=1e-6, atol=1e-10)
    assert np.all(np.asarray(gradient) != 0)


def test_input_series_gets_a_gradient_for_each_step():
    neuron = bf.neuron.LIF(1, v_threshold=1e4, surrogate=None)

    def loss(series):
        return bf.simulate(neuron, inputs=series, duration=2.0, dt=DT).state.model_state.v[0]

    gradient = jax.grad(loss)(jnp.full(20, 100.0))
    decay = np.exp(-DT / 20.0)
    exact = (1 - decay) * 20.0 / 200.0 * decay ** np.arange(19, -1, -1)
    np.testing.assert_allclose(gradient, exact, rtol=1e-12)


def test_spikes_without_surrogate_carry_no_gradient():
    network = coba(surrogate=None, **QUIET)
    theta = theta_of(network, 400.0)

    def count(theta):
        values, drive = theta
        changed = eqx.tree_at(parameters, network, values)
        out = bf.simulate(changed, inputs=drive, duration=20.0, dt=DT, key=KEY)
        return sum(jnp.sum(x.astype(float)) for x in out.outputs.values())

    value, grads = jax.jit(jax.value_and_grad(count))(theta)
    assert value > 10
    for leaf in jax.tree.leaves(grads):
        np.testing.assert_array_equal(leaf, 0.0)


def test_derivatives_of_one_surrogate_spike():
    """v crosses at a known distance: d spikes / d current = s'(x) / (threshold - reset) * dv/dI."""
    neuron = bf.neuron.LIF(1, v_init=-50.5, v_reset=-60.0, surrogate=RELU)

    def spikes(current):
        return bf.simulate(neuron, inputs=current, duration=DT, dt=DT).outputs[0, 0]

    decay = np.exp(-DT / 20.0)
    for current in (0.0, 110.0, 300.0):
        v = -60.0 + 0.1 * current + (-50.5 + 60.0 - 0.1 * current) * decay
        x = (v + 50.0) / 10.0
        exact = 0.3 * max(0.0, 1 - abs(x)) / 10.0 * 0.1 * (1 - decay)
        np.testing.assert_allclose(jax.grad(spikes)(jnp.asarray(current)), exact, rtol=1e-9)


def test_jvp_agrees_with_grad_through_spikes():
    network = coba(**QUIET, delay=1.5)
    theta = theta_of(network, 400.0)
    keys = jr.split(jr.key(2), 5)
    flat, structure = jax.tree.flatten(theta)
    direction = structure.unflatten(
        [jr.normal(k, jnp.shape(x)) for k, x in zip(keys, flat, strict=True)]
    )
    f = lambda t: both(t, network, 20.0, False)  # noqa: E731
    value, slope = jax.jit(lambda t, d: jax.jvp(f, (t,), (d,)))(theta, direction)
    gradient = jax.jit(jax.grad(f))(theta)
    inner = sum(
        jnp.sum(a * b)
        for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True)
    )
    assert np.isfinite(value)
    assert abs(float(slope)) > 0
    np.testing.assert_allclose(slope, inner, rtol=1e-9)


def test_gradient_under_vmap_is_the_loop():
    network = coba(**QUIET, delay=0.3)
    base = theta_of(network, 400.0)
    scale = jnp.linspace(0.8, 1.2, 16)
    f = jax.jit(
        jax.value_and_grad(lambda s: both(jax.tree.map(lambda x: s * x, base), network, 20.0))
    )
    values, slopes = jax.jit(jax.vmap(f))(scale)
    for i in range(16):
        value, slope = f(scale[i])
        # Batched sums associate otherwise.
        np.testing.assert_allclose(values[i], value, rtol=1e-10)
        np.testing.assert_allclose(slopes[i], slope, rtol=1e-8)
