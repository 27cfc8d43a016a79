"""Named cells: rates, spike times, rest and sensitivities, as LSODA and NEURON give them."""

import json
from pathlib import Path

import diffrax as dfx
import jax
import jax.flatten_util
import jax.numpy as jnp
import models
import numpy as np
import pytest
import scipy.integrate
from _exact import crossings, exact, rate, stepped
from _measured import measured

import brainfn as bf
from brainfn.neuron import (
    as_drive,
    connor_stevens,
    hodgkin_huxley,
    pospischil,
    thalamic_relay,
    thalamic_reticular,
    traub_miles,
    wang_buzsaki,
)

LSODA = "LSODA at 1e-10"
NEURON = json.loads((Path(__file__).parent / "oracle" / "cells_neuron.json").read_text())

# Of each cell: options, duration in ms, {current in uA/cm2: rate in Hz}, decimals of these rates,
# and {current: first spikes in ms}. The spikes are counted over 1 s where that is said.
RATES = {
    "hodgkin_huxley": (
        {},
        300.0,
        {7: 58.327, 10: 68.324, 15: 78.649, 20: 86.470, 30: 98.745},
        {7: (2.3757, 19.641), 10: (1.9010, 16.8226, 31.4718), 15: (1.4971,), 20: (1.2707,)},
    ),
    "traub_miles": (
        {"area": 100.0, "v_threshold": -20.0},
        350.0,
        {0.5: 31.592, 1: 45.958, 2: 71.251, 3: 93.725, 5: 132.848, 10: 208.227},
        {0.5: (5.5018, 37.1552), 1: (4.0051, 25.7635), 2: (2.7748,), 3: (2.2036,), 5: (1.6308,)},
    ),
    "wang_buzsaki": (
        {},
        350.0,
        {0.16: 0.0, 0.2: 8.621, 0.3: 18.139, 0.5: 32.217, 1: 59.702, 2: 101.786},
        {0.2: (107.3257,), 0.5: (25.4113, 56.4506), 1: (12.6771, 29.4282), 2: (6.7477,)},
    ),
    "connor_stevens": (
        {},
        350.0,
        {8: 0.0, 8.5: 9.7281, 9: 18.5467, 10: 34.0459, 12: 59.9449, 15: 91.0765, 20: 132.3005},
        {8.5: (118.5052,), 10: (38.1394, 67.5117)},
    ),
}
MAKE = {f.__name__: f for f in (hodgkin_huxley, traub_miles, wang_buzsaki, connor_stevens)}


def rates_of(times):
    return np.array([rate(t, min(7, len(t) - 1)) if len(t) > 1 else 0.0 for t in times])


@pytest.mark.parametrize("name", RATES)
def test_rates_and_first_spikes(name):
    options, duration, rates, first = RATES[name]
    options = {"v_threshold": 0.0, "surrogate": None} | options
    part, threshold = f"neuron.{name}", options["v_threshold"]
    currents, expected = np.array(list(rates.items())).T
    solver = bf.solver.ExponentialMidpoint()
    cell = MAKE[name](len(currents), solver=solver, **options)
    v = exact(cell, as_drive(currents, cell.init().v), duration)
    times = crossings(v, 0.02, threshold)
    error = rates_of(times) - expected
    # Three decimals are known, and the first intervals of slow cells differ in the fifth digit.
    measured(part, "rates", against=LSODA, error=error, bound=1.5e-3, unit="Hz")
    pairs = zip(currents, times, strict=True)
    late = np.concatenate([t[: len(first[i])] - first[i] for i, t in pairs if i in first])
    # Four decimals are known; next to threshold the wait stretches differences of the solvers.
    measured(part, "first spikes", against=LSODA, error=late, bound=2e-4, unit="ms")
    if name == "hodgkin_huxley":
        against_neuron(v)
        return  # by its own step over 1 s, below
    own, spikes = stepped(cell, bf.input.Constant(currents), duration, 0.01)
    own_times = crossings(own, 0.01, threshold)
    assert [len(t) for t in own_times] == [len(t) for t in times] == spikes.sum(0).tolist()
    error = (rates_of(own_times) - expected) / np.maximum(expected, 1.0)
    # A step of 0.01 ms with a method of order 2; at 200 Hz there are 480 steps in an interval.
    measured(part, "rates, dt 0.01 ms", against=LSODA, error=error, bound=1e-3)


