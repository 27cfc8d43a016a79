"""Statistics against closed forms and counting by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured
from _oracle_statistics import load_statistics

import brainfn as bf
from brainfn.units import Hz

RNG_SEED = 7


def trains(pairs, size=2, dt=0.5, start=0, stop=20):
    steps, neurons = zip(*pairs, strict=True) if pairs else ((), ())
    return bf.measure.from_events(
        list(steps), list(neurons), size=size, dt=dt, start=start, stop=stop
    )


def poisson(rate, size, steps, dt=0.1):
    rng = np.random.default_rng(RNG_SEED)
    return bf.measure.from_dense(rng.random((steps, size)) < rate * dt, dt=dt)


def by_hand(name, ours, expected, bound=1e-14):
    """Against a value worked out by hand; by default up to rounding."""
    error = np.asarray(ours, float) - np.asarray(expected)
    measured(f"measure.{name}", "small example", against="by hand", error=error, bound=bound)


# Neuron 0 at 1, 2, 4, 8 ms; neuron 1 at 0.5 ms; a window of 10 ms.
HAND = [(16, 0), (2, 0), (1, 1), (8, 0), (4, 0)]


def test_rates_by_hand():
    spikes = trains(HAND)
    by_hand("firing_rates", bf.measure.firing_rates(spikes), [0.4, 0.1])
    by_hand("mean_rate", bf.measure.mean_rate(spikes), 0.25)


def test_intervals_by_hand():
    intervals, neurons = bf.measure.interspike_intervals(trains(HAND))
    by_hand("interspike_intervals", intervals, [1.0, 2.0, 4.0])
    # Given in any order, sorted by time and then by neuron.
    by_hand("from_events", trains(HAND).steps, [1, 2, 4, 8, 16], bound=0)
    np.testing.assert_array_equal(neurons, [0, 0, 0])


def test_cv_by_hand():
    # Intervals 1, 2, 4: mean 7/3, variance 21/3 - 49/9 = 14/9.
    cv = bf.measure.cv_isi(trains(HAND))
    by_hand("cv_isi", cv[0], np.sqrt(14 / 9) / (7 / 3))
    assert np.isnan(cv[1])


def test_cv_needs_enough_spikes():
    assert np.isnan(bf.measure.cv_isi(trains(HAND), minimum=5)).all()


def test_local_variation_by_hand():
    # ((1-2)/(1+2))^2 = ((2-4)/(2+4))^2 = 1/9.
    lv = bf.measure.local_variation(trains(HAND))
    np.testing.assert_allclose(lv, [1 / 3, np.nan], rtol=1e-14)


def test_a_clock_has_no_variation():
    clock = trains([(s, 1) for s in range(0, 20, 4)])
    np.testing.assert_allclose(bf.measure.cv_isi(clock)[1], 0.0, atol=1e-15)
    np.testing.assert_allclose(bf.measure.local_variation(clock)[1], 0.0, atol=1e-15)


def test_poisson_spikes_have_cv_lv_and_fano_of_one():
    # 200 neurons, 20 Hz, 20 s: 400 intervals each, so the mean of a CV over neurons has a standard
    # error of about 1/sqrt(2 * 80000) = 0.0025, and a bias of order 1/400; the Fano factor of
    # 10000 bins one of sqrt(2/10000) = 0.014. Four of them.
    spikes = poisson(20 * Hz, 200, 200_000)
    assert np.nanmean(bf.measure.cv_isi(spikes)) == pytest.approx(1.0, abs=0.015)
    assert np.nanmean(bf.measure.local_variation(spikes)) == pytest.approx(1.0, abs=0.015)
    assert bf.measure.fano_factor(spikes, 2.0) == pytest.approx(1.0, abs=0.06)
    assert bf.measure.correlation(spikes, 2.0) == pytest.approx(0.0, abs=1e-3)


def test_spike_counts_tile_the_window_from_its_start():
    spikes = trains([(3, 0), (5, 0), (6, 1), (9, 0)], start=3, stop=10)
    # Bins of 3 steps from step 3: [3, 6), [6, 9); the rest is dropped.
    by_hand("spike_counts", bf.measure.spike_counts(spikes, 1.5), [2, 1])


def test_population_rate_by_hand():
    centres, rate = bf.measure.population_rate(trains(HAND), 5.0)
    np.testing.assert_allclose(centres, [2.5, 7.5], rtol=1e-15)
    by_hand("population_rate", rate, [4 / 10, 1 / 10])


def test_fano_factor_by_hand():
    # Counts 4 and 1: mean 2.5, variance 2.25.
    by_hand("fano_factor", bf.measure.fano_factor(trains(HAND), 5.0), 0.9)
    assert np.isnan(bf.measure.fano_factor(trains([]), 5.0))


def test_correlation_equals_the_mean_of_all_pairs():
    rng = np.random.default_rng(RNG_SEED)
    common = rng.random((4000, 1)) < 0.1
    dense = (rng.random((4000, 6)) < 0.1) | (common & (rng.random((4000, 6)) < 0.5))
    dense[:, 3] = False
    spikes = bf.measure.from_dense(dense, dt=0.1)
    counts = dense.reshape(-1, 5, 6).sum(axis=1)[:, [0, 1, 2, 4, 5]]
    pairs = np.corrcoef(counts.T)[np.triu_indices(5, 1)]
    # The same sums in another order.
    error = bf.measure.correlation(spikes, 0.5) / pairs.mean() - 1
    measured("measure.correlation", "10 pairs", against="NumPy", error=error, bound=1e-10)


def test_identical_neurons_are_fully_correlated():
    spikes = trains([(s, i) for s in (1, 5, 6, 14) for i in range(2)])
    assert bf.measure.correlation(spikes, 1.0) == pytest.approx(1.0, rel=1e-12)
    assert np.isnan(bf.measure.correlation(trains(HAND[:1]), 1.0))


def test_chi():
    wave = np.sin(np.arange(1000) * 0.1)
    assert bf.measure.chi(np.repeat(wave[:, None], 5, axis=1)) == pytest.approx(1.0, rel=1e-12)
    # Independent noise: 1/sqrt(N), the variance of the mean is known to sqrt(2/20000) = 1 %.
    noise = np.random.default_rng(RNG_SEED).normal(size=(20_000, 100))
    error = bf.measure.chi(noise) / 0.1 - 1
    measured("measure.chi", "independent noise", against="closed form", error=error, bound=0.03)
    # Opposite phases cancel.
    assert bf.measure.chi(np.stack([wave, -wave], axis=1)) == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(bf.measure.chi(np.zeros((3, 2))))


def test_all_forms_of_spikes_agree():
    rng = np.random.default_rng(RNG_SEED)
    dense = rng.random((50, 13)) < 0.1
    a = bf.measure.from_dense(dense, dt=0.1, start=4)
    ts = np.arange(4, 54) * 0.1
    times, neurons = bf.record.spike_times(bf.record.pack_spikes(jnp.asarray(dense)), ts, 13)
    b = bf.measure.from_times(times, neurons, size=13, dt=0.1, duration=5.4)
    np.testing.assert_array_equal(a.neurons, b.neurons)
    for name, ours in (("from_dense", a), ("from_times", b)):
        by_hand(name, [ours.steps - 4, ours.neurons], np.nonzero(dense), bound=0)


def test_window_is_half_open_and_parts_make_the_whole():
    spikes = poisson(200 * Hz, 20, 1000)
    first, second = bf.measure.window(spikes, 0.0, 30.0), bf.measure.window(spikes, 30.0)
    assert first.steps.size + second.steps.size == spikes.steps.size
    assert first.steps.max() < 300 <= second.steps.min()
    by_hand("window", first.steps, spikes.steps[spikes.steps < 300], bound=0)
    assert (second.stop - second.start) * second.dt == pytest.approx(70.0)


def test_concatenated_populations_keep_their_neurons_apart():
    a, b = trains(HAND), trains(HAND[:2])
    both = bf.measure.pool([a, b])
    assert both.size == 4
    by_hand("pool", both.neurons, [1, 0, 2, 0, 0, 0, 2], bound=0)
    with pytest.raises(ValueError, match="share their `dt`"):
        bf.measure.pool([a, trains([], dt=0.1)])


def test_equals_the_statistics_that_the_oracles_were_measured_with():
    reference = load_statistics()
    rng = np.random.default_rng(RNG_SEED)
    dense = rng.random((12_000, 50)) < rng.random(50) * 0.004
    dense[5000:5003] |= rng.random((3, 50)) < 0.2
    whole = bf.measure.from_dense(dense, dt=0.1)
    expected = reference.spike_statistics(
        whole.steps, whole.neurons, n_exc=40, n_inh=10, dt=0.1, window=(200.0, 1200.0)
    )
    window = bf.measure.window(whole, 200.0, 1200.0)
    cv = bf.measure.cv_isi(window)
    # The same sums in another order.
    assert np.nanmean(cv) == pytest.approx(expected["cv"], rel=1e-12)
    assert np.nanmean(cv[:40]) == pytest.approx(expected["cv_exc"], rel=1e-12)
    assert np.sum(~np.isnan(cv)) == expected["cv_neurons"]
    assert bf.measure.fano_factor(window, 2.0) == pytest.approx(expected["fano"], rel=1e-12)
    rates = bf.measure.firing_rates(window) / Hz
    assert rates[:40].mean() == pytest.approx(expected["rate_exc"], rel=1e-12)
    assert rates[40:].mean() == pytest.approx(expected["rate_inh"], rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": [1, 2, 3]}, "equal length"),
        ({"steps": [1.0, 2.0]}, "`steps` must be a list of whole numbers"),
        ({"steps": [1, 20]}, r"`steps` must lie in \[start, stop\)"),
        ({"neurons": [0, 2]}, r"`neurons` must lie in \[0, size\)"),
        ({"neurons": [-1, 0]}, r"`neurons` must lie in \[0, size\)"),
        ({"size": 0}, "`size` must be at least 1"),
        ({"dt": 0.0}, "`dt` must be positive"),
        ({"stop": 0}, "`stop` must come after `start`"),
    ],
)
def test_wrong_trains_raise(change, message):
    arguments = {"steps": [1, 2], "neurons": [0, 1], "size": 2, "dt": 0.1, "start": 0, "stop": 20}
    arguments |= change
    with pytest.raises((TypeError, ValueError), match=message):
        bf.measure.from_events(arguments.pop("steps"), arguments.pop("neurons"), **arguments)


def test_wrong_measures_raise():
    spikes = trains(HAND)
    with pytest.raises(ValueError, match="`bin_size` must be a whole number of steps"):
        bf.measure.spike_counts(spikes, 0.7)
    with pytest.raises(ValueError, match="`bin_size` must not exceed the window"):
        bf.measure.spike_counts(spikes, 50.0)
    with pytest.raises(ValueError, match="`minimum` must be at least 3"):
        bf.measure.cv_isi(spikes, minimum=2)
    with pytest.raises(ValueError, match="within the observed window"):
        bf.measure.window(spikes, 2.0, 100.0)
    with pytest.raises(ValueError, match=r"`spikes` must have shape \(time, n\)"):
        bf.measure.from_dense(np.zeros(4), dt=0.1)
    with pytest.raises(ValueError, match="`times` must be finite"):
        bf.measure.from_times([np.nan], [0], size=1, dt=0.1, duration=1.0)
    with pytest.raises(ValueError, match="`populations` must hold at least one"):
        bf.measure.pool([])
