"""Random spike trains against the statistics of their processes."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from _measured import measured

import brainfn as bf
from brainfn.units import Hz

DT = 0.1


def spikes(source, duration, seed=0, inputs=None, dt=DT):
    out = bf.simulate(source, inputs=inputs, duration=duration, dt=dt, key=jr.key(seed))
    return np.asarray(out.outputs)


def intervals(out, most, seed=0):
    """The first `most` intervals of each train: without a bias, since all trains have as many.

    A spike lies anywhere within its step, so a uniform number is added; what remains is of second
    order in rate times step.
    """
    rng = np.random.default_rng(seed)
    found = []
    for train in out.T:
        times = (np.flatnonzero(train) + rng.random(int(train.sum()))) * DT
        assert len(times) > most
        found.append(np.diff(times)[:most])
    return np.array(found)


def test_gamma_numbers():
    shapes = np.repeat([0.3, 1.0, 2.5, 40.0], 20_000)
    x = np.asarray(bf.random.gamma(jr.key(0), shapes, shapes.size)).reshape(4, -1)
    for shape, sample in zip((0.3, 1.0, 2.5, 40.0), x, strict=True):
        # Kolmogorov and Smirnov, at a level of 1e-3.
        assert scipy.stats.kstest(sample, "gamma", (shape,)).pvalue > 1e-3
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        narrow = np.asarray(bf.random.gamma(jr.key(0), 2.5, 1000))
    assert narrow.dtype == np.float32
    assert scipy.stats.kstest(narrow, "gamma", (2.5,)).pvalue > 1e-3


def test_gamma_process():
    n, rate, duration, most = 200, 0.1, 800.0, 40
    shapes = np.array([0.5, 1.0, 4.0, 16.0])
    source = bf.input.GammaProcess(4 * n, rate, np.repeat(shapes, n))
    out = spikes(source, duration)
    for i, k in enumerate(shapes):
        trains = out[:, i * n : (i + 1) * n]
        # The rate, over all and from the beginning: in equilibrium it is exact for any window.
        for window in (trains, trains[:50]):
            count = window.sum(0)
            error = count.mean() - rate * len(window) * DT
            measured(
                "input.GammaProcess", f"count, shape {k:g}", against="closed form",
                error=error, bound=5 * count.std() / np.sqrt(n),
            )  # fmt: skip
        delta = intervals(trains, most)
        # The number of intervals is n * most; the variance of a sample CV from its kurtosis.
        sample = delta.ravel()
        cv = sample.std() / sample.mean()
        parts = delta.std(1) / delta.mean(1)
        if k >= 1:  # below, intervals shorter than a step are common
            measured(
                "input.GammaProcess", f"CV, shape {k:g}", against="closed form",
                error=cv - 1 / np.sqrt(k), bound=5 * parts.std() / np.sqrt(n),
            )  # fmt: skip
            assert scipy.stats.kstest(sample, "gamma", (k, 0, 1 / (k * rate))).pvalue > 1e-3
        # Intervals are independent: serial correlation.
        serial = np.corrcoef(delta[:, :-1].ravel(), delta[:, 1:].ravel())[0, 1]
        assert abs(serial) < 5 / np.sqrt(sample.size) + 1 / most


def test_poisson_with_dead_time():
    n, rate, duration, most = 200, 0.1, 800.0, 40
    dead = np.array([0.0, 2.0, 5.0, 8.0])
    out = spikes(bf.input.PoissonDeadTime(4 * n, rate, np.repeat(dead, n)), duration)
    for i, d in enumerate(dead):
        trains = out[:, i * n : (i + 1) * n]
        for window in (trains, trains[:50]):
            count = window.sum(0)
            error = count.mean() - rate * len(window) * DT
            # Without a dead time a second spike in a step is lost: r dt / 2.
            bound = (
                5 * count.std() / np.sqrt(n) + (d == 0) * rate * DT / 2 * rate * len(window) * DT
            )
            measured(
                "input.PoissonDeadTime", f"count, dead time {d:g}", against="closed form",
                error=error, bound=bound,
            )  # fmt: skip
        delta = intervals(trains, most)
        sample, parts = delta.ravel(), delta.std(1) / delta.mean(1)
        measured(
            "input.PoissonDeadTime", f"CV, dead time {d:g}", against="closed form",
            error=sample.std() / sample.mean() - (1 - rate * d), bound=5 * parts.std() / np.sqrt(n),
        )  # fmt: skip
        assert sample.min() >= d - DT
        if d > 0:
            scale = (1 - rate * d) / rate
            # The two ends of an interval were moved within their steps, by a triangular number.
            sure = sample[sample > d + DT] - (d + DT)
            assert scipy.stats.kstest(sure, "expon", (0, scale)).pvalue > 1e-3
    # Just below 1 / dead_time: a clock.
    with pytest.raises(ValueError, match="`rate` must be below 1 / `dead_time`"):
        bf.input.PoissonDeadTime(1, 0.5, 2.0)
    regular = spikes(bf.input.PoissonDeadTime(5, 0.1, 5.0), 100.0, inputs=bf.input.Constant(1.0))
    assert all(set(np.diff(np.flatnonzero(train))) <= {50, 51} for train in regular.T[:, 100:])


def test_rates_that_vary_stretch_time():
    """The expected count is the integral of the rate, for every process in equilibrium."""
    n, duration = 2000, 100.0
    rate = 0.02 + bf.input.Sine(0.015, 20 * Hz)
    steps = np.arange(1000)
    expected = 0.02 + 0.015 * np.sin(2 * np.pi * 0.02 * steps * DT)
    for source, inputs in (
        (bf.input.InhomogeneousPoisson(n, rate), None),
        (bf.input.GammaProcess(n, 0.02, 4.0), bf.input.Sine(0.015, 20 * Hz)),
    ):
        out = spikes(source, duration, inputs=inputs)
        for part in np.split(steps, 4):
            count = out[part].sum(0)
            mean = expected[part].sum() * DT
            # At most one spike in a step: r dt / 2 = 1.8e-3 of a Poisson process are lost.
            measured(
                f"input.{type(source).__name__}", "count in a quarter of the cycle",
                against="integral of the rate", error=count.mean() / mean - 1,
                bound=5 * count.std() / np.sqrt(n) / mean + 0.035 * DT / 2,
            )  # fmt: skip
    # All events where they are counted; of a rate for each train, and one that is negative.
    many = bf.input.InhomogeneousPoisson(
        3, bf.input.Constant(np.array([0.0, 30.0, 200.0])) * (lambda t: jnp.where(t < 50, 1, -1)),
        counts=True,
    )  # fmt: skip
    count = spikes(many, duration)
    assert not count[500:].any()
    mean = np.array([0.0, 30.0, 200.0]) * 50
    np.testing.assert_array_less(np.abs(count.sum(0) - mean), 5 * np.sqrt(mean) + 1e-9)


@pytest.mark.parametrize("kind", ["MultipleInteraction", "SingleInteraction"])
def test_correlated_trains(kind):
    n, rate, duration, blocks = 12, 0.2, 4000.0, 40
    for c in (0.0, 0.4, 1.0):
        source = getattr(bf.input, kind)(n, rate, c)
        out = spikes(source, duration).astype(float)
        p = -np.expm1(-rate * DT)
        cells = out.reshape(blocks, -1, n)
        # Errors from the scatter of blocks, each of 1000 steps.
        measured(
            f"input.{kind}", f"rate, c = {c}", against="closed form",
            error=cells.mean() / p - 1, bound=5 * cells.mean((1, 2)).std() / p / np.sqrt(blocks),
        )  # fmt: skip
        centred = cells - p
        total = centred.sum(2)
        covariance = ((total**2).mean(1) - (centred**2).mean(1).sum(1)) / (n * (n - 1))
        correlation = covariance / (p * (1 - p))
        exact = np.expm1(c * rate * DT) / np.expm1(rate * DT)
        assert abs(exact - c) < rate * DT
        measured(
            f"input.{kind}", f"correlation of pairs, c = {c}", against="closed form",
            error=correlation.mean() - exact, bound=5 * correlation.std() / np.sqrt(blocks) + 1e-12,
        )  # fmt: skip
        if c == 1.0:
            np.testing.assert_array_equal(out, np.broadcast_to(out[:, :1], out.shape))
        if c == 0.4:
            # How many spike together: all of them with probability c r dt, or c^n of the events.
            together = (out.sum(1) == n).mean()
            expected = -np.expm1(-c * rate * DT) if kind[0] == "S" else rate / c * DT * c**n
            sigma = np.sqrt(max(expected, 1e-4) / len(out))
            assert abs(together - expected) < 5 * sigma + 1e-3 * expected


def test_correlated_rate_may_be_driven():
    source = bf.input.MultipleInteraction(4, 0.0, 0.5)
    out = spikes(source, 100.0, inputs=lambda t: jnp.where(t < 50.0, 0.5, -0.5))
    assert out[:500].sum() > 50 and not out[500:].any()


def test_one_mean_for_all_gives_the_numbers_of_many_equal_ones():
    """Bit for bit, so that populations stored together draw the same as separately."""
    draw = jax.jit(lambda key, mean: bf.random.poisson(key, mean, 2000))
    for i, mean in enumerate((0.0, 0.01, 1.3, 2.32, 9.99, 10.0, 40.0)):
        key, one = jax.random.key(i), np.float32(mean)
        np.testing.assert_array_equal(draw(key, one), draw(key, np.full(2000, one)))
