"""Integrate-and-fire neurons against closed forms, SciPy at 1e-10 and Diffrax's events.

The reference of a train integrates between spikes (DOP853) and resets where an event finds one. The
neurons are interpolated: their spike times are those of their solver.
"""

import functools

import diffrax as dfx
import jax
import jax.numpy as jnp
import models
import numpy as np
import optimistix as optx
import pytest
import scipy.integrate
import scipy.stats
from _measured import measured

import brainfn as bf
from brainfn import neuron as nn


def exact_train(field, y, spike, jump, pieces):
    """Spike times for a current that is constant in pieces `(end, current)`; `field(y, current)`,
    `spike(y)` rises through zero at a spike, and `jump(y)` is `y` after one."""
    t, times = 0.0, []
    for end, current in pieces:
        while t < end - 1e-9:

            def crossing(t, y):
                del t
                return spike(y)

            crossing.terminal, crossing.direction = True, 1
            found = scipy.integrate.solve_ivp(
                lambda t, y, i=current: field(y, i),
                (t, end),
                y,
                method="DOP853",
                rtol=1e-10,
                atol=1e-10,
                events=crossing,
            )
            t, y = found.t[-1], found.y[:, -1]
            if found.status == 1:
                times.append(t)
                y = np.asarray(jump(y), float)
    return np.array(times)


def times(spikes, offsets, dt):
    """Spike times of each neuron of interpolated ones."""
    spikes, offsets = np.asarray(spikes, bool), np.asarray(offsets)
    return [np.flatnonzero(s) * dt + o[s] for s, o in zip(spikes.T, offsets.T, strict=True)]


def simulated(cells, current, duration, dt):
    record = lambda s, o: (o, s.offset)  # noqa: E731
    out = bf.simulate(
        nn.Interpolated(cells),
        inputs=bf.input.Constant(np.asarray(current, float)),
        duration=duration,
        dt=dt,
        record=record,
    )
    return times(*out.outputs, dt)


# Closed forms of the interval between two spikes

CURRENTS = np.array([220.0, 300.0, 500.0, 900.0])
REFRACTORY = 1.5


def interval_if(i):
    return 200.0 * 10.0 / i


def interval_lif(i):
    return -20.0 * np.log(1 - 10.0 / (i * 20.0 / 200.0))


def interval_qif(i):
    """From reset to a finite peak: 10 ms, 200 pF, fixed points at -65 and -50 mV, peak at 0."""
    scale, middle = 10.0 * 15.0, -57.5
    root = np.sqrt(i / 200.0 * scale - 7.5**2)
    return scale / root * (np.arctan((0.0 - middle) / root) - np.arctan((-65.0 - middle) / root))