def against_neuron(v):
    """The potentials that NEURON gives for some of the currents."""
    cases = NEURON["squid"]
    columns = [list(RATES["hodgkin_huxley"][2]).index(case["current"]) for case in cases]
    expected = np.array([case["v"] for case in cases]).T
    stride = round(cases[0]["every"] / 0.02)
    mine = v[: stride * len(expected) : stride, columns]
    # Two solvers at 1e-10; on an upswing of 300 mV/ms an error of 1e-7 ms is one of 3e-5 mV.
    measured(
        "neuron.hodgkin_huxley",
        "potential over 40 ms",
        against=f"NEURON {NEURON['neuron']}, CVODE",
        error=mine - expected,
        bound=1e-4,
        unit="mV",
    )


def test_squid_over_one_second():
    """From rest it fires 3 spikes at 6.2, a few at 6.25, and for ever from 6.3 on."""
    counts = {6.2: 3, 6.3: 53, 7: 59, 10: 69, 15: 79, 20: 87, 30: 99, 50: 117, 6.25: None}
    currents = np.array(list(counts))
    cell = hodgkin_huxley(
        len(counts), v_threshold=0.0, surrogate=None, solver=bf.solver.ExponentialMidpoint()
    )
    v, spikes = stepped(cell, bf.input.Constant(currents), 1000.0, 0.01)
    measured(
        "neuron.hodgkin_huxley",
        "spikes in 1 s, dt 0.01 ms",
        against=LSODA,
        error=spikes.sum(0)[:-1] - np.array(list(counts.values())[:-1]),
        bound=0,
    )
    # 6.25 is next to the threshold: when it falls silent depends on the last digits.
    assert 3 < spikes[:, -1].sum() < 20 and spikes[50_000:, -1].sum() == 0
    rates = RATES["hodgkin_huxley"][2]
    columns = [list(counts).index(current) for current in rates]
    expected = np.array(list(rates.values()))
    error = rates_of(crossings(v[:, columns], 0.01, 0.0)) / expected - 1
    # A step of 0.01 ms with a method of order 2.
    measured("neuron.hodgkin_huxley", "rates, dt 0.01 ms", against=LSODA, error=error, bound=5e-4)


@pytest.mark.parametrize(
    ("kind", "pulse", "options", "duration", "spikes"),
    [
        ("RS", (750, 300, 700), {}, 600.0, (320.553, 348.525, 387.966, 456.816, 592.418)),
        ("FS", (500, 300, 700), {}, 370.0, (317.021, 337.1916, 357.3622)),
        (
            "IB",
            (150, 500, 1300),
            {"v_init": -84.0},
            680.0,
            (617.724, 624.632, 631.103, 637.790, 644.916, 652.684, 661.442, 672.133),
        ),
        (
            "LTS",
            (150, 400, 800),
            {"v_init": -84.0},
            730.0,
            (431.419, 445.191, 517.326, 720.627),
        ),
    ],
)
def test_pospischil_spike_times(kind, pulse, options, duration, spikes):
    """A pulse of current in pA; the spikes that NEURON gives are within 0.5 ms of these."""
    amplitude, begin, end = pulse
    cell = pospischil(kind, 1, surrogate=None, **options)

    def drive(t, v):
        return jnp.where((t >= begin) & (t < end), amplitude, jnp.zeros_like(v))

    v = exact(cell, drive, duration, tolerance=1e-9)
    (times,) = crossings(v, 0.02, 0.0)
    assert len(times) == len(spikes)
    # Three decimals are known; slow currents stretch differences of the solvers.
    measured(
        "neuron.pospischil",
        f"spikes of {kind}",
        against=LSODA,
        error=times - np.array(spikes),
        bound=2e-3,
        unit="ms",
    )


def rest(cell, current=0.0):
    """The state of equilibrium, by Newton's method from the initial state."""
    y, unravel = jax.flatten_util.ravel_pytree(cell.init())
    drive = as_drive(current, cell.init().v)

    @jax.jit
    def newton(y):
        def slope(y):
            return jax.flatten_util.ravel_pytree(cell.vector_field(0.0, unravel(y), drive))[0]

        return y - jnp.linalg.solve(jax.jacfwd(slope)(y), slope(y))

    for _ in range(8):
        y = newton(y)
    return unravel(y)


REBOUND = (36.965, 42.944, 45.427, 48.181, 51.361, 55.291, 60.949)


