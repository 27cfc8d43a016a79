"""Statistics against closed forms, hand-made cases, SciPy, and processes of known parameters."""

import math

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
import scipy.signal
import scipy.special
import scipy.stats
from _measured import measured

import brainfn as bf
from brainfn.units import Hz

M = bf.measure
CLOSED = "closed form"


def trains(*times, dt=1.0, stop=100, start=0):
    """Neurons with spikes at these steps."""
    neurons = np.repeat(np.arange(len(times)), [len(t) for t in times])
    steps = np.concatenate([np.asarray(t, int) for t in times])
    return M.from_events(steps, neurons, size=len(times), dt=dt, start=start, stop=stop)


def by_hand(name, ours, expected, bound=0):
    """Whole numbers that were counted by hand."""
    error = np.asarray(ours, float) - np.asarray(expected)
    measured(f"measure.{name}", "small example", against="by hand", error=error, bound=bound)


@pytest.fixture(scope="module")
def poisson():
    """200 neurons of 20 Hz over 20 s."""
    rng = np.random.default_rng(7)
    return M.from_dense(rng.random((200_000, 200)) < 20 * Hz * 0.1, dt=0.1)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).normal(size=(4096, 3))


# --- intervals, counts and rates


def test_intervals_of_poisson_spikes(poisson):
    # 80 000 intervals, four standard errors of the mean over them: CV2 and LvR have a standard
    # deviation of about 0.6 and 1.1 for a pair; serial correlations have one of 1/sqrt(80 000).
    error = np.nanmean(M.cv2(poisson)) - 1
    measured("measure.cv2", "Poisson, mean of 200 neurons", against=CLOSED, error=error, bound=0.01)
    ours = np.nanmean(M.revised_local_variation(poisson, refractory=0.0))
    measured("measure.revised_local_variation", "Poisson", against=CLOSED, error=ours - 1,
             bound=0.016)  # fmt: skip
    ours = np.nanmean(M.isi_correlation(poisson))
    # Pairs from 400 intervals have a bias of -1/400.
    measured("measure.isi_correlation", "Poisson", against=CLOSED, error=ours, bound=0.017)
    third, _ = M.interspike_intervals(poisson, order=3)
    # Gamma distributed: their CV is 1/sqrt(3).
    error = third.std() / third.mean() * math.sqrt(3) - 1
    measured("measure.interspike_intervals", "CV of third order", against=CLOSED, error=error,
             bound=0.02)  # fmt: skip


def test_intervals_by_hand():
    two = trains([0, 10, 15, 25, 30, 40, 45], [1, 2])
    # 10, 5, 10, 5, ...: each pair differs by a third of its sum.
    np.testing.assert_allclose(M.cv2(two), [2 / 3, np.nan], rtol=1e-14)
    np.testing.assert_allclose(
        M.revised_local_variation(two, refractory=3.0)[0], 3 * (1 / 9) * (1 + 12 / 15), rtol=1e-14
    )
    np.testing.assert_allclose(M.isi_correlation(two), [-1.0, np.nan], rtol=1e-12)
    np.testing.assert_allclose(M.isi_correlation(two, lag=2), [1.0, np.nan], rtol=1e-12)
    assert np.isnan(M.isi_correlation(trains(range(0, 90, 7)))).all()
    centres, number = M.isi_histogram(two, 5.0, maximum=15.0)
    np.testing.assert_allclose(centres, [2.5, 7.5, 12.5])
    by_hand("isi_histogram", number, [1, 3, 3])
    np.testing.assert_array_equal(M.interspike_intervals(two, order=2)[0], [15.0] * 5)


def test_selected_neurons_are_numbered_anew():
    three = trains([1, 5], [2, 5], [0, 5])
    some = M.select(three, [2, 0])
    by_hand("select", [some.steps, some.neurons], [[0, 1, 5, 5], [0, 1, 0, 1]])
    assert M.select(three, slice(1, None)).size == 2