INTERVALS = {
    "IF": (nn.IF, interval_if),
    "LIF": (nn.LIF, interval_lif),
    "QIF": (nn.QIF, interval_qif),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_f_I_curves_are_closed_forms(name):
    make, interval = INTERVALS[name]
    exact = interval(CURRENTS) + REFRACTORY
    cells = make(4, refractory=REFRACTORY, surrogate=None)
    found = simulated(cells, CURRENTS, 100.0, 0.05)
    error = [np.diff(x).mean() - e for x, e in zip(found, exact, strict=True)]
    # A straight line is interpolated exactly; a parabola and the exact flow are of order three, and
    # Heun's method of order two.
    bound = {"IF": 1e-12, "LIF": 5e-8, "QIF": 1e-3}[name]
    measured(
        f"neuron.{name}", "mean interval of the f-I curve, dt 0.05 ms", against="closed form",
        error=error, bound=bound, unit="ms",
    )  # fmt: skip


@pytest.mark.parametrize(("interpolated", "order"), [(False, 1), (True, 3)])
def test_order_of_spike_times(interpolated, order):
    """A constant current, a refractory period and the 5th spike: regression over three steps."""
    currents = np.linspace(250.0, 700.0, 16)
    exact = 5 * interval_lif(currents) + 4 * 2.0
    dts = np.array([0.4, 0.2, 0.1])
    errors = []
    for dt in dts:
        cells = nn.LIF(16, refractory=2.0, surrogate=None)
        if interpolated:
            found = simulated(cells, currents, 180.0, dt)
        else:
            inputs = bf.input.Constant(currents)
            spikes = bf.simulate(cells, inputs=inputs, duration=180.0, dt=float(dt)).outputs
            found = [(np.flatnonzero(s) + 1) * dt for s in np.asarray(spikes).T]
        errors.append(np.mean([abs(x[4] - e) for x, e in zip(found, exact, strict=True)]))
    slope = np.polyfit(np.log(dts), np.log(errors), 1)[0]
    # The mean over 16 currents of errors anywhere in a step says the order to 0.2.
    measured(
        "neuron.Interpolated" if interpolated else "neuron.LIF",
        f"order of spike times in dt, which is {order}", against="closed form",
        error=slope - order, bound=0.2,
    )  # fmt: skip


def test_spike_times_have_exact_derivatives():
    """Those of the 4th spike of an interpolated neuron, by each parameter."""
    names = ("tau", "capacitance", "v_rest", "v_threshold", "v_reset", "refractory")

    def last(values):
        cell = nn.Interpolated(nn.LIF(1, surrogate=None, **dict(zip(names, values, strict=True))))
        cell = cell.prepare(0.1)

        def body(state, i):
            new, spikes = cell.step(state, 300.0, bf.Clock(i, 0.1))
            return new, jnp.where(spikes, i.astype(float) * 0.1 + new.offset, 0.0)

        return jnp.max(jax.lax.scan(body, cell.init(), jnp.arange(420, dtype=jnp.int32))[1])

    def closed(values):
        tau, capacitance, rest, threshold, reset, refractory = values
        end = rest + 300.0 * tau / capacitance
        first = tau * np.log((end - rest) / (end - threshold))
        return first + 3 * (refractory + tau * np.log((end - reset) / (end - threshold)))

    values = [20.0, 200.0, -60.0, -50.0, -62.0, 1.23]
    found = np.stack(jax.jit(jax.grad(last))([jnp.asarray(v) for v in values]))
    for i, v in enumerate(values):
        h = 1e-5 * abs(v)
        up, down = (closed([*values[:i], v + s * h, *values[i + 1 :]]) for s in (1, -1))
        # The derivative of a time of order three is of order two: (0.1 ms / 20 ms)^2, and sums.
        measured(
            "neuron.Interpolated", f"derivative of the 4th spike time by {names[i]}",
            against="closed form", error=found[i] / ((up - down) / (2 * h)) - 1, bound=1e-4,
        )  # fmt: skip


def test_soft_reset_keeps_what_exceeds_the_threshold():
    """A perfect integrator with coarse steps: no charge is lost, so that the number of spikes is
    the charge over 10 mV * 200 pF, and each is in the step in which its charge is there."""
    current, dt = np.array([333.0, 517.0]), 1.0
    spikes = bf.simulate(
        nn.IF(2, soft_reset=True, surrogate=None),
        inputs=bf.input.Constant(current), duration=200.0, dt=dt,
    ).outputs  # fmt: skip
    steps = np.arange(201)[:, None]
    exact = np.diff(np.floor(steps * dt * current / 2000.0 + 1e-9), axis=0)
    np.testing.assert_array_equal(np.asarray(spikes), exact > 0)
    hard = bf.simulate(
        nn.IF(2, surrogate=None), inputs=bf.input.Constant(current), duration=200.0, dt=dt
    ).outputs
    assert np.all(hard.sum(0) < spikes.sum(0))


# Trains against SciPy


def expif(y, current):
    upswing = 20.0 * 3.48 * np.exp((y[0] + 59.9) / 3.48)
    return [(-20.0 * (y[0] + 65.0) + upswing + current) / 200.0]


def adaptive_qif(y, current):
    v, w = y
    parabola = (v + 65.0) * (v + 50.0) / (10.0 * 15.0)
    return [parabola + (current - w) / 200.0, (4.0 * (v + 65.0) - w) / 144.0]


def izhikevich_2007(y, current):
    v, u = y
    return [
        (0.7 * (v + 60) * (v + 40) - u + current) / 100.0,
        0.03 * (-2.0 * (v + 60) - u),
    ]


def alif(y, current):
    return [(-60.0 - y[0]) / 20.0 + current / 200.0, -y[1] / 200.0]


def mat2(y, current):
    return [(-70.0 - y[0]) / 5.0 + current / 100.0, -y[1] / 10.0, -y[2] / 200.0]


# Model and options; equations, start, crossing and jump; current in pA; and the bounds for the n-th
# spike time at dt = 0.05 ms: where v diverges, a late upswing of each spike, of up to one step;
# otherwise the error of order two.
DT = 0.05
TRAINS = {
    "ExpIF": (
        {"refractory": 0.0},
        (expif, [-65.0], lambda y: y[0], lambda y: [-68.0]),
        300.0,
        lambda n: DT * n,
    ),
    "AdaptiveQIF": (
        {},
        (adaptive_qif, [-65.0, 0.0], lambda y: y[0], lambda y: [-65.0, y[1] + 80.5]),
        900.0,
        lambda n: 0.01 * n,
    ),
    "Izhikevich2007": (
        {},
        (izhikevich_2007, [-60.0, 0.0], lambda y: y[0] - 35, lambda y: [-50.0, y[1] + 100.0]),
        150.0,
        lambda n: 0.01 * n,
    ),
    "ALIF": (
        {"refractory": 0.0},
        (alif, [-60.0, 0.0], lambda y: y[0] + 50 - y[1], lambda y: [-60.0, y[1] + 1.0]),
        400.0,
        lambda n: 1e-3 * n,
    ),
    "MAT2": (
        {"refractory": 0.0},
        (
            mat2, [-70.0, 0.0, 0.0],
            lambda y: y[0] + 51 - y[1] - y[2], lambda y: [y[0], y[1] + 37.0, y[2] + 2.0],
        ),
        1000.0,
        lambda n: 1e-3 * n,
    ),
}  # fmt: skip


@functools.cache
def trains():
    cells = {
        name: nn.Interpolated(models.all_neurons[name](1, surrogate=None, **options))
        for name, (options, *_) in TRAINS.items()
    }
    out = bf.simulate(
        bf.Network(cells, []),
        inputs={name: current for name, (_, _, current, _) in TRAINS.items()},
        duration=250.0,
        dt=DT,
        record=lambda s, o: {name: (o[name], s[name].offset) for name in cells},
    ).outputs
    return {name: times(*out[name], DT)[0] for name in cells}


@pytest.mark.parametrize("name", TRAINS)
def test_spike_trains_are_those_of_scipy(name):
    _, equations, current, bound = TRAINS[name]
    exact, found = exact_train(*equations, [(250.0, current)]), trains()[name]
    assert len(found) == len(exact) >= 4
    measured(
        f"neuron.{name}", f"times of {len(exact)} spikes in 250 ms, over the bound for each",
        against="SciPy DOP853 at 1e-10 with events",
        error=(found - exact) / bound(np.arange(1, len(exact) + 1)), bound=1.0,
    )  # fmt: skip


# Diffrax's own solvers and events


FIELDS = [n for n in models.all_neurons if hasattr(vars(nn).get(n), "vector_field")]


@pytest.mark.parametrize("name", FIELDS)
def test_the_smooth_flow_runs_under_diffeqsolve(name):
    """Its numbers are tested below and, through the step of a neuron, everywhere else."""
    cell = models.all_neurons[name](2)
    start, one = cell.init(), nn.ConstantDrive(jnp.ones(()))
    start = start.y if isinstance(start, nn.SpikingState) else start
    drive = one if list(cell.ports()) == [""] else dict.fromkeys(cell.ports(), one)
    end = jax.eval_shape(
        lambda y: dfx.diffeqsolve(
            dfx.ODETerm(cell.vector_field), dfx.Heun(), 0.0, 2.0, 0.05, y, drive
        ).ys,
        start,
    )  # fmt: skip
    assert jax.tree.map(lambda x: (1, *x.shape), start) == jax.tree.map(lambda x: x.shape, end)


def event_time(cell, current):
    """The first spike by an event of Diffrax."""
    found = dfx.diffeqsolve(
        dfx.ODETerm(cell.vector_field), dfx.Dopri8(), 0.0, 500.0, 0.01, cell.init().y,
        nn.ConstantDrive(current),
        stepsize_controller=dfx.PIDController(rtol=1e-11, atol=1e-11),
        event=dfx.Event(
            lambda t, y, args, **_: cell.margin(y)[0], optx.Newton(rtol=1e-12, atol=1e-12)
        ),
        max_steps=100_000,
    )  # fmt: skip
    return found.ts[0]


@pytest.mark.parametrize("name", ["LIF", "QIF", "AdEx"])
def test_events_of_diffrax_find_the_spike_times(name):
    cell = models.all_neurons[name](1, surrogate=None)
    if name == "AdEx":
        current = 1000.0

        def adex(y, i):
            v, w = y
            upswing = 30.0 * 2.0 * np.exp((v + 50.4) / 2.0)
            return [
                (i - 30.0 * (v + 70.6) + upswing - w) / 281.0, (4.0 * (v + 70.6) - w) / 144.0
            ]  # fmt: skip

        # A lower peak: that of 0 mV is crossed at 1e10 mV/ms, where adaptive steps are lost.
        cell = nn.AdEx(1, v_peak=-40.0, surrogate=None)
        exact = exact_train(
            adex, [-70.6, 0.0], lambda y: y[0] + 40.0, lambda y: [-70.6, y[1]], [(15.0, current)]
        )[0]
        against = "SciPy DOP853 at 1e-10 with events"
    else:
        current, against = 500.0, "closed form"
        exact = INTERVALS[name][1](current)
    found = jax.jit(event_time)(cell, jnp.asarray(current))
    # Two solvers at 1e-10 where v climbs by 1 mV/ms or faster.
    measured(
        f"neuron.{name}", "first spike by an event of Diffrax's solver", against=against,
        error=found - exact, bound=1e-7, unit="ms",
    )  # fmt: skip


# Spikes at random


def test_derivatives_of_a_random_spike_are_those_of_its_probability():
    cell = nn.GIF(20_000, rate=0.5, v_init=-39.0)
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 0.1)

    def spikes(current):
        return cell.step(cell.init(), current, clock, key=jax.random.key(1))[1]

    count, slope = jax.jit(lambda i: jax.jvp(spikes, (i,), (jnp.ones_like(i),)))(jnp.asarray(30.0))

    def probability(current):
        rate = 3.7 / 83.1
        end = -67.0 + current / 3.7
        v = end + (-39.0 - end) * np.exp(-0.1 * rate)
        return -np.expm1(-0.1 * 0.5 * np.exp((v + 39.6) / 1.4))

    expected = (probability(30.1) - probability(29.9)) / 0.2
    measured(
        "surrogate.LogHazard", "derivative of a random spike", against="central differences",
        error=slope / expected - 1, bound=1e-6,
    )  # fmt: skip
    # 4 standard deviations of a binomial count.
    p = probability(30.0)
    assert abs(count.sum() - 20_000 * p) < 4 * np.sqrt(20_000 * p * (1 - p))


