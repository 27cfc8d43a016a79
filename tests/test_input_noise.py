"""Random inputs against their moments, with bounds of five standard errors; and given signals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.units import Hz

DT = 0.1


def quiet(n, **options):
    return bf.neuron.LIF(n, v_threshold=1e6, **options)


def test_ornstein_uhlenbeck_has_its_moments():
    n, sigma, tau, tau_m = 20_000, 50.0, 5.0, 10.0
    noise = bf.input.OrnsteinUhlenbeck(sigma, tau, mean=20.0)
    state, clock = noise.init(n, key=jr.key(0)), bf.Clock(jnp.asarray(0, jnp.int32), 1.0)
    first = state
    for i in range(5):
        state, value = noise.step(state, clock, key=jr.fold_in(jr.key(1), i))
    # Stationary from the beginning; `value` is the state before its step, 4 ms after the first.
    for x in (np.asarray(first), np.asarray(value)):
        assert abs(x.mean() - 20.0) < 5 * sigma / np.sqrt(n)
        assert abs(x.std() - sigma) < 5 * sigma / np.sqrt(2 * n)
    correlation = np.corrcoef(first, value)[0, 1]
    assert abs(correlation - np.exp(-4.0 / tau)) < 5 / np.sqrt(n)

    cells = quiet(n, tau=tau_m)
    out = bf.simulate(
        cells, inputs=100.0 + bf.input.OrnsteinUhlenbeck(sigma, tau), duration=80.0, dt=DT,
        key=jr.key(2), record=bf.record.nothing,
    )  # fmt: skip
    v = np.asarray(out.state.model_state.v) + 60
    # From rest: exp(-8) of the mean is missing. The noise is held for each step: O(dt / tau).
    assert abs(v.mean() - 100.0 * tau_m / 200.0) < 5 * v.std() / np.sqrt(n) + 2e-3
    assert v.std() == pytest.approx(sigma * tau_m / 200 * np.sqrt(tau / (tau + tau_m)), rel=0.03)


def test_noise_goes_on_where_it_stopped():
    cells = quiet(3)
    options = {"inputs": bf.input.OrnsteinUhlenbeck(50.0, 5.0), "dt": DT, "key": jr.key(0)}
    whole = bf.simulate(cells, duration=10.0, **options).state
    first = bf.simulate(cells, duration=4.0, **options).state
    second = bf.simulate(cells, duration=6.0, state=first, **options).state
    np.testing.assert_array_equal(whole.model_state.v, second.model_state.v)
    with pytest.raises(ValueError, match="`key` is needed: OrnsteinUhlenbeck"):
        bf.simulate(cells, inputs=options["inputs"], duration=1.0, dt=DT)
    net = bf.Network({"a": cells})
    with pytest.raises(ValueError, match="needs to know how many neurons"):
        bf.simulate(net, inputs=options["inputs"], duration=1.0, dt=DT, key=jr.key(0))


def driven(n, tau=5.0):
    return bf.Network(
        {"p": bf.input.Signal(1), "e": quiet(n)},
        {
            "x": bf.Projection(
                "p",
                "e",
                bf.connect.AllToAll(),
                weight=1.0,
                synapse=bf.synapse.Exponential(tau),
                output=bf.synapse.Current(),
            )
        },
    )


def test_poisson_arrivals_are_counts():
    """Campbell's theorem, of events of 20 kHz: two in each step."""
    n, rate, w, tau = 20_000, 20.0, 3.0, 5.0
    inputs = {"e": bf.input.PoissonArrivals(rate, w, into="x")}
    state = bf.simulate(
        driven(n, tau), inputs=inputs, duration=60.0, dt=DT, key=jr.key(0), record=bf.record.nothing
    ).state.model_state
    g = np.asarray(state.synapse("x").g)
    # At the end of a step: events of m steps ago have decayed by exp(-(m + 1) dt / tau).
    decay = np.exp(-DT / tau)
    mean = rate * DT * w * decay / (1 - decay)
    variance = rate * DT * w**2 * decay**2 / (1 - decay**2)
    missing = mean * np.exp(-60.0 / tau)  # from before the beginning
    measured(
        "input.PoissonArrivals", "mean of a filtered train, in standard errors",
        against="Campbell's theorem",
        error=(g.mean() + missing - mean) / np.sqrt(variance / n), bound=5,
    )  # fmt: skip
    measured(
        "input.PoissonArrivals", "variance of a filtered train", against="Campbell's theorem",
        error=g.var() / variance - 1, bound=5 * np.sqrt(2 / n),
    )  # fmt: skip
    wrong = {"e": bf.input.PoissonArrivals(rate, w, into="y")}
    with pytest.raises(ValueError, match="`into` must name a projection onto 'e', got 'y'"):
        bf.simulate(driven(2), inputs=wrong, duration=1.0, dt=DT, key=jr.key(0))


