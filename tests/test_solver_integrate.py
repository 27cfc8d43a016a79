"""One local step with any Diffrax solver: dtypes, transformations, resets and wrong solvers."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

from brainfn.solver import (
    AbstractLocalSolver,
    ExponentialEuler,
    Heun,
    Midpoint,
    check_solver,
    integrate,
)

CHORD = optx.Chord(rtol=1e-6, atol=1e-6)
SOLVERS = {
    "ExponentialEuler": ExponentialEuler(),
    "Heun": Heun(),
    "Midpoint": Midpoint(),
    "dfx.Euler": dfx.Euler(),
    "dfx.Heun": dfx.Heun(),
    "dfx.Midpoint": dfx.Midpoint(),
    "dfx.Tsit5": dfx.Tsit5(),
    "dfx.Dopri5": dfx.Dopri5(),
    "dfx.ImplicitEuler": dfx.ImplicitEuler(root_finder=CHORD),
    "dfx.Kvaerno3": dfx.Kvaerno3(root_finder=CHORD),
}
each = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())
explicit = pytest.mark.parametrize(
    "solver", [s for n, s in SOLVERS.items() if "I" not in n and "K" not in n], ids=repr
)


def adaptive(t, y, current):
    """An integrate-and-fire cell with an adaptation current, in mV, ms and pA."""
    v, w = y
    drive = current * (1.0 + 0.1 * t)
    return (-(v + 60.0) / 20.0 + (drive - w) / 200.0, (2.0 * (v + 60.0) - w) / 100.0)


def start(dtype, shape=(3,)):
    return jnp.full(shape, -55.0, dtype), jnp.linspace(0, 50, shape[0]).astype(dtype)


def run(solver, y, current, steps=5):
    def step(y, _):
        y = integrate(solver, adaptive, y, 0.5, current)
        return y, y[0]

    return jax.lax.scan(step, y, length=steps)


@each
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_keeps_the_dtype_in_a_loop(solver, dtype):
    # x64 and strict promotion are on: float64 times would raise or spread.
    y, vs = jax.jit(run, static_argnums=0)(solver, start(dtype), jnp.full(3, 300.0, dtype))
    assert {x.dtype for x in (*y, vs)} == {jnp.dtype(dtype)}
    reference, _ = run(dfx.Dopri5(), start(jnp.float64), jnp.full(3, 300.0))
    # 2.5 ms in steps of 0.5 ms: first-order methods are off by some 0.02 mV or pA.
    for got, expected in zip(y, reference, strict=True):
        np.testing.assert_allclose(got, expected, atol=0.1)


@each
def test_vmap_is_the_loop(solver):
    y = start(jnp.float64)
    currents = jnp.array([[0.0] * 3, [300.0] * 3])
    got, _ = jax.vmap(lambda c: run(solver, y, c))(currents)
    for i, current in enumerate(currents):
        expected, _ = run(solver, y, current)
        # The same arithmetic; an implicit solve may stop after another number of iterations.
        tolerance = 1e-6 if isinstance(solver, dfx.AbstractImplicitSolver) else 1e-13
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a[i], b, rtol=tolerance)


@each
def test_grad_is_the_central_difference(solver):
    def loss(current):
        _, vs = run(solver, start(jnp.float64), current * jnp.ones(3))
        return jnp.mean(vs**2)

    if isinstance(solver, dfx.AbstractImplicitSolver):
        # The solve stops at 1e-6, so its differences are noisy: a wide step, and the equation is
        # linear in the current.
        h, tolerance = 10.0, 1e-4
    else:
        h, tolerance = 1e-3, 1e-7
    f = jax.jit(loss)
    expected = (f(300.0 + h) - f(300.0 - h)) / (2 * h)
    assert float(jax.grad(loss)(300.0)) == pytest.approx(float(expected), rel=tolerance)


@explicit
def test_forward_mode(solver):
    if isinstance(solver, dfx.AbstractERK):
        solver = type(solver)(scan_kind="bounded")

    def end(current):
        return run(solver, start(jnp.float64), current * jnp.ones(3))[0][0].sum()

    forward = jax.jvp(end, (300.0,), (1.0,))[1]
    assert float(forward) == pytest.approx(float(jax.grad(end)(300.0)), rel=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), [(Heun(), dfx.Heun()), (Midpoint(), dfx.Midpoint())])
def test_ours_are_the_numbers_of_diffrax(ours, theirs):
    current = jnp.full(3, 300.0)
    for a, b in zip(
        run(ours, start(jnp.float64), current)[0],
        run(theirs, start(jnp.float64), current)[0],
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    terms = dfx.ODETerm(adaptive)
    args = terms, jnp.zeros(()), jnp.asarray(0.5), start(jnp.float64), current
    states = [s.init(*args) for s in (ours, theirs)]
    errors = [
        s.step(*args, state, False)[1] for s, state in zip((ours, theirs), states, strict=True)
    ]
    for a, b in zip(*errors, strict=True):
        np.testing.assert_allclose(np.abs(a), np.abs(b), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("solver", [Heun(), Midpoint()])
def test_ours_take_adaptive_steps(solver):
    sol = dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, a: -y * jnp.cos(t)),
        solver,
        0.0,
        3.0,
        0.1,
        jnp.ones(()),
        stepsize_controller=dfx.PIDController(rtol=1e-6, atol=1e-6),
    )
    assert float(sol.ys[0]) == pytest.approx(np.exp(-np.sin(3.0)), rel=1e-4)


@pytest.mark.parametrize("solver", [dfx.Tsit5(), dfx.Dopri5(), dfx.Bosh3()], ids=repr)
@pytest.mark.parametrize("made_jump", [None, True, False, "traced"])
def test_a_reset_leaves_no_stale_slope(solver, made_jump):
    # v' = -v, set back to 1 after every step of 1: each step must end at the same value.
    field = lambda t, v, args: -v  # noqa: E731
    jump = jnp.asarray(True) if made_jump == "traced" else made_jump

    def step(v, _):
        v = integrate(solver, field, v, 1.0, made_jump=jump)
        return jnp.ones_like(v), v

    _, ends = jax.lax.scan(step, jnp.ones(()), length=4)
    np.testing.assert_allclose(ends, ends[0], rtol=1e-15)
    assert float(ends[0]) == pytest.approx(np.exp(-1.0), abs=0.05)

    # What happens without: the solver goes on from the slope before the reset.
    terms = dfx.ODETerm(field)
    times = jnp.zeros(()), jnp.ones(())
    state = solver.init(terms, *times, jnp.ones(()), None)
    _, _, _, state, _ = solver.step(terms, *times, jnp.ones(()), None, state, False)
    stale, *_ = solver.step(terms, *times, jnp.ones(()), None, state, False)
    told, *_ = solver.step(terms, *times, jnp.ones(()), None, state, True)
    assert abs(float(stale - ends[0])) > 0.01
    assert float(told) == pytest.approx(float(ends[0]), rel=1e-14)


def test_float32_does_not_lose_the_step_late_in_a_run():
    # At t = 1e7 ms neighbouring float32 numbers are 1 ms apart; local time has no part in it.
    y = jnp.ones(1, jnp.float32)
    got = integrate(dfx.Tsit5(), lambda t, y, clock: -y + 0.0 * clock, y, 0.1, jnp.float32(1e7))
    np.testing.assert_allclose(got, np.exp(-0.1), rtol=1e-6)


def test_a_failed_implicit_solve_is_not_a_number():
    solver = dfx.ImplicitEuler(
        root_finder=optx.Chord(rtol=1e-12, atol=1e-12), root_find_max_steps=2
    )
    y = integrate(solver, lambda t, y, a: jnp.sin(50 * y) * 40, jnp.ones(2), 1.0)
    assert jnp.isnan(y).all()


@pytest.mark.parametrize("dt", [0.1, np.float64(0.1), np.float32(0.1), "array"])
@pytest.mark.parametrize("solver", [ExponentialEuler(), Heun(), dfx.Heun()], ids=repr)
def test_kinds_of_dt(solver, dt):
    dt = jnp.asarray(0.1) if isinstance(dt, str) else dt
    y = integrate(solver, lambda t, y, a: -y, jnp.ones(2, jnp.float32), dt)
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, np.exp(-0.1), atol=2e-4)


@each
def test_usable_solvers_pass(solver):
    check_solver(solver)
    assert isinstance(solver, AbstractLocalSolver) == type(solver).__module__.startswith("brainfn")


@pytest.mark.parametrize(
    ("solver", "error", "hint"),
    [
        (ExponentialEuler, TypeError, r"Try `ExponentialEuler\(\)`"),
        ("tsit5", TypeError, "Diffrax solver"),
        (None, TypeError, "Diffrax solver"),
        (dfx.SemiImplicitEuler(), TypeError, "one vector field"),
        (dfx.KenCarp3(root_finder=CHORD), TypeError, "one vector field"),
        (dfx.ItoMilstein(), TypeError, "one vector field"),
        (dfx.ImplicitEuler(), ValueError, r"optimistix.Chord\(rtol="),
        (dfx.Kvaerno5(), ValueError, r"diffrax.Kvaerno5\(root_finder="),
    ],
)
def test_wrong_solvers_are_named(solver, error, hint):
    with pytest.raises(error, match=rf"`solver`.*{hint}"):
        check_solver(solver)


@each
def test_args_may_be_a_function_that_holds_what_is_differentiated(solver):
    # How a neuron gets its synaptic drive: as a function of the potential.
    def end(g):
        def step(v, _):
            def drive(t, v):
                del t
                return -g * v

            def field(t, v, drive):
                return -(v + 60.0) / 20.0 + drive(t, v) / 200.0

            return integrate(solver, field, v, 0.5, drive), None

        return jax.lax.scan(step, jnp.full(3, -55.0), length=4)[0].sum()

    g = jnp.array([1.0, 5.0, 30.0])
    got = jax.jit(jax.grad(end))(g)
    h = 0.1 if isinstance(solver, dfx.AbstractImplicitSolver) else 1e-4
    for i, unit in enumerate(np.eye(3)):
        expected = (end(g + h * unit) - end(g - h * unit)) / (2 * h)
        # Central differences: h^2, eps / h, and the tolerance 1e-6 of an implicit solve over h.
        assert float(got[i]) == pytest.approx(float(expected), rel=1e-7 if h < 0.1 else 1e-3)
