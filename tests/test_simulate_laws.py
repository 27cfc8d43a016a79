"""Laws of simulation: chunks, jit, vmap, keys, records and permutations change nothing."""

import gc
import weakref

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
import pytest

import brainfn as bf

DT = 0.1


def make(surrogate=None, n=30, delay=1.5, **options):
    lif = {"refractory": 1.0, "v_init": bf.init.Normal(-55.0, 3.0), "surrogate": surrogate}
    rule = bf.connect.FixedProbability(0.3)
    common = {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Conductance(0.0)}
    return bf.Network(
        {
            "exc": bf.neuron.LIF(n, **lif),
            "noise": bf.input.Poisson(10, 0.3),
            "inh": bf.neuron.LIF(n // 3, tau=15.0, **lif),
        },
        {
            "exc": bf.Projection(
                "exc", ["exc", "inh"], rule, weight=bf.init.Uniform(1.0, 3.0), delay=delay, **common
            ),
            "inh": bf.Projection(
                "inh",
                ["exc", "inh"],
                rule,
                weight=5.0,
                delay=np.resize([0.1, 0.2, 1.5], n // 3),
                synapse=bf.synapse.Exponential(10.0),
                output=bf.synapse.Conductance(-80.0),
            ),
            "noise": bf.Projection("noise", "exc", rule, weight=5.0, **common),
        },
        key=jr.key(0),
        **options,
    )


NET = make()
KEY = jr.key(5)


def run(network=NET, duration=20.0, **options):
    options = {"inputs": 230.0, "dt": DT, "key": KEY} | options
    return bf.simulate(network, duration=duration, **options)


@pytest.fixture(scope="module")
def whole():
    out = run()
    spikes = {name: np.asarray(x) for name, x in out.outputs.items()}
    # Something is under way at every cut.
    assert all(spikes[name][100 - 10 : 100].any() for name in spikes)
    assert all(0.01 < x.mean() < 0.2 for x in spikes.values())
    return out


def equal(a, b):
    assert jtu.tree_structure(a) == jtu.tree_structure(b)
    for x, y in zip(jtu.tree_leaves(a), jtu.tree_leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("cut", [10.0, 0.1])
def test_in_parts(whole, cut):
    first = run(duration=cut)
    second = run(duration=20.0 - cut, state=first.state)
    joined = {k: np.concatenate([first.outputs[k], second.outputs[k]]) for k in whole.outputs}
    equal(joined, dict(whole.outputs))
    equal(second.state, whole.state)
    np.testing.assert_array_equal(np.concatenate([first.ts, second.ts]), whole.ts)
    np.testing.assert_allclose(whole.ts, np.arange(200) * DT, rtol=1e-15)


def test_in_parts_with_inputs_in_time():
    """Functions of time go on where they were; samples are given for each part."""
    ramp = lambda t: t / 19.9 * 500.0  # noqa: E731
    first = run(inputs=ramp, duration=10.0)
    second = run(inputs=ramp, duration=10.0, state=first.state)
    equal(run(inputs=ramp).state, second.state)
    values = np.linspace(0.0, 500.0, 200)
    first = run(inputs=values[:100], duration=10.0)
    second = run(inputs=values[100:], duration=10.0, state=first.state)
    equal(run(inputs=values).state, second.state)


def test_jit(whole):
    equal(jax.jit(lambda key: run(key=key).outputs)(KEY), whole.outputs)
    # The network as an argument: parameters are traced, so none are known to be equal.
    # (The drawn initial potentials differ in their last bit, which JAX does not promise.)
    out = eqx.filter_jit(lambda network, key: run(network, key=key))(NET, KEY)
    equal(out.outputs, whole.outputs)
    # A network that went through `tree_at` or a transformation has its dictionaries sorted.
    equal(run(jax.tree.map(lambda x: x, NET)), whole)


def test_same_key_same_bits_and_another_key_others(whole):
    equal(run(), whole)
    other = run(key=jr.key(6))
    for name in whole.outputs:
        assert (np.asarray(other.outputs[name]) != np.asarray(whole.outputs[name])).any()


def test_vmap_over_seeds_is_the_loop(whole):
    keys = jnp.stack([KEY, jr.key(7), jr.key(8)])
    many = jax.vmap(lambda key: run(key=key).outputs)(keys)
    for i, key in enumerate(keys):
        equal(jax.tree.map(lambda x, i=i: x[i], many), run(key=key).outputs)


def test_vmap_over_parameters_is_the_loop():
    weights = jnp.array([0.0, 5.0, 20.0])
    taus = jnp.array([10.0, 20.0, 30.0])
    currents = jnp.array([200.0, 250.0, 300.0])

    def one(weight, tau, current):
        network = eqx.tree_at(
            lambda n: (n.projections["inh"].weight, n.populations["exc"].tau), NET, (weight, tau)
        )
        return run(network, inputs={"exc": current}).outputs

    many = jax.vmap(one)(weights, taus, currents)
    counts = set()
    for i in range(3):
        alone = one(weights[i], taus[i], currents[i])
        equal(jax.tree.map(lambda x, i=i: x[i], many), alone)
        counts.add(int(np.asarray(alone["exc"]).sum()))
    assert len(counts) == 3


def test_recording_changes_nothing_and_every_thins(whole):
    record = {
        "spikes": bf.record.outputs,
        "count": bf.record.SpikeCount(),
        "v": lambda s, _: s["exc"].v,
        "mean": bf.record.Mean(lambda s, o: {"v": s["exc"].v, "rate": o["exc"]}),
        "packed": bf.record.packed_spikes,
        "rate": [bf.record.spike_fraction],
    }
    full = run(record=record)
    equal(full.state, whole.state)
    equal(full.outputs["spikes"], whole.outputs)
    equal(run(record=bf.record.nothing).state, whole.state)
    spikes = np.asarray(whole.outputs["exc"])
    np.testing.assert_array_equal(full.outputs["count"]["exc"], spikes.sum(0))
    # Sums in another order than NumPy's.
    np.testing.assert_allclose(full.outputs["mean"]["v"], np.mean(full.outputs["v"], 0), rtol=1e-13)
    np.testing.assert_allclose(full.outputs["mean"]["rate"], spikes.mean(0), rtol=1e-13)
    np.testing.assert_allclose(full.outputs["rate"][0]["exc"], spikes.mean(1), rtol=1e-13)
    unpacked = np.unpackbits(np.asarray(full.outputs["packed"]["exc"]), axis=-1)[:, :30]
    np.testing.assert_array_equal(unpacked, spikes)

    thin = run(record=record, every=8)
    equal(thin.state, whole.state)
    equal(thin.outputs["count"], full.outputs["count"])
    np.testing.assert_array_equal(thin.outputs["mean"]["rate"], full.outputs["mean"]["rate"])
    np.testing.assert_array_equal(thin.outputs["v"], full.outputs["v"][7::8])
    np.testing.assert_array_equal(thin.ts, whole.ts[7::8])


@pytest.mark.parametrize("checkpoint", [True, 7])
def test_checkpointing_changes_no_value(whole, checkpoint):
    record = {"spikes": bf.record.outputs, "count": bf.record.SpikeCount()}
    out = run(checkpoint=checkpoint, record=record)
    equal(out.outputs["spikes"], whole.outputs)
    equal(out.state, whole.state)
    thin = run(checkpoint=checkpoint, every=4, record=record)
    equal(thin.state, whole.state)
    equal(thin.outputs["count"], out.outputs["count"])


def test_one_trace_for_repeated_calls():
    class Counting(bf.AbstractModel):
        traces: list = eqx.field(static=True)
        v: jax.Array

        def init(self, *, key=None):
            del key
            return self.v

        def step(self, state, inputs, clock, *, key=None):
            del clock, key
            self.traces[0] += 1
            return state + inputs, state

    class Counter(list):
        __hash__ = object.__hash__
        __eq__ = object.__eq__

    traces = Counter([0])
    model = Counting(traces, jnp.zeros(3))
    out = bf.simulate(model, inputs=1.0, duration=1.0, dt=DT)
    first = traces[0]
    for i in range(3):
        other = eqx.tree_at(lambda m: m.v, model, jnp.arange(3.0) * i)
        bf.simulate(other, inputs=float(i), duration=1.0, dt=DT, state=out.state)
    assert traces[0] == first
    bf.simulate(model, inputs=1.0, duration=2.0, dt=DT)
    assert traces[0] > first


def test_relabelled_neurons_permute_the_output():
    rng = np.random.default_rng(0)
    n = 25
    dense = np.where(rng.uniform(size=(n, n)) < 0.3, rng.uniform(5.0, 60.0, (n, n)), 0.0)
    delays = rng.integers(1, 12, n) * DT
    v = rng.uniform(-60.0, -50.0, n)
    current = rng.uniform(180.0, 400.0, n)
    order = rng.permutation(n)

    def spikes(dense, delays, v, current):
        network = bf.Network(
            {"a": bf.neuron.LIF(n, v_init=v, refractory=2.0)},
            [
                bf.Projection(
                    "a",
                    "a",
                    bf.event.CSR.fromdense(dense),
                    synapse=bf.synapse.Exponential(5.0),
                    output=bf.synapse.Current(),
                    delay=delays,
                )
            ],
        )
        inputs = {"a": bf.input.Constant(current)}
        return np.asarray(bf.simulate(network, inputs=inputs, duration=50.0, dt=DT).outputs["a"])

    plain = spikes(dense, delays, v, current)
    assert plain.sum() > 50
    permuted = spikes(dense[np.ix_(order, order)], delays[order], v[order], current[order])
    np.testing.assert_array_equal(plain[:, order], permuted)


def test_raw_keys_of_every_kind():
    """A raw key is one of the default kind, whose length differs."""
    lif = bf.neuron.LIF(3, v_init=bf.init.Normal(-55.0, 2.0))
    for kind in ("threefry2x32", "rbg", "unsafe_rbg"):
        with jax.default_prng_impl(kind):
            a, b = (bf.simulate(lif, duration=1.0, dt=DT, key=k) for k in (
                jr.PRNGKey(1), jr.key(1)
            ))  # fmt: skip
            equal(a.outputs, b.outputs)
            equal(a.state.model_state, b.state.model_state)


def test_models_are_forgotten():
    """What is kept with a model does not keep it alive, also if it is its own prepared form."""

    class Plain(bf.AbstractModel):
        v: jax.Array

        def init(self, *, key=None):
            del key
            return self.v

        def step(self, state, inputs, clock, *, key=None):
            del inputs, clock, key
            return state, state

    model = Plain(jnp.zeros(3))
    bf.simulate(model, duration=1.0, dt=DT)
    known = weakref.ref(model)
    del model
    gc.collect()
    assert known() is None