def test_poisson_source_of_counts_and_what_is_lost_without():
    n, rate = 5000, 20.0
    out = bf.simulate(
        bf.input.Poisson(n, rate, counts=True), duration=5.0, dt=DT, key=jr.key(0)
    ).outputs
    total = float(out.sum())
    assert abs(total - n * rate * 5.0) < 5 * np.sqrt(n * rate * 5.0)
    assert float(out.max()) > 5
    with pytest.warns(UserWarning, match="of them are lost"):
        bf.simulate(bf.input.Poisson(2, rate), duration=1.0, dt=DT, key=jr.key(0))


def test_rate_may_be_driven():
    n = 2000
    net = bf.Network({"p": bf.input.Poisson(n, 5 * Hz), "q": bf.input.Poisson(n, 20 * Hz)})
    inputs = {"p": lambda t: jnp.where(t < 500.0, 15 * Hz, -1.0)}
    out = bf.simulate(net, inputs=inputs, duration=1000.0, dt=DT, key=jr.key(0)).outputs
    early, late = float(out["p"][:5000].sum()), float(out["p"][5000:].sum())
    expected = n * 20 * Hz * 500.0
    assert late == 0 and abs(early - expected) < 5 * np.sqrt(expected)
    # The other of its kind is not driven.
    expected = n * 20 * Hz * 1000.0
    assert abs(float(out["q"].sum()) - expected) < 5 * np.sqrt(expected)


def test_windows_are_exact_after_hours():
    step = round(3 * 3600e3 / DT)
    p = bf.input.Poisson(1, 1e6, start=(step + 10) * DT, stop=(step + 20) * DT)
    state = bf.Snapshot(p.init(), jnp.asarray(step, jnp.int32), DT)
    with pytest.warns(UserWarning, match="are lost"):
        out = bf.simulate(p, state=state, key=jr.key(0), duration=5.0, dt=DT).outputs
    assert np.flatnonzero(np.asarray(out)[:, 0]).tolist() == list(range(10, 20))


def test_given_spikes():
    times, units = [0.5, 0.1, 0.1, 0.14, 2.0], [1, 0, 0, 2, 1]
    out = bf.simulate(bf.input.SpikeTimes(3, times, units), duration=2.0, dt=DT).outputs
    expected = np.zeros((20, 3))
    np.add.at(expected, ([5, 1, 1, 1], [1, 0, 0, 2]), 1)
    np.testing.assert_array_equal(out, expected)
    # NEST stamps with the end of the step.
    out = bf.simulate(
        bf.input.SpikeTimes(3, times, units, stamp="end"), duration=2.0, dt=DT
    ).outputs
    expected = np.zeros((20, 3))
    np.add.at(expected, ([4, 0, 0, 1, 19], [1, 0, 0, 2, 1]), 1)
    np.testing.assert_array_equal(out, expected)
    for call, match in (
        (lambda: bf.input.SpikeTimes(3, [1.0], [3]), r"`units` must lie in \[0, 3\)"),
        (lambda: bf.input.SpikeTimes(3, [-1.0], [0]), "`times` must be finite and not negative"),
        (lambda: bf.input.SpikeTimes(3, [1.0, 2.0], [0]), "`times` and `units` must be lists"),
        (lambda: bf.input.SpikeTimes(3, [1.0], [0], stamp="middle"), "`stamp` must be"),
    ):
        with pytest.raises(ValueError, match=match):
            call()


def test_signal_and_noise_in_float32():
    with jax.numpy_dtype_promotion("standard"):
        net = bf.astype(driven(3), jnp.float32)
        inputs = {"e": bf.input.OrnsteinUhlenbeck(jnp.float32(5.0), jnp.float32(5.0))}
        out = bf.simulate(net, inputs=inputs | {"p": 2.0}, duration=2.0, dt=DT, key=jr.key(0))
    assert out.state["e"].v.dtype == jnp.float32
    assert bool(jnp.all(jnp.isfinite(out.state["e"].v)))
    assert eqx.tree_equal(out.outputs["p"][:, 0] == 2.0, jnp.ones(20, bool))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_rarest_normal_numbers_are_finite(dtype):
    """One of 2^24 draws has all bits set: in float32 it was infinite once."""
    ends = [bf.random._gauss((jnp.uint32(w), jnp.uint32(w)), dtype) for w in (0, 2**32 - 1)]
    assert np.isfinite(ends[0]) and float(ends[0]) == -float(ends[1])
