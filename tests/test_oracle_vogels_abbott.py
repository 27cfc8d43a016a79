"""The Vogels-Abbott networks against NEST and Brian2: rates, irregularity, synchrony.

The references are stored with the scripts that made them (`tests/oracle`), five seeds each. The
figures of brainfn are means over five seeds too, by the functions and in the window that the
references were measured with.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _oracle_statistics import load_json, load_statistics

import brainfn as bf

SEEDS = range(5)
WINDOW = (200.0, 1200.0)
VARIANTS = {"coba-drive": "coba-drive", "coba-brian1": "coba-brian", "cuba-brian": "cuba-brian"}
FIGURES = ("rate_exc", "rate_inh", "cv", "cv_exc", "cv_inh")

pytestmark = pytest.mark.slow


@functools.cache
def ours(variant, dtype, seeds=SEEDS):
    """The figures of each seed."""
    statistics = load_statistics()
    runs = []
    for seed in seeds:
        build, key = jr.split(jr.key(seed))
        network, drive = bf.zoo.vogels_abbott(variant, key=build, surrogate=None, dtype=dtype)
        out = bf.simulate(
            network,
            inputs=drive,
            duration=1200.0,
            dt=0.1,
            key=key,
            record=bf.record.packed_spikes,
        )
        spikes = []
        for name, size in (("exc", 3200), ("inh", 800)):
            bits = np.unpackbits(np.asarray(out.outputs[name]), axis=1, count=size)
            spikes.append(np.nonzero(bits))
        steps = np.concatenate([s for s, _ in spikes])
        neurons = np.concatenate([spikes[0][1], spikes[1][1] + 3200])
        runs.append(
            statistics.spike_statistics(
                steps, neurons, n_exc=3200, n_inh=800, dt=0.1, window=WINDOW
            )
        )
    return runs


def mean(runs, figure):
    return float(np.mean([run[figure] for run in runs]))


def references(variant):
    simulators = load_json("vogels_abbott.json")["simulators"]
    for name, simulator in simulators.items():
        yield name, simulator["variants"][VARIANTS[variant]]["summary"]["200-1200"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_rates_and_cv_within_ten_percent_of_nest_and_brian2(variant):
    for simulator, reference in references(variant):
        for figure in FIGURES:
            value, expected = mean(ours(variant, jnp.float32), figure), reference[figure]["mean"]
            assert value == pytest.approx(expected, rel=0.1), (simulator, figure)


@pytest.mark.parametrize("variant", VARIANTS)
def test_excitatory_and_inhibitory_neurons_fire_alike(variant):
    # They have the same parameters and the same statistics of inputs.
    runs = ours(variant, jnp.float32)
    assert mean(runs, "rate_exc") == pytest.approx(mean(runs, "rate_inh"), rel=0.05)


@pytest.mark.parametrize("variant", VARIANTS)
def test_synchrony_within_the_spread_of_the_references(variant):
    # The Fano factor of one run has a standard deviation of 10-20 %, so means of five seeds differ
    # by 5-9 % each; a third is four of their joint standard errors.
    value = mean(ours(variant, jnp.float32), "fano")
    expected = np.mean([reference["fano"]["mean"] for _, reference in references(variant)])
    assert value == pytest.approx(expected, rel=0.33)


@pytest.mark.parametrize("variant", VARIANTS)
def test_float32_and_float64_agree_statistically(variant):
    # Trajectories are chaotic, so only statistics can agree: the means of five seeds within four
    # standard errors of their difference, and never asked to be closer than 2 %.
    single, double = ours(variant, jnp.float32), ours(variant, jnp.float64)
    for figure in FIGURES:
        a, b = ([run[figure] for run in runs] for runs in (single, double))
        error = np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(a))
        assert abs(np.mean(a) - np.mean(b)) < max(4 * error, 0.02 * np.mean(b)), figure


@pytest.mark.parametrize("variant", ["coba-kick", "cuba-nest"])
def test_nests_own_examples(variant):
    reference = load_json("vogels_abbott_nest.json")["simulators"]["nest"]["variants"][variant]
    runs = ours(variant, jnp.float32)
    # NEST's spikes take one step more than brainfn's at the same delay; see the notes of
    # vogels_abbott.json.
    for figure in FIGURES:
        expected = reference["summary"]["200-1200"][figure]
        assert mean(runs, figure) == pytest.approx(expected["mean"], rel=0.1), figure


def test_nests_coba_either_dies_or_fires_as_in_nest():
    # The kick starts from -70 mV, and whether it ignites the network is a matter of chance.
    nest = load_json("vogels_abbott_nest.json")["simulators"]["nest"]["variants"]["coba-nest"]
    theirs = [run["200-1200"]["rate_exc"] for run in nest["runs"]]
    runs = [run["rate_exc"] for run in ours("coba-nest", jnp.float32)]
    # Two of NEST's five die, one of our first fourteen: by Fisher's test p = 0.15, so how often is
    # not asserted, only that a network which lives fires at the same rate.
    for rates in (theirs, runs):
        assert any(rate > 10 for rate in rates)
        assert all(rate < 1 or 10 < rate < 19 for rate in rates)


def test_precision_of_the_result_is_that_asked_for():
    network, _ = bf.zoo.vogels_abbott("coba-drive", scale=0.1, key=jr.key(0), dtype=jnp.float32)
    floats = [x for x in jax.tree.leaves(network) if eqx.is_inexact_array(x)]
    assert {x.dtype for x in floats} == {jnp.dtype(jnp.float32)}