def test_thalamic_relay_rests_and_rebounds():
    """From rest, 200 ms of -1 uA/cm2, and the spikes after their end."""
    cell = thalamic_relay(1, surrogate=None)
    start = rest(cell)
    # The rest is the centre of an oscillation that grows slowly; the known value lies on it.
    part = "neuron.thalamic_relay"
    measured(
        part, "potential at rest", against=LSODA, error=start.v + 68.474222, bound=0.02, unit="mV"
    )

    def drive(t, v):
        return jnp.where(t < 200, -cell.capacitance, jnp.zeros_like(v))  # 1 uF/cm2

    v = exact(cell, drive, 265.0, start=start)
    times = crossings(v, 0.02, -20.0)[0] - 200
    assert len(times) == len(REBOUND)
    # Three decimals are known, from a start that lies apart by 0.01 mV.
    measured(
        part, "spikes of a rebound", against=LSODA, error=times - REBOUND, bound=5e-3, unit="ms"
    )
    # The own step, from the initial state.
    cell = thalamic_relay(1, surrogate=None, solver=bf.solver.ExponentialMidpoint())
    inputs = np.where(np.arange(5300) < 4000, -float(cell.capacitance), 0.0)
    assert stepped(cell, inputs, 265.0, 0.05)[1].sum() == len(REBOUND)


def reticular(t, y, current):
    """The equations of the cell of the reticular nucleus, written once more, per cm2."""
    v, m, h, n, mt, ht, ca = y

    def ratio(x, k):
        return k if abs(x / k) < 1e-9 else x / (1 - np.exp(-x / k))

    u, w = v + 55, v + 2
    slow = 2.5**1.2
    reversal = 8.31446261815324 * 309.15 / (2 * 96.48533212331) * np.log(2 / ca)
    am, bm = 0.32 * ratio(u - 13, 4), 0.28 * ratio(40 - u, 5)
    ah, bh = 0.128 * np.exp((17 - u) / 18), 4 / (1 + np.exp((40 - u) / 5))
    an, bn = 0.032 * ratio(u - 15, 5), 0.5 * np.exp((10 - u) / 40)
    m_steady, h_steady = 1 / (1 + np.exp(-(w + 50) / 7.4)), 1 / (1 + np.exp((w + 78) / 5))
    tau_m = (3 + 1 / (np.exp((w + 25) / 10) + np.exp(-(w + 100) / 15))) / slow
    tau_h = (85 + 1 / (np.exp((w + 46) / 4) + np.exp(-(w + 405) / 50))) / slow
    calcium = 3 * mt**2 * ht * (v - reversal)
    total = 200 * m**3 * h * (v - 50) + 20 * n**4 * (v + 100) + 0.05 * (v + 90) + calcium
    return [
        (current if t < 20 else 0.0) - total,
        am * (1 - m) - bm * m,
        ah * (1 - h) - bh * h,
        an * (1 - n) - bn * n,
        (m_steady - mt) / tau_m,
        (h_steady - ht) / tau_h,
        -10 / (2 * 96485.33212331) * calcium - (ca - 2.4e-4) / 5,
    ]


def test_thalamic_reticular_burst():
    cell = thalamic_reticular(1, surrogate=None)
    y = cell.init()
    sodium, potassium, t_current, _ = y.gates.values
    start = [
        y.v,
        sodium["m"],
        sodium["h"],
        potassium["n"],
        t_current["m"],
        t_current["h"],
        y.ions["ca"],
    ]
    times = np.arange(0, 60.01, 0.02)
    options = {"method": "LSODA", "rtol": 1e-11, "atol": 1e-12, "args": (3.0,)}
    start = [float(x[0]) for x in start]
    # The pulse ends at 20 ms, where the solver must stop.
    first = scipy.integrate.solve_ivp(reticular, (0, 20), start, t_eval=times[:1001], **options)
    second = scipy.integrate.solve_ivp(
        reticular, (20, 60), first.y[:, -1], t_eval=times[1000:], **options
    )
    expected = np.concatenate([first.y[0], second.y[0, 1:]])

    def drive(t, v):
        return jnp.where(t < 20, 3.0 * 143.0, jnp.zeros_like(v))

    v = exact(cell, drive, 60.0)[:, 0]
    spikes, mine = crossings(expected[:, None], 0.02, 0.0)[0], crossings(v[:, None], 0.02, 0.0)[0]
    assert len(spikes) == len(mine) > 20
    # LSODA at 1e-11, Diffrax at 1e-10, over 23 spikes.
    measured(
        "neuron.thalamic_reticular",
        "spikes of a burst",
        against="SciPy LSODA at 1e-11",
        error=mine - spikes,
        bound=1e-6,
        unit="ms",
    )


