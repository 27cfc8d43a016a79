"""Decision networks: the spiking one against a NumPy loop of its equations, the reduced one
against SciPy, and what both are known for."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.units import Hz
from brainfn.zoo import _decisions as decisions
from brainfn.zoo._wang import run_wang2002
from brainfn.zoo._wong_wang import run_wong_wang

# Of the paper, in nA, Hz and s.
A, B, D, GAMMA, TAU = 270.0, 108.0, 0.154, 0.641, 0.1
SELF, OTHER, BACKGROUND, GAIN = 0.2609, 0.0497, 0.3255, 5.2e-4


def slope(s, mu):
    """ds/dt per second of the two gates, without noise."""
    u = A * (SELF * s - OTHER * s[::-1] + BACKGROUND + GAIN * mu) - B
    return -s / TAU + (1 - s) * GAMMA * u / -np.expm1(-D * u)


def test_reduced_model_follows_scipy():
    from scipy.integrate import solve_ivp

    def field(t, s):
        c = np.array([1.128, 0.872]) if t >= 0.2 else np.zeros(2)
        u = A * (SELF * s - OTHER * s[::-1] + BACKGROUND + GAIN * 30 * c) - B
        return -s / TAU + (1 - s) * GAMMA * u / -np.expm1(-D * u)

    exact, start = np.zeros((0, 2)), np.zeros(2)
    for window in ((0, 0.2 - 1e-12), (0.2, 1.0)):
        points = np.linspace(0.1, 0.2, 2) if not exact.size else np.linspace(0.3, 1.0, 8)
        found = solve_ivp(
            field, window, start, t_eval=np.minimum(points, window[1]), rtol=1e-10, atol=1e-12
        )
        exact, start = np.concatenate([exact, found.y.T]), found.y[:, -1]
    network, inputs = bf.zoo.wong_wang(12.8, start=200.0, stop=1e4, noise=False)
    errors = []
    for dt in (0.2, 0.1):
        out = bf.simulate(
            network,
            inputs=inputs,
            duration=1000.0,
            dt=dt,
            record=lambda state, output: state["pools"].s,
            every=round(100 / dt),
        )
        errors.append(float(np.max(np.abs(np.asarray(out.outputs) - exact))))
    # The pools act on each other with the delay of one step: order one.
    assert 1.8 < errors[0] / errors[1] < 2.2
    measured(
        ["rate.WongWang"], "gates at 1 s, steps of 0.1 ms", against="SciPy at 1e-10",
        error=errors[1], bound=2e-3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mu", "symmetric"), [(10.67680576, 0.14401054), (43.01818678, 0.53090135)]
)
def test_pitchforks_of_the_symmetric_state(mu, symmetric):
    """Where the symmetric state loses its stability and wins it back: the derivative of its
    antisymmetric direction, by our own vector field, is zero there."""
    unit = bf.rate.WongWang(1)

    def field(s, other, mu):
        current = 1e3 * (SELF * s - OTHER * other + BACKGROUND + GAIN * mu)
        return (1 - s) * unit.gamma * unit.rate(current) - s / unit.tau

    s = jnp.asarray(symmetric)
    own, others = jax.grad(field, (0, 1))(s, s, mu)
    # The reference has eight digits.
    np.testing.assert_allclose(field(s, s, mu), 0.0, atol=1e-9)
    np.testing.assert_allclose(own - others, 0.0, atol=1e-8)


def test_attractors():
    """Without a stimulus: the resting state and either winner; with 30 Hz only the winners; above
    the upper pitchfork the symmetric state again."""
    from scipy.optimize import fsolve

    starts = jnp.asarray([[0.05, 0.05], [0.7, 0.05], [0.05, 0.7], [0.06, 0.05]])
    ends = {}
    for mu in (0.0, 30.0, 60.0):
        network, inputs = bf.zoo.wong_wang(0.0, start=0.0, stop=1e4, stimulus=mu * Hz, noise=False)

        def end(s, network=network, inputs=inputs):
            net = eqx.tree_at(lambda n: n.populations["pools"].s_init.value, network, s)
            return bf.simulate(
                net, inputs=inputs, duration=8000.0, dt=1.0, record=bf.record.nothing
            ).state["pools"].s  # fmt: skip

        ends[mu] = np.asarray(jax.vmap(end)(starts))
    for mu, found in ends.items():
        for s in found[1:]:
            # Fixed points do not depend on the step.
            np.testing.assert_allclose(s, fsolve(slope, s, (mu,), xtol=1e-9), atol=1e-6)
    assert np.all(ends[0.0][0] < 0.2) and ends[0.0][1, 0] > 0.5 > ends[0.0][1, 1]
    assert ends[30.0][3, 0] > 0.6 and ends[30.0][3, 1] < 0.1
    np.testing.assert_allclose(ends[30.0][1], ends[30.0][2][::-1], atol=1e-6)
    # Beyond the upper pitchfork, which is subcritical, both are stable.
    np.testing.assert_allclose(ends[60.0][3, 0], ends[60.0][3, 1], atol=1e-6)
    assert ends[60.0][1, 0] > 0.6 and ends[60.0][1, 1] < 0.2


def test_reduced_decisions():
    trials = run_wong_wang(2500.0, 0.5, jax.random.key(0), decisions.COHERENCES, 100)
    found = decisions.figures(trials)
    # 100 fair coins: four standard deviations.
    assert abs(found["chance"] - 0.5) < 0.2
    assert found["sure"] == 1.0
    right, times = trials.right.mean(1), np.nanmean(trials.times, 1)
    assert right[1] < right[3] and np.all(np.diff(right[1:]) > -0.1)
    assert np.all(np.diff(times[[0, 3, 4, 5]]) < 0)
    assert 1.0 < found["alpha"] < 12.0 and found["spontaneous"] < 4.0
    assert decisions.draw(trials, "title", None).axes[1].lines


def test_weibull_fit_finds_what_was_drawn():
    rng = np.random.default_rng(0)
    c = np.array(decisions.COHERENCES)
    p = decisions.weibull(c, 9.0, 1.5)
    alpha, beta = decisions.fit_weibull(c, rng.random((6, 20000)) < p[:, None])
    # 20 000 trials each: a per cent of the threshold, twice that of the slope, times three.
    np.testing.assert_allclose([alpha, beta], [9.0, 1.5], rtol=0.05)


def test_spiking_network_against_the_loop():
    """Rates of the pools in windows of 250 ms: four trials each of NumPy and of ours."""
    theirs = json.loads((Path(__file__).parent / "oracle" / "wang2002.json").read_text())["51.2"]
    trials = run_wang2002(1.0, 1500.0, 0.25, jax.random.key(1), (51.2,), 3)
    assert trials.right.all() and np.all(trials.times < 600)
    theirs = np.array(theirs)  # trials, windows, populations
    rates = trials.rates[0] / Hz  # trials, bins of 5 ms that end at ts
    for window, bound in ((1, 1.0), (3, 7.0)):
        # Rates of sliding windows of 50 ms that lie within.
        inside = (trials.ts >= 250 * window + 50) & (trials.ts <= 250 * (window + 1))
        ours, wanted = rates[:, inside].mean(1), theirs[:, window, :2]
        spread = np.maximum(wanted.std(0, ddof=1), ours.std(0, ddof=1))
        # Means of three and of four trials; but rates rise, and the middle of windows is seen.
        assert np.all(np.abs(ours.mean(0) - wanted.mean(0)) < np.minimum(bound, 4 * spread))
    assert 20 < trials.rates.max() / Hz < 45
