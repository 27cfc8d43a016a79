"""Outputs, and the wrong calls of all parts of synapses, from what their fields declare."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from _differences import assert_gradient
from _measured import measured
from models import all_outputs, all_plasticity, all_receptors, all_releases

import brainfn as bf
from brainfn.synapse import (
    Conductance,
    Current,
    Delta,
    Diffusive,
    Hill,
    MagnesiumBlock,
    woodhull_block,
)

G, V = jnp.array([2.0, 3.0]), jnp.array([-60.0, -50.0])

PARTS = all_receptors | all_releases | all_outputs | all_plasticity
FIELDS = [
    (name, field.name)
    for name, make in PARTS.items()
    for field in dataclasses.fields(make())
    if "param" in field.metadata
]


def test_currents():
    np.testing.assert_array_equal(Current()(G, V), G)
    np.testing.assert_array_equal(Conductance(-80.0)(G, V), [-40.0, -90.0])


def test_magnesium_block():
    """The unblocked fraction of Jahr and Stevens (1990), in numbers by hand."""
    v = jnp.array([-80.0, -60.0, 0.0, 40.0])
    fraction = MagnesiumBlock()(jnp.ones(4), v)[jnp.array([0, 1, 3])] / -v[jnp.array([0, 1, 3])]
    by_hand = [1 / (1 + np.exp(0.062 * 80) / 3.57), 1 / (1 + np.exp(3.72) / 3.57)]
    measured(
        "synapse.MagnesiumBlock",
        "unblocked fraction at -80 and -60 mV, relative",
        against="Jahr and Stevens (1990) by hand",
        error=fraction[:2] / np.array(by_hand) - 1,
        bound=1e-14,  # same arithmetic
    )
    np.testing.assert_allclose(fraction[:2], [0.02442465, 0.07962637], rtol=1e-6)
    # Half of it is blocked where the exponential is as large as the half-block ratio.
    half = np.log(1 / 3.57) / 0.062
    np.testing.assert_allclose(MagnesiumBlock()(G, jnp.full(2, half)), -G * half / 2, rtol=1e-14)
    # Without magnesium nothing is blocked.
    np.testing.assert_allclose(MagnesiumBlock(magnesium=0.0)(G, V), -G * V, rtol=1e-15)


def test_magnesium_block_from_its_site():
    """The exponent is 2 F v / (R T) at the depth of the site."""
    by_hand = 2 * 0.8 * 96485.33212 / (8.314462618 * 300.0) / 1000
    block = woodhull_block(0.8, 4.1, temperature=26.85, magnesium=2.0)
    measured(
        "synapse.woodhull_block",
        "steepness of a site at a given depth",
        against="closed form",
        error=block.a - by_hand,
        bound=1e-11,  # the digits above
        unit="1/mV",
    )
    half = float(np.log(2.0 / 4.1) / block.a)
    np.testing.assert_allclose(block(G, jnp.full(2, half)), -G * half / 2, rtol=1e-14)
    for name, wrong_ in (
        ("depth", 1.5),
        ("depth", 0.0),
        ("affinity", -1.0),
        ("temperature", -300.0),
    ):
        with pytest.raises(
            (TypeError, ValueError), match="`b`" if name == "affinity" else f"`{name}`"
        ):
            woodhull_block(**({"depth": 0.8, "affinity": 4.1} | {name: wrong_}))


def test_hill():
    c = jnp.array([0.0, 3.0, 6.0, 1e30, -1.0])
    found = Hill(2.0, -90.0, half=3.0, exponent=2.0)(c, jnp.full(5, -80.0))
    measured(
        "synapse.Hill",
        "current at five concentrations",
        against="closed form",
        error=found - jnp.array([0.0, -10.0, -16.0, -20.0, 0.0]),
        bound=1e-13,  # same arithmetic
        unit="pA",
    )


def test_delta_passes_the_jump():
    np.testing.assert_array_equal(Delta()(G, V), G)


def test_diffusive_coupling_needs_the_sum_of_weights():
    told = Diffusive().with_total(jnp.array([0.5, 0.1]))
    np.testing.assert_allclose(told(G, V), [2.0 + 30.0, 3.0 + 5.0], rtol=1e-15)
    with pytest.raises(ValueError, match="with_total"):
        Diffusive()(G, V)


@pytest.mark.parametrize("name", [n for n in all_outputs if n != "Diffusive"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_outputs_keep_their_precision(name, dtype):
    output = bf.astype(all_outputs[name](), dtype)
    assert output(G.astype(dtype), V.astype(dtype)).dtype == dtype


@pytest.mark.parametrize("name", [n for n in all_outputs if n != "Diffusive"])
def test_gradients_of_outputs_are_central_differences(name):
    def loss(model_g_v):
        model, g, v = model_g_v
        return jnp.sum(jnp.sin(model(g, v) / 50))

    assert_gradient(loss, (all_outputs[name](), G, V))


def wrong(declared):
    yield "text", TypeError
    yield True, TypeError
    yield float("nan"), ValueError
    yield np.inf, ValueError
    yield np.ones((2, 2)), ValueError
    if declared.sign in ("positive", "nonnegative", "probability"):
        yield -1.0, ValueError
    if declared.sign == "positive":
        yield 0.0, ValueError
    if declared.sign == "probability":
        yield 1.5, ValueError


@pytest.mark.parametrize(("part", "field"), FIELDS, ids=[f"{a} {b}" for a, b in FIELDS])
def test_wrong_parameters_are_named(part, field):
    good = PARTS[part]()
    values = {
        f.name: getattr(good, f.name)
        for f in dataclasses.fields(good)
        if f.init and getattr(good, f.name) is not None
    }
    (declared,) = [f.metadata["param"] for f in dataclasses.fields(good) if f.name == field]
    for value, error in wrong(declared):
        with pytest.raises(error, match=f"`{field}`"):
            type(good)(**(values | {field: value}))


def test_wrong_functions():
    with pytest.raises(TypeError, match="[`']of[`']"):
        bf.synapse.Graded("v")
    with pytest.raises(ValueError, match="`w_min` must lie below `w_max`"):
        bf.plasticity.STDP(w_min=2.0, w_max=1.0)
    with pytest.raises(TypeError, match="[`']of[`']"):
        bf.synapse.SigmoidGate(of="v")
    for sites in (2.5, 101):
        with pytest.raises(ValueError, match="`sites`"):
            bf.synapse.Quantal(sites)
    release, clock = bf.synapse.Quantal(), bf.Clock(jnp.asarray(0, jnp.int32), 0.1)
    with pytest.raises(ValueError, match="`key`"):
        release.release(release.init(1), jnp.zeros(1), None, clock)