def test_counts_by_hand(poisson):
    two = trains([0, 1, 5], [5, 9, 9 + 1], stop=12)
    by_hand("count_matrix", M.count_matrix(two, 5.0), [[2, 0], [1, 2]])
    dense = np.random.default_rng(2).random((300, 5)) < 0.2
    counts = dense.reshape(-1, 10, 5).sum(axis=1)
    ours = M.from_dense(dense, dt=1.0)
    error = M.correlation_matrix(ours, 10.0) - np.corrcoef(counts.T)
    measured("measure.correlation_matrix", "5 neurons", against="NumPy", error=error, bound=1e-13)
    # 2000 bins for each of 200 neurons: a standard error of sqrt(2/2000/200), and a bias of 1/2000.
    error = np.mean(M.fano_factors(poisson, 10.0)) - 1
    measured("measure.fano_factors", "Poisson", against=CLOSED, error=error, bound=0.01)


@pytest.mark.parametrize("kind", ["gaussian", "rectangular", "exponential", "alpha"])
def test_kernels_have_unit_area_and_their_width(kind):
    lags, k = M.rate_kernel(kind, 5.0, 0.001)
    area = np.trapezoid(k, lags)
    mean = np.trapezoid(k * lags, lags)
    sigma = math.sqrt(np.trapezoid(k * (lags - mean) ** 2, lags))
    # The trapezoid rule errs by dt/a at the steps of the rectangle, and by dt^2 elsewhere.
    measured("measure.rate_kernel", f"area and width, {kind}", against=CLOSED,
             error=[area - 1, sigma / 5 - 1], bound=3e-4)  # fmt: skip


def test_instantaneous_rate_is_a_sum_of_kernels():
    two = trains([100, 130], [120], stop=300, dt=0.5)
    times, rate = M.instantaneous_rate(two, sigma=4.0)
    expected = sum(scipy.stats.norm.pdf(times, t, 4.0) for t in (50.0, 65.0))
    measured(
        "measure.instantaneous_rate",
        "two spikes",
        against="SciPy",
        unit="1/ms",
        error=rate[:, 0] - expected,
        bound=1e-8,
    )  # fmt: skip  (the cut of the kernel)
    _, causal = M.instantaneous_rate(two, sigma=4.0, kernel="alpha")
    assert (causal[: 100 + 1, 0] == 0).all() and causal[102, 0] > 0


def test_psth_by_hand():
    two = trains([10, 11, 30, 52], [9], stop=80)
    centres, rate = M.psth(two, [10.0, 30.0, 50.0], before=2.0, after=4.0, bin_size=2.0)
    np.testing.assert_allclose(centres, [-1.0, 1.0, 3.0])
    by_hand("psth", rate * 6, [[0, 1], [3, 0], [1, 0]], bound=1e-14)


# --- pairs


def test_correlograms_by_hand():
    a, b = trains([10, 20]), trains([12, 19, 40])
    lags, counts = M.cross_correlogram(a, b, max_lag=3.0, bin_size=1.0)
    np.testing.assert_array_equal(lags, np.arange(-3.0, 4.0))
    np.testing.assert_array_equal(counts, [0, 0, 1, 0, 0, 1, 0])
    _, own = M.auto_correlogram(trains([1, 3, 4], [2, 90]), max_lag=3.0, bin_size=1.0)
    np.testing.assert_array_equal(own, [1, 1, 1, 0, 1, 1, 1])


def test_correlograms_of_poisson_spikes_are_flat(poisson):
    one, other = M.select(poisson, range(100)), M.select(poisson, range(100, 200))
    _, rate = M.cross_correlogram(one, other, max_lag=50.0, bin_size=5.0, normalise="rate")
    # 100 neurons of 20 Hz: 2 per ms, from 40 000 spikes and 10 in each bin: 4 sigma.
    error = rate / 2 - 1
    measured("measure.cross_correlogram", "rate of Poisson spikes", against=CLOSED, error=error,
             bound=4 / math.sqrt(400_000))  # fmt: skip
    _, own = M.auto_correlogram(poisson, max_lag=50.0, bin_size=5.0, normalise="rate")
    own = np.delete(own, 10)  # bin 0 is narrower, and has each pair twice
    error = own / (20 * Hz) - 1
    # 80 000 spikes, 0.1 in each bin.
    measured("measure.auto_correlogram", "rate of Poisson spikes", against=CLOSED, error=error,
             bound=4 / math.sqrt(8000))  # fmt: skip


