"""Recorders that keep moments, against NumPy on the whole record; and joined stretches of time."""

import jax
import jax.numpy as jnp
import jax.random as jr
import jaxtyping
import numpy as np
import pytest

import brainfn as bf
from brainfn.neuron import LIF

DT = 0.1


def v(state, output):
    del output
    return state["exc"].v


def both(state, output):
    return {"v": state["exc"].v, "spikes": output["inh"]}


RECORD = {
    "v": v,
    "spikes": bf.record.Spikes(),
    "moments": bf.record.MeanVariance(both),
    "pairs": bf.record.Covariance(v),
    "bins": bf.record.Histogram(v, np.linspace(-62.0, -50.0, 13)),
    "rate": bf.record.Rate(),
    "intervals": bf.record.Intervals(),
}


@pytest.fixture(scope="module")
def records():
    """60 ms at once, and in three parts of which one has few spikes."""
    net = bf.Network({"exc": LIF(6, refractory=1.0), "inh": LIF(3)})
    drive = {"exc": jnp.linspace(150.0, 600.0, 6), "inh": jnp.array([-900.0, 250.0, 900.0])}
    noisy = {name: bf.input.OrnsteinUhlenbeck(300.0, 5.0, mean=x) for name, x in drive.items()}
    options = {"inputs": noisy, "dt": DT, "record": RECORD, "key": jr.key(1)}
    whole = bf.run(net, duration=240.0, progress=False, **options)
    parts, state = [], None
    for _ in range(3):
        out = bf.run(net, duration=80.0, progress=False, state=state, **options)
        parts.append(out.outputs)
        state = out.state
    return whole.outputs, parts


def test_moments_are_those_of_the_record(records):
    out, _ = records
    # Sums of 2400 terms in another order.
    ours = out["moments"]
    error = [ours.mean["v"] / out["v"].mean(axis=0) - 1, ours.std["v"] / out["v"].std(axis=0) - 1]
    np.testing.assert_allclose(error, 0, atol=1e-12)
    count = out["spikes"]["inh"].count
    np.testing.assert_allclose(ours.mean["spikes"], count / 2400, rtol=1e-12)
    # Relative to each: those near 0 are differences of larger terms.
    error = out["pairs"].covariance / np.cov(out["v"].T) - 1
    np.testing.assert_allclose(error, 0, atol=1e-9)
    error = out["pairs"].correlation - np.corrcoef(out["v"].T)
    np.testing.assert_allclose(error, 0, atol=1e-12)
    theirs = np.histogram(out["v"], np.linspace(-62.0, -50.0, 13))[0]
    error = np.asarray(out["bins"]) - theirs
    np.testing.assert_allclose(error, 0, atol=0)
    assert 0 < theirs.sum() <= out["v"].size


def test_rates_and_intervals_are_those_of_the_spikes(records):
    out, _ = records
    for name in ("exc", "inh"):
        trains = out["spikes"][name]
        error = out["rate"][name] - bf.measure.firing_rates(trains)
        np.testing.assert_allclose(error, 0, atol=1e-15)
        moments = out["intervals"]
        _, neurons = bf.measure.interspike_intervals(trains)
        np.testing.assert_array_equal(
            moments.count[name], np.bincount(neurons, minlength=trains.size)
        )
        np.testing.assert_array_equal(np.asarray(moments.first[name]) >= 0, trains.count > 0)
        ours, theirs = np.asarray(moments.cv[name]), bf.measure.cv_isi(trains)
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        np.testing.assert_allclose(np.nan_to_num(ours - theirs), 0, atol=1e-12)
    assert np.isfinite(out["intervals"].cv["exc"]).sum() >= 3
    assert not np.isfinite(out["intervals"].cv["inh"]).all()


def test_stretches_join_to_the_whole(records):
    out, parts = records
    for name in ("moments", "pairs", "intervals"):
        joined = parts[0][name].then(parts[1][name]).then(parts[2][name])
        other = parts[0][name].then(parts[1][name].then(parts[2][name]))
        for a, b, c in zip(*map(jax.tree.leaves, (joined, other, out[name])), strict=True):
            np.testing.assert_allclose(a, c, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(b, c, rtol=1e-10, atol=1e-12)


def test_single_precision_over_many_steps():
    # 4e5 steps of a large mean and a small deviation: a plain sum of squares has no digit left,
    # and one that is not compensated errs by 1e-3.
    x = 1000.0 + 0.1 * np.random.default_rng(0).normal(size=400_000).astype(np.float32)
    x = x.astype(np.float32)
    recorder = bf.record.MeanVariance(lambda state, output: output)
    clock = bf.Clock(jnp.asarray(0, jnp.int32), DT)

    @jax.jit
    def over(x):
        start = recorder.init(None, x[0])
        return recorder.finish(
            jax.lax.scan(lambda s, y: (recorder.update(s, None, y, clock), None), start, x)[0]
        )

    ours = over(jnp.asarray(x))
    exact = x.astype(np.float64)
    # Deviations are known to eps * 1000 / 0.1 = 6e-4 each, at random; their mean to far less.
    np.testing.assert_allclose(
        [float(ours.mean) / exact.mean() - 1, float(ours.variance) / exact.var() - 1], 0, atol=2e-4
    )


def test_covariance_has_the_gradient_of_the_correlation():
    x = jnp.asarray(np.random.default_rng(2).normal(size=(30, 3)))
    recorder = bf.record.Covariance(lambda state, output: output)
    clock = bf.Clock(jnp.asarray(0, jnp.int32), DT)

    def online(x):
        start = recorder.init(None, x[0])
        end, _ = jax.lax.scan(lambda s, y: (recorder.update(s, None, y, clock), None), start, x)
        return recorder.finish(end).correlation[0, 2]

    @jax.jit
    def gradients(x):
        plain = jax.grad(lambda x: bf.measure.functional_connectivity(x)[0, 2])
        return jax.grad(online)(x), plain(x)

    ours, theirs = gradients(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bf.record.MeanVariance("v"), "`function`"),
        (lambda: bf.record.Covariance(3), "`function`"),
        (lambda: bf.record.Covariance(lambda s, o: o[None]).init(None, jnp.ones(2)), "Covariance"),
        (lambda: bf.record.Histogram(v, [0.0, 0.0]), "`edges`"),
        (lambda: bf.record.Histogram(v, [1.0]), "`edges`"),
    ],
)
def test_wrong_recorders(call, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises((TypeError, ValueError), match=message):
        call()
