"""Laws of all plasticity rules: formats, precision, derivatives, cost; in networks too."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
import pytest
from models import all_plasticity

import brainfn as bf
from brainfn.event import CSR, Dense, FixedFanin, FixedFanout, _prim
from brainfn.network import _stepper
from brainfn.plasticity import AbstractPlasticity
from brainfn.synapse import Activity

DT, STEPS, N_PRE, N_POST = 0.5, 150, 4, 6
RULES = {name: make() for name, make in all_plasticity.items()}
# Those of rates are for rates: all of their units are active.
LAZY = [name for name, rule in RULES.items() if type(rule).due is not AbstractPlasticity.due]


class Cells(eqx.Module):
    v: jax.Array


def activity(dtype=None):
    """Spikes of both sides and of a modulator, and voltages that cross all thresholds."""
    rng = np.random.default_rng(3)
    spikes = [rng.uniform(size=(STEPS, n)) < 0.08 for n in (N_PRE, N_POST, 2)]
    v = rng.normal(-60.0, 12.0, (STEPS, N_POST))
    dtype = jnp.float64 if dtype is None else dtype
    return [jnp.asarray(x, dtype) for x in (*spikes, v)]


def weights():
    rng = np.random.default_rng(4)
    mask = np.zeros((N_PRE, N_POST), bool)
    for i in range(N_PRE):
        mask[i, (3 * i + np.arange(3)) % N_POST] = True  # fit for every format
    return np.where(mask, rng.uniform(0.2, 0.8, mask.shape), 0.0)


def formats():
    w = weights()
    csr, by_post = CSR.fromdense(w), CSR.fromdense(w.T)
    shape = (N_PRE, N_POST)
    return {
        "Dense": Dense(jnp.asarray(w)),
        "CSR": csr,
        "CSC": csr.tocsc(),
        "FixedFanout": FixedFanout(
            csr.data.reshape(N_PRE, 3), csr.indices.reshape(N_PRE, 3), shape=shape
        ),
        "FixedFanin": FixedFanin(
            by_post.data.reshape(N_POST, 2), by_post.indices.reshape(N_POST, 2), shape=shape
        ),
    }


def one_step(rule, traces, matrix, n, x):
    pre, post, modulator, v = x
    clock = bf.Clock(n, DT)
    traces, matrix = rule.due(traces, matrix, pre, clock)
    sides = Activity(pre, None), Activity(post, Cells(v))
    return rule.step(traces, matrix, *sides, modulator, clock)


def learn_plainly(rules, matrices, signals):
    """The matrices after all steps, each by its rule, and up to date."""

    def step(carry, x):
        n, *x = x
        pairs = {
            name: one_step(rule, carry[name][0], matrices[name].with_weight(carry[name][1]), n, x)
            for name, rule in rules.items()
        }
        return {name: (traces, m.weight) for name, (traces, m) in pairs.items()}, None

    start = {name: (rule.init(matrices[name]), matrices[name].weight) for name, rule in
             rules.items()}  # fmt: skip
    steps = jnp.arange(STEPS, dtype=jnp.int32)
    end, _ = jax.lax.scan(step, start, (steps, *signals))
    return {
        name: rule.current(end[name][0], matrices[name].with_weight(end[name][1]))
        for name, rule in rules.items()
    }


learn = eqx.filter_jit(learn_plainly)


@pytest.fixture(scope="module")
def learnt():
    """Weights after learning, for each rule and format."""
    rules = {f"{name}/{kind}": rule for name, rule in RULES.items() for kind in formats()}
    matrices = {name: formats()[name.split("/")[1]] for name in rules}
    return {name: np.asarray(m.todense()) for name, m in learn(rules, matrices, activity()).items()}


@pytest.mark.parametrize("name", RULES)
def test_formats_agree(name, learnt):
    there = weights() != 0
    reference = learnt[f"{name}/Dense"][there]
    moved = np.abs(reference - weights()[there])
    assert moved.max() > 1e-4
    for kind in formats():
        # The same operations on each weight, but perhaps fused differently.
        np.testing.assert_allclose(learnt[f"{name}/{kind}"][there], reference, rtol=1e-13)


def test_batches_and_the_reference_agree_with_native_kernels(learnt, monkeypatch):
    """Two examples by `vmap`, of which one is silent; and the same without any native kernel."""
    matrix = formats()["CSR"]
    both = [jnp.stack([x, jnp.zeros_like(x)]) for x in activity()]

    def run(signals):
        return learn_plainly(RULES, dict.fromkeys(RULES, matrix), signals)

    batched = eqx.filter_jit(jax.vmap(lambda *x: {n: m.data for n, m in run(x).items()}))(*both)
    monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    plain = eqx.filter_jit(lambda *x: {n: m.data for n, m in run(x).items()})(*activity())
    there = weights() != 0
    for name in RULES:
        expected = learnt[f"{name}/CSR"][there]
        # The same operations, perhaps fused differently, a hundred times over.
        np.testing.assert_allclose(batched[name][0], expected, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(plain[name], expected, rtol=1e-12, err_msg=name)


def test_single_precision(learnt):
    rules = {name: bf.astype(rule, jnp.float32) for name, rule in RULES.items()}
    matrix = CSR.fromdense(weights().astype(np.float32))
    out = learn(rules, dict.fromkeys(rules, matrix), activity(jnp.float32))
    for name, m in out.items():
        assert m.data.dtype == jnp.float32
        # Some hundred roundings of numbers of order one.
        np.testing.assert_allclose(m.todense(), learnt[f"{name}/CSR"], atol=2e-5, err_msg=name)


def test_same_bits_without_jit():
    """A step outside of `jit` is that inside."""
    signals = [x[20] for x in activity()]
    matrix, n = formats()["CSR"], jnp.asarray(7, jnp.int32)
    for name, rule in RULES.items():
        traces = rule.init(matrix)
        run = jax.jit(lambda t, m, x, rule=rule: one_step(rule, t, m, n, x))
        with jax.disable_jit():
            plain = one_step(rule, traces, matrix, n, signals)
        for a, b in zip(jtu.tree_leaves(plain), jtu.tree_leaves(run(traces, matrix, signals)),
                        strict=True):  # fmt: skip
            # XLA contracts a product and a sum into one rounding where it compiles both.
            np.testing.assert_allclose(a, b, rtol=1e-15, atol=1e-16, err_msg=name)


def test_gradients_are_central_differences():
    """With respect to all parameters and to the initial weights, for all rules at once: the rules
    are independent, so that the k-th parameter of each is moved at the same time."""
    matrix = formats()["CSR"]
    mix = jnp.asarray(np.random.default_rng(5).normal(size=matrix.weight.shape))
    signals = activity()

    @eqx.filter_jit
    def losses(values):
        rules, w = values
        out = learn(rules, {name: matrix.with_weight(w[name]) for name in rules}, signals)
        return {name: jnp.sum(mix * m.weight) for name, m in out.items()}

    values = RULES, dict.fromkeys(RULES, matrix.weight)
    total = eqx.filter_jit(eqx.filter_grad(lambda v: sum(losses(v).values())))
    rules, w = total(values)
    h, names = 1e-6, list(RULES)
    leaves = {name: [x for x in jtu.tree_leaves(RULES[name]) if eqx.is_array(x)] for name in names}

    def moved(k, sign):
        out = {}
        for name in names:
            new = list(leaves[name])
            if k < len(new):
                new[k] = new[k] + sign * h * jnp.maximum(jnp.abs(new[k]), 0.1)
            out[name] = jtu.tree_unflatten(jtu.tree_structure(RULES[name]), new)
        return losses((out, values[1]))

    for k in range(max(map(len, leaves.values()))):
        up, down = moved(k, 1), moved(k, -1)
        for name in names:
            if k < len(leaves[name]):
                found = jtu.tree_leaves(rules[name])[k]
                step = 2 * h * np.maximum(np.abs(leaves[name][k]), 0.1)
                expected = (up[name] - down[name]) / step
                path = jtu.keystr(jtu.tree_leaves_with_path(RULES[name])[k][0])
                np.testing.assert_allclose(
                    found, expected, rtol=2e-6, atol=2e-8, err_msg=name + path
                )
    direction = jnp.asarray(np.random.default_rng(6).normal(size=mix.shape))
    up, down = (
        losses((RULES, dict.fromkeys(names, matrix.weight + s * h * direction))) for s in (1, -1)
    )
    for name in names:
        expected = (up[name] - down[name]) / (2 * h)
        np.testing.assert_allclose(jnp.sum(w[name] * direction), expected, rtol=1e-6, atol=1e-7)


# In networks


def network(merge=True):
    """One projection for each rule, between two populations that can be merged."""
    csr = CSR.fromdense(weights())
    shared = {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Conductance(0.0)}
    cells = {"refractory": 1.0, "surrogate": None}
    projections = {
        name: bf.Projection(
            "a", "b", csr, plasticity=rule, delay=1.5, modulator="reward" if name in LAZY else None,
            **shared,
        )
        for name, rule in RULES.items()
    }  # fmt: skip
    populations = {
        "a": bf.neuron.LIF(N_PRE, v_init=bf.init.Uniform(-60.0, -51.0), **cells),
        "b": bf.neuron.LIF(N_POST, v_init=bf.init.Uniform(-60.0, -51.0), **cells),
        "reward": bf.input.Poisson(2, 0.1),
    }
    return bf.Network(populations, projections, merge=merge)


def run(net, duration, **more):
    return bf.simulate(
        net, inputs={"a": 350.0, "b": 280.0}, duration=duration, dt=DT, key=jr.key(1), **more
    )


def test_merged_equals_apart_and_a_run_can_be_resumed():
    whole, apart = run(network(), 60.0), run(network(merge=False), 60.0)
    assert whole.outputs["b"].sum() > 10
    for name in RULES:
        a, b = (x.state.model_state.weights[name] for x in (whole, apart))
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - CSR.fromdense(weights()).data).max() > 1e-5
    half = run(network(), 30.0)
    rest = run(network(), 30.0, state=half.state)
    jtu.tree_map(np.testing.assert_array_equal, rest.state.model_state, whole.state.model_state)


def test_cost_follows_spikes(monkeypatch):
    """Nothing in a step has the size of the weights, but what changes them in place."""
    # As equations, not as one operator.
    monkeypatch.setattr(_stepper, "_learned", lambda name, size, *rest: _stepper.learn(*rest))
    n, k = 50, 40
    rng = np.random.default_rng(0)
    mask = np.argsort(rng.uniform(size=(n, n)), axis=1)[:, :k]
    matrix = FixedFanout(
        jnp.full((n, k), 0.5), jnp.asarray(np.sort(mask, axis=1), jnp.int32), shape=(n, n)
    )
    net = bf.Network(
        {"a": bf.neuron.LIF(n), "b": bf.neuron.LIF(n), "reward": bf.input.Poisson(2, 0.1)},
        {
            name: bf.Projection(
                "a", "b", matrix, plasticity=rule, modulator="reward" if name in LAZY else None,
                synapse=bf.synapse.Exponential(5.0), output=bf.synapse.Current(),
            )
            for name, rule in RULES.items()
        },
    ).prepare(DT)  # fmt: skip
    state = net.init()

    def step(state, n):
        return net.step(state, None, bf.Clock(n, DT), key=jr.key(0))

    jaxpr = jax.make_jaxpr(step)(state, jnp.asarray(0, jnp.int32))
    large, allowed = set(), set()
    for equation in equations(jaxpr.jaxpr):
        for out in equation.outvars:
            if out.aval.size >= n * k:
                name = equation.primitive.name
                (allowed if name.startswith("event_") else large).add(name)
    assert large <= {"materialize"}  # does nothing, in place: it sets an order
    assert {"event_update", "event_update_power", "event_accrue", "event_sddmm"} <= allowed


def test_weights_change_in_place():
    """The compiled loop copies nothing that has the size of the weights."""
    n, k = 50, 40
    rng = np.random.default_rng(0)
    columns = np.sort(np.argsort(rng.uniform(size=(n, n)), axis=1)[:, :k], axis=1)
    matrix = FixedFanout(jnp.full((n, k), 0.5), jnp.asarray(columns, jnp.int32), shape=(n, n))
    shared = {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Current()}
    net = bf.Network(
        {"a": bf.neuron.LIF(n), "b": bf.neuron.LIF(n), "reward": bf.input.Poisson(2, 0.1)},
        [
            bf.Projection("a", "b", matrix, plasticity=RULES["STDP"], **shared),
            bf.Projection(
                "b", "a", matrix, plasticity=RULES["DopamineSTDP"], modulator="reward", **shared
            ),
        ],
    ).prepare(DT)

    def loop(state):
        def body(state, n):
            return net.step(state, None, bf.Clock(n, DT), key=jr.key(0))[0], None

        return jax.lax.scan(body, state, jnp.arange(100, dtype=jnp.int32))[0]

    text = jax.jit(loop).lower(net.init()).compile().as_text()
    # Computations are apart by empty lines; that of the loop has the calls.
    bodies = [c for c in text.split("\n\n") if "event_accrue" in c or "event_update" in c]
    assert bodies
    for line in "\n".join(bodies).splitlines():
        assert not (f"f64[{n},{k}]" in line and " copy(" in line), line


def equations(jaxpr):
    """All equations that do something, in functions too."""
    for equation in jaxpr.eqns:
        inner = [x for p in equation.params.values() for x in (p if isinstance(p, tuple) else [p])]
        inner = [getattr(x, "jaxpr", x) for x in inner]
        inner = [x for x in inner if hasattr(x, "eqns")]
        if not inner:
            yield equation
        for x in inner:
            yield from equations(x)