def test_spike_time_tiling_by_hand():
    a = trains([10, 50], [12], [10, 50], [])
    ours = M.spike_time_tiling(a, 3.0)
    # A tiles 12 of 100 ms and B 6; half of A's spikes are near B, all of B's near A.
    expected = 0.5 * ((0.5 - 0.06) / (1 - 0.5 * 0.06) + (1 - 0.12) / (1 - 0.12))
    measured("measure.spike_time_tiling", "two trains", against=CLOSED,
             error=ours[0, 1] - expected, bound=1e-14)  # fmt: skip
    assert ours[0, 2] == 1.0 and np.isnan(ours[3]).all()


def test_victor_purpura_by_hand():
    # One spike against one, 7 ms apart: shifted up to 2/q, then removed and added.
    pair = trains([20], [27], [])
    for cost in (0.1, 0.5):
        ours = M.victor_purpura_distance(pair, cost)
        expected = [[0, min(7 * cost, 2), 1], [min(7 * cost, 2), 0, 1], [1, 1, 0]]
        measured("measure.victor_purpura_distance", "two spikes", against=CLOSED,
                 error=ours - expected, bound=1e-14)  # fmt: skip


def test_van_rossum_by_hand():
    ours = M.van_rossum_distance(trains([20], [27], [], [20, 290], stop=300), 5.0)
    expected = math.sqrt(2 * (1 - math.exp(-7 / 5)))
    measured("measure.van_rossum_distance", "two spikes", against=CLOSED,
             error=[ours[0, 1] - expected, ours[0, 2] - 1, ours[0, 3] - 1], bound=1e-7)  # fmt: skip


def test_distances_of_regular_trains():
    # Intervals of 10 and 20 ms throughout: |10 - 20| / 20. Ends have the same intervals.
    two = trains(range(0, 200, 10), range(0, 200, 20), stop=200)
    ours = M.isi_distance(two)[0, 1]
    measured("measure.isi_distance", "intervals of 10 and 20 ms", against=CLOSED, error=ours - 0.5,
             bound=1e-14)  # fmt: skip
    # Shifted by 2 of 10 ms: every spike is 2 ms from the nearest, so S = 2 and D = 2/10.
    shifted = trains(range(5, 200, 10), range(7, 200, 10), stop=200)
    ours = M.spike_distance(shifted)[0, 1]
    measured("measure.spike_distance", "shifted clocks", against=CLOSED, error=ours - 0.2,
             bound=1e-3)  # fmt: skip
    # Nearer than half an interval: all of them coincide; beyond none does.
    assert M.spike_synchronization(shifted)[0, 1] == 1.0
    half = trains(range(0, 200, 10), range(5, 200, 10), stop=200)
    assert M.spike_synchronization(half)[0, 1] == 0.0


# --- bursts and avalanches


def test_bursts_by_hand():
    times = [0, 5, 10, 15, 300, 500, 502, 504, 506, 560, 900, 901]
    found = M.max_interval_bursts(
        trains(times, [3, 900], stop=1000), max_begin=6.0, max_end=60.0, min_between=100.0
    )
    np.testing.assert_array_equal(found.neurons, [0, 0])
    by_hand("max_interval_bursts", [found.start, found.stop], [[0, 500], [15, 560]])
    np.testing.assert_array_equal(found.spikes, [4, 5])
    joined = M.max_interval_bursts(
        trains(times, stop=1000), max_begin=6.0, max_end=60.0, min_between=500.0
    )
    # Joined over 485 ms, with what lies between; 340 ms to the next, which is joined too.
    np.testing.assert_array_equal(joined.stop, [901.0])
    np.testing.assert_array_equal(joined.spikes, [12])
    assert M.max_interval_bursts(trains([5], [])).start.size == 0


