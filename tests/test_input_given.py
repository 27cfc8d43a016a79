"""`input.SpikeTimes`: exact steps, spikes as data, many of them, inside transformations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

import brainfn as bf

DT = 0.1


def emitted(model, n_steps, dt=DT, start=0):
    state = bf.Snapshot(model.init(), jnp.asarray(start, jnp.int32), dt)
    return np.asarray(bf.simulate(model, state=state, duration=n_steps * dt, dt=dt).outputs)


def counts(steps, units, n_steps, size):
    out = np.zeros((n_steps, size))
    np.add.at(out, (steps, units), 1)
    return out


def compilations(function):
    count = []

    def listen(event, duration, **_):
        del duration
        if event.endswith("backend_compile_duration"):
            count.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        function()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return len(count)


@pytest.mark.parametrize("stamp", ["beginning", "end"])
@pytest.mark.parametrize("wide", [True, False])
def test_steps_are_exact_after_hours(stamp, wide):
    """Each step of a second, four hours later, from times that are rounded to float64."""
    start, n = round(4 * 3600e3 / DT), 10_000
    steps = start + np.arange(n)
    at = (steps + (stamp == "end")) * DT
    units = np.arange(n) % 3
    with jax.enable_x64(wide):
        for shift in (0.0, 0.37 * DT if stamp == "beginning" else -0.37 * DT):
            model = bf.input.SpikeTimes(3, at + shift, units, stamp=stamp)
            out = emitted(model, n, start=start)
            measured(
                "input.SpikeTimes", "spikes of each step of a second, after four hours",
                against="NumPy", error=out - counts(np.arange(n), units, n, 3), bound=0,
            )  # fmt: skip


@pytest.mark.parametrize("wide", [True, False])
def test_a_traced_model_does_the_same(wide):
    rng = np.random.default_rng(0)
    times, units = rng.uniform(0, 5.0, 400), rng.integers(0, 7, 400)
    times[::3] = np.rint(times[::3] / DT) * DT
    with jax.enable_x64(wide):
        for stamp in ("beginning", "end"):
            model = bf.input.SpikeTimes(7, times + DT, units, stamp=stamp)
            traced = eqx.filter_jit(lambda m: bf.simulate(m, duration=5.0, dt=DT).outputs)(model)
            np.testing.assert_array_equal(traced, emitted(model, 50))
            assert float(traced.sum()) > 300


def test_sets_of_spikes_in_a_batch():
    sets = [bf.input.SpikeTimes(4, [0.1 * i, 0.5, 0.5], [i, 0, 3]) for i in range(3)]
    both = jax.tree.map(lambda *x: jnp.stack(x), *sets)
    out = eqx.filter_vmap(lambda m: bf.simulate(m, duration=1.0, dt=DT).outputs)(both)
    for i, one in enumerate(sets):
        np.testing.assert_array_equal(out[i], emitted(one, 10))


def test_more_spikes_in_a_step_than_are_looked_at_once():
    rng = np.random.default_rng(1)
    steps, units = rng.choice([0, 3, 4, 9], 5000), rng.integers(0, 50, 5000)
    model = bf.input.SpikeTimes(50, steps * DT, units)
    np.testing.assert_array_equal(emitted(model, 10), counts(steps, units, 10, 50))


@pytest.mark.parametrize("times", [[], [1e300], [2e8]])
def test_no_spikes_or_late_ones(times):
    model = bf.input.SpikeTimes(2, times, [0] * len(times))
    np.testing.assert_array_equal(emitted(model, 10), np.zeros((10, 2)))


def test_spikes_are_data_but_no_parameters():
    times = np.array([0.1, 1 / 3, 1e7 + 1e-9])
    model = bf.input.SpikeTimes(3, times, [2, 0, 1])
    np.testing.assert_array_equal(model.times, times)
    np.testing.assert_array_equal(bf.astype(model, jnp.float32).times, times)
    np.testing.assert_array_equal(jax.jit(lambda m: m)(model).times, times)
    assert not jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array))
    times[:] = 0  # what is given may change afterwards
    assert model.times[1] == 1 / 3


def network(times, units):
    projection = bf.Projection(
        "s",
        "n",
        bf.connect.AllToAll(),
        weight=np.linspace(50.0, 90.0, 400),
        synapse=bf.synapse.Exponential(5.0),
        output=bf.synapse.Current(),
    )
    populations = {"s": bf.input.SpikeTimes(20, times, units), "n": bf.neuron.LIF(20)}
    return bf.Network(populations, [projection])


def test_a_million_spikes_and_another_million():
    """The second set has another number of spikes in its fullest step, and compiles nothing."""
    nets = []
    for seed, spread in ((0, 1.0), (1, 2.0)):
        rng = np.random.default_rng(seed)
        times, units = 1000.0 * rng.random(10**6) ** spread, rng.integers(0, 20, 10**6)
        nets.append(network(times, units))
    # What does not change with the spikes is small, and hashed quickly.
    assert jax.tree.structure(nets[0]) == jax.tree.structure(nets[1])
    assert len(repr(jax.tree.structure(nets[0].populations["s"]))) < 1000

    def run(net):
        return bf.simulate(net, duration=1.0, dt=DT, record=bf.record.SpikeCount()).outputs

    assert compilations(lambda: run(nets[0])) > 0
    assert compilations(lambda: run(nets[1])) == 0


def test_gradients_pass_by():
    rng = np.random.default_rng(0)
    net = network(rng.uniform(0, 20, 500), rng.integers(0, 20, 500))

    def loss(weight, checkpoint):
        changed = eqx.tree_at(lambda n: n.projections["s"].weight, net, weight)
        record = lambda state, output: state["n"].v  # noqa: E731
        out = bf.simulate(changed, duration=20.0, dt=DT, record=record, checkpoint=checkpoint)
        return jnp.mean(out.outputs)

    weight = net.projections["s"].weight
    plain = jax.grad(loss)(weight, False)
    assert float(jnp.min(plain)) > 0
    # Steps that are made again are compiled on their own.
    np.testing.assert_allclose(jax.grad(loss)(weight, True), plain, rtol=1e-9)
    _, forward = jax.jvp(lambda w: loss(w, False), (weight,), (jnp.ones_like(weight),))
    np.testing.assert_allclose(forward, jnp.sum(plain), rtol=1e-9)
