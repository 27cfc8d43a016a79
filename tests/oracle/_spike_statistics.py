"""Statistics of spike trains as defined in the oracles' JSON files, in plain NumPy.

Spikes are given as two arrays of equal length: the step index in which the neuron crossed its
threshold (the step that integrates from `step * dt` to `(step + 1) * dt`), and the neuron.
"""

import numpy as np

DEFINITIONS = {
    "spike_step": (
        "A spike belongs to the step n (0-based) in which the neuron crossed its threshold; step n "
        "integrates from n*dt to (n+1)*dt. NEST stamps such a spike (n+1)*dt, Brian2 n*dt; both "
        "were converted to n."
    ),
    "window": "Half open, in ms: a spike of step n is in [a, b) when a <= n*dt < b, in integers.",
    "rate_exc, rate_inh": (
        "Hz: spikes in the window / (number of neurons of the population * length of the window)."
    ),
    "cv, cv_exc, cv_inh": (
        "Coefficient of variation of interspike intervals: for each neuron with at least 3 spikes "
        "in the window, the standard deviation (ddof=0) of its intervals between successive spikes "
        "in the window / their mean; then the unweighted mean over these neurons (of all neurons, "
        "of the excitatory, of the inhibitory)."
    ),
    "cv_neurons": "Number of neurons (of all) which had at least 3 spikes in the window.",
    "fano": (
        "Synchrony: variance (ddof=0) / mean over time of the number of spikes of the whole "
        "population (excitatory and inhibitory together) in successive bins of 2 ms that tile the "
        "window from its start. 1 for independent Poisson neurons, larger when they synchronise."
    ),
    "last_spike_ms": "n*dt of the last spike of the run: shows that activity did not die.",
    "mean, sd": "Over the seeds; sd with ddof=1.",
}


def _cv(steps: np.ndarray, neurons: np.ndarray) -> np.ndarray:
    """CV of each neuron with at least 3 spikes."""
    order = np.lexsort((steps, neurons))
    steps, neurons = steps[order].astype(float), neurons[order]
    same = neurons[1:] == neurons[:-1]
    intervals, owner = np.diff(steps)[same], neurons[1:][same]
    if owner.size == 0:
        return np.zeros(0)
    count = np.bincount(owner)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(owner, intervals) / count
        variance = np.bincount(owner, (intervals - mean[owner]) ** 2) / count
        return (np.sqrt(variance) / mean)[count >= 2]


def _mean(x: np.ndarray) -> float | None:
    return float(np.mean(x)) if x.size else None


def spike_statistics(
    steps: np.ndarray, neurons: np.ndarray, *, n_exc: int, n_inh: int, dt: float, window: tuple
) -> dict:
    """Rates, CV of the interspike intervals and synchrony of one run (see `DEFINITIONS`)."""
    first, last = (round(edge / dt) for edge in window)
    inside = (steps >= first) & (steps < last)
    s, i = steps[inside] - first, neurons[inside]
    seconds = (last - first) * dt * 1e-3
    exc = i < n_exc
    width = round(2.0 / dt)
    counts = np.bincount(s // width, minlength=(last - first) // width)
    cv = _cv(s, i)
    return {
        "rate_exc": float(exc.sum() / (n_exc * seconds)),
        "rate_inh": float((~exc).sum() / (n_inh * seconds)),
        "cv": _mean(cv),
        "cv_exc": _mean(_cv(s[exc], i[exc])),
        "cv_inh": _mean(_cv(s[~exc], i[~exc])),
        "cv_neurons": int(cv.size),
        "fano": float(counts.var() / counts.mean()) if counts.sum() else None,
    }


def summarise(runs: list[dict]) -> dict:
    """Mean and standard deviation (ddof=1) over runs of every figure."""
    out = {}
    for name in runs[0]:
        values = np.array([run[name] for run in runs if run[name] is not None], dtype=float)
        if values.size:
            sd = float(values.std(ddof=1)) if values.size > 1 else 0.0
            out[name] = {"mean": float(values.mean()), "sd": sd}
    return out