def test_log_isi_threshold_lies_between_two_peaks():
    rng = np.random.default_rng(4)
    # Bursts of 6 spikes with intervals around 4 ms, about 500 ms apart.
    gaps = np.concatenate(
        [np.append(rng.normal(4, 0.5, 5), rng.normal(500, 60)) for _ in range(99)]
    )
    steps = np.rint(np.cumsum(gaps) / 0.1).astype(int)
    one = trains(steps, dt=0.1, stop=int(steps[-1]) + 1)
    threshold = M.log_isi_threshold(one)
    assert 7 < threshold < 250
    found = M.max_interval_bursts(
        one, max_begin=threshold, max_end=threshold, min_between=0.0, min_duration=0.0
    )
    # Of 99 bursts a few may have an interval beyond the threshold, or follow each other closely.
    error = [found.start.size / 99 - 1, (found.spikes == 6).sum() / 99 - 1]
    measured("measure.log_isi_threshold", "bursts found again", against=CLOSED, error=error,
             bound=0.02)  # fmt: skip
    # A Poisson process has one peak.
    assert np.isnan(
        M.log_isi_threshold(trains(np.unique(rng.integers(0, 10**6, 20_000)), stop=10**6))
    )


def test_avalanches_by_hand():
    spikes = trains([0, 4, 5, 5 + 1, 12, 19], [4, 6], stop=20)
    size, length = M.avalanches(spikes, 1.0)
    # Those at either end of the window are left out.
    by_hand("avalanches", [size, length], [[5, 1], [3, 1]])
    assert M.avalanches(trains(range(20), stop=20), 1.0)[0].size == 0


def test_branching_ratio_of_a_branching_process():
    rng = np.random.default_rng(8)
    n = np.zeros(60_000, int)
    for t in range(1, n.size):
        n[t] = rng.poisson(0.9 * n[t - 1]) + rng.poisson(2.0)
    neurons = np.concatenate([np.arange(k) for k in n])
    steps = np.repeat(np.arange(n.size), n)
    whole = M.from_events(steps, neurons, size=int(n.max()), dt=1.0, stop=n.size)
    seen = rng.random(steps.size) < 0.2
    part = M.from_events(steps[seen], neurons[seen], size=int(n.max()), dt=1.0, stop=n.size)
    errors = [M.branching_ratio(x, 1.0, method="multistep") - 0.9 for x in (whole, part)]
    # Autocorrelation of an AR(1) process over 60 000 steps: a standard error of
    # sqrt((1 - 0.81) / 60 000) = 0.002 from the first lag alone, more with 20 % of the spikes.
    measured("measure.branching_ratio", "multistep, all and 20 % of the spikes", against=CLOSED,
             error=errors, bound=0.012)  # fmt: skip
    # Without spikes from outside the mean ratio is that of the process.
    one = np.zeros(40_000, int)
    for t in range(1, one.size):
        one[t] = rng.poisson(0.95 * one[t - 1]) if one[t - 1] else 30
    keep = one[:-1] > 0
    assert (one[1:][keep] / one[:-1][keep]).mean() == pytest.approx(
        M.branching_ratio(
            M.from_events(
                np.repeat(np.arange(one.size), one),
                np.concatenate([np.arange(k) for k in one]),
                size=int(one.max()), dt=1.0, stop=one.size,
            ), 1.0,
        ), rel=1e-12,
    )  # fmt: skip


def test_power_laws():
    # Quantiles of a continuous power law: the estimate is that of the formula.
    u = (np.arange(20_000) + 0.5) / 20_000
    x = 3.0 * (1 - u) ** (-1 / 1.5)
    fit = M.power_law_fit(x, minimum=3.0, discrete=False)
    # Midpoints of the quantiles miss 1/(2n) of the tail, where the logarithm is large.
    measured("measure.power_law_fit", "continuous", against=CLOSED, error=fit.exponent - 2.5,
             bound=1e-4)  # fmt: skip
    assert fit.distance == pytest.approx(0.5 / 20_000, abs=2e-5)  # half a step of the data
    # Zeta distributed, with other data below the minimum.
    rng = np.random.default_rng(3)
    tail = scipy.stats.zipf.rvs(2.2, size=60_000, random_state=rng)
    tail = tail[tail >= 5]
    data = np.concatenate([tail, rng.integers(1, 5, 3 * tail.size)])
    fit = M.power_law_fit(data)
    assert 4 <= fit.minimum <= 40
    measured("measure.power_law_fit", "discrete, in standard errors", against=CLOSED,
             error=(fit.exponent - 2.2) / fit.error, bound=4)  # fmt: skip
    assert fit.error < 0.1


