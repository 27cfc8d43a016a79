"""Losses against closed forms and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

from brainfn import learn, measure
from brainfn.record import SpikeTrains

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("reduce", ["max", "mean", "last", "sum", "each"])
def test_cross_entropy_and_accuracy(reduce):
    y = RNG.normal(size=(4, 7, 5))
    labels = np.array([0, 3, 4, 2], np.int32)
    scores = {
        "max": y.max(1), "mean": y.mean(1), "last": y[:, -1], "sum": y.sum(1), "each": y
    }[reduce]  # fmt: skip
    log_p = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    expected = [-log_p[i, ..., c].mean() for i, c in enumerate(labels)]
    ours = jax.vmap(lambda y, c: learn.cross_entropy(y, c, reduce))(y, labels)
    measured(
        "learn.cross_entropy", f"{reduce}", against="NumPy",
        error=ours - np.array(expected), bound=1e-12,  # same sums in another order
    )  # fmt: skip
    right = [(scores[i].argmax(-1) == c).mean() for i, c in enumerate(labels)]
    np.testing.assert_allclose(
        jax.vmap(lambda y, c: learn.accuracy(y, c, reduce))(y, labels), right
    )


def test_rates_and_their_error():
    s = jnp.asarray(RNG.random((20, 3)) < 0.3)
    rates = np.asarray(s).mean(0)
    expected = ((rates - [0.2, 0.8, 0.2]) ** 2).mean()
    np.testing.assert_allclose(learn.rate_error(s, 1), expected, rtol=1e-14)
    np.testing.assert_allclose(
        learn.cross_entropy(s, 1, "sum"),
        np.log(np.exp(20 * rates).sum()) - 20 * rates[1],
        rtol=1e-14,
    )


def test_first_spikes():
    s = np.zeros((6, 4))
    s[2:, 0] = 1
    s[0, 1] = s[5, 1] = s[5, 2] = 1
    t = np.array([1.0, 0.0, 2.5, 3.0])  # steps of 0.5 ms; the last is silent
    np.testing.assert_array_equal(learn.first_spike_times(jnp.asarray(s), 0.5), t)
    loss = learn.first_spike_loss(jnp.asarray(s), 2, tau=2.0, dt=0.5)
    np.testing.assert_allclose(loss, np.log(np.exp(-(t - t[2]) / 2).sum()), rtol=1e-14)
    # The derivative is that of the product, also where factors are 0.
    slope = jax.jacobian(lambda s: learn.first_spike_times(s, 0.5))(jnp.asarray(s))
    h = 1e-6
    for m, i in ((0, 0), (2, 0), (3, 0), (0, 1), (5, 1), (4, 3)):
        up, down = s.copy(), s.copy()
        up[m, i] += h
        down[m, i] -= h
        difference = [0.5 * np.cumprod(1 - x, axis=0).sum(0)[i] for x in (up, down)]
        np.testing.assert_allclose(
            slope[i, m, i], (difference[0] - difference[1]) / (2 * h), atol=1e-8
        )


def test_van_rossum():
    s = RNG.random((60, 5)) < 0.15
    s[:, 4] = False
    trains = SpikeTrains(*np.nonzero(s), size=5, start=0, stop=60, dt=0.5)
    tau, dt = 3.0, 0.5

    # Closed form: sums of exponentials of all differences of times.
    def kernel(a, b):
        t, u = np.flatnonzero(a) * dt, np.flatnonzero(b) * dt
        return np.exp(-np.abs(t[:, None] - u) / tau).sum()

    pairs = [(0, 1), (2, 3), (1, 4), (0, 0)]
    for i, j in pairs:
        a, b = s[:, i], s[:, j]
        expected = kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)
        ours = learn.van_rossum(jnp.asarray(a), jnp.asarray(b), tau=tau, dt=dt)
        measured(
            "learn.van_rossum", "squared distance", against="closed form",
            error=ours - expected, bound=1e-12,
        )  # fmt: skip
        d = measure.van_rossum_distance(trains, tau)[i, j]
        np.testing.assert_allclose(ours, d**2, atol=1e-12)
    both = learn.van_rossum(jnp.asarray(s), jnp.asarray(s[:, ::-1].copy()), tau=tau, dt=dt)
    each = [learn.van_rossum(jnp.asarray(s[:, i]), jnp.asarray(s[:, 4 - i]), tau=tau, dt=dt)
            for i in range(5)]  # fmt: skip
    np.testing.assert_allclose(both, np.mean(each), rtol=1e-13)
    x, y = jnp.asarray(RNG.normal(size=(2, 12, 2)))
    slope = jax.grad(lambda x: learn.van_rossum(x, y, tau=tau))(x)
    e = jnp.zeros_like(x).at[3, 1].set(1e-5)
    central = (learn.van_rossum(x + e, y, tau=tau) - learn.van_rossum(x - e, y, tau=tau)) / 2e-5
    np.testing.assert_allclose(slope[3, 1], central, rtol=1e-8)


def test_traces_and_bounds():
    x, y = RNG.normal(size=(2, 9, 2, 3))
    mask = np.arange(9) > 5
    np.testing.assert_allclose(
        learn.mean_squared_error(jnp.asarray(x), jnp.asarray(y)), ((x - y) ** 2).mean(), rtol=1e-14
    )
    np.testing.assert_allclose(
        learn.mean_squared_error(jnp.asarray(x), jnp.asarray(y), jnp.asarray(mask)),
        ((x - y)[mask] ** 2).mean(),
        rtol=1e-13,
    )
    n = jnp.asarray([0.0, 1.0, 10.0, 30.0])
    np.testing.assert_allclose(learn.lower_bound(n, 0.05, steps=100), (0.05**2 + 0.04**2) / 4)
    np.testing.assert_allclose(learn.upper_bound(n, 0.05, steps=100), (0.05**2 + 0.25**2) / 4)
    np.testing.assert_allclose(
        learn.upper_bound(n, 0.05, steps=100, each=False), (0.1025 - 0.05) ** 2
    )
    np.testing.assert_allclose(learn.lower_bound(n, 2), (4 + 1) / 4)
    assert learn.lower_bound(n.astype(jnp.float32), 2).dtype == jnp.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y: learn.readout(y, "maxx"), "Did you mean 'max'"),
        (lambda y: learn.cross_entropy(y, jnp.array(1.5)), "`label`"),
        (lambda y: learn.readout(y[:0]), "time as first axis"),
        (lambda y: learn.van_rossum(y, y[1:], tau=1.0), "`target`"),
        (lambda y: learn.mean_squared_error(y, y, jnp.ones(2)), "`mask`"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.ones((4, 3)))
