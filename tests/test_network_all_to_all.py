"""Connections of all to all with one weight: the network of the stored matrix, at the cost of its
neurons."""

import equinox as eqx
import jax
import jax.extend
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf

DT = 0.1
N_EXC, N_INH = 17, 9


def network(format=None, *, n=(N_EXC, N_INH), apart=False, autapses=False, **options):  # noqa: A002
    other = {"solver": bf.solver.Heun()} if apart else {}
    lif = {"refractory": 1.0}
    options = {"delay": 0.3, "weight": 8.0, "format": format, **options}
    return bf.Network(
        {
            "inh": bf.neuron.LIF(n[1], v_init=np.linspace(-60, -50.5, n[1]), **lif, **other),
            "exc": bf.neuron.LIF(n[0], v_init=np.linspace(-60, -50.5, n[0]), **lif),
        },
        [
            bf.Projection(
                "exc",
                options.pop("post", ["inh", "exc"]),
                bf.connect.AllToAll(autapses=autapses),
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                **options,
            )
        ],
        key=jr.key(2),
    )


def loss(weight, net):
    net = eqx.tree_at(lambda n: n.projections["exc"].weight, net, weight)
    record = bf.record.Mean(lambda state, output: (state["inh"].v, state["exc"].v, output["exc"]))
    out = bf.simulate(net, inputs=190.0, duration=10.0, dt=DT, record=record)
    inh, exc, spikes = out.outputs
    return jnp.mean(inh) + jnp.sum(exc * jnp.arange(float(N_EXC))) + 50 * jnp.mean(spikes)


@pytest.mark.parametrize("apart", [True, False])
def test_equals_the_stored_matrix(apart):
    lags = bf.delay.Axonal(np.linspace(1, N_EXC, N_EXC).round() / 10)
    options = {"apart": True, "autapses": True} if apart else {"delay": lags}
    net, same = network(**options), network("csr", **options)
    assert net.pathways["exc"].matrices[0].kind == "all_to_all"
    assert same.pathways["exc"].matrices[0].kind == "csr"
    assert net.projections["exc"].synapses == same.projections["exc"].synapses
    program = jax.jit(jax.value_and_grad(loss))
    weight = jnp.asarray(8.0)
    (value, gradient), (expected, wanted) = program(weight, net), program(weight, same)
    # float64 sums in another order.
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-9)
    assert float(gradient) != 0


def test_what_differs_between_synapses_is_stored():
    lags = bf.init.Uniform(0.1, 0.5)
    assert network(delay=lags).pathways["exc"].matrices[0].kind == "csr"
    assert network(weight=bf.init.Uniform(1.0, 2.0)).pathways["exc"].matrices[0].kind == "csr"
    rule = bf.plasticity.STDP()
    plastic = network(plasticity=rule, post="exc", delay=None)
    assert plastic.pathways["exc"].matrices[0].kind == "csr"
    with pytest.raises(ValueError, match=r"`plasticity` of projection 'exc' needs a weight for"):
        network("all_to_all", plasticity=rule, post="exc", delay=None)
    with pytest.raises(ValueError, match="delays for each synapse need stored.*format='csr'"):
        network("all_to_all", delay=lags)
    with pytest.raises(ValueError, match="'all_to_all' needs one number as `weight`"):
        network("all_to_all", weight=np.ones(9))
    with pytest.raises(ValueError, match="'all_to_all' is for the rule AllToAll"):
        bf.connect.matrix(bf.connect.OneToOne(), 3, 3, weight=1.0, format="all_to_all")
    net = eqx.tree_at(lambda n: n.projections["exc"].weight, network(), jnp.ones(9))
    with pytest.raises(ValueError, match=r"one number for all synapses, got \(9,\)"):
        bf.simulate(net, inputs=0.0, duration=DT, dt=DT)


def largest(jaxpr):
    """The number of elements of the largest array that a program makes."""
    sizes = [0]
    for equation in jaxpr.eqns:
        sizes += [np.prod(v.aval.shape, dtype=np.int64) for v in equation.outvars]
        for parameter in jax.tree.leaves(
            equation.params, is_leaf=lambda x: isinstance(x, jax.extend.core.ClosedJaxpr)
        ):
            if isinstance(parameter, jax.extend.core.ClosedJaxpr):
                sizes.append(largest(parameter.jaxpr))
    return max(sizes)


def test_costs_as_much_as_its_neurons():
    """2e5 neurons with 4e10 synapses: nothing has more elements than a delay line."""
    n = 150_000
    net = network(n=(n, n // 3))
    assert net.projections["exc"].synapses == n * (n + n // 3) - n
    assert f"{n * (n + n // 3) - n:,} synapses" in net.summary()

    def value(weight):
        changed = eqx.tree_at(lambda net: net.projections["exc"].weight, net, weight)
        out = bf.simulate(changed, inputs=190.0, duration=0.2, dt=DT, record=None)
        return jnp.mean(out.state["exc"].v)

    program = jax.make_jaxpr(jax.value_and_grad(value))(jnp.asarray(0.01))
    assert largest(program.jaxpr) <= 5 * n


def test_a_ring_equals_its_dense_matrix():
    """Projections onto one population and, in pieces, onto several."""
    n = 12
    kernel = np.exp(-0.5 * (np.minimum(np.arange(n), n - np.arange(n)) / 2.0) ** 2)
    ring = bf.event.Circulant(3.0 * kernel)

    def outcome(kernel, dense):
        matrix = ring.with_weight(kernel)
        parts = {"synapse": bf.synapse.Instant(), "output": bf.synapse.Current()}
        net = bf.Network(
            {"a": bf.rate.Tanh(n, x_init=np.linspace(-1, 1, n)), "b": bf.rate.Tanh(5),
             "c": bf.rate.Tanh(7)},
            [
                bf.Projection("a", targets, bf.event.Dense(matrix.todense()) if dense else matrix,
                              name=str(targets), **parts)
                for targets in ("a", ["b", "c"])
            ],
        )  # fmt: skip
        out = bf.simulate(net, duration=2.0, dt=DT).outputs
        return jnp.sum(out["a"] ** 2) + jnp.sum(out["c"] @ jnp.arange(7.0)), out

    run = jax.jit(jax.value_and_grad(outcome, has_aux=True), static_argnums=1)
    ((value, out), gradient), ((expected, wanted), slopes) = (
        run(ring.data, dense) for dense in (False, True)
    )
    # Sums by FFT and one by one.
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for name, series in wanted.items():
        np.testing.assert_allclose(out[name], series, atol=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-9, atol=1e-12)
