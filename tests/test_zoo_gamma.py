"""Gamma rhythms: frequency and coherence of interneurons, and that pyramidal cells lead."""

import equinox as eqx
import jax
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.zoo import _gamma as gamma

KEY = jax.random.key(0)


def test_coherence_by_hand():
    spikes = np.zeros((8, 4), int)
    spikes[[0, 2, 4, 6], 0] = 1
    spikes[[1, 3, 4, 6], 1] = 1
    spikes[[0], 2] = 1
    trains = bf.measure.from_dense(spikes, dt=1.0)
    # Pairs (0, 1), (0, 2) and (1, 2); the fourth cell is silent.
    expected = np.mean([2 / 4, 1 / 2, 0])
    assert gamma.coherence(trains, 1.0) == pytest.approx(expected, rel=1e-12)
    # In bins of two steps all of the first two are together.
    expected = np.mean([4 / 4, 1 / 2, 1 / 2])
    assert gamma.coherence(trains, 2.0) == pytest.approx(expected, rel=1e-12)


def test_frequency_and_lead_of_known_volleys():
    rng = np.random.default_rng(0)
    volleys = np.arange(10.0, 500.0, 25.0)
    exc, inh = (
        bf.measure.from_times(
            (volleys[:, None] + shift + rng.normal(0, 0.5, (20, 30))).reshape(-1),
            np.tile(np.arange(30), 20),
            size=30,
            dt=0.1,
            duration=520.0,
        )
        for shift in (0.0, 2.0)
    )
    # 600 spikes of 0.5 ms each: their mean is known to 0.02 ms, and time to a step.
    assert gamma._frequency(inh) == pytest.approx(40.0, abs=0.3)
    assert gamma._lead(exc, inh) == pytest.approx(2.0, abs=0.2)


def test_interneurons_synchronise_if_they_are_alike():
    """As in figure 5 of Wang and Buzsaki: full coherence of equal cells at 35 to 40 Hz, half of it
    at 3 %, nothing at 10 %; and equal cells are slowed by their inhibition."""
    with jax.enable_x64(False):
        sweep = gamma.run_gamma("ing", 0.5, 1400.0, 0.05, KEY, (0.0, 0.03, 0.1))
    equal, alike, unlike = (gamma._measured(trains) for trains in sweep.trains)
    assert equal["coherence"] > 0.95 and 0.3 < alike["coherence"] < 0.8
    # By chance it is a tenth: bins are a tenth of the period.
    assert unlike["coherence"] < 0.15
    assert 35 < equal["frequency"] < 41 and 35 < alike["frequency"] < 41
    # A cell alone spikes at 59.7 Hz.
    assert equal["rate_inh"] == pytest.approx(equal["frequency"], abs=2.5)
    assert gamma._picture(sweep, 1, "title").axes


def test_pyramidal_cells_lead():
    with jax.enable_x64(False):
        sweep = gamma.run_gamma("ping", 0.4, 450.0, 0.05, KEY, (0.05,))
    found = gamma._measured(sweep.trains[0])
    assert 38 < found["frequency"] < 52
    assert 0.5 < found["lead"] < 5.0
    for name in ("rate_exc", "rate_inh"):
        # All cells in each cycle; 300 ms have 14 of them.
        assert found[name] == pytest.approx(found["frequency"], abs=4.0)


def test_sizes_and_weights():
    network, inputs = bf.zoo.gamma("ing-sparse", scale=2, key=KEY)
    matrix = network.matrix("inh")
    degree = np.bincount(np.asarray(matrix.indices), minlength=200)
    # 60 % of 199 others: a standard error of 0.5.
    assert degree.mean() == pytest.approx(0.6 * 199, abs=2.0)
    assert float(matrix.weight) == pytest.approx(0.1 / 120, rel=1e-12)
    current = np.asarray(inputs["inh"].value)
    assert current.std() == pytest.approx(0.03, rel=0.2)
    network, _ = bf.zoo.gamma("ping", key=KEY)
    assert network.projections["exc"].synapses == 200 * 50
    assert network.projections["inh"].synapses == 50 * 250
    with pytest.raises(ValueError, match="Did you mean 'ping'"):
        bf.zoo.gamma("pin", key=KEY)
    with pytest.raises(ValueError, match="`scale` must be at least 0.1"):
        bf.zoo.gamma(scale=0.01, key=KEY)


def period_of_one():
    """The period in ms of a cell that inhibits itself with 0.09 mS/cm2, by SciPy."""
    from scipy.integrate import solve_ivp

    def slope(t, y):
        v, h, n, s = y
        am, bm = 0.1 * (v + 35) / -np.expm1(-(v + 35) / 10), 4 * np.exp(-(v + 60) / 18)
        ah, bh = 0.07 * np.exp(-(v + 58) / 20), 1 / (1 + np.exp(-(v + 28) / 10))
        an, bn = 0.01 * (v + 34) / -np.expm1(-(v + 34) / 10), 0.125 * np.exp(-(v + 44) / 80)
        m = am / (am + bm)
        current = 35 * m**3 * h * (v - 55) + 9 * n**4 * (v + 90) + 0.1 * (v + 65)
        dv = 1.0 - current - 0.09 * s * (v + 75)
        opened = 12 * (1 - s) / (1 + np.exp(-v / 2))
        return [dv, 5 * (ah * (1 - h) - bh * h), 5 * (an * (1 - n) - bn * n), opened - 0.1 * s]

    def crossing(t, y):
        return y[0]

    crossing.direction = 1
    found = solve_ivp(
        slope, (0, 300), [-65.0, 0.78, 0.09, 0.0], method="LSODA", events=crossing, rtol=1e-10,
        atol=1e-12,
    )  # fmt: skip
    return float(np.diff(found.t_events[0])[-1])


def test_equal_cells_have_the_rhythm_of_one_that_inhibits_itself():
    """Ten equal cells that start together stay together: each is inhibited by nine like itself."""
    network, inputs = bf.zoo.gamma("ing", heterogeneity=0.0, scale=0.1, key=KEY, surrogate=None)
    same = eqx.tree_at(lambda n: n.populations["inh"].v_init, network, bf.init.Constant(-65.0))
    wanted, dt = period_of_one(), 0.05
    out = bf.simulate(same, inputs=inputs, duration=300.0, dt=dt)
    spikes = np.asarray(out.outputs["inh"])
    assert np.all(spikes == spikes[:, :1])
    times = dt * np.nonzero(spikes[:, 0])[0]
    # Over ten periods; steps round by dt / 10 / 25 = 2e-4, the gate is late by a step of order one.
    error = (times[-1] - times[-11]) / 10 / wanted - 1
    measured(
        ["synapse.SigmoidGate", "neuron.PointNeuron"], "period of synchronous interneurons",
        against="SciPy at 1e-10", error=error, bound=4e-3,
    )  # fmt: skip
