"""The kernel of LIF neurons computes what the neurons and synapses compute by themselves."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf
from brainfn import kernel
from brainfn.network import _local
from brainfn.network._drive import Term, where


def arguments_of(model, receptors, state, layers, current, clock):
    n = state.v.shape[0]
    terms = tuple(
        Term(synapse, output, where(np.arange(n), n), i, 0, n, n)
        for i, (synapse, output) in enumerate(receptors)
    )
    return model.prepare(clock.dt), terms, state, tuple(layers), current, clock


def accepted(model, receptors, state, layers, current):
    return kernel.find(model.prepare(0.1), receptors, state, layers, current)


def in_one_pass(model, receptors, state, layers, current, clock):
    fused = accepted(model, receptors, state, layers, current)
    assert fused is not None
    given = arguments_of(model, receptors, state, layers, current, clock)
    return _local._fused((fused, *given))


def part_by_part(model, receptors, state, layers, current, clock):
    given = arguments_of(model, receptors, state, layers, current, clock)
    return _local._part_by_part((None, *given))


def state_of(v, refractory):
    return bf.neuron.SpikingState(bf.neuron.Voltage(v), refractory)


def parts(n, dtype, kinds, per_neuron, surrogate, key):
    """LIF neurons and synapses in a state in which some rest, some spike, some do neither."""
    keys = iter(jr.split(key, 20))

    def draw(low, high):
        shape = (n,) if per_neuron else ()
        return jr.uniform(next(keys), shape, dtype, low, high)

    model = bf.neuron.LIF(
        n,
        tau=draw(5, 30),
        capacitance=draw(100, 300),
        v_rest=draw(-70, -60),
        v_threshold=draw(-52, -50),
        v_reset=draw(-65, -60),
        refractory=jnp.asarray(2.0, dtype),
        surrogate=surrogate,
    )
    outputs = {
        "g": lambda: bf.synapse.Conductance(draw(-90, 10)),
        "i": lambda: bf.synapse.Current(),
    }
    receptors = [(bf.synapse.Exponential(draw(2, 12)), outputs[k]()) for k in kinds]
    v = jr.uniform(next(keys), (n,), dtype, -75, -48)
    rest = jnp.maximum(jr.randint(next(keys), (n,), -8, 4, jnp.int32), 0)
    state = state_of(v, rest)
    layers = [bf.synapse.Conducting(jr.uniform(next(keys), (n,), dtype, -1, 50)) for _ in kinds]
    return model, receptors, state, layers, draw(0, 300)


@pytest.mark.parametrize("n", [0, 255, 1000])
@pytest.mark.parametrize("kinds", ["", "gg", "gi", "ggi"])
@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("surrogate", [None, bf.surrogate.ReluGrad()])
def test_equals_the_parts(n, kinds, per_neuron, surrogate):
    model, receptors, state, layers, current = parts(
        n, jnp.float64, kinds, per_neuron, surrogate, jr.key(n)
    )
    clock = bf.Clock(jnp.asarray(3, jnp.int32), 0.1)
    assert accepted(model, receptors, state, layers, current) is not None
    got = jax.jit(lambda: in_one_pass(model, receptors, state, layers, current, clock))()
    expected = part_by_part(model, receptors, state, layers, current, clock)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype
        # The same arithmetic in another order: a few units in the last place.
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-12, atol=1e-12)


def test_float32():
    model, receptors, state, layers, current = parts(
        3000, jnp.float32, "gg", False, None, jr.key(0)
    )
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)
    got = in_one_pass(model, receptors, state, layers, current, clock)
    expected = part_by_part(model, receptors, state, layers, current, clock)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype
    # A neuron within rounding of its threshold may fall on either side.
    same = np.asarray(got[1]) == np.asarray(expected[1])
    assert np.mean(same) > 0.999
    # v is about 60 mV: a few float32 ulp of that.
    np.testing.assert_allclose(
        np.asarray(got[0].v)[same], np.asarray(expected[0].v)[same], atol=60 * 4 * 1.2e-7
    )


@pytest.mark.parametrize("in_axes", [0, None])
def test_vmap_is_a_loop(in_axes):
    model, receptors, state, layers, current = parts(300, jnp.float64, "gg", False, None, jr.key(1))
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)
    taus = jnp.linspace(10.0, 20.0, 3)
    currents = current + jnp.arange(3.0) if in_axes == 0 else current

    def one(tau, current):
        changed = eqx.tree_at(lambda m: m.tau, model, tau)
        return in_one_pass(changed, receptors, state, layers, current, clock)

    batched = jax.vmap(one, in_axes=(0, in_axes))(taus, currents)
    for i in range(3):
        single = one(taus[i], currents[i] if in_axes == 0 else currents)
        for x, y in zip(jax.tree.leaves(batched), jax.tree.leaves(single), strict=True):
            # The kernel takes parameters of a batch one by one: other, equally good rounding.
            np.testing.assert_allclose(np.asarray(x[i]), np.asarray(y), rtol=1e-12, atol=1e-12)


def test_nested_vmap_is_a_loop():
    model, receptors, state, layers, current = parts(130, jnp.float64, "gi", True, None, jr.key(5))
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)
    lower, upper = jnp.asarray([0.5, 1.0]), jnp.asarray([1.0, 2.0, 3.0])

    def one(scale, offset):
        changed = eqx.tree_at(lambda m: m.tau, model, model.tau * scale)
        start = state_of(state.v - offset, state.refractory)
        return in_one_pass(changed, receptors, start, layers, current + offset, clock)

    batched = jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None))(lower, upper)
    for i in range(2):
        for j in range(3):
            single = part_by_part(
                eqx.tree_at(lambda m: m.tau, model, model.tau * lower[i]),
                receptors,
                state_of(state.v - upper[j], state.refractory),
                layers,
                current + upper[j],
                clock,
            )
            for x, y in zip(jax.tree.leaves(batched), jax.tree.leaves(single), strict=True):
                np.testing.assert_allclose(np.asarray(x[i, j]), np.asarray(y), rtol=1e-12)


@pytest.mark.parametrize("per_neuron", [False, True])
def test_reference_lowering(per_neuron, monkeypatch):
    """What runs on a GPU, and on a machine without a compiler."""
    from brainfn.kernel import _lif_exponential as _lif_kernel

    model, receptors, state, layers, current = parts(
        70, jnp.float64, "gi", per_neuron, None, jr.key(6)
    )
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)
    expected = part_by_part(model, receptors, state, layers, current, clock)

    def reference(*operands, **static):
        return _lif_kernel._reference(*operands, **static)

    monkeypatch.setattr(_lif_kernel, "_lif", reference)
    got = in_one_pass(model, receptors, state, layers, current, clock)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-12)


def test_derivatives_are_those_of_the_parts():
    model, receptors, state, layers, current = parts(
        50, jnp.float64, "gg", False, bf.surrogate.ReluGrad(), jr.key(2)
    )
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)

    def loss(step, current, tau, v, g):
        changed = eqx.tree_at(lambda m: m.tau, model, tau)
        start = state_of(v, state.refractory)
        mine = [bf.synapse.Conducting(g), layers[1]]
        new, spikes, after = step(changed, receptors, start, mine, current, clock)
        return jnp.sum(new.v) + 3 * jnp.sum(spikes) + jnp.sum(after[0].g)

    arguments = (current, model.tau, state.v, layers[0].g)
    fused = jax.grad(lambda *a: loss(in_one_pass, *a), argnums=(0, 1, 2, 3))(*arguments)
    plain = jax.grad(lambda *a: loss(part_by_part, *a), argnums=(0, 1, 2, 3))(*arguments)
    assert all(bool(jnp.any(x != 0)) for x in fused)
    for x, y in zip(fused, plain, strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-12)


def test_threads_change_nothing():
    # Large enough for two threads; each neuron's result must not depend on how they are split.
    n = 40_000
    model, receptors, state, layers, current = parts(n, jnp.float32, "gg", False, None, jr.key(3))
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)
    whole = in_one_pass(model, receptors, state, layers, current, clock)
    low, high = 1000, 1300
    cut = jax.tree.map(lambda x: x[low:high] if x.ndim else x, (state, layers))
    part = in_one_pass(model, receptors, cut[0], cut[1], current, clock)
    for x, y in zip(jax.tree.leaves(whole), jax.tree.leaves(part), strict=True):
        np.testing.assert_array_equal(np.asarray(x[low:high]), np.asarray(y))


def test_other_models_take_the_general_way():
    model, receptors, state, layers, current = parts(10, jnp.float64, "g", False, None, jr.key(4))
    other = bf.neuron.LIF(10, solver=bf.solver.Heun())
    assert accepted(other, receptors, state, layers, current) is None
    del model