# --- information


def test_information_by_hand():
    by_hand("entropy", M.entropy([0, 1, 2, 3]), 2.0)
    assert M.entropy(np.array([[0, 1], [1, 0], [0, 1], [1, 1]])) == 1.5
    assert M.entropy([5]) == 0.0
    x = np.array([0, 0, 1, 1])
    assert M.mutual_information(x, x) == 1.0
    assert M.mutual_information(x, np.array([0, 1, 0, 1])) == 0.0
    # A binary symmetric channel that flips one of eight.
    y = np.repeat([0, 1], 800)
    z = np.where(np.tile(np.arange(8) == 0, 200), 1 - y, y)
    expected = 1 + (7 / 8) * math.log2(7 / 8) + (1 / 8) * math.log2(1 / 8)
    measured("measure.mutual_information", "binary channel", against=CLOSED,
             error=M.mutual_information(y, z) - expected, bound=1e-12)  # fmt: skip


def test_corrections_remove_most_of_the_bias():
    rng = np.random.default_rng(6)
    plain, corrected = [], []
    for _ in range(200):
        x, y = rng.integers(0, 6, (2, 300))
        plain.append(M.mutual_information(x, y))
        corrected.append(M.mutual_information(x, y, correction="miller-madow"))
    bias = 25 / (2 * 300 * math.log(2))
    # Chi-square with 25 degrees of freedom: a relative deviation of sqrt(2/25) for each of 200.
    error = [np.mean(plain) / bias - 1, np.mean(corrected) / bias]
    measured("measure.mutual_information", "bias, plain and corrected", against=CLOSED,
             error=error, bound=4 * math.sqrt(2 / 25 / 200) + 0.05)  # fmt: skip
    x = rng.integers(0, 8, 400)
    assert M.entropy(x) < M.entropy(x, correction="miller-madow") < 3.05


def test_transfer_entropy_has_a_direction():
    rng = np.random.default_rng(9)
    x = rng.integers(0, 2, 40_000)
    noise = rng.random(x.size) < 0.1
    y = np.roll(x, 2) ^ noise
    expected = 1 + 0.9 * math.log2(0.9) + 0.1 * math.log2(0.1)
    found = M.transfer_entropy(x, y, lag=2)
    # The standard error of the frequency of noise, sqrt(0.09/40 000), times log2(9); 4 sigma.
    measured("measure.transfer_entropy", "copy with noise", against=CLOSED,
             error=[found - expected, M.transfer_entropy(y, x, lag=2),
                    M.transfer_entropy(x, y, lag=1)], bound=0.02)  # fmt: skip


# --- signals


def test_welch_and_its_kin_against_scipy(noise):
    x = np.cumsum(noise, axis=0) * 0.1 + noise
    fs = 1 / 0.5
    options = {"dt": 0.5, "segment": 100.0, "overlap": 0.75, "window": "hamming"}
    names = {"fs": fs, "nperseg": 200, "noverlap": 150, "window": "hamming", "axis": 0}
    f, power = M.welch(x, **options)
    theirs = scipy.signal.welch(x, **names)
    np.testing.assert_allclose(f, theirs[0], rtol=1e-14)
    measured("measure.welch", "3 signals", against="SciPy", error=power / theirs[1] - 1,
             bound=1e-12)  # fmt: skip
    _, c = M.welch_coherence(x[:, :2], x[:, 1:], **options)
    theirs = scipy.signal.coherence(x[:, :2], x[:, 1:], **names)[1]
    measured("measure.welch_coherence", "2 pairs", against="SciPy", error=np.abs(c) ** 2 - theirs,
             bound=1e-12)  # fmt: skip
    cross = scipy.signal.csd(x[:, 0], x[:, 1], **names)[1]
    np.testing.assert_allclose(np.angle(c[1:-1, 0]), np.angle(cross[1:-1]), atol=1e-10)
    times, _, parts = M.spectrogram(x, **options)
    theirs = scipy.signal.spectrogram(x, **names)
    np.testing.assert_allclose(times, theirs[1], rtol=1e-14)
    error = np.moveaxis(parts, 0, -1) / np.moveaxis(theirs[2], 1, 1).transpose(0, 1, 2) - 1
    measured("measure.spectrogram", "3 signals", against="SciPy", error=error, bound=1e-11)


