"""Neurons against SciPy at 1e-10 and against spike times computed elsewhere."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from _measured import measured

import brainfn as bf
from brainfn.channel import Leak, PotassiumHH, SodiumHH
from brainfn.neuron import AdEx, Izhikevich, PointNeuron


def spike_times(neuron, current, duration, dt):
    spikes = np.asarray(bf.simulate(neuron, inputs=current, duration=duration, dt=dt).outputs)
    return (np.flatnonzero(spikes[:, 0]) + 1) * dt


def squid(solver=None, size=1, **options):
    solver = bf.solver.ExponentialMidpoint() if solver is None else solver
    return PointNeuron(
        size, [SodiumHH(), PotassiumHH(), Leak()], solver=solver, surrogate=None, **options
    )


def ratio(x):
    return 1.0 if abs(x) < 1e-12 else x / (1 - np.exp(-x))


def squid_equations(t, y, current):
    """Hodgkin and Huxley (1952), written once more."""
    del t
    v, m, h, n = y
    am, bm = ratio((v + 40) / 10), 4 * np.exp(-(v + 65) / 18)
    ah, bh = 0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))
    an, bn = 0.1 * ratio((v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)
    sodium, potassium = 120 * m**3 * h * (v - 50), 36 * n**4 * (v + 77)
    return [
        current - sodium - potassium - 0.3 * (v + 54.387),
        am * (1 - m) - bm * m,
        ah * (1 - h) - bh * h,
        an * (1 - n) - bn * n,
    ]


def squid_start():
    v = -65.0
    am, bm = ratio((v + 40) / 10), 4.0
    ah, bh = 0.07, 1 / (1 + np.exp(-(v + 35) / 10))
    an, bn = 0.1 * ratio((v + 55) / 10), 0.125
    return [v, am / (am + bm), ah / (ah + bh), an / (an + bn)]


def squid_reference(current, duration):
    def crossing(t, y, current):
        return y[0] + 20.0

    crossing.direction = 1
    return scipy.integrate.solve_ivp(
        squid_equations,
        (0, duration),
        squid_start(),
        method="DOP853",
        rtol=1e-10,
        atol=1e-10,
        args=(current,),
        events=crossing,
    )


def test_squid_spike_times():
    reference = squid_reference(10.0, 100.0)
    times = spike_times(squid(), 10.0, 100.0, 0.01)
    expected = reference.t_events[0]
    assert len(expected) == len(times) > 5
    # Spikes are stamped at the end of the step; the solver errs by less than a step in 100 ms.
    np.testing.assert_allclose(times, expected, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("solver", "order"),
    [
        (bf.solver.ExponentialEuler(), 1),
        (bf.solver.ExponentialMidpoint(), 2),
        (bf.solver.Substeps(bf.solver.ExponentialMidpoint(), 3), 2),
        (bf.solver.Heun(), 2),
    ],
    ids=["exponential Euler", "exponential midpoint", "substeps", "Heun"],
)
def test_squid_converges_with_the_order_of_the_solver(solver, order):
    expected = squid_reference(10.0, 8.0).y[:, -1]
    dts = np.array([0.02, 0.01, 0.005])
    errors = []
    for dt in dts:
        state = bf.simulate(squid(solver), inputs=10.0, duration=8.0, dt=float(dt)).state
        errors.append(abs(float(state.model_state.v[0]) - expected[0]))
    slope = np.polyfit(np.log(dts), np.log(errors), 1)[0]
    assert abs(slope - order) < 0.25


def test_squid_under_diffeqsolve():
    cell = squid()
    expected = squid_reference(10.0, 20.0).y[:, -1]
    end = dfx.diffeqsolve(
        dfx.ODETerm(cell.vector_field),
        dfx.Dopri8(),
        0.0,
        20.0,
        0.01,
        cell.init(),
        10.0,
        stepsize_controller=dfx.PIDController(rtol=1e-10, atol=1e-10),
    ).ys
    sodium, potassium, _ = end.gates.values
    got = [end.v[0, 0], sodium["m"][0, 0], sodium["h"][0, 0], potassium["n"][0, 0]]
    # Two solvers at 1e-10 over one spike, which stretches errors.
    np.testing.assert_allclose(got, expected, rtol=1e-6)


# a, b, c, d; current; spikes in 1 s; the first of them in ms.
IZHIKEVICH = {
    "regular": ((0.02, 0.2, -65.0, 8.0), 10.0, 23, (3.1271, 26.226, 71.0571)),
    "regular, weak": ((0.02, 0.2, -65.0, 8.0), 4.0, 8, ()),
    "regular, less weak": ((0.02, 0.2, -65.0, 8.0), 5.0, 11, ()),
    "regular, strong": ((0.02, 0.2, -65.0, 8.0), 15.0, 34, ()),
    "bursting": ((0.02, 0.2, -55.0, 4.0), 10.0, 34, ()),
    "chattering": ((0.02, 0.2, -50.0, 2.0), 10.0, 87, ()),
    "fast": ((0.1, 0.2, -65.0, 2.0), 10.0, 137, ()),
    "low threshold": ((0.02, 0.25, -65.0, 2.0), 10.0, 78, ()),
    "resonator, weak": ((0.1, 0.26, -65.0, 2.0), 1.0, 42, ()),
    "resonator": ((0.1, 0.26, -65.0, 2.0), 10.0, 196, ()),
    "thalamic, weak": ((0.02, 0.25, -65.0, 0.05), 1.0, 22, ()),
    "thalamic": ((0.02, 0.25, -65.0, 0.05), 3.0, 84, ()),
}


def spike_times_of_all(cells, currents, duration, dt):
    inputs = bf.input.Constant(np.array(currents, float))
    spikes = np.asarray(bf.simulate(cells, inputs=inputs, duration=duration, dt=dt).outputs)
    return [(np.flatnonzero(x) + 1) * dt for x in spikes.T]


def test_izhikevich_spike_times():
    """1 s of the types of 2003, integrated elsewhere with resets by events."""
    parameters, currents, counts, firsts = zip(*IZHIKEVICH.values(), strict=True)
    a, b, c, d = np.array(parameters).T
    cells = Izhikevich(len(a), a=a, b=b, c=c, d=d, surrogate=None)
    found = spike_times_of_all(cells, currents, 1000.0, 0.005)
    for name, times, count, first in zip(IZHIKEVICH, found, counts, firsts, strict=True):
        # A reset waits for the end of its step: each interval is late by up to one step of 0.005
        # ms, and two hundred of them by one interval in 1 s.
        measured(
            "neuron.Izhikevich", f"spikes in 1 s, {name}", against="LSODA at 1e-10 with events",
            error=len(times) - count, bound=1 if count > 100 else 0,
        )  # fmt: skip
        np.testing.assert_allclose(times[: len(first)], first, rtol=0, atol=0.1)


# C, g, rest, a, tau_w, b, reset; current; spikes in 600 ms; the first of them in ms.
NAUD = {
    "tonic": ((200, 10, -70, 2, 30, 0, -58), 500, 62, (14.2229, 23.1518)),
    "adaptation": ((200, 12, -70, 2, 300, 60, -58), 500, 12, (14.904, 26.1718, 40.5479)),
    "initial burst": ((130, 18, -58, 4, 150, 120, -50), 400, 12, (5.4635, 8.8826, 16.2016)),
    "bursting": ((200, 10, -58, 2, 120, 100, -46), 210, 11, (16.158, 19.0756, 24.1984)),
    "accelerating": ((200, 12, -70, -10, 300, 0, -58), 300, 46, (33.5737,)),
    "delayed bursting": ((100, 10, -65, -10, 90, 30, -47), 110, 32, (57.1796, 60.3942, 64.7032)),
    "transient": ((100, 10, -65, 10, 90, 100, -47), 180, 1, (30.2899,)),
    "irregular": ((100, 12, -60, -11, 130, 30, -48), 160, 33, ()),
}


def test_adex_spike_times():
    """Firing patterns of Naud, Marcille, Clopath and Gerstner (2008), Biol. Cybern. 99:335-347, in
    600 ms, integrated elsewhere with the upswing as a function of v."""
    parameters, currents, counts, firsts = zip(*NAUD.values(), strict=True)
    c, g, rest, a, tau_w, b, reset = np.array(parameters, float).T
    cells = AdEx(
        len(c),
        capacitance=c,
        g_leak=g,
        v_rest=rest,
        a=a,
        tau_w=tau_w,
        b=b,
        v_reset=reset,
        v_rheobase=-50.0,
        v_peak=0.0,
        surrogate=None,
        solver=bf.solver.ExponentialMidpoint(),
    )
    found = spike_times_of_all(cells, currents, 600.0, 0.005)
    for name, times, count, first in zip(NAUD, found, counts, firsts, strict=True):
        # The upswing ends within a step or two of its singularity, and the reset at the end of a
        # step.
        measured(
            "neuron.AdEx", f"spikes in 600 ms, {name}", against="LSODA at 1e-10 with events",
            error=len(times) - count, bound=0,
        )  # fmt: skip
        np.testing.assert_allclose(times[: len(first)], first, rtol=0, atol=0.05, err_msg=name)


def test_adex_spike_times_with_its_default_parameters():
    """Brette and Gerstner (2005): 400 ms of 1 nA, with a peak at 20 mV."""
    neuron = AdEx(1, v_peak=20.0, surrogate=None, solver=bf.solver.ExponentialMidpoint())
    times = spike_times(neuron, 1000.0, 400.0, 0.005)
    assert len(times) == 14
    # As above.
    measured(
        "neuron.AdEx", "first two spikes with the default parameters",
        against="LSODA at 1e-10 with events", error=times[:2] - [11.7916, 25.3761], bound=0.05,
        unit="ms",
    )  # fmt: skip


def test_many_gates_trace_fast_and_share_one_jvp():
    """Equations grow linearly with the number of gates."""

    def equations(n):
        cell = PointNeuron(3, [SodiumHH()] * n + [Leak()])
        step = lambda s: cell.step(s, 1.0, bf.Clock(jnp.asarray(0, jnp.int32), 0.1))  # noqa: E731
        return sum(1 for _ in str(jax.make_jaxpr(step)(cell.init())).splitlines())

    few, some, many = (equations(n) for n in (5, 10, 20))
    assert many - some == pytest.approx(2 * (some - few), rel=0.02)


@pytest.mark.parametrize("channels", [5, "x", [SodiumHH], [Leak(), 3.0]])
def test_wrong_channels_are_named(channels):
    with pytest.raises((TypeError, ValueError), match="channels"):
        PointNeuron(3, channels)


@pytest.mark.parametrize("g", [np.ones(4), np.ones((3, 1))])
def test_wrong_size_in_a_channel_is_named(g):
    with pytest.raises(ValueError, match=r"g` must"):
        PointNeuron(3, [SodiumHH(), Leak(g=g)])
