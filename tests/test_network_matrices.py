"""Connectivity given as a matrix: every format of `bf.event` in a projection."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf

DT = 0.1
N = 12


def dense(seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((N, N)) < 0.4, rng.uniform(2.0, 20.0, (N, N)), 0.0)


def formats():
    rng = np.random.default_rng(1)
    columns = np.sort(rng.integers(0, N, (N, 3)), axis=1).astype(np.int32)
    return {
        "csr": bf.event.CSR.fromdense(dense()),
        "dense": bf.event.Dense(dense()),
        "fan-out": bf.event.FixedFanout(rng.uniform(2.0, 20.0, (N, 3)), columns, shape=(N, N)),
        "fan-out, one weight": bf.event.FixedFanout(9.0, columns, shape=(N, N)),
        "fan-in": bf.event.FixedFanin(rng.uniform(2.0, 20.0, (N, 3)), columns, shape=(N, N)),
        "fan-in, one weight": bf.event.FixedFanin(9.0, columns, shape=(N, N)),
        "one-to-one": bf.event.OneToOne(rng.uniform(2.0, 20.0, N)),
        "one-to-one, one weight": bf.event.OneToOne(9.0, N),
    }


def network(matrix, post=("a", "b"), apart=False):
    lif = {"v_init": np.linspace(-58.0, -50.0, N // 2), "refractory": 1.0}
    other = {"solver": bf.solver.Heun()} if apart else {}
    return bf.Network(
        {
            "a": bf.neuron.LIF(N // 2, **lif),
            "b": bf.neuron.LIF(N // 2, **lif, **other),
            "all": bf.neuron.LIF(N, v_init=np.linspace(-60.0, -50.0, N), refractory=1.0),
        },
        [
            bf.Projection(
                "all",
                post,
                matrix,
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                name="matrix",
            )
        ],
    )


def loss(weight, net):
    net = eqx.tree_at(lambda n: n.projections["matrix"].weight, net, weight)
    record = bf.record.Mean(lambda state, output: (state["a"].v, output["b"]))
    v, spikes = bf.simulate(net, inputs=220.0, duration=6.0, dt=DT, record=record).outputs
    return jnp.mean(v) + 50 * jnp.mean(spikes)


@pytest.mark.parametrize("name", formats())
def test_every_format_is_its_csr(name):
    matrix = formats()[name]
    net, same = network(matrix), network(matrix.tocsr())
    assert type(net.matrix("matrix")) is type(matrix)
    weight, other = (n.projections["matrix"].weight for n in (net, same))
    assert weight.shape == matrix.data.shape
    value, gradient = jax.value_and_grad(loss)(weight, net)
    expected, reference = jax.value_and_grad(loss)(other, same)
    assert float(jnp.max(jnp.abs(reference))) > 1e-6
    # The same sums in another order.
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    if name == "fan-in":  # stored by target
        gradient, reference = gradient.reshape(-1)[matrix.index.order], reference
    np.testing.assert_allclose(
        jnp.reshape(gradient, -1), jnp.reshape(reference, -1), rtol=1e-9, atol=1e-14
    )
    assert f"{matrix.tocsr().nnz:,} synapses" in net.summary()
    # One number for all synapses in place of one for each, and the other way round.
    if name == "fan-out":
        one = loss(jnp.asarray(9.0), net)
        full = loss(jnp.full(weight.shape, 9.0), net)
        np.testing.assert_allclose(one, full, rtol=1e-12)


@pytest.mark.parametrize("name", formats())
def test_targets_stored_apart(name):
    """Targets of two kinds share a synaptic layer, so that there is one matrix, as it was given."""
    matrix = formats()[name]
    net = network(matrix, apart=True)
    assert len(net.layout.groups) > 1
    assert len(net.projections["matrix"].matrices) == 1
    np.testing.assert_array_equal(net.matrix("matrix").todense(), matrix.todense())
    if name == "fan-out":
        gradient = jax.grad(loss)(net.projections["matrix"].weight, net)
        assert gradient.shape == net.projections["matrix"].weight.shape
        assert bool(jnp.any(gradient != 0))


def test_wrong_matrices_name_the_projection():
    with pytest.raises(ValueError, match=r"projection 'matrix'.*\(12, 12\), got \(3, 3\)"):
        network(bf.event.Dense(np.ones((3, 3))))
    with pytest.raises(
        TypeError, match="`connect` of projection 'matrix' has weights of dtype float32"
    ):
        network(bf.event.OneToOne(jnp.ones(N, jnp.float32)))
    net = network(bf.event.Dense(dense()))
    wrong = eqx.tree_at(lambda n: n.projections["matrix"].weight, net, jnp.ones(5))
    with pytest.raises(
        ValueError, match=r"shape \(\) or \(12, 12\).*got \(5,\).*projection 'matrix'"
    ):
        bf.simulate(wrong, duration=1.0, dt=DT)


def test_building_under_jit():
    """Known numbers of synapses may be drawn under jit, whatever their targets are stored with."""

    def build(apart):
        def f(key):
            lif = {"v_init": -51.0}
            other = {"solver": bf.solver.Heun()} if apart else {}
            net = bf.Network(
                {"a": bf.neuron.LIF(5, **lif), "b": bf.neuron.LIF(7, **lif, **other)},
                [
                    bf.Projection(
                        "a",
                        ["a", "b"],
                        bf.connect.FixedOutDegree(3),
                        weight=bf.init.Normal(5.0, 1.0),
                        synapse=bf.synapse.Exponential(5.0),
                        output=bf.synapse.Conductance(0.0),
                        name="drawn",
                    )
                ],
                key=key,
            )
            return bf.simulate(net, inputs=300.0, duration=5.0, dt=DT).state["b"].v

        return f

    for apart in (False, True):
        traced = jax.jit(build(apart))(jr.key(3))
        np.testing.assert_allclose(traced, build(apart)(jr.key(3)), rtol=1e-12)
        assert traced.shape == (7,)


def test_traced_weights_with_targets_stored_apart():
    matrix = formats()["csr"]

    def f(data):
        own = bf.event.CSR(data, matrix.indices, matrix.indptr, shape=matrix.shape)
        net = network(own, apart=True)
        return bf.simulate(net, inputs=300.0, duration=5.0, dt=DT).state["b"].v

    np.testing.assert_allclose(jax.jit(f)(matrix.data), f(matrix.data), rtol=1e-12)