def test_power_of_known_signals(noise, poisson):
    # White noise: S = 2 sigma^2 dt; 8190 values of relative error 1/sqrt(7), which are correlated
    # over the bandwidth of 8: 4 sigma.
    _, power = M.multitaper(2 * noise, dt=0.5)
    error = power[1:-1].mean() / (2 * 4 * 0.5) - 1
    measured("measure.multitaper", "white noise", against=CLOSED, error=error, bound=0.05)
    bands = power[1:2041].reshape(8, -1, 3).mean(axis=(1, 2)) / (2 * 4 * 0.5)
    assert np.abs(bands - 1).max() < 0.2
    # The whole of it is the variance: tapers are orthonormal, so to their spread over the record.
    f, power = M.multitaper(noise, dt=0.5)
    error = power.sum(axis=0) * f[1] / noise.var(axis=0) - 1
    measured("measure.multitaper", "Parseval", against=CLOSED, error=error, bound=0.02)
    # A Poisson population of N neurons: S = 2 r / N.
    _, rate = M.population_rate(poisson, 1.0)
    _, power = M.welch(rate, dt=1.0, segment=500.0)
    error = power[1:-1].mean() / (2 * 20 * Hz / 200) - 1
    # Some 10 000 independent values: 4 sigma.
    measured("measure.welch", "Poisson population", against=CLOSED, error=error, bound=0.05)


def test_multitaper_coherence(noise):
    common = noise[:, 0]
    x, y = common + noise[:, 1], common + noise[:, 2]
    _, c = M.multitaper_coherence(x, y, dt=1.0, half_bandwidth=16.0)
    # A coherence of 1/4 and a bias of at most 1/K from 31 tapers.
    error = np.mean(np.abs(c[1:-1]) ** 2) - 0.25
    measured("measure.multitaper_coherence", "common noise", against=CLOSED, error=error,
             bound=0.06)  # fmt: skip
    # The sign of the phase: y is 4 samples later, so it lags.
    delayed = np.roll(common, 4)
    f, c = M.multitaper_coherence(common, delayed, dt=1.0)
    lag = np.angle(c[100:400]) / (2 * np.pi * f[100:400])
    np.testing.assert_allclose(lag, -4.0, atol=0.3)
    np.testing.assert_allclose(np.abs(c[100:400]), 1.0, atol=0.03)


def test_phases_of_a_rotation():
    t = np.arange(400)
    phase = 2 * np.pi * 8 * t / 400 + 0.3
    z = M.analytic_signal(np.cos(phase))
    measured("measure.analytic_signal", "rotation", against=CLOSED, bound=1e-12,
             error=np.abs(z - np.exp(1j * phase)))  # fmt: skip
    shifted = M.analytic_signal(np.cos(phase - 1.0))
    assert M.phase_locking_value(np.angle(z), np.angle(shifted)) == pytest.approx(1.0, abs=1e-12)
    two = np.stack([phase, phase + 2 * np.pi / 3], axis=1)
    error = M.order_parameter(two) - 0.5
    measured("measure.order_parameter", "a third of a turn", against=CLOSED, error=error,
             bound=1e-12)  # fmt: skip
    pair = np.array([0.2, 1.4, 2.0])
    expected = np.mean([math.cos(a - b) for a, b in ((0.2, 1.4), (0.2, 2.0), (1.4, 2.0))])
    measured("measure.pairwise_phase_consistency", "three phases", against=CLOSED,
             error=M.pairwise_phase_consistency(pair) - expected, bound=1e-14)  # fmt: skip


