"""Silent networks are noticed, and learn again; live ones are left in peace."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf

DT = 0.1


def chain(weight, surrogate=None):
    """A driven population that spikes into another one, which spikes if the weight is large."""
    surrogate = bf.surrogate.Boxcar(width=0.2) if surrogate is None else surrogate
    lif = {"surrogate": surrogate, "refractory": 1.0}
    return bf.Network(
        {
            "first": bf.neuron.LIF(10, v_init=bf.init.Uniform(-60.0, -50.0), **lif),
            "second": bf.neuron.LIF(6, **lif),
            "noise": bf.input.Poisson(4, 0.02),
        },
        {
            "forward": bf.Projection(
                "first",
                "second",
                bf.connect.AllToAll(),
                weight=bf.init.Uniform(0.8 * weight, 1.2 * weight),
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Current(),
            ),
            "noise": bf.Projection(
                "noise",
                "first",
                bf.connect.AllToAll(),
                weight=2.0,
                synapse=bf.synapse.Exponential(3.0),
                output=bf.synapse.Current(),
            ),
        },
        key=jr.key(0),
    )


def simulate(net, record, duration=40.0):
    inputs = {"first": 180.0}
    return bf.simulate(
        net, inputs=inputs, duration=duration, dt=DT, key=jr.key(1), record=record
    ).outputs


def spikes_of_second(net):
    return jnp.mean(simulate(net, bf.record.Mean(lambda state, output: output["second"])))


def test_silent_layer_is_named():
    gradient = eqx.filter_jit(eqx.filter_grad(spikes_of_second))(chain(1.0))
    with pytest.warns(
        bf.learn.SilentGradientWarning, match="'second'.*no neuron on the path"
    ) as caught:
        silent = bf.learn.check_gradient(gradient)
    assert len(caught) == 1
    assert {"population 'second'", "projection 'forward'"} <= set(silent)
    # Sources have no gradient anyway.
    assert "population 'noise'" not in silent


def test_live_network_is_left_in_peace():
    gradient = eqx.filter_jit(eqx.filter_grad(spikes_of_second))(chain(60.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bf.learn.check_gradient(gradient) == ()


def test_gradient_that_is_not_finite_is_named():
    gradient = {"w": jnp.asarray([1.0, jnp.nan]), "tau": jnp.asarray(2.0), "n": jnp.arange(3)}
    with pytest.raises(FloatingPointError, match=r"not finite for gradient\['w'\]"):
        bf.learn.check_gradient(gradient)
    with pytest.warns(bf.learn.SilentGradientWarning, match=r"zero for gradient\['w'\]"):
        assert bf.learn.check_gradient({"w": jnp.zeros(2), "b": 1e-300}) == ("gradient['w']",)
    assert bf.learn.check_gradient((jnp.ones(2), None, jnp.zeros(0))) == ()
    with pytest.raises(TypeError, match="traced"):
        jax.jit(lambda g: bf.learn.check_gradient(g) and None)(jnp.zeros(2))


@pytest.mark.parametrize("weight", [1.0, 60.0])
def test_fraction_near_threshold_by_hand(weight):
    net = chain(weight)
    record = {
        "near": bf.learn.NearThreshold(net),
        "v": lambda state, output: {n: state[n].v for n in ("first", "second")},
        "spikes": bf.record.outputs,
    }
    out = jax.jit(lambda n: simulate(n, record))(net)
    assert set(out["near"]) == {"first", "second"}
    for name, near in out["near"].items():
        x = (np.asarray(out["v"][name]) + 50.0) / 10.0
        inside = (np.abs(x) < 0.2) | (np.asarray(out["spikes"][name]) > 0)
        np.testing.assert_allclose(near.now, inside.mean(), rtol=1e-12)
        np.testing.assert_allclose(near.ever, inside.any(0).mean(), rtol=1e-12)
    assert float(out["near"]["second"].ever) == (0.0 if weight == 1.0 else 1.0)
    assert float(out["near"]["first"].ever) == 1.0


def test_statistic_of_neurons_alone_and_of_wide_surrogates():
    for surrogate, expected in ((bf.surrogate.Boxcar(0.1), 0.0), (bf.surrogate.Arctan(), 1.0)):
        model = bf.neuron.LIF(3, surrogate=surrogate)
        near = bf.simulate(model, duration=1.0, dt=DT, record=bf.learn.NearThreshold(model)).outputs
        assert (float(near.now), float(near.ever)) == (expected, expected)
    mixed = bf.Network({"bool": bf.neuron.LIF(3, surrogate=None), "float": bf.neuron.LIF(2)})
    out = bf.simulate(mixed, duration=1.0, dt=DT, record=bf.learn.NearThreshold(mixed)).outputs
    assert set(out) == {"float"}


def test_penalty_by_hand():
    net = chain(20.0)
    record = {
        "loss": bf.learn.SilencePenalty(net, spikes=3, margin=0.1),
        "v": lambda state, output: {n: state[n].v for n in ("first", "second")},
        "n": bf.record.SpikeCount(),
    }
    out = simulate(net, record)
    assert set(out["loss"]) == {"first", "second"}
    for name, loss in out["loss"].items():
        closest = (np.asarray(out["v"][name]).max(0) + 50.0) / 10.0
        short = np.maximum(-0.1 - closest, 0.0) ** 2
        expected = np.mean(np.where(np.asarray(out["n"][name]) < 3, short, 0.0))
        np.testing.assert_allclose(loss, expected, rtol=1e-12)
    assert float(out["loss"]["second"]) > 0


def test_penalty_wakes_a_silent_layer():
    """Gradient descent on the penalty alone, from weights where the spikes give no gradient."""
    net = chain(1.0)

    def loss(w):
        changed = eqx.tree_at(lambda n: n.projections["forward"].weight, net, w)
        penalty = bf.learn.SilencePenalty(changed)
        record = {"silence": penalty, "n": bf.record.SpikeCount()}
        out = simulate(changed, record)
        return out["silence"]["second"], jnp.sum(out["n"]["second"])

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    w = net.projections["forward"].weight
    (first, count), gradient = step(w)
    assert int(count) == 0 and bool(jnp.any(gradient < 0))
    # Central differences of a smooth function: 1e-6 relative.
    h, direction = 1e-4, jnp.sign(gradient)
    (up, _), (down, _) = (loss(w + s * h * direction) for s in (1, -1))
    np.testing.assert_allclose((up - down) / (2 * h), jnp.sum(gradient * direction), rtol=1e-6)
    for _ in range(60):
        (value, count), gradient = step(w)
        if int(count):
            break
        w = w - 2.0 * gradient / jnp.max(jnp.abs(gradient))
    assert int(count) > 0 and float(value) < float(first)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="`model` must be a brainfn.Network or neurons"):
        bf.learn._silence._neurons(3)
    model = bf.neuron.LIF(3)
    with pytest.raises(ValueError, match="`spikes` must be at least 1"):
        bf.learn.SilencePenalty(model, spikes=0)
    with pytest.raises(ValueError, match="`margin` must not be negative"):
        bf.learn.SilencePenalty(model, margin=-0.1)
