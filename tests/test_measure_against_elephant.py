"""Statistics against those of Elephant and PySpike, from `oracle/measures_elephant.py`."""

import json
from pathlib import Path

import numpy as np
import pytest
from _measured import measured

import brainfn as bf

ELEPHANT, PYSPIKE = "Elephant 1.2", "PySpike 0.9"
# Stored with 12 digits; the same sums in another order.
DIGITS = 1e-11


@pytest.fixture(scope="module")
def oracle():
    path = Path(__file__).parent / "oracle" / "measures_elephant.json"
    stored = json.loads(path.read_text())
    return {
        name: np.array(x, float) if isinstance(x, list) and name != "steps" else x
        for name, x in stored.items()
    }


@pytest.fixture(scope="module")
def trains(oracle):
    steps = [np.array(s, int) for s in oracle["steps"]]
    neurons = np.repeat(np.arange(len(steps)), [s.size for s in steps])
    return bf.measure.from_events(
        np.concatenate(steps), neurons, size=len(steps), dt=oracle["dt"], stop=oracle["stop"]
    )


@pytest.fixture(scope="module")
def x(oracle):
    return oracle["x"].T


@pytest.fixture(scope="module")
def short(oracle):
    steps = oracle["short"].astype(int)
    return bf.measure.from_events(steps, np.zeros_like(steps), size=1, dt=1.0, stop=600)


@pytest.mark.parametrize("name", ["cv2", "local_variation", "revised_local_variation"])
def test_variation_of_intervals(oracle, trains, name):
    ours = getattr(bf.measure, name)(trains)
    measured(
        f"measure.{name}", "4 neurons", against=ELEPHANT, error=ours[:4] / oracle[name] - 1,
        bound=DIGITS,
    )  # fmt: skip
    assert np.isnan(ours[4:]).all()


def test_counts(oracle, trains):
    some = bf.measure.select(trains, range(5))
    pairs = {
        "covariance_matrix": (bf.measure.covariance_matrix(some, 20.0), oracle["covariance"]),
        "correlation_matrix": (bf.measure.correlation_matrix(some, 20.0), oracle["correlation"]),
        "fano_factors": (bf.measure.fano_factors(trains, 100.0)[0], oracle["fano"]),
    }
    for name, (ours, theirs) in pairs.items():
        measured(
            f"measure.{name}", "spike counts", against=ELEPHANT, error=ours - theirs, bound=DIGITS
        )


@pytest.mark.parametrize("kind", ["gaussian", "rectangular", "exponential", "alpha"])
def test_kernels(oracle, kind):
    lags, values = bf.measure.rate_kernel(kind, 6.0, 0.5)
    ours = [values[np.isclose(lags, at)].sum() for at in oracle["kernel_lags"]]
    error = np.array(ours) - np.array(oracle["kernels"][kind])
    measured("measure.rate_kernel", kind, against=ELEPHANT, error=error, bound=DIGITS, unit="1/ms")


def test_correlograms(oracle, trains):
    a, b = (bf.measure.select(trains, [i]) for i in (0, 1))
    lags, counts = bf.measure.cross_correlogram(a, b, max_lag=40.0, bin_size=2.0)
    np.testing.assert_array_equal(lags, np.arange(-20, 21) * 2.0)
    _, pearson = bf.measure.cross_correlogram(
        a, b, max_lag=40.0, bin_size=2.0, normalise="correlation"
    )
    error = counts - oracle["cross_correlogram"]
    measured("measure.cross_correlogram", "counts", against=ELEPHANT, error=error, bound=0)
    error = pearson - oracle["cross_correlation"]
    measured(
        "measure.cross_correlogram", "correlation", against=ELEPHANT, error=error, bound=DIGITS
    )


def test_spike_time_tiling(oracle, trains):
    ours = bf.measure.spike_time_tiling(trains, 7.0)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(oracle["tiling"]))
    error = np.nan_to_num(ours - oracle["tiling"])
    measured("measure.spike_time_tiling", "36 pairs", against=ELEPHANT, error=error, bound=DIGITS)


