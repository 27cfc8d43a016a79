"""Statistics of spike trains and signals from Elephant and PySpike.

    python measures_elephant.py --output measures_elephant.json

Needs an interpreter with `elephant` and `pyspike`. The data are stored with the results: spikes of
six neurons on a grid of 0.5 ms over 4 s (one silent, one with two spikes, one bursting), and two
signals sampled at 1 ms. Spike times are those of the beginnings of steps.
"""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import elephant.phase_analysis as phase
import elephant.spectral as spectral
import elephant.spike_train_correlation as correlation
import elephant.spike_train_dissimilarity as dissimilarity
import elephant.sta as sta
import elephant.statistics as statistics
import neo
import numpy as np
import pyspike
import quantities as pq
from elephant import kernels
from elephant.conversion import BinnedSpikeTrain

DT, STEPS = 0.5, 8000
SAMPLES = 600


def spikes() -> list[np.ndarray]:
    """The steps of the spikes of each neuron."""
    rng = np.random.default_rng(12)
    poisson = np.flatnonzero(rng.random(STEPS) < 0.01)
    follower = np.unique(np.clip(poisson + rng.integers(0, 9, poisson.size), 0, STEPS - 1))
    follower = follower[rng.random(follower.size) < 0.7]
    regular = np.cumsum(np.rint(rng.gamma(8.0, 12.0, 70)).astype(int))
    bursting = (np.arange(0, 7000, 900)[:, None] + np.array([0, 9, 21, 38, 60])).reshape(-1)
    return [
        poisson,
        follower,
        regular[regular < STEPS],
        bursting,
        np.array([1500, 5200]),
        np.zeros(0, int),
    ]


def signals() -> np.ndarray:
    rng = np.random.default_rng(3)
    t = np.arange(SAMPLES)
    common = np.sin(2 * np.pi * 0.04 * t)
    other = np.roll(common, 4) + 0.5 * np.sin(2 * np.pi * 0.11 * t)
    x = np.stack([common, other]) + 0.7 * rng.normal(size=(2, SAMPLES))
    return np.round(x - x.mean(axis=1, keepdims=True), 8)


def value(x: Any) -> Any:
    """Numbers with 12 digits, and None for NaN."""
    x = getattr(x, "magnitude", x)
    if np.ndim(x):
        return [value(y) for y in x]
    return None if np.isnan(x) else float(f"{float(x):.12g}")


def results() -> dict[str, Any]:
    steps, x = spikes(), signals()
    stop = STEPS * DT * pq.ms
    trains = [neo.SpikeTrain(s * DT * pq.ms, t_stop=stop) for s in steps]
    out: dict[str, Any] = {"dt": DT, "stop": STEPS, "steps": [s.tolist() for s in steps]}
    out["x"] = value(x)

    many = trains[:4]
    intervals = [statistics.isi(t) for t in many]
    out["cv2"] = value([statistics.cv2(i) for i in intervals])
    out["local_variation"] = value([statistics.lv(i) for i in intervals])
    out["revised_local_variation"] = value([statistics.lvr(i, 5 * pq.ms) for i in intervals])
    bins = BinnedSpikeTrain(trains[:5], bin_size=20 * pq.ms)
    out["covariance"] = value(correlation.covariance(bins))
    out["correlation"] = value(correlation.correlation_coefficient(bins))
    parts = [trains[0].time_slice(i * 100 * pq.ms, (i + 1) * 100 * pq.ms) for i in range(40)]
    out["fano"] = value(statistics.fanofactor(parts))
    kinds = {
        "gaussian": kernels.GaussianKernel,
        "rectangular": kernels.RectangularKernel,
        "exponential": kernels.ExponentialKernel,
        "alpha": kernels.AlphaKernel,
    }
    # The density itself: Elephant's instantaneous rate shifts and samples it in its own way.
    lags = np.array([-9.0, -3.5, 0.5, 1.0, 4.0, 12.5])
    out["kernel_lags"] = lags.tolist()
    out["kernels"] = {
        name: value(kind(sigma=6 * pq.ms)(lags * pq.ms).rescale(1 / pq.ms))
        for name, kind in kinds.items()
    }
    fine = [BinnedSpikeTrain(t, bin_size=2 * pq.ms) for t in trains[:2]]
    histogram = correlation.cross_correlation_histogram(*fine, window=[-20, 20])
    out["cross_correlogram"] = value(histogram[0].magnitude.reshape(-1))
    coefficient = correlation.cross_correlation_histogram(
        *fine, window=[-20, 20], cross_correlation_coefficient=True
    )
    out["cross_correlation"] = value(coefficient[0].magnitude.reshape(-1))
    out["tiling"] = value(
        [
            [correlation.spike_time_tiling_coefficient(a, b, dt=7 * pq.ms) for b in trains]
            for a in trains
        ]
    )
    out["victor_purpura"] = {
        str(q): value(dissimilarity.victor_purpura_distance(trains, q / pq.ms))
        for q in (0.0, 0.03, 0.4)
    }
    out["van_rossum"] = {
        str(tau): value(dissimilarity.van_rossum_distance(trains, tau * pq.ms))
        for tau in (2.0, 15.0, 400.0)
    }

    out["welch"] = value(
        spectral.welch_psd(x, fs=1.0, len_segment=128, overlap=0.5, window="hann")[1]
    )
    out["multitaper"] = value(spectral.multitaper_psd(x, fs=1.0, nw=4.0)[1][:, :120])
    frequencies, coherence, lag = spectral.welch_coherence(
        x[0], x[1], fs=1.0, len_segment=128, overlap=0.5, window="hann"
    )
    out["coherence"], out["coherence_phase"] = value(coherence), value(lag)
    assert frequencies.shape == (65,)

    analog = neo.AnalogSignal(x.T, units="mV", sampling_rate=1 * pq.kHz)
    short = neo.SpikeTrain(np.unique(steps[0][steps[0] < 1100] // 2) * pq.ms, t_stop=600 * pq.ms)
    out["short"] = [round(float(t)) for t in short]
    average = sta.spike_triggered_average(analog, [short, short], (-10 * pq.ms, 21 * pq.ms))
    out["sta"] = value(average.magnitude.T)
    field, _ = sta.spike_field_coherence(analog, short, nperseg=128)
    out["spike_field"] = value(field.T)
    from elephant.signal_processing import hilbert

    transform = hilbert(analog, padding="none")
    angles = np.angle(transform.magnitude)
    out["hilbert_phase"] = value(angles.T[:, ::20])
    found = phase.spike_triggered_phase(transform, [short, short], interpolate=False)
    out["spike_phases"] = value(found[0][0][::2])  # those of both signals take turns
    # Elephant takes the mean over trials: here the samples are given as such.
    locking = phase.phase_locking_value(angles[:, :1], angles[:, 1:])
    out["phase_locking"] = value(locking[0])

    edges = (0.0, STEPS * DT)
    pys = [pyspike.SpikeTrain(s * DT, edges) for s in steps]
    out["isi_distance"] = value(pyspike.isi_distance_matrix(pys))
    out["spike_distance"] = value(pyspike.spike_distance_matrix(pys))
    out["spike_synchronization"] = value(pyspike.spike_sync_matrix(pys))
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    warnings.simplefilter("ignore")
    text = json.dumps(results())
    parser.parse_args().output.write_text(text + "\n")
