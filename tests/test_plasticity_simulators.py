"""Plasticity rules against the weights of NEST's synapses over 10 s of irregular spikes.

`oracle/plasticity_nest.py` made them, with 12 digits. NEST changes a weight when its synapse sends
a spike, from the history: the weight of each spike sent is that after the arrival in brainfn. All
of a NEST synapse's delay is dendritic, so that a presynaptic spike is at the synapse when it is
emitted and a postsynaptic one a delay later; the stored times are those at the synapse. What NEST
calls $\\lambda W_\\max$ is $A_+$ here, $\\alpha\\lambda W_\\max$ is $A_-$.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured
from _oracle_statistics import load_json

import brainfn as bf
from brainfn.event import Dense
from brainfn.synapse import Activity

ORACLE = load_json("plasticity_nest.json")
CASES, DT = ORACLE["cases"], 0.1


def pairs(p, pairing="all"):
    amplitude = p["lambda"] * p["Wmax"]
    return bf.plasticity.STDP(
        A_plus=amplitude,
        A_minus=p["alpha"] * amplitude,
        tau_plus=p["tau_plus"],
        tau_minus=p["tau_minus"],
        mu_plus=p["mu_plus"],
        mu_minus=p["mu_minus"],
        w_max=p["Wmax"],
        pairing=pairing,
    )


def power_law(p):
    return bf.plasticity.PowerLawSTDP(
        A_plus=p["lambda"],
        A_minus=p["alpha"] * p["lambda"],
        tau_plus=p["tau_plus"],
        tau_minus=p["tau_minus"],
        mu=p["mu"],
    )


def triplet(p):
    return bf.plasticity.TripletSTDP(
        A2_plus=p["Aplus"],
        A3_plus=p["Aplus_triplet"],
        A2_minus=p["Aminus"],
        A3_minus=p["Aminus_triplet"],
        tau_plus=p["tau_plus"],
        tau_x=p["tau_plus_triplet"],
        tau_minus=p["tau_minus"],
        tau_y=p["tau_minus_triplet"],
        w_max=p["Wmax"],
    )


def inhibitory(p):
    # alpha = 2 rho tau.
    rho = p["alpha"] / (2 * p["tau"])
    return bf.plasticity.InhibitorySTDP(eta=p["eta"], rho=rho, tau=p["tau"], w_max=p["Wmax"])


def dopamine(p):
    # A spike of NEST's dopamine neurons adds 1/tau_n to the concentration.
    return bf.plasticity.DopamineSTDP(
        A_plus=p["A_plus"] / p["tau_n"],
        A_minus=p["A_minus"] / p["tau_n"],
        tau_plus=p["tau_plus"],
        tau_minus=p["tau_minus"],
        tau_eligibility=p["tau_c"],
        tau_dopamine=p["tau_n"],
        baseline=p["b"] * p["tau_n"],
        w_min=p["Wmin"],
        w_max=p["Wmax"],
    )


MADE = {
    "additive": pairs,
    "multiplicative": pairs,
    "van Rossum": pairs,
    "Guetig": pairs,
    "symmetric": lambda p: pairs(p, "symmetric"),
    "restricted": lambda p: pairs(p, "reduced"),
    "power law": power_law,
    "triplet": triplet,
    "Vogels-Sprekeler": inhibitory,
    "dopamine": dopamine,
}


def steps_of(name):
    return np.rint(np.array(ORACLE[name]) / DT).astype(int)


@pytest.fixture(scope="module")
def weights():
    """The weight of each rule after each step, all in one program."""
    rules = {name: make(CASES[name]["parameters"]) for name, make in MADE.items()}
    n = max(steps_of(name)[-1] for name in ("pre", "post")) + 1
    rasters = np.zeros((3, n, 1))
    for raster, name in zip(rasters, ("pre", "post", "dopamine"), strict=True):
        raster[steps_of(name)] = 1
    start = Dense(jnp.full((1, 1), ORACLE["weight"]))

    def step(carry, x):
        n, pre, post, modulator = x
        clock, new, seen = bf.Clock(n, DT), {}, {}
        for name, rule in rules.items():
            traces, weight = carry[name]
            # NEST's synapses of nearest neighbours begin with a presynaptic spike at time 0.
            first = (n == 0) & (name in ("symmetric", "restricted"))
            arriving = jnp.where(first, jnp.ones_like(pre), pre)
            traces, matrix = rule.due(traces, Dense(weight), arriving, clock)
            sides = Activity(arriving, None), Activity(post, None)
            traces, matrix = rule.step(traces, matrix, *sides, modulator, clock)
            new[name], seen[name] = (traces, matrix.weight), matrix.weight[0, 0]
        return new, seen

    carry = {name: (rule.init(start), start.weight) for name, rule in rules.items()}
    x = (jnp.arange(n, dtype=jnp.int32), *map(jnp.asarray, rasters))
    return jax.tree.map(np.asarray, jax.lax.scan(step, carry, x)[1])


@pytest.mark.parametrize("name", MADE)
def test_weights_over_ten_seconds_nest(name, weights):
    part = {"power law": "PowerLawSTDP", "triplet": "TripletSTDP", "dopamine": "DopamineSTDP"}
    part |= {"Vogels-Sprekeler": "InhibitorySTDP"}
    found = weights[name][steps_of("pre")]
    expected = np.array(CASES[name]["weights"])
    assert np.ptp(expected) > 0.05
    measured(
        f"plasticity.{part.get(name, 'STDP')}",
        f"weights over 10 s, {name}",
        against="NEST 3.10",
        error=found - expected,
        # Traces decay in steps of 0.1 ms here, from spike to spike there: some 1e5 roundings.
        bound=1e-10,
        unit="of order 1",
    )
