"""Plasticity rules against the weights of NEST's and Brian2's synapses over 10 s of spikes.

`oracle/plasticity_nest.py` and `plasticity_brian2.py` made them, with 12 digits, for the same
irregular spikes. NEST changes a weight when its synapse sends a spike, from the history: the weight
of each spike sent is that after the arrival in brainfn. All of a NEST synapse's delay is dendritic,
so that a presynaptic spike is at the synapse when it is emitted and a postsynaptic one a delay
later; the stored times are those at the synapse. What NEST calls $\\lambda W_\\max$ is $A_+$ here,
$\\alpha\\lambda W_\\max$ is $A_-$.
"""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from _measured import measured
from _oracle_statistics import load_json

import brainfn as bf
from brainfn.event import Dense
from brainfn.synapse import Activity

ORACLE = load_json("plasticity_nest.json")
BRIAN2 = load_json("plasticity_brian2.json")["weights"]
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
def test_weights_over_ten_seconds(name, weights):
    part = {"power law": "PowerLawSTDP", "triplet": "TripletSTDP", "dopamine": "DopamineSTDP"}
    part |= {"Vogels-Sprekeler": "InhibitorySTDP"}
    found = weights[name][steps_of("pre")]
    oracles = {"NEST 3.10": CASES[name]["weights"]}
    if name in BRIAN2:
        oracles["Brian2 2.9"] = BRIAN2[name]
    for against, expected in oracles.items():
        assert np.ptp(expected) > 0.05
        measured(
            f"plasticity.{part.get(name, 'STDP')}",
            f"weights over 10 s, {name}",
            against=against,
            error=found - np.array(expected),
            # Traces decay in steps of 0.1 ms here, from spike to spike there: some 1e5 roundings.
            bound=1e-10,
            unit="of order 1",
        )


def clopath_rule():
    p = ORACLE["clopath"]["parameters"]
    return bf.plasticity.Clopath(
        A_LTD=p["A_LTD"],
        A_LTP=p["A_LTP"],
        theta_minus=p["theta_minus"],
        theta_plus=p["theta_plus"],
        tau_minus=p["tau_u_bar_minus"],
        tau_plus=p["tau_u_bar_plus"],
        tau_x=p["tau_x"],
        u_init=p["u_init"],
        w_max=p["Wmax"],
    )


def clopath_weights(times, v, dt):
    """The weight after each step, for presynaptic spikes at `times` and the voltages `v`."""
    start = Dense(jnp.full((1, 1), ORACLE["clopath"]["parameters"]["weight"]))
    rule, silent = clopath_rule(), jnp.zeros(1)
    pre = np.zeros(len(v))
    pre[np.rint(np.asarray(times) / dt).astype(int)] = 1

    def step(carry, x):
        traces, weight = carry
        pre, v = x
        sides = Activity(pre[None], None), Activity(silent, Voltage(v[None]))
        clock = bf.Clock(jnp.asarray(0, jnp.int32), dt)
        traces, matrix = rule.step(traces, Dense(weight), *sides, None, clock)
        return (traces, matrix.weight), matrix.weight[0, 0]

    first = rule.init(start), start.weight
    return np.asarray(jax.lax.scan(step, first, (jnp.asarray(pre), jnp.asarray(v)))[1])


def spiking_voltage(t, spikes):
    """The voltage for which Brian2's weights are stored, by the same formula."""
    v = -62.0 + 6.0 * np.sin(0.02 * np.pi * t) + 3.0 * np.sin(0.14 * np.pi * t)
    for spike in spikes:
        near = (t - spike > -5) & (t - spike < 100)
        s = t[near] - spike
        v[near] += 90.0 * np.exp(-0.5 * (s / 0.4) ** 2)
        v[near] += 8.0 * (s > 0) * (np.exp(-s / 12.0) - np.exp(-s / 2.0))
    return v


