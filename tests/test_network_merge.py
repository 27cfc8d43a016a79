"""Merging: what it must not change, leaves at their places, and the size of the compiled step."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf

DT = 0.1


def lif(n, **options):
    rng = np.random.default_rng(n)
    return bf.neuron.LIF(n, v_init=rng.uniform(-60.0, -50.0, n), refractory=1.0, **options)


def dense(n_pre, n_post, seed, low=1.0, high=6.0):
    rng = np.random.default_rng(seed)
    w = rng.uniform(low, high, (n_pre, n_post))
    return np.where(rng.uniform(size=w.shape) < 0.4, w, 0.0)


def projection(pre, post, w, tau=5.0, reversal=0.0, **options):
    output = bf.synapse.Current() if reversal is None else bf.synapse.Conductance(reversal)
    return bf.Projection(
        pre,
        post,
        bf.event.CSR.fromdense(w),
        synapse=bf.synapse.Exponential(tau),
        output=output,
        **options,
    )


def spikes(network, duration=20.0, **options):
    out = bf.simulate(network, inputs=300.0, duration=duration, dt=DT, **options)
    return {name: np.asarray(x, bool) for name, x in out.outputs.items()}


SIZES = {"a": 8, "b": 12, "c": 5}


def three(reverse=False, merge=True, between=None):
    populations = {name: lif(n) for name, n in SIZES.items()}
    if between is not None:
        # A population of another kind (another solver) is stored apart from the others.
        populations["b"] = lif(12, solver=between)
    projections = {
        "ab": projection("a", ["b", "c"], dense(8, 17, 1), delay=0.3),
        "bc": projection("b", ["c", "a"], dense(12, 13, 2), delay=1.5),
        "ca": projection("c", "a", dense(5, 8, 3), tau=3.0),
        "cb": projection("c", "b", dense(5, 12, 4, -50.0, -10.0), reversal=None),
    }
    if reverse:
        populations = dict(reversed(populations.items()))
        projections = dict(reversed(projections.items()))
    return bf.Network(populations, projections, merge=merge)


def test_merged_apart_and_in_another_order():
    plain = spikes(three())
    assert all(20 < x.sum() < 0.3 * x.size for x in plain.values())
    for other in (three(merge=False), three(reverse=True)):
        again = spikes(other)
        for name in plain:
            np.testing.assert_array_equal(plain[name], again[name])


def test_stored_together_or_apart():
    """`b` with a surrogate is of another kind and stored apart; the synaptic layer is shared."""
    populations = {n: lif(s, surrogate=None) for n, s in SIZES.items()}
    one = bf.Network(
        populations, {"p": projection("a", ["c", "b", "a"], dense(8, 25, 1), delay=0.2)}
    )
    populations["b"] = lif(12)
    two = bf.Network(
        populations, {"p": projection("a", ["c", "b", "a"], dense(8, 25, 1), delay=0.2)}
    )
    assert len(one.layout.groups) == 1
    assert len(two.layout.groups) == 2
    x, y = spikes(one), spikes(two)
    for name in SIZES:
        assert x[name].sum() > 10
        np.testing.assert_array_equal(x[name], y[name])


def test_parameters_for_each_neuron_of_one_population_only():
    populations = {"a": lif(3), "b": lif(4)}
    tau = np.array([2.0, 5.0, 9.0])
    network = bf.Network(
        populations,
        [projection("b", "a", dense(4, 3, 0), tau=tau), projection("a", "b", dense(3, 4, 1))],
    )
    assert spikes(network)["a"].shape == (200, 3)
    state = network.init(dt=DT)
    state = eqx.tree_at(lambda s: s.layers, state, jax.tree.map(jnp.ones_like, state.layers))
    out = bf.simulate(network, duration=DT, dt=DT, state=state).state.model_state
    decays = np.sort(np.concatenate([np.asarray(layer.g) for layer in out.layers]))
    expected = np.sort(np.exp(-DT / np.array([2.0, 5.0, 9.0, 5.0, 5.0, 5.0, 5.0])))
    np.testing.assert_allclose(decays, expected, rtol=1e-12)


def test_names():
    p = projection("a", "b", dense(8, 12, 0))
    q = projection("a", "c", dense(8, 5, 0))
    r = projection("b", "a", dense(12, 8, 0), name="feedback")
    populations = {name: lif(n) for name, n in SIZES.items()}
    assert list(bf.Network(populations, [p]).projections) == ["a"]
    assert list(bf.Network(populations, [p, q, r]).projections) == ["a->b", "a->c", "feedback"]
    assert list(bf.Network(populations, {"x": p, "y": r}).projections) == ["x", "y"]
    net = bf.Network(populations, [p, q, r])
    np.testing.assert_array_equal(net.matrix("a->c").todense(), dense(8, 5, 0))
    assert net.projections["feedback"].post == ("a",)
    text = net.summary()
    for word in (*SIZES, "feedback", "a->c", "1 step"):
        assert word in text


@pytest.mark.parametrize("kind", ["array", "number"])
def test_leaves_are_where_they_belong(kind):
    """Changing a leaf through `net.projections` is the same as building with that value."""
    as_kind = {"array": jnp.asarray, "number": float}[kind]

    def build(weight=3.0, tau=20.0, tau_s=5.0, reversal=0.0):
        return bf.Network(
            {"a": lif(8, tau=tau), "b": lif(12)},
            {
                "x": bf.Projection(
                    "a",
                    ["a", "b"],
                    bf.connect.FixedProbability(0.4),
                    weight=weight,
                    synapse=bf.synapse.Exponential(tau_s),
                    output=bf.synapse.Conductance(reversal),
                ),
                "y": projection("b", "a", dense(12, 8, 2), tau=7.0),
            },
            key=jr.key(0),
        )

    base = build()
    where = {
        "weight": lambda n: n.projections["x"].weight,
        "tau": lambda n: n.populations["a"].tau,
        "tau_s": lambda n: n.projections["x"].synapse.tau,
        "reversal": lambda n: n.projections["x"].output.reversal,
    }
    values = {"weight": 9.0, "tau": 12.0, "tau_s": 2.0, "reversal": -70.0}
    changed = base
    for name, value in values.items():
        changed = eqx.tree_at(where[name], changed, as_kind(value))
    record = lambda s, _: (s["a"].v, s["b"].v)  # noqa: E731
    options = {"inputs": 300.0, "duration": 10.0, "dt": DT, "record": record}
    expected = bf.simulate(build(**values), **options).outputs
    got = bf.simulate(changed, **options).outputs
    for x, y in zip(expected, got, strict=True):
        np.testing.assert_array_equal(x, y)
    before = bf.simulate(base, **options).outputs
    assert np.abs(np.asarray(before[0]) - np.asarray(got[0])).max() > 0.1


def microcircuit(n_populations, n_projections):
    """Half of the populations excite, half inhibit; parameters differ."""
    names = [f"p{i}" for i in range(n_populations)]
    populations = {
        name: bf.neuron.LIF(20 + i, tau=10.0 + i, refractory=1.0) for i, name in enumerate(names)
    }
    projections = {}
    # Projections that hold the same objects share a receptor.
    excite = {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Conductance(0.0)}
    inhibit = {"synapse": bf.synapse.Exponential(10.0), "output": bf.synapse.Conductance(-80.0)}
    for i, pre in enumerate(names):
        for j, post in enumerate(names):
            if len(projections) < n_projections:
                excitatory = i % 2 == 0
                projections[f"{pre}->{post}"] = bf.Projection(
                    pre,
                    post,
                    bf.connect.FixedProbability(0.2),
                    weight=1.0 + i + j,
                    **(excite if excitatory else inhibit),
                    delay=1.5 if excitatory else 0.8,
                )
    return bf.Network(populations, projections, key=jr.key(0))


def _scan_body(network):
    def run(prepared):
        # A record of what is around it, here nothing, makes the loop a scan.
        nothing = jax.tree.leaves(eqx.filter(prepared, eqx.is_inexact_array))[0].ravel()[:0]
        out = bf.simulate(
            prepared, inputs=300.0, duration=10.0, dt=DT, record=lambda state, output: nothing
        )
        return out.state

    jaxpr = jax.make_jaxpr(run)(network)
    found = []

    def visit(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "scan":
                found.append(equation.params["jaxpr"].jaxpr)
            for value in equation.params.values():
                inner = getattr(value, "jaxpr", None)
                if inner is not None and hasattr(inner, "eqns"):
                    visit(inner)

    visit(jaxpr.jaxpr)
    (body,) = found
    return body


def _loop_kernels(network):
    def run(prepared):
        # A record of what is around it, here nothing, makes the loop a scan.
        nothing = jax.tree.leaves(eqx.filter(prepared, eqx.is_inexact_array))[0].ravel()[:0]
        out = bf.simulate(
            prepared, inputs=300.0, duration=10.0, dt=DT, record=lambda state, output: nothing
        )
        return out.state

    text = jax.jit(run).lower(network).compile().as_text()
    computations = {}
    for block in text.split("\n\n"):
        head = block.strip().splitlines()
        if head:
            computations[head[0].split(" ")[0].lstrip("%")] = head
    (body,) = set(re.findall(r"body=%?([\w.\-]+)", text))
    lines = [line.strip() for line in computations[body][1:]]
    skip = (" parameter(", " get-tuple-element(", " tuple(", " constant(", " bitcast(")
    return [line for line in lines if not any(word in line for word in skip) and "=" in line]


def test_the_step_does_not_grow_with_populations_and_projections(monkeypatch):
    """DESIGN 5: 8 populations and 64 projections trace to a step of the same size as 2 and 4."""
    # A small network has no kernels, a large one has: compare what XLA makes of both.
    monkeypatch.setenv("BRAINFN_GENERATE", "0")
    small, large = microcircuit(2, 4), microcircuit(8, 64)
    assert len(large.layout.groups) == 1
    assert len(large.layout.layers) == 2
    a, b = _scan_body(small), _scan_body(large)
    kinds = [sorted(e.primitive.name for e in x.eqns) for x in (a, b)]
    assert kinds[0] == kinds[1]
    assert len(_loop_kernels(large)) == len(_loop_kernels(small))


@pytest.mark.skipif(
    "native" not in str(bf.event.kernels()), reason="the reference lowering is not in place"
)
def test_no_copy_of_synaptic_variables_in_the_loop():
    n = 3000
    network = bf.Network(
        {"a": bf.neuron.LIF(n)},
        {
            name: bf.Projection(
                "a",
                "a",
                bf.connect.FixedOutDegree(3),
                weight=1.0,
                synapse=bf.synapse.Exponential(tau),
                output=bf.synapse.Conductance(reversal),
            )
            for name, tau, reversal in (("x", 5.0, 0.0), ("y", 10.0, -80.0))
        },
        key=jr.key(0),
    )
    kernels = _loop_kernels(network)
    assert kernels
    assert not [line for line in kernels if f"f64[{n}]" in line and " copy(" in line]
