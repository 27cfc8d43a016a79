"""Building networks: compilations, many small matrices as a few, and what is where."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf

DT = 0.1


def network(
    n_projections, seed=0, merge=True, n_populations=12, surrogate=None, each_synapse=False
):
    """Small populations, joined at random, in no particular order."""
    rng = np.random.default_rng(seed)
    names = [f"p{i}" for i in range(n_populations)]
    populations = {
        name: bf.neuron.LIF(
            int(rng.integers(3, 20)),
            tau=float(rng.uniform(8, 20)),
            v_init=bf.init.Uniform(-60.0, -50.0),
            refractory=1.0,
            surrogate=surrogate,
        )
        for name in names
    }
    shared = {"synapse": bf.synapse.Exponential(3.0), "output": bf.synapse.Current()}
    projections = {}
    while len(projections) < n_projections:
        pre, post = (str(name) for name in rng.choice(names, 2))
        projections[f"{pre}->{post}"] = bf.Projection(
            pre,
            post,
            bf.connect.FixedProbability(float(rng.uniform(0.1, 0.6))),
            weight=bf.init.Normal(40.0, 10.0) if len(projections) % 3 else 30.0,
            delay=bf.init.Uniform(0.1, 2.0) if each_synapse else float(rng.choice([0.1, 0.3, 1.5])),
            **shared,
        )
    return bf.Network(populations, projections, key=jr.key(seed), merge=merge)


def record(state, output):
    del output
    return {name: state[name].v for name in state.layout.populations}


@pytest.mark.parametrize("each_synapse", [False, True], ids=["one delay", "each synapse"])
def test_many_small_matrices_are_a_few_and_change_no_bit(each_synapse):
    options = {"inputs": 250.0, "duration": 20.0, "dt": DT, "key": jr.key(1), "record": record}
    stacked, apart = (network(60, merge=m, each_synapse=each_synapse) for m in (True, False))
    few, many = (len(net.prepare(DT).exchange.routes) for net in (stacked, apart))
    assert few < 30 < many
    a, b = (bf.simulate(net, **options).outputs for net in (stacked, apart))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    spread = np.concatenate([np.ptp(np.asarray(x), axis=0) for x in a.values()])
    assert np.mean(spread > 5) > 0.8


def test_gradients_reach_each_weight_through_the_joined_matrices():
    net = network(20, n_populations=6, surrogate=bf.surrogate.ReluGrad(width=0.5))

    def weights(net):
        return [net.projections[name].weight for name in net.projections]

    def loss(theta, net):
        changed = eqx.tree_at(weights, net, theta)
        out = bf.simulate(
            changed, inputs=250.0, duration=5.0, dt=DT, key=jr.key(1), record=record
        ).outputs
        return sum(jnp.sum(x[-1] ** 2) for x in out.values())

    apart = network(20, n_populations=6, merge=False, surrogate=bf.surrogate.ReluGrad(width=0.5))
    got = jax.grad(loss)(weights(net), net)
    expected = jax.grad(loss)(weights(apart), apart)
    assert sum(bool(jnp.any(g != 0)) for g in got) > 15
    for x, y in zip(got, expected, strict=True):
        # The same terms in another order.
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def compilations(n_projections):
    count = []

    def listen(event, duration, **_):
        del duration
        if event.endswith("backend_compile_duration"):
            count.append(event)

    jax.clear_caches()
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        net = network(n_projections)
        bf.simulate(net, inputs=250.0, duration=DT, dt=DT, key=jr.key(1))
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return len(count)


def test_compilations_do_not_grow_with_the_number_of_projections():
    few, many = compilations(5), compilations(60)
    # Connections, weights and delays are drawn in blocks of two sizes.
    assert many <= few + 1


@pytest.mark.parametrize("delay", [0.3, bf.init.Uniform(0.1, 2.0)], ids=["one", "each"])
def test_targets_in_any_order(delay):
    """Targets that do not stand one after the other get other column numbers, not other weights."""
    sizes = {"a": 4, "b": 5, "c": 6}
    populations = {
        name: bf.neuron.LIF(n, v_init=bf.init.Uniform(-60.0, -50.0), surrogate=None)
        for name, n in sizes.items()
    }
    shared = {"synapse": bf.synapse.Exponential(3.0), "output": bf.synapse.Current()}
    rule, weight = bf.connect.FixedProbability(0.5), bf.init.Normal(200.0, 50.0)
    projections = {
        "x": bf.Projection("a", ["c", "a", "b"], rule, weight=weight, delay=delay, **shared),
        "y": bf.Projection("b", ["b", "c"], rule, weight=weight, **shared),
    }
    one = bf.Network(populations, projections, key=jr.key(0))
    two = bf.Network(populations, projections, key=jr.key(0), merge=False)
    options = {"inputs": 250.0, "duration": 10.0, "dt": DT, "key": jr.key(1), "record": record}
    a, b = (bf.simulate(net, **options).outputs for net in (one, two))
    for name in sizes:
        # One receptor reaches all in the first, each in a place of its own in the second.
        np.testing.assert_allclose(a[name], b[name], rtol=1e-12)
    np.testing.assert_array_equal(one.projections["x"].weight, two.projections["x"].weight)
