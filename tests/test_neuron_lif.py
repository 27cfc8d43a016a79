"""LIF neurons against closed forms, any Diffrax solver, and their reset."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.neuron import LIF


def voltage(state, output):
    del output
    return state.v


def test_membrane_under_constant_current_is_exact():
    neuron = LIF(3, tau=np.array([10.0, 20.0, 15.0]), v_init=np.array([-65.0, -60.0, -52.0]))
    current = np.array([50.0, -30.0, 0.0])
    out = bf.simulate(
        neuron, inputs=bf.input.Constant(current), duration=100.0, dt=0.1, record=voltage
    )
    t = (np.asarray(out.ts) + 0.1)[:, None]
    tau = np.array([10.0, 20.0, 15.0])
    end = -60.0 + current * tau / 200.0
    exact = end + (np.array([-65.0, -60.0, -52.0]) - end) * np.exp(-t / tau)
    # The same solution step by step: rounding only.
    off = np.asarray(out.outputs) / exact - 1
    measured("neuron.LIF", "v, constant current", against="closed form", error=off, bound=1e-12)


@pytest.mark.parametrize("k", [0, 1, 2, 7, 50])
def test_interval_between_spikes_on_the_grid(k):
    """n steps to threshold from reset, and exactly k more of rest: the closed f-I curve."""
    currents = np.array([130.0, 180.0, 250.0, 400.0, 900.0])
    tau, dt = 20.0, 0.1
    neuron = LIF(5, tau=tau, v_init=-60.0, refractory=k * dt, surrogate=None)
    out = bf.simulate(neuron, inputs=bf.input.Constant(currents), duration=200.0, dt=dt)
    to_threshold = -tau * np.log(1 - 10.0 / (currents * tau / 200.0))
    steps = np.ceil(to_threshold / dt).astype(int)
    for i in range(5):
        times = np.flatnonzero(np.asarray(out.outputs)[:, i])
        assert times[0] == steps[i] - 1
        assert set(np.diff(times)) == {steps[i] + k}


def test_membrane_is_held_for_exactly_the_refractory_steps():
    neuron = LIF(1, v_init=-50.0, v_rest=-49.0, v_reset=-70.0, refractory=0.3, surrogate=None)
    record = {"v": voltage, "spikes": bf.record.outputs}
    out = bf.simulate(neuron, duration=1.0, dt=0.1, record=record).outputs
    held = np.asarray(out["v"][:, 0]) == -70.0
    # The spike of step 0 resets at its end; v is still held at the ends of steps 1, 2 and 3.
    assert np.asarray(out["spikes"][:, 0]).tolist() == [True] + [False] * 9
    assert held.tolist() == [True] * 4 + [False] * 6


def test_refractory_periods_may_differ():
    neuron = LIF(3, v_rest=-40.0, v_init=-50.0, refractory=np.array([0.0, 0.1, 1.5]))
    out = np.asarray(bf.simulate(neuron, duration=60.0, dt=0.1).outputs)
    base = np.diff(np.flatnonzero(out[:, 0]))[0]
    for i, k in enumerate([0, 1, 15]):
        assert set(np.diff(np.flatnonzero(out[:, i]))) == {base + k}


def error_of_potential(solver, dt):
    """One spike through an exponential current synapse, against the closed form."""
    tau, tau_s, weight, end = 20.0, 5.0, 100.0, 16.0
    synapse = bf.synapse.Exponential(tau_s, g_init=weight)
    one = bf.connect.OneToOne()
    network = bf.Network(
        {"a": LIF(1, tau=tau, solver=solver, refractory=0.0)},
        [bf.Projection("a", "a", one, weight=0.0, synapse=synapse, output=bf.synapse.Current())],
    )
    state = bf.simulate(network, duration=end, dt=dt, record=bf.record.nothing).state
    fall = np.exp(-end / tau) - np.exp(-end / tau_s)
    exact = -60.0 + weight / 200.0 * tau * tau_s / (tau - tau_s) * fall
    return abs(float(state["a"].v[0]) - exact)


@pytest.mark.parametrize("solver", [bf.solver.Heun(), bf.solver.Midpoint(), dfx.Heun()])
def test_postsynaptic_potential_converges_with_the_order_of_the_solver(solver):
    dts = np.array([0.8, 0.4, 0.2])
    errors = [error_of_potential(solver, float(dt)) for dt in dts]
    slope = np.polyfit(np.log(dts), np.log(errors), 1)[0]
    assert abs(slope - 2) < 0.2


@pytest.mark.parametrize("dt", [0.1, 0.8, 4.0])
def test_postsynaptic_potential_of_the_default_solver_is_exact(dt):
    # Rounding of up to 160 steps at 60 mV.
    error = error_of_potential(bf.solver.ExponentialEuler(), dt)
    parts = ["neuron.LIF", "synapse.Exponential", "synapse.Current"]
    measured(parts, "PSP", against="closed form", error=error, bound=1e-11, unit="mV")


@pytest.mark.parametrize("solver", [bf.solver.Heun(), dfx.Tsit5(), dfx.Dopri5()])
def test_solvers_agree_through_many_resets(solver):
    """A reset is a jump: a solver with a stored slope (Tsit5, Dopri5) must not use a stale one."""
    options = {"v_init": -60.0, "refractory": 0.5, "surrogate": None}
    inputs = bf.input.Constant(np.array([150.0, 300.0, 700.0]))
    record = {"v": voltage, "spikes": bf.record.outputs}
    runs = [
        bf.simulate(LIF(3, **options, **s), inputs=inputs, duration=60.0, dt=0.1, record=record)
        for s in ({}, {"solver": solver})
    ]
    exact, other = (run.outputs for run in runs)
    np.testing.assert_array_equal(exact["spikes"], other["spikes"])
    assert np.asarray(exact["spikes"]).sum() > 20
    # Local errors of a second-order step of 0.1 ms with tau = 20 ms are 1e-8 mV.
    np.testing.assert_allclose(exact["v"], other["v"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("surrogate", "solver", "inputs"),
    [
        (None, bf.solver.ExponentialEuler(), 300.0),
        (None, bf.solver.Heun(), None),
        (None, dfx.Heun(), np.full(50, 300.0)),
        (bf.surrogate.ReluGrad(), bf.solver.ExponentialEuler(), lambda t: 300.0 * jnp.sin(t)),
        (bf.surrogate.ReluGrad(), bf.solver.Midpoint(), bf.input.Constant(np.full(2, 300.0))),
    ],
)
def test_float32_stays_float32(surrogate, solver, inputs):
    neuron = bf.astype(LIF(2, surrogate=surrogate, solver=solver), jnp.float32)
    out = bf.simulate(neuron, inputs=inputs, duration=5.0, dt=0.1)
    assert out.state.model_state.v.dtype == jnp.float32
    assert out.outputs.dtype == (bool if surrogate is None else jnp.float32)


def test_float32_is_as_accurate_late_as_early():
    """Time is local to the step: after 2**24 steps the same arithmetic is done."""
    neuron = bf.astype(LIF(1, v_init=-55.0), jnp.float32)
    early = bf.simulate(neuron, inputs=100.0, duration=10.0, dt=0.1, record=voltage)
    start = eqx.tree_at(
        lambda s: (s.step, s.model_state),
        early.state,
        (jnp.asarray(2**24 + 1, jnp.int32), neuron.init()),
    )
    again = bf.simulate(neuron, inputs=100.0, duration=10.0, dt=0.1, record=voltage, state=start)
    np.testing.assert_array_equal(early.outputs, again.outputs)


def test_reset_value_is_exact_and_its_derivative_reaches_the_spike():
    @eqx.filter_jit
    def end(v, detach):
        n = LIF(1, v_reset=-61.3, detach_reset=detach)
        state = eqx.tree_at(lambda s: s.y.v, n.init(), v)
        out, _ = n.step(state, 400.0, bf.Clock(jnp.asarray(0, jnp.int32), 0.1))
        return out.v[0]

    spiking = jnp.array([-50.01])
    assert float(end(spiking, False)) == -61.3
    through = eqx.filter_grad(end)(spiking, False)
    detached = eqx.filter_grad(end)(spiking, True)
    np.testing.assert_array_equal(detached, 0.0)
    # The surrogate's derivative times the height of the reset, both at the threshold crossing.
    assert float(through[0]) < 0


def test_infinite_drive_is_not_hidden_by_the_reset():
    """+inf passes any threshold, and the reset makes it finite again; but the synapse that carries
    it stays infinite and is reported."""
    network = bf.Network(
        {"a": LIF(1, v_init=-50.0, v_rest=-40.0)},
        [
            bf.Projection(
                "a",
                "a",
                bf.connect.OneToOne(),
                weight=1e308,
                synapse=bf.synapse.Exponential(1e300),
                output=bf.synapse.Current(),
            )
        ],
    )
    with pytest.raises(FloatingPointError, match="'a' is not finite from step"):
        bf.simulate(network, inputs=1000.0, duration=100.0, dt=0.1)


@pytest.mark.parametrize("v", [np.inf, 1e300, -40.0])
def test_a_potential_that_ran_away_is_reset_with_a_finite_derivative(v):
    """In any mode, also where the tangent that comes along is infinite."""

    def after(v, x):
        return bf.neuron.reset(v * jnp.ones(1), bf.surrogate.Sigmoid()(x * jnp.ones(1)), -60.0)[0]

    v, x = jnp.asarray(v), jnp.asarray(0.1)
    assert float(after(v, x)) == -60.0
    assert np.isfinite(jax.grad(after, argnums=(0, 1))(v, x)).all()
    _, tangent = jax.jvp(after, (v, x), (v, jnp.ones(())))
    assert np.isfinite(tangent)
    assert np.isfinite(jax.hessian(after, argnums=1)(v, x))
    assert np.isfinite(jax.jacrev(jax.jacrev(after, argnums=1), argnums=1)(v, x))


def test_reset_of_a_finite_potential_has_the_derivatives_of_its_formula():
    def formula(v, x):
        spike = bf.surrogate.Sigmoid()(x)
        return v + spike * (-60.0 - v)

    def ours(v, x):
        return bf.neuron.reset(v[None], bf.surrogate.Sigmoid()(x)[None], -60.0)[0]

    for x in (0.1, -0.2):
        point = jnp.asarray(-48.0), jnp.asarray(x)
        for outer in (jax.jacfwd, jax.jacrev):
            for inner in (jax.jacfwd, jax.jacrev):
                got, expected = (
                    outer(inner(f, argnums=(0, 1)), argnums=(0, 1))(*point) for f in (ours, formula)
                )
                # The same products in another order.
                np.testing.assert_allclose(got, expected, rtol=1e-13)