def test_random_spikes_within_a_step_have_the_times_of_a_poisson_process():
    """With a constant hazard and no refractory period, whatever the step: the first spikes are
    exponential."""
    n, rate = 4000, 0.4
    cell = nn.GIF(
        n, rate=rate, currents=[], shifts=[], v_init=-39.6, v_rest=-39.6, v_reset=-39.6,
        refractory=1e4, surrogate=None,
    )  # fmt: skip
    state = bf.simulate(
        nn.Interpolated(cell), duration=30.0, dt=2.0, key=jax.random.key(3),
        record=lambda s, o: jnp.where(o, s.offset, -1.0),
    ).outputs  # fmt: skip
    out = np.asarray(state)
    first = np.array([2.0 * np.argmax(x >= 0) + x.max() for x in out.T])
    statistic, p = scipy.stats.kstest(first, "expon", args=(0, 1 / rate))
    assert p > 1e-3, statistic


def test_random_neurons_need_a_key():
    with pytest.raises(ValueError, match="`key` is needed: GIF"):
        nn.GIF(3).step(nn.GIF(3).init(), 0.0, bf.Clock(jnp.asarray(0, jnp.int32), 0.1))


@pytest.mark.parametrize("wrong", [5, [nn.LIF], ["x"], [nn.SpikeTriggered(np.ones(4), 1.0)]])
def test_wrong_spike_triggered_parts_are_named(wrong):
    with pytest.raises((TypeError, ValueError), match="shifts"):
        nn.GIF(3, shifts=wrong)


def test_interpolated_takes_integrate_and_fire_neurons():
    # The annotation is checked first while the tests run; a user gets the message of the class.
    for wrong in (5, nn.LIF, nn.LeakyIntegrator(3)):
        with pytest.raises(TypeError, match="['`]model['`]"):
            nn.Interpolated(wrong)


def test_the_readout_is_exact():
    cell = nn.LeakyIntegrator(2, tau=np.array([5.0, 30.0]))
    out = bf.simulate(cell, inputs=2.0, duration=40.0, dt=0.5).outputs
    t = np.arange(1, 81)[:, None] * 0.5
    tau = np.array([5.0, 30.0])
    # The same solution step by step: rounding only.
    measured(
        "neuron.LeakyIntegrator", "v under a constant current", against="closed form",
        error=np.asarray(out) / (2.0 * tau * -np.expm1(-t / tau)) - 1, bound=1e-12,
    )  # fmt: skip
