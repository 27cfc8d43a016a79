"""Simulations on several devices: seeds and parameters shared out by `jax.shard_map` and `jit`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec as P

import brainfn as bf


@pytest.fixture(scope="module")
def network():
    cells = {"v_init": bf.init.Normal(-55.0, 3.0), "surrogate": None}
    synapse = {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Conductance(0.0)}
    return bf.Network(
        {"a": bf.neuron.LIF(60, **cells), "b": bf.neuron.LIF(20, **cells)},
        [bf.Projection("a", ["a", "b"], bf.connect.FixedProbability(0.1), weight=2.0, **synapse)],
        key=jr.key(0),
    )


def counts(network, key, current):
    out = bf.simulate(
        network,
        inputs=current,
        duration=20.0,
        dt=0.1,
        key=key,
        record=bf.record.SpikeCount(),
    )
    return out.outputs["a"], out.state["b"].v


@pytest.fixture(scope="module")
def batch(network):
    keys = jr.split(jr.key(1), 4)
    currents = jnp.asarray([180.0, 220.0, 260.0, 300.0])
    expected = jax.vmap(counts, in_axes=(None, 0, 0))(network, keys, currents)
    assert int(expected[0].sum()) > 0
    return keys, currents, expected


def test_shard_map(network, batch):
    keys, currents, expected = batch
    mesh = jax.make_mesh((2,), ("seed",), axis_types=(jax.sharding.AxisType.Auto,))

    @jax.jit
    @jax.shard_map(mesh=mesh, in_specs=(P("seed"), P("seed")), out_specs=P("seed"))
    def run(keys, currents):
        return jax.vmap(lambda k, i: counts(network, k, i))(keys, currents)

    for x, y in zip(run(keys, currents), expected, strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-12)


def test_sharded_jit(network, batch):
    keys, currents, expected = batch
    mesh = jax.make_mesh((2,), ("seed",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = NamedSharding(mesh, P("seed"))
    keys, currents = jax.device_put((keys, currents), sharding)
    run = eqx.filter_jit(jax.vmap(counts, in_axes=(None, 0, 0)))
    for x, y in zip(run(network, keys, currents), expected, strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-12)
