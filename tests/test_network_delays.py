"""Delays for each synapse: drawing and rounding, gradients, continuing, and wrong calls."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf
from brainfn.units import ms

DT = 0.1


def network(delay, connect=None, apart=False, weight=bf.init.Uniform(5.0, 15.0), **options):
    lif = {"v_init": bf.init.Uniform(-60.0, -50.0), "refractory": 1.0}
    other = {"solver": bf.solver.Heun()} if apart else {}
    return bf.Network(
        {"a": bf.neuron.LIF(20, **lif), "b": bf.neuron.LIF(9, **lif, **other)},
        [
            bf.Projection(
                "a",
                ["a", "b"],
                bf.connect.FixedOutDegree(6) if connect is None else connect,
                weight=weight,
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                delay=delay,
                **options,
            )
        ],
        key=jr.key(4),
    )


def run(net, duration=12.0, **options):
    inputs = {"a": 230.0, "b": 150.0}
    return bf.simulate(net, inputs=inputs, duration=duration, dt=DT, **options)


def loss(weight, net):
    net = eqx.tree_at(lambda n: n.projections["a"].weight, net, weight)
    record = bf.record.Mean(lambda state, output: (state["b"].v, output["a"]))
    v, spikes = run(net, key=jr.key(0), record=record).outputs
    return jnp.mean(v) + 50 * jnp.mean(spikes)


def test_equal_delays_are_one_delay():
    """The two ways, ring buffer of spikes and ring buffer of inputs, are one network."""
    one, each = network(0.7), network(np.full(120, 0.7))
    for name, spikes in run(one, key=jr.key(0)).outputs.items():
        np.testing.assert_array_equal(spikes, run(each, key=jr.key(0)).outputs[name])
    assert float(jnp.sum(run(one, key=jr.key(0)).outputs["a"])) > 10
    weight = one.projections["a"].weight
    got, expected = (jax.grad(loss)(weight, net) for net in (each, one))
    # The same terms in another order.
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-14)


def test_one_delay_for_each_neuron_as_delays_of_its_synapses():
    delays = 0.1 * (1 + np.arange(20) % 7)
    for apart in (False, True):
        each = network(np.repeat(delays, 6), apart=apart)
        assert len(each.layout.groups) == 1 + apart
        reference = network(delays, apart=apart)
        a, b = (run(net, key=jr.key(0)).outputs for net in (each, reference))
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_drawn_delays_are_rounded():
    net = network(bf.init.Uniform(1 * ms, 5 * ms))
    drawn = np.asarray(net.projections["a"].delay)
    assert drawn.shape == (120,) and 1.0 <= drawn.min() < 1.2 and 4.8 < drawn.max() < 5.0
    rounded = network(DT * np.round(drawn / DT))
    a, b = (run(n, key=jr.key(0)) for n in (net, rounded))
    np.testing.assert_array_equal(a.outputs["b"], b.outputs["b"])
    assert a.state.model_state.rings[0].shape == (51, 29)
    # Less than half a step is one step.
    short = network(bf.init.Uniform(0.0, 0.04))
    a, b = (run(n, key=jr.key(0)) for n in (short, network(None)))
    np.testing.assert_array_equal(a.outputs["b"], b.outputs["b"])
    # Other keys, other delays; the connections are those without.
    np.testing.assert_array_equal(
        net.projections["a"].matrices[0].indices, network(None).projections["a"].matrices[0].indices
    )


def test_continues_with_spikes_in_flight():
    net = network(bf.init.Uniform(1 * ms, 5 * ms))
    whole = run(net, key=jr.key(0))
    first = run(net, 5.0, key=jr.key(0))
    second = run(net, 7.0, key=jr.key(0), state=first.state)
    for name, spikes in whole.outputs.items():
        parts = [first.outputs[name], second.outputs[name]]
        np.testing.assert_array_equal(jnp.concatenate(parts), spikes)


def test_wrong_calls():
    with pytest.raises(ValueError, match=r"`delay of projection 'a'`.*ms is 1.0042 steps"):
        run(network(np.linspace(0.1, 0.15, 120)))
    with pytest.raises(
        ValueError, match=r"each of its 20 presynaptic neurons or each of its 120 synapses"
    ):
        network(np.full(7, 0.3))
    with pytest.raises(
        ValueError, match="must not be negative, but its distribution.*TruncatedNormal"
    ):
        network(bf.init.Normal(0.5, 1.0))
    with pytest.raises(ValueError, match="projection 'a'.*not just-in-time"):
        network(bf.init.Uniform(0.1, 1.0), bf.connect.JustInTime(bf.connect.FixedProbability(0.3)))
    net = network(bf.init.Uniform(1 * ms, 5 * ms))
    with pytest.raises(ValueError, match="`dt` is needed"):
        net.init()
    assert "delay <= 4.9" in net.summary()