def test_band_pass_keeps_its_band():
    t = np.arange(4000) * 0.5
    x = np.sin(2 * np.pi * 40 * Hz * t) + np.sin(2 * np.pi * 4 * Hz * t) + 3
    y = M.band_pass(x, dt=0.5, low=25 * Hz, high=60 * Hz)
    inner = slice(800, 3200)
    # A Butterworth filter of fourth order, twice: 1e-3 in the middle of the band.
    measured("measure.band_pass", "40 Hz of 4 and 40 Hz", against=CLOSED,
             error=(y - np.sin(2 * np.pi * 40 * Hz * t))[inner], bound=0.01)  # fmt: skip


def test_lfp_proxy():
    t = np.arange(500)
    e, i = np.sin(0.05 * t) + 3, -np.cos(0.03 * t) - 2
    raw = e[:-6] - 1.65 * i[6:]
    expected = (raw - raw.mean()) / raw.std()
    error = M.lfp_proxy(e, i, dt=1.0) - expected
    measured("measure.lfp_proxy", "weighted sum", against=CLOSED, error=error, bound=1e-12)
    both = M.lfp_proxy(e, i, dt=1.0, method="absolute")
    assert both.shape == (500,) and both.std() == pytest.approx(1.0)


def test_functional_connectivity(noise):
    error = M.functional_connectivity(noise) - np.corrcoef(noise.T)
    measured("measure.functional_connectivity", "3 signals", against="NumPy", error=error,
             bound=1e-13)  # fmt: skip
    flat = np.stack([noise[:50, 0], np.full(50, 0.1)], axis=1)
    assert np.isnan(M.functional_connectivity(flat)[1]).all()
    x = np.random.default_rng(5).normal(size=(40, 4))
    ours = M.functional_connectivity_dynamics(x, dt=2.0, window=40.0, step=20.0)
    upper = np.triu_indices(4, 1)
    parts = [np.corrcoef(x[s : s + 20].T)[upper] for s in (0, 10, 20)]
    measured("measure.functional_connectivity_dynamics", "3 windows", against="NumPy",
             error=ours - np.corrcoef(parts), bound=1e-12)  # fmt: skip


