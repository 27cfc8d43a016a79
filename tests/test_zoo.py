"""The Vogels-Abbott networks are what their sources say."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _oracle_statistics import load_json

import brainfn as bf

KEY = jr.key(0)


def build(variant, **options):
    return bf.zoo.vogels_abbott(variant, key=KEY, **{"scale": 0.1, **options})


@pytest.mark.parametrize("variant", bf.zoo.VOGELS_ABBOTT)
def test_every_variant_runs(variant):
    network, drive = build(variant)
    out = bf.simulate(
        network, inputs=drive, duration=5.0, dt=0.1, key=KEY, record=bf.record.SpikeCount()
    )
    assert out.outputs["exc"].shape == (320,)
    assert out.outputs["inh"].shape == (80,)
    assert np.all(np.isfinite(out.state["exc"].v))


@pytest.mark.parametrize("variant", bf.zoo.VOGELS_ABBOTT)
def test_every_neuron_has_80_inputs(variant):
    network, _ = build(variant, scale=0.5)
    degree = np.zeros(2000)
    for name in ("exc", "inh"):
        matrix = network.matrix(name)
        degree += np.bincount(np.asarray(matrix.indices), minlength=2000)
    if bf.zoo.VOGELS_ABBOTT[variant].in_degree:
        np.testing.assert_array_equal(degree, 80)
    else:
        # Binomial: the mean of 2000 of them has a standard error of 9/sqrt(2000) = 0.2.
        assert degree.mean() == pytest.approx(80.0, abs=1.0)


def oracle(name):
    return load_json("vogels_abbott.json")["variants"][name]


@pytest.mark.parametrize(
    ("variant", "source"),
    [("coba-drive", "coba-drive"), ("coba-brian1", "coba-brian"), ("cuba-brian", "cuba-brian")],
)
def test_numbers_are_those_of_the_oracle(variant, source):
    ours, theirs = bf.zoo.VOGELS_ABBOTT[variant], oracle(source)
    assert ours.conductance == (theirs["synapse"] == "conductance")
    for name in ("v_rest", "drive", "weight_exc", "weight_inh"):
        assert getattr(ours, name) == theirs[name], name
    kinds = {"uniform": bf.init.Uniform, "normal": bf.init.Normal}
    for name, given in (
        ("v_init", theirs["v_initial"]),
        ("g_exc_init", theirs["g_exc_initial"]),
        ("g_inh_init", theirs["g_inh_initial"]),
    ):
        initial = getattr(ours, name)
        if given is None:
            assert initial == 0.0
        else:
            assert type(initial) is kinds[given[0]]
            assert list(vars(initial).values()) == given[1:]


@pytest.mark.parametrize(
    ("variant", "source"),
    [("coba-kick", "coba-kick"), ("coba-nest", "coba-nest"), ("cuba-nest", "cuba-nest")],
)
def test_numbers_are_those_of_nests_examples(variant, source):
    document = load_json("vogels_abbott_nest.json")
    ours, theirs = bf.zoo.VOGELS_ABBOTT[variant], document["variants"][source]
    assert ours.conductance == (theirs["model"] == "iaf_cond_exp")
    assert ours.v_rest == theirs["parameters"]["E_L"]
    assert ours.weight_exc == theirs["weight_exc"]
    assert abs(ours.weight_inh) == abs(theirs["weight_inh"])
    assert ours.v_init == theirs["v_initial"]
    assert ours.in_degree and ours.kick and ours.drive == 0
    kick = build(variant)[0].populations["kick"]
    expected = document["kick"]
    assert (kick.size, kick.start, kick.stop) == tuple(
        expected[name] for name in ("neurons", "start", "stop")
    )
    assert float(kick.rate) == pytest.approx(expected["rate"] * 1e-3)


def test_printed_reference_figures_are_those_of_the_oracles():
    files = {
        "vogels_abbott.json": {
            "coba-drive": "coba-drive",
            "coba-brian1": "coba-brian",
            "cuba-brian": "cuba-brian",
        },
        "vogels_abbott_nest.json": {name: name for name in ("coba-kick", "cuba-nest")},
    }
    for file, names in files.items():
        simulators = load_json(file)["simulators"]
        for variant, source in names.items():
            reference = bf.zoo.VOGELS_ABBOTT[variant].reference
            assert len(reference) == len(simulators)
            for printed, simulator in zip(reference.values(), simulators.values(), strict=True):
                for window, figures in simulator["variants"][source]["summary"].items():
                    for name, value in printed[window].items():
                        # Rounded to two or three digits after the point.
                        assert value == pytest.approx(figures[name]["mean"], abs=0.0051), name


def test_same_key_same_network():
    first, second = build("coba-brian1")[0], build("coba-brian1")[0]
    np.testing.assert_array_equal(first.matrix("exc").indices, second.matrix("exc").indices)


def test_float32_network_stays_float32():
    network, drive = build("coba-kick", dtype=jnp.float32)
    assert drive.dtype == jnp.float32
    out = bf.simulate(network, inputs=drive, duration=2.0, dt=0.1, key=KEY)
    for leaf in filter(eqx.is_array, jax.tree.leaves((network, out.state.model_state))):
        assert leaf.dtype != jnp.float64


def test_gradient_through_the_network():
    network, drive = build("coba-drive")

    def mean_potential(current):
        out = bf.simulate(
            network,
            inputs=current,
            duration=5.0,
            dt=0.1,
            key=KEY,
            record=lambda state, output: jnp.mean(state["exc"].v),
        )
        return jnp.mean(out.outputs)

    gradient = jax.grad(mean_potential)(drive)
    assert np.isfinite(gradient) and gradient != 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "coba-drvie"}, "Did you mean 'coba-drive'"),
        ({"scale": 0.0}, "`scale` must be at least"),
        ({"scale": float("nan")}, "`scale` must be at least"),
        ({"scale": 9000}, "`scale` must be at most"),
        ({"delay": -1.0}, "`delay`"),
    ],
)
def test_wrong_calls_raise(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build(options.pop("variant", "coba-drive"), **options)
