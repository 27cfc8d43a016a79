"""Networks whose connections are made just in time: the same network as with them stored."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf

DT = 0.1
RULES = {
    "probability": bf.connect.FixedProbability(0.2, autapses=False),
    "all": bf.connect.AllToAll(autapses=False),
    "out-degree": bf.connect.FixedOutDegree(9, multapses=False),
    "in-degree": bf.connect.FixedInDegree(5, autapses=False, multapses=False),
}
LAWS = {
    "number": 8.0,
    "constant": bf.init.Constant(8.0),
    "uniform": bf.init.Uniform(4.0, 12.0),
    "normal": bf.init.Normal(8.0, 2.0),
}


def network(connect, weight, apart=False):
    lif = {"v_init": bf.init.Uniform(-60.0, -50.0), "refractory": 1.0}
    other = {"solver": bf.solver.Heun()} if apart else {}
    return bf.Network(
        {"inh": bf.neuron.LIF(15, **lif, **other), "exc": bf.neuron.LIF(40, **lif)},
        [
            bf.Projection(
                "exc",
                ["inh", "exc"],
                connect,
                weight=weight,
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                delay=0.3,
            )
        ],
        key=jr.key(2),
    )


def loss(weight, net):
    net = eqx.tree_at(lambda n: n.projections["exc"].weight, net, weight)
    record = bf.record.Mean(lambda state, output: (state["inh"].v, output["exc"]))
    out = bf.simulate(net, inputs=190.0, duration=8.0, dt=DT, key=jr.key(3), record=record)
    v, spikes = out.outputs
    return jnp.mean(v) + 50 * jnp.mean(spikes)


def stored(net):
    """The same network with its synapses written down."""
    view = net.projections["exc"]
    parts = [matrix.tocsr().todense() for matrix in net.pathways["exc"].weighted()]
    matrix = bf.event.CSR.fromdense(np.concatenate(parts, axis=1))
    return network(matrix, None, apart=len(view.matrices) > 1)


@pytest.mark.parametrize(
    ("rule", "law"),
    [
        ("probability", "uniform"),
        ("all", "normal"),
        ("out-degree", "constant"),
        ("in-degree", "number"),
    ],
)
def test_equals_the_same_synapses_stored(rule, law):
    net = network(bf.connect.JustInTime(RULES[rule]), LAWS[law])
    same = stored(net)
    weight = net.projections["exc"].weight
    value, gradient = jax.value_and_grad(loss)(weight, net)
    data = same.projections["exc"].weight
    expected, full = jax.value_and_grad(loss)(data, same)
    # float64 sums in another order.
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    # dL/dparameter = sum over synapses of dL/dW dW/dparameter, and W is linear in its parameters.
    parameters = jax.tree.leaves(weight)
    for parameter, got in zip(parameters, jax.tree.leaves(gradient), strict=True):
        more = jax.tree.map(lambda x, p=parameter: x + 1.0 if x is p else x, weight)
        moved = eqx.tree_at(lambda n: n.projections["exc"].weight, net, more)
        slope = stored(moved).projections["exc"].weight - data
        np.testing.assert_allclose(got, jnp.sum(full * slope), rtol=1e-8)
        assert float(got) != 0.0


def test_autapses_and_degrees():
    out = network(bf.connect.JustInTime(RULES["out-degree"]), 1.0).matrix("exc").todense()
    measured(
        "connect.JustInTime", "out-degrees", against="their number",
        error=np.count_nonzero(out, axis=1) - 9, bound=0,
    )  # fmt: skip
    into = network(bf.connect.JustInTime(RULES["in-degree"]), 1.0).matrix("exc").todense()
    assert np.all(np.count_nonzero(into, axis=0) == 5)
    everything = network(bf.connect.JustInTime(RULES["all"]), 1.0).matrix("exc").todense()
    # Neuron i of exc is column 15 + i.
    expected = np.ones((40, 55))
    expected[np.arange(40), 15 + np.arange(40)] = 0.0
    np.testing.assert_array_equal(everything, expected)


def test_targets_in_other_groups_share_one_matrix():
    rule = bf.connect.JustInTime(RULES["probability"])
    net, whole = (network(rule, LAWS["uniform"], apart=apart) for apart in (True, False))
    (matrix,) = net.pathways["exc"].weighted()
    np.testing.assert_array_equal(matrix.todense(), whole.matrix("exc").todense())
    weight = net.projections["exc"].weight
    gradient = jax.grad(loss)(weight, net)
    assert float(gradient.low) != 0 and float(gradient.high) != 0
    changed = eqx.tree_at(lambda n: n.projections["exc"].weight.high, net, 30.0)
    assert float(loss(changed.projections["exc"].weight, net)) != float(loss(weight, net))


def test_rule_builds_the_same_synapses_as_a_structure():
    rule = bf.connect.JustInTime(RULES["probability"])
    key = jr.key(7)
    made = rule.matrix(30, 50, weight=2.0, key=key, diagonal=None).tocsr()
    indices, indptr = rule.build(30, 50, key=key)
    np.testing.assert_array_equal(indices, made.indices)
    np.testing.assert_array_equal(indptr, made.indptr)


def test_keys_and_projections_differ():
    rule = bf.connect.JustInTime(bf.connect.FixedProbability(0.5))

    def two(key):
        options = {
            "weight": 1.0,
            "synapse": bf.synapse.Exponential(5.0),
            "output": bf.synapse.Conductance(0.0),
        }
        return bf.Network(
            {"a": bf.neuron.LIF(30)},
            {name: bf.Projection("a", "a", rule, **options) for name in "xy"},
            key=key,
        )

    first, again, other = two(jr.key(0)), two(jr.key(0)), two(jr.key(1))
    dense = lambda net, name: np.asarray(net.matrix(name).todense())  # noqa: E731
    np.testing.assert_array_equal(dense(first, "x"), dense(again, "x"))
    assert np.any(dense(first, "x") != dense(first, "y"))
    assert np.any(dense(first, "x") != dense(other, "x"))


def test_large_network_has_the_rate_of_the_stored_one():
    """COBA with 40 000 neurons: statistically the same, in a hundredth of the memory."""
    rates, sizes = [], []
    for wrap in (lambda rule: rule, bf.connect.JustInTime):
        net = coba(40_000, wrap)
        record = bf.record.Mean(lambda s, o: jnp.mean(o["exc"].astype(jnp.float32)))
        out = bf.simulate(net, inputs=200.0, duration=100.0, dt=DT, key=jr.key(1), record=record)
        rates.append(float(out.outputs) / DT * 1e3)
        arrays = [p.matrices for p in net.projections.values()]
        sizes.append(sum(x.nbytes for x in jax.tree.leaves(arrays)))
    # Rates of networks that differ in their connections alone: 2 % between seeds at this size,
    # measured as the standard deviation over five of them; five of those.
    assert rates[0] > 5.0
    np.testing.assert_allclose(rates[1], rates[0], rtol=0.1)
    assert sizes[1] * 100 < sizes[0]


def coba(n, wrap):
    lif = {"v_init": bf.init.Uniform(-60.0, -50.0), "surrogate": None}
    n_exc = n * 4 // 5
    rule = wrap(bf.connect.FixedProbability(80 / n))

    def projection(pre, weight, tau, reversal):
        return bf.Projection(
            pre,
            ["exc", "inh"],
            rule,
            weight=weight,
            synapse=bf.synapse.Exponential(tau),
            output=bf.synapse.Conductance(reversal),
        )

    net = bf.Network(
        {"exc": bf.neuron.LIF(n_exc, **lif), "inh": bf.neuron.LIF(n - n_exc, **lif)},
        [projection("exc", 6.0, 5.0, 0.0), projection("inh", 67.0, 10.0, -80.0)],
        key=jr.key(0),
    )
    return bf.astype(net, jnp.float32)


def test_wrong_calls():
    with pytest.raises(ValueError, match=r"FixedOutDegree\(k=9, multapses=False\)"):
        bf.connect.JustInTime(bf.connect.FixedOutDegree(9))
    with pytest.raises(TypeError, match="`rule` must be FixedProbability"):
        bf.connect.JustInTime(bf.connect.OneToOne())
    rule = bf.connect.JustInTime(bf.connect.FixedProbability(0.1))
    for weight in (bf.init.TruncatedNormal(1.0, 1.0), bf.init.Uniform(np.zeros(3), np.ones(3))):
        with pytest.raises((TypeError, ValueError), match="`weight`.*just-in-time") as caught:
            network(rule, weight)
        assert "(in projection 'exc')" in caught.value.__notes__
    net = network(rule, LAWS["uniform"])
    with pytest.raises(TypeError, match="`weight`.*must be a law"):
        loss(jnp.asarray(3.0), net)
    with pytest.raises(ValueError, match=r"must have shape \(\), got \(4,\)"):
        loss(jnp.ones(4), network(rule, 1.0))


def test_summary_and_batches():
    net = network(bf.connect.JustInTime(RULES["probability"]), LAWS["uniform"])
    assert "about 440 synapses" in net.summary()
    weight = net.projections["exc"].weight
    high = jnp.asarray([12.0, 20.0])
    batch = jax.vmap(lambda h: loss(bf.init.Uniform(weight.low, h), net))(high)
    single = [loss(bf.init.Uniform(weight.low, h), net) for h in high]
    np.testing.assert_allclose(batch, single, rtol=1e-12)