@pytest.mark.parametrize("cost", [0.0, 0.03, 0.4])
def test_victor_purpura(oracle, trains, cost):
    ours = bf.measure.victor_purpura_distance(trains, cost)
    error = ours - np.array(oracle["victor_purpura"][str(cost)])
    # Distances go up to 150, with 12 digits.
    measured(
        "measure.victor_purpura_distance", f"36 pairs at q = {cost} per ms", against=ELEPHANT,
        error=error, bound=150 * DIGITS,
    )  # fmt: skip


@pytest.mark.parametrize("tau", [2.0, 15.0, 400.0])
def test_van_rossum(oracle, trains, tau):
    ours = bf.measure.van_rossum_distance(trains, tau)
    theirs = np.array(oracle["van_rossum"][str(tau)])
    # A difference of sums of up to 1e4 before the root: 1e4 eps in the square.
    measured(
        "measure.van_rossum_distance", f"square, 36 pairs at tau = {tau} ms", against=ELEPHANT,
        error=ours**2 - theirs**2, bound=1e-8,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["isi_distance", "spike_distance", "spike_synchronization"])
def test_distances_without_a_scale(oracle, trains, name):
    ours = getattr(bf.measure, name)(trains)
    error = ours - oracle[name]
    if name == "spike_synchronization":
        # PySpike leaves the diagonal at 0; a train coincides with itself.
        np.testing.assert_array_equal(np.diag(ours), 1.0)
        np.fill_diagonal(error, 0.0)
    measured(f"measure.{name}", "36 pairs", against=PYSPIKE, error=error, bound=DIGITS)


def test_spectra(oracle, x):
    f, power = bf.measure.welch(x, dt=1.0, segment=128.0)
    np.testing.assert_allclose(f, np.arange(65) / 128, rtol=1e-14)
    error = power.T / oracle["welch"] - 1
    measured("measure.welch", "2 signals", against=ELEPHANT, error=error, bound=DIGITS)
    _, power = bf.measure.multitaper(x, dt=1.0)
    # Elephant cuts its tapers from those of a record that is longer by one sample: they and all
    # that is made from them differ by some 1/600.
    error = (power[:120].T - oracle["multitaper"]) / oracle["multitaper"].max()
    measured("measure.multitaper", "2 signals", against=ELEPHANT, error=error, bound=4 / 600)


def test_coherence(oracle, x):
    _, c = bf.measure.welch_coherence(x[:, 0], x[:, 1], dt=1.0, segment=128.0)
    error = np.abs(c) ** 2 - oracle["coherence"]
    measured("measure.welch_coherence", "magnitude", against=ELEPHANT, error=error, bound=DIGITS)
    turn = np.exp(1j * (np.angle(c) - oracle["coherence_phase"])) - 1
    measured(
        "measure.welch_coherence", "phase", against=ELEPHANT, error=np.abs(turn), bound=1e-9,
        unit="rad",
    )  # fmt: skip


def test_spikes_and_fields(oracle, x, short):
    lags, average = bf.measure.spike_triggered_average(short, x, before=10.0, after=20.0)
    np.testing.assert_array_equal(lags, np.arange(-10.0, 21.0))
    error = average.T - oracle["sta"]
    measured(
        "measure.spike_triggered_average", "31 lags", against=ELEPHANT, error=error, bound=DIGITS,
        unit="mV",
    )  # fmt: skip
    _, c = bf.measure.spike_field_coherence(short, x, segment=128.0)
    error = np.abs(c.T) ** 2 - oracle["spike_field"]
    measured("measure.spike_field_coherence", "Welch", against=ELEPHANT, error=error, bound=DIGITS)


def test_phases(oracle, x, short):
    phases = np.angle(bf.measure.analytic_signal(x))
    error = phases[::20].T - oracle["hilbert_phase"]
    measured(
        "measure.analytic_signal", "phase", against=ELEPHANT, error=error, bound=1e-10, unit="rad"
    )
    at, _ = bf.measure.spike_phases(short, phases[:, 0])
    error = at - oracle["spike_phases"]
    measured(
        "measure.spike_phases", "phase", against=ELEPHANT, error=error, bound=1e-10, unit="rad"
    )
    locking = bf.measure.phase_locking_value(phases[:, 0], phases[:, 1])
    error = locking - oracle["phase_locking"]
    measured("measure.phase_locking_value", "2 signals", against=ELEPHANT, error=error, bound=1e-10)