# At 10 uA/cm2, with respect to the current, gNa, gK, gL, EK and C: central differences of LSODA
# with Richardson's extrapolation. `SPIKE` is the time of the first spike at 0 mV.
SPIKE = 1.90097195
OF_SPIKE = (-0.1149963, -0.007552719, 0.02395004, -0.5390219, -0.04641385, 1.355794)
OF_POTENTIAL = {
    1.5: (3.896633, 0.1964285, -0.7771668, 19.61165, 1.559082, -40.44323),
    10.0: (0.7176714, -0.007632809, -0.1272543, 7.481108, 0.5100093, -3.923952),
}


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_squid_sensitivities(mode):
    dt = 0.02
    steps = [round(t / dt) for t in OF_POTENTIAL]
    around = int(SPIKE / dt) + np.arange(-3, 5)
    keep = np.array([*steps, *around]) - 1  # the first value is that after one step

    def potentials(values):
        current, g_sodium, g_potassium, g_leak, reversal, capacitance = values
        channels = [
            bf.channel.SodiumHH(g=g_sodium),
            bf.channel.PotassiumHH(g=g_potassium, reversal=reversal),
            bf.channel.Leak(g=g_leak),
        ]
        cell = bf.neuron.PointNeuron(
            1, channels, capacitance=capacitance, solver=dfx.Dopri8(scan_kind="bounded")
        )
        out = bf.simulate(
            cell, inputs=current, duration=10.0, dt=dt, record=lambda state, _: state.v[0]
        )
        return out.outputs[keep]

    values = [jnp.asarray(x) for x in (10.0, 120.0, 36.0, 0.3, -77.0, 1.0)]
    jacobian = jax.jacfwd if mode == "forward" else jax.jacrev
    got, v = jax.jit(lambda x: (jacobian(potentials)(x), potentials(x)))(values)
    got = np.array(got).T
    # How a crossing moves: minus the change of v there over the slope, from an interpolation.
    at = np.arange(len(around)) - 3.0 - (SPIKE / dt - int(SPIKE / dt))
    fits = np.polynomial.polynomial.polyfit(at, np.column_stack([v[2:], got[2:]]), 7)
    of_spike = -fits[0, 1:] / (fits[1, 0] / dt)
    error = of_spike / np.array(OF_SPIKE) - 1
    # Seven digits are known, from differences.
    part = ["neuron.hodgkin_huxley", "neuron.PointNeuron"]
    measured(part, f"gradient of a spike time, {mode}", against=LSODA, error=error, bound=1e-5)
    error = got[:2] / np.array(list(OF_POTENTIAL.values())) - 1
    measured(part, f"gradient of potentials, {mode}", against=LSODA, error=error, bound=1e-5)


def test_area_makes_synapses_in_nS_fit():
    """The same potentials for any area, if currents grow with it; COBAHH has 200 pF."""
    assert float(traub_miles(1).capacitance) == 200.0
    areas = np.array([100.0, 20_000.0])
    cell = traub_miles(2, area=areas, surrogate=None)
    v, _ = stepped(cell, bf.input.Constant(areas / 100), 20.0, 0.05)
    # Different rounding of the same equations.
    np.testing.assert_allclose(v[:, 0], v[:, 1], rtol=1e-9)


@pytest.mark.parametrize("area", [0.0, np.ones(3), "2 um2"])
def test_wrong_area_is_named(area):
    with pytest.raises((TypeError, ValueError), match="area"):
        hodgkin_huxley(2, area=area)


def test_wrong_kind_is_named():
    with pytest.raises(ValueError, match="`kind`.*Did you mean 'RS'"):
        pospischil("rs", 2)


@pytest.mark.parametrize("name", models.all_cells)
def test_cells_of_different_area_are_stored_as_one_array(name):
    make = models.all_cells[name]
    network = bf.Network({"a": make(2), "b": make(3, area=1000.0)})
    assert len(network.layout.groups) == 1


@pytest.mark.parametrize("name", ["thalamic_reticular"])  # with an ion; others differ in channels
def test_the_contract(name):
    bf.check(models.all_cells[name](), dt=0.05, steps=10)