def test_clopath_over_ten_seconds_brian2():
    v = spiking_voltage(DT * np.arange(100_100), ORACLE["post"])
    found = clopath_weights(ORACLE["pre"], v, DT)[steps_of("pre")]
    expected = np.array(BRIAN2["clopath"])
    assert np.ptp(expected) > 0.04
    measured(
        "plasticity.Clopath",
        "weights over 10 s, voltages held over steps of 0.1 ms",
        against="Brian2 2.9",
        error=found - expected,
        bound=1e-10,  # some 1e5 roundings
        unit="of order 1",
    )


def clopath_exact(times, spikes, duration):
    """The weight at the end by SciPy: the equations, with jumps at presynaptic spikes."""
    p = ORACLE["clopath"]["parameters"]
    above = lambda x: max(x, 0.0)  # noqa: E731

    def field(t, y):
        low, high, x, _ = y
        u = spiking_voltage(np.array([t]), spikes)[0]
        gain = p["A_LTP"] * above(u - p["theta_plus"]) * above(high - p["theta_minus"])
        return [
            (u - low) / p["tau_u_bar_minus"],
            (u - high) / p["tau_u_bar_plus"],
            -x / p["tau_x"],
            gain * x,
        ]

    y, begin = np.array([p["u_init"], p["u_init"], 0.0, p["weight"]]), 0.0
    options = {"method": "DOP853", "rtol": 1e-10, "atol": 1e-12, "max_step": 0.5}
    for end in [*times, duration]:
        y = scipy.integrate.solve_ivp(field, (begin, end), y, **options).y[:, -1]
        y[3] -= p["A_LTD"] * above(y[0] - p["theta_minus"])
        y[2] += 1 / p["tau_x"]
        begin = end
    return y[3] + p["A_LTD"] * above(y[0] - p["theta_minus"])


def test_clopath_by_its_equations():
    """Of first order in the step, and the limit of small steps is that of the equations."""
    duration, errors = 120.0, []
    times, spikes = ([t for t in ORACLE[side] if t < duration] for side in ("pre", "post"))
    exact = clopath_exact(times, spikes, duration)
    for dt in (0.05, 0.025, 0.0125):
        # The voltage held over a step is that in its middle.
        v = spiking_voltage(dt * (np.arange(round(duration / dt)) + 0.5), spikes)
        errors.append(clopath_weights(times, v, dt)[-1] - exact)
    once = [2 * b - a for a, b in pairwise(errors)]
    assert abs(exact - ORACLE["clopath"]["parameters"]["weight"]) > 1e-3
    assert 0.45 < errors[2] / errors[1] < 0.55
    measured(
        "plasticity.Clopath",
        "weight after 120 ms, extrapolated to steps of zero",
        against="SciPy DOP853 at 1e-10",
        error=once[1],
        bound=1e-6,  # dt^2, with a kink at each threshold that the voltage passes
        unit="of order 1",
    )


def test_clopath_nest():
    """A neuron of NEST by its voltage after each step. NEST filters the voltage within the neuron's
    solver, here it is held over each step: the difference is of first order, so that it halves with
    the step, and almost nothing is left where it is extrapolated to zero."""
    case, errors = ORACLE["clopath"], []
    for run in case["runs"]:
        found = clopath_weights(case["pre"], np.array(run["V_m"]), run["dt"])
        steps = np.rint(np.array(case["pre"]) / run["dt"]).astype(int)
        errors.append(found[steps] - np.array(run["weights"]))
    coarse, fine = errors
    assert np.ptp(case["runs"][1]["weights"]) > 0.02
    assert 0.45 < np.abs(fine).max() / np.abs(coarse).max() < 0.55
    measured(
        "plasticity.Clopath",
        "weights over 100 ms, extrapolated to steps of zero",
        against="NEST 3.10",
        error=2 * fine - coarse,
        bound=0.02 * np.abs(coarse).max(),  # what is of second order
        unit="of order 1",
    )


class Voltage(eqx.Module):
    v: jax.Array
