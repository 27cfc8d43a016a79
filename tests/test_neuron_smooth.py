"""Neurons without a reset, against SciPy and against what LSODA gives elsewhere at 1e-10."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from _exact import crossings, exact, rate, stepped
from _measured import measured

import brainfn as bf
from brainfn.neuron import FitzHughNagumo, HindmarshRose, MorrisLecar, PinskyRinzel, as_drive

SCIPY = "SciPy DOP853 at 1e-12"
LSODA = "LSODA at 1e-10"


def fitzhugh_nagumo(t, y, current):
    del t
    v, w = y.reshape(2, -1)
    return np.concatenate([v - v**3 / 3 - w + current, 0.08 * (v + 0.7 - 0.8 * w)])


def hindmarsh_rose(t, y, current):
    del t
    v, w, z = y.reshape(3, -1)
    dv = w - v**3 + 3 * v**2 - z + current
    return np.concatenate([dv, 1 - 5 * v**2 - w, 0.006 * (4 * (v + 1.6) - z)])


POLYNOMIAL = {
    "FitzHughNagumo": (FitzHughNagumo, fitzhugh_nagumo, [0.4, 0.8, 1.3], 200.0),
    # At 3.25 they are chaotic, and no two solvers agree for long.
    "HindmarshRose": (HindmarshRose, hindmarsh_rose, [2.0, 4.0], 100.0),
}


@pytest.mark.parametrize("name", POLYNOMIAL)
def test_polynomial_neurons(name):
    make, equations, currents, duration = POLYNOMIAL[name]
    currents = np.array(currents)
    cell = make(len(currents), surrogate=None)
    start = np.concatenate(jax.tree.leaves(cell.init()))
    every = 0.05
    times = np.arange(round(duration / every) + 1) * every
    expected = scipy.integrate.solve_ivp(
        equations,
        (0, duration),
        start,
        method="DOP853",
        t_eval=times,
        rtol=1e-12,
        atol=1e-12,
        args=(currents,),
    ).y[: len(currents)]
    v = exact(cell, as_drive(currents, cell.init().v), duration, every=every)
    # Diffrax at 1e-10; an upswing stretches errors by its slope.
    measured(f"neuron.{name}", "vector field", against=SCIPY, error=v - expected.T, bound=1e-6)
    # The own step of 0.01 ms: of order 2, with an error that grows with every fast spike.
    dt = 0.01
    v, spikes = stepped(cell, bf.input.Constant(currents), duration, dt)
    found, spike_times = crossings(v, dt, 0.0), crossings(expected.T, every, 0.0)
    assert [len(x) for x in found] == [len(x) for x in spike_times] == spikes.sum(0).tolist()
    late = np.concatenate(found) - np.concatenate(spike_times)
    measured(f"neuron.{name}", "spike times", against=SCIPY, error=late, bound=2e-2, unit="ms")


def test_fitzhugh_nagumo_begins_and_ceases_to_oscillate_where_it_should():
    """At a Hopf bifurcation the trace of the Jacobian vanishes, where v**2 = 1 - b tau / tau_w."""
    cell = FitzHughNagumo(2, surrogate=None)
    v = np.sqrt(1 - 0.8 / 12.5) * np.array([-1.0, 1.0])
    w = (v + 0.7) / 0.8
    currents = w - v + v**3 / 3
    rest = bf.neuron.Recovery(jnp.asarray(v), jnp.asarray(w))
    drive = as_drive(currents, rest.v)
    slope = cell.vector_field(0.0, rest, drive)
    np.testing.assert_allclose(jax.tree.leaves(slope), 0, atol=1e-15)
    jacobian = jax.jacfwd(lambda y: cell.vector_field(0.0, y, drive))(rest)
    trace = np.diag(jacobian.v.v) + np.diag(jacobian.w.w)
    np.testing.assert_allclose(trace, 0, atol=1e-15)
    # Silent just outside, spiking just inside.
    near = np.array(
        [currents[0] - 0.02, currents[0] + 0.02, currents[1] - 0.02, currents[1] + 0.02]
    )
    _, spikes = stepped(FitzHughNagumo(4, surrogate=None), bf.input.Constant(near), 1000.0, 0.1)
    late = spikes[-3000:].sum(0)
    assert late[0] == late[3] == 0 and late[1] >= 5 and late[2] >= 5


# Rinzel and Ermentrout (1998): current, rate, and the first two spikes where they are known.
HOPF = {90: 9.7345, 95: 10.9676, 100: 11.7246, 150: 15.1145}
CIRCLE = {38: 0.0, 40: 1.0589, 41: 5.1071, 45: 10.0814, 60: 17.0950, 100: 23.8375}
HOMOCLINIC = {40: 41.6012}


def test_morris_lecar_rates():
    sets = [(HOPF, 4.4, 2.0, 30.0, 0.04), (CIRCLE, 4.0, 12.0, 17.4, 0.067)]
    sets.append((HOMOCLINIC, 4.0, 12.0, 17.4, 0.23))
    rows = [(i, r, *values) for rates, *values in sets for i, r in rates.items()]
    currents, rates, g, v3, v4, phi = np.array(rows).T
    cell = MorrisLecar(len(rows), g_calcium=g, v3=v3, v4=v4, phi=phi, surrogate=None)
    duration = 1900.0  # two spikes of the slowest
    v = exact(cell, as_drive(currents, cell.init().v), duration, every=0.1)
    times = crossings(v, 0.1, 0.0)
    got = np.array([rate(t, min(7, len(t) - 1)) if len(t) > 1 else 0.0 for t in times])
    # Four decimals are known.
    measured("neuron.MorrisLecar", "rates", against=LSODA, error=got - rates, bound=1e-4, unit="Hz")
    late = times[2][:2] - [15.8519, 102.5008]
    measured("neuron.MorrisLecar", "first spikes", against=LSODA, error=late, bound=1e-4, unit="ms")
    dt = 0.05
    v, spikes = stepped(cell, bf.input.Constant(currents), duration, dt)
    own = crossings(v, dt, 0.0)
    assert spikes.sum(0).tolist() == [len(t) for t in own] == [len(t) for t in times]
    own_rates = np.array([rate(t, min(7, len(t) - 1)) if len(t) > 1 else 0.0 for t in own])
    # A step of 0.05 ms; the rate is most sensitive next to the bifurcations.
    error = (own_rates - rates) / np.maximum(rates, 1.0)
    measured("neuron.MorrisLecar", "rates, dt 0.05 ms", against=LSODA, error=error, bound=1e-3)


def starts(times):
    """The first spikes of bursts."""
    return times[np.diff(times, prepend=-np.inf) > 50]


def test_pinsky_rinzel_periods():
    """Bursts with strong and weak coupling, from either compartment; silence; regular spikes."""
    soma = np.array([0.75, 0.75, -0.5, -0.5, 2.5])
    dendrite = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    g = np.array([2.1, 10.5, 2.1, 2.1, 2.1])
    cell = PinskyRinzel(5, g_coupling=g, surrogate=None)
    # Regular spikes have a rival, doublets: start within their basin of attraction.
    inside = np.array(
        [-57.71284529, -58.72106142, 0.01185, 0.95045, 0.005647, 0.279322, 0.01583, 17.76115]
    )
    start = cell.init()
    leaves, structure = jax.tree.flatten(start)
    start = structure.unflatten([x.at[4].set(y) for x, y in zip(leaves, inside, strict=True)])
    drive = {"soma": as_drive(soma, start.v), "dendrite": as_drive(dendrite, start.v)}
    times = crossings(exact(cell, drive, 2500.0, start=start), 0.02, -30.0)
    bursts = [starts(t) for t in times[:3]]
    periods = np.array([np.diff(t)[-1] for t in bursts])
    expected = np.array([495.021, 366.576, 683.221])
    # Three decimals are known.
    measured(
        "neuron.PinskyRinzel",
        "periods of bursts",
        against=LSODA,
        error=periods - expected,
        bound=1e-3,
        unit="ms",
    )
    spikes = [np.sum((t >= b[-2]) & (t < b[-1])) for t, b in zip(times[:3], bursts, strict=True)]
    assert spikes == [4, 1, 3] and len(times[3]) == 0
    # After 2.5 s the slow potassium current is still 1e-4 from its cycle.
    late = rate(times[4], 1) - 43.945
    measured(
        "neuron.PinskyRinzel", "regular rate", against=LSODA, error=late, bound=5e-3, unit="Hz"
    )
    inputs = {"soma": bf.input.Constant(soma), "dendrite": bf.input.Constant(dendrite)}
    dt = 0.02
    own = crossings(stepped(cell, inputs, 1600.0, dt)[0], dt, -30.0)
    own_periods = np.array([np.diff(starts(t))[-1] for t in own[:3]])
    # A step of 0.02 ms with a method of order 2, over bursts that begin slowly.
    error = own_periods / expected - 1
    measured("neuron.PinskyRinzel", "periods, dt 0.02 ms", against=LSODA, error=error, bound=2e-3)
    assert len(own[3]) == 0


def test_ports():
    """What is given without a port goes to the first; a port that does not exist is named."""
    cell = PinskyRinzel(2, surrogate=None)
    both, alone = (
        bf.simulate(cell, inputs=inputs, duration=5.0, dt=0.05).state.model_state.v
        for inputs in ({"soma": 3.0}, 3.0)
    )
    np.testing.assert_array_equal(both, alone)
    with pytest.raises(ValueError, match="no port 'dendrit'.*'dendrite'"):
        bf.simulate(cell, inputs={"dendrit": 3.0}, duration=5.0, dt=0.05)


def test_ports_of_a_network():
    """Merged or not: a number drives the first port, and names reach both."""
    cells = {"a": PinskyRinzel(2, surrogate=None), "b": PinskyRinzel(1, surrogate=None)}
    rule = bf.connect.FixedProbability(1.0)
    projection = bf.Projection(
        "a", "b", rule, weight=1.0, port="dendrite", synapse=bf.synapse.Exponential(5.0)
    )
    ends = [
        bf.simulate(
            bf.Network(cells, [projection], key=jax.random.key(0), merge=merge),
            inputs=inputs,
            duration=20.0,
            dt=0.05,
        ).state
        for merge, inputs in (
            (True, 3.0),
            (False, 3.0),
            (True, {"a.soma": 3.0, "b.soma": 3.0}),
            (False, {"a.soma": 3.0, "b.soma": 3.0}),
        )
    ]
    assert float(jnp.max(ends[0]["b"].v_dendrite - cells["b"].init().v_dendrite)) > 1.0
    for end in ends[1:]:
        for name in cells:
            jax.tree.map(np.testing.assert_array_equal, end[name], ends[0][name])


def test_area_scales_currents():
    """Twice the membrane takes twice the current."""
    small = PinskyRinzel(1, surrogate=None)
    large = PinskyRinzel(1, area=200.0, surrogate=None)
    a, b = (
        bf.simulate(cell, inputs={"dendrite": i}, duration=5.0, dt=0.05).state.model_state
        for cell, i in ((small, 1.0), (large, 2.0))
    )
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_wrong_proportion_is_named():
    with pytest.raises(ValueError, match="`proportion`"):
        PinskyRinzel(1, proportion=1.0)
