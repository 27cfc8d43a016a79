"""Whole spike trains of AdEx and Izhikevich neurons, with their default solvers, against SciPy.

The reference integrates between spikes at 1e-10 (DOP853) and resets where an event finds the peak.
Patterns are those of Naud, Marcille, Clopath and Gerstner (2008), Biol. Cybern. 99:335-347, and of
Izhikevich (2003), IEEE Trans. Neural Networks 14:1569-1572; all patterns of a model are one
population.
"""

import functools

import numpy as np
import pytest
import scipy.integrate

import brainfn as bf

DURATION, PEAK_ADEX, PEAK_IZHIKEVICH = 200.0, 0.0, 30.0
DTS = (0.1, 0.05, 0.025)

# C pF, g nS, rest mV, a nS, tau_w ms, b pA, reset mV, current pA; slope 2 mV, rheobase -50 mV.
ADEX = {
    "tonic": (200, 10, -70, 2, 30, 0, -58, 500),
    "adapting": (200, 12, -70, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, 4, 150, 120, -50, 400),
    "bursting": (200, 10, -58, 2, 120, 100, -46, 210),
}
# a, b, c, d and the current.
IZHIKEVICH = {
    "regular spiking": (0.02, 0.2, -65, 8, 10),
    "fast spiking": (0.1, 0.2, -65, 2, 10),
    "chattering": (0.02, 0.2, -50, 2, 10),
}


def adex_equations(name):
    c, g, rest, a, tau_w, b, reset, current = ADEX[name]

    def field(t, y):
        del t
        upswing = g * 2.0 * np.exp((y[0] + 50) / 2.0)
        return [
            (current - g * (y[0] - rest) + upswing - y[1]) / c,
            (a * (y[0] - rest) - y[1]) / tau_w,
        ]

    return field, [rest, 0.0], (reset, b), PEAK_ADEX


def izhikevich_equations(name):
    a, b, c, d, current = IZHIKEVICH[name]

    def field(t, y):
        del t
        v, u = y
        return [0.04 * v**2 + 5 * v + 140 - u + current, a * (b * v - u)]

    return field, [-65.0, b * -65.0], (c, d), PEAK_IZHIKEVICH


def solve(field, y, span, **options):
    return scipy.integrate.solve_ivp(
        field, span, y, method="DOP853", rtol=1e-10, atol=1e-10, **options
    )


@functools.cache
def exact_train(model, name):
    field, y, after, peak = MODELS[model][1](name)

    def crossing(t, y):
        del t
        return y[0] - peak

    crossing.terminal, crossing.direction = True, 1
    t, times = 0.0, []
    while True:
        found = solve(field, y, (t, DURATION), events=crossing)
        if found.status != 1:
            return np.array(times)
        t = found.t[-1]
        times.append(t)
        y = np.array([after[0], found.y[1, -1] + after[1]])


def adex():
    c, g, rest, a, tau_w, b, reset, current = np.array(list(ADEX.values()), float).T
    neurons = bf.neuron.AdEx(
        len(ADEX),
        capacitance=c,
        g_leak=g,
        v_rest=rest,
        a=a,
        tau_w=tau_w,
        b=b,
        v_reset=reset,
        v_rheobase=-50.0,
        slope=2.0,
        v_peak=PEAK_ADEX,
        surrogate=None,
    )
    return neurons, current


def izhikevich():
    a, b, c, d, current = np.array(list(IZHIKEVICH.values()), float).T
    neurons = bf.neuron.Izhikevich(len(IZHIKEVICH), a=a, b=b, c=c, d=d, surrogate=None)
    return neurons, current


MODELS = {
    "AdEx": (adex, adex_equations, ADEX),
    "Izhikevich": (izhikevich, izhikevich_equations, IZHIKEVICH),
}
TRAINS = [(model, name) for model, (_, _, names) in MODELS.items() for name in names]


@functools.cache
def rasters(model, dt):
    neurons, current = MODELS[model][0]()
    inputs = bf.input.Constant(current)
    return np.asarray(bf.simulate(neurons, inputs=inputs, duration=DURATION, dt=dt).outputs)


def train(model, name, dt):
    column = list(MODELS[model][2]).index(name)
    return (np.flatnonzero(rasters(model, dt)[:, column]) + 1) * dt


@pytest.mark.parametrize(("model", "name"), TRAINS, ids=[" ".join(x) for x in TRAINS])
def test_spikes_are_late_by_at_most_two_steps_each(model, name):
    """A spike is found and reset at the end of its step: that is up to one step for each spike
    since the beginning. The upswing, which is singular, costs up to one more."""
    exact = exact_train(model, name)
    for dt in DTS:
        found = train(model, name, dt)
        late = found - exact[: len(found)]
        bound = 2 * dt * np.arange(1, len(exact) + 1)
        assert np.all(late > 0) and np.all(late < bound[: len(found)])
        # Spikes are missing only where the bound reaches beyond the end.
        assert len(found) >= np.sum(exact + bound <= DURATION) > 4


@pytest.mark.parametrize(("model", "name"), TRAINS, ids=[" ".join(x) for x in TRAINS])
def test_trains_converge_with_order_one(model, name):
    """Whatever the solver: resets happen at the ends of steps."""
    exact = exact_train(model, name)
    found = [train(model, name, dt) for dt in DTS]
    both = min(map(len, found))
    slope = np.polyfit(np.log(DTS), np.log([np.mean(x[:both] - exact[:both]) for x in found]), 1)[0]
    # A single delay is anywhere in a step: the mean over a few spikes says the order to 0.2.
    assert abs(slope - 1) < 0.2


@pytest.mark.parametrize(("model", "order", "end"), [("AdEx", 1, 4.0), ("Izhikevich", 2, 2.0)])
def test_between_spikes_the_order_is_that_of_the_solver(model, order, end):
    make, equations, names = MODELS[model]
    neurons, current = make()
    assert neurons.solver.order(None) == order
    exact = np.array([solve(f, y, (0, end)).y[:, -1] for f, y, *_ in map(equations, names)])
    errors = []
    for dt in DTS:
        inputs = bf.input.Constant(current)
        state = bf.simulate(neurons, inputs=inputs, duration=end, dt=dt).state.model_state
        second = state.w if model == "AdEx" else state.u
        errors.append(np.max(np.abs(np.stack([state.v, second], 1) - exact), axis=1))
    slopes = np.polyfit(np.log(DTS), np.log(errors), 1)[0]
    np.testing.assert_allclose(slopes, order, atol=0.1)