def test_signals_of_jax_are_measured_the_same_and_differentiably(noise):
    host = noise[:64]

    def everything(x):
        f = M.functional_connectivity(x)
        d = M.functional_connectivity_dynamics(x, dt=1.0, window=32.0, step=16.0)
        w = M.welch(x, dt=1.0, segment=32.0)[1]
        m = M.multitaper(x, dt=1.0)[1]
        c = abs(M.welch_coherence(x[:, 0], x[:, 1], dt=1.0, segment=32.0)[1]) ** 2
        s = M.spectrogram(x, dt=1.0, segment=32.0)[2]
        z = M.analytic_signal(x)
        p = M.phase_locking_value(x[:, 0], x[:, 1])
        q = M.pairwise_phase_consistency(x)
        r = M.order_parameter(x)
        lfp = M.lfp_proxy(x[:, 0] + 4, x[:, 1] - 4, dt=1.0)
        return f, d, w, m, c, s, z.real, p, q, r, lfp

    @jax.jit
    def at(x):
        return jax.value_and_grad(lambda x: total(everything(x)), has_aux=True)(x)

    def total(parts):
        return sum(jnp.sum(jnp.sin(part)) for part in parts), parts

    (_, ours), gradient = at(jnp.asarray(host))
    for a, b in zip(ours, everything(host), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    direction = np.random.default_rng(0).normal(size=host.shape)
    h = 1e-5
    numeric = (
        sum(np.sum(np.sin(p)) for p in everything(host + h * direction))
        - sum(np.sum(np.sin(p)) for p in everything(host - h * direction))
    ) / (2 * h)
    # Central differences: h^2 of a third derivative, and rounding over h.
    assert float(jnp.sum(gradient * direction)) == pytest.approx(numeric, rel=1e-6)


def test_spike_triggered_average_by_hand():
    x = np.arange(20.0) ** 2
    lags, ours = M.spike_triggered_average(trains([0, 5, 10], [5], stop=20), x, before=1, after=1)
    # The spike at 0 lacks surroundings; the one at 5 counts twice.
    np.testing.assert_allclose(lags, [-1, 0, 1])
    np.testing.assert_allclose(ours, [(2 * 16 + 81) / 3, (2 * 25 + 100) / 3, (2 * 36 + 121) / 3])


TWO = trains([1, 5], [7])
X = np.arange(100.0)
WRONG = {
    "order": lambda: M.interspike_intervals(TWO, order=0),
    "refractory": lambda: M.revised_local_variation(TWO, refractory=-1.0),
    "lag": lambda: M.isi_correlation(TWO, lag=0),
    "maximum": lambda: M.isi_histogram(TWO, 2.0, maximum=5.0),
    "kind": lambda: M.rate_kernel("box", 1.0, 0.1),
    "sigma": lambda: M.instantaneous_rate(TWO, sigma=0.0),
    "events": lambda: M.psth(TWO, [1.0], before=5.0, after=5.0, bin_size=1.0),
    "neurons": lambda: M.select(TWO, [2]),
    "bin_size": lambda: M.covariance_matrix(TWO, 60.0),
    "delta": lambda: M.spike_time_tiling(TWO, "7 ms"),
    "max_lag": lambda: M.cross_correlogram(TWO, TWO, max_lag=200.0, bin_size=1.0),
    "normalise": lambda: M.auto_correlogram(TWO, max_lag=2.0, bin_size=1.0, normalise="x"),
    "target": lambda: M.cross_correlogram(TWO, trains([1], dt=2.0), max_lag=2, bin_size=1),
    "tau": lambda: M.van_rossum_distance(TWO, -1.0),
    "cost": lambda: M.victor_purpura_distance(TWO, float("nan")),
    "max_begin": lambda: M.max_interval_bursts(TWO, max_begin=9.0, max_end=4.0),
    "void": lambda: M.log_isi_threshold(TWO, void=2.0),
    "method": lambda: M.branching_ratio(TWO, 1.0, method="guess"),
    "lags": lambda: M.branching_ratio(TWO, 10.0, method="multistep", lags=10),
    "x": lambda: M.power_law_fit([1.5, 2.5]),
    "minimum": lambda: M.power_law_fit([1, 2, 3], minimum=3),
    "correction": lambda: M.entropy([1, 2], correction="magic"),
    "source": lambda: M.transfer_entropy([1, 2], [1, 2, 3]),
    "y": lambda: M.mutual_information([1, 2], [1.0, 2.0]),
    "segment": lambda: M.welch(X, dt=1.0, segment=101.0),
    "overlap": lambda: M.welch(X, dt=1.0, segment=10.0, overlap=1.0),
    "window": lambda: M.welch(X, dt=1.0, segment=10.0, window="none such"),
    "dt": lambda: M.multitaper(X, dt=0.0),
    "tapers": lambda: M.multitaper(X, dt=1.0, tapers=20),
    "half_bandwidth": lambda: M.multitaper(X, dt=1.0, half_bandwidth=60.0),
    "low": lambda: M.band_pass(X, dt=1.0, low=0.3, high=0.2),
    "second": lambda: M.phase_locking_value(X, X[:50]),
    "phase": lambda: M.spike_phases(TWO, X[:50]),
    "inhibitory": lambda: M.lfp_proxy(X, X[:50], dt=1.0),
    "excitatory": lambda: M.lfp_proxy(X[:4], X[:4], dt=1.0),
    "before": lambda: M.spike_triggered_average(TWO, X, before=0.5, after=1.0),
    "step": lambda: M.functional_connectivity_dynamics(X[:, None], dt=1, window=9, step=0),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_name_the_argument(name, monkeypatch):
    # Without the checks of annotations, as users call.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises((TypeError, ValueError), match=f"`{name}"):
        WRONG[name]()
