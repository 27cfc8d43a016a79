"""Rates over time: spikes smoothed with a kernel, or aligned to events."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from .._errors import whole_steps
from ..record import SpikeTrains
from ._check import choice, positive
from ._trains import check_trains, milliseconds


def rate_kernel(
    kind: str, sigma: int | float, dt: int | float
) -> tuple[Float[np.ndarray, " lag"], Float[np.ndarray, " lag"]]:
    r"""A kernel to smooth spikes with, of unit area.

    With the standard deviation $\sigma$ of each:

    | kind | $K(t)$ | |
    |---|---|---|
    | `"gaussian"` | $e^{-t^2 / 2 \sigma^2} / \sqrt{2 \pi} \sigma$ | |
    | `"rectangular"` | $1 / 2a$ for $\lvert t \rvert \le a$ | $a = \sqrt 3\,\sigma$ |
    | `"exponential"` | $e^{-t / \tau} / \tau$ for $t \ge 0$ | $\tau = \sigma$ |
    | `"alpha"` | $t\,e^{-t / \tau} / \tau^2$ for $t \ge 0$ | $\tau = \sigma / \sqrt 2$ |

    The last two are causal: no spike has an effect before it occurs.

    **Arguments:**

    - `kind`: the first column.
    - `sigma`: $\sigma$ in ms.
    - `dt`: spacing in ms.

    **Returns:** the lags in ms, and $K$ there in 1/ms. Less than 1e-8 of the area is cut off.

    ??? cite

        Nawrot, Aertsen and Rotter (1999), "Single-trial estimation of neuronal firing rates: from
        single-neuron spike trains to population activity", doi:10.1016/S0165-0270(99)00127-2.
    """
    kind = choice("kind", kind, ("gaussian", "rectangular", "exponential", "alpha"))
    sigma, dt = positive("sigma", sigma, "ms"), positive("dt", dt, "ms")
    if kind in ("gaussian", "rectangular"):
        half = sigma * (6.0 if kind == "gaussian" else math.sqrt(3))
        n = math.floor(half / dt * (1 + 1e-12))
        lags = np.arange(-n, n + 1) * dt
        if kind == "rectangular":
            return lags, np.full(lags.size, 0.5 / half)
        return lags, np.exp(-0.5 * (lags / sigma) ** 2) / (math.sqrt(2 * math.pi) * sigma)
    tau = sigma if kind == "exponential" else sigma / math.sqrt(2)
    lags = np.arange(math.ceil(23 * tau / dt) + 1) * dt
    decay = np.exp(-lags / tau) / tau
    return lags, decay if kind == "exponential" else decay * lags / tau


def instantaneous_rate(
    trains: SpikeTrains, *, sigma: int | float, kernel: str = "gaussian"
) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, "time n"]]:
    r"""The rate of each neuron over time, $r_i(t) = \sum_k K(t - t_i^k)$.

    Near the ends of the window a part of the kernel lies outside and the rate is too low there.

    **Arguments:**

    - `trains`: the spikes.
    - `sigma`: standard deviation of the kernel in ms.
    - `kernel`: `"gaussian"`, `"rectangular"`, `"exponential"` or `"alpha"`, see
        [`brainfn.measure.rate_kernel`][].

    **Returns:** the time of each step of the window in ms; and the rates in 1/ms, shape
    `(time, size)`. For a part of a large population use [`brainfn.measure.select`][] and
    [`brainfn.measure.window`][].
    """
    check_trains(trains)
    lags, values = rate_kernel(kernel, sigma, trains.dt)
    first = round(lags[0] / trains.dt)
    steps = trains.stop - trains.start
    rate = np.zeros((steps, trains.size))
    at, neurons = np.asarray(trains.steps) - trains.start, np.asarray(trains.neurons)
    # Few spikes: each adds the kernel once, in chunks that stay in the cache.
    for low in range(0, at.size, 4096):
        rows = at[low : low + 4096, None] + first + np.arange(lags.size)
        inside = (rows >= 0) & (rows < steps)
        columns = np.broadcast_to(neurons[low : low + 4096, None], rows.shape)
        flat = rows[inside] * trains.size + columns[inside]
        weight = np.broadcast_to(values, rows.shape)[inside]
        np.add.at(rate.reshape(-1), flat, weight)
    return (trains.start + np.arange(steps)) * trains.dt, rate


def psth(
    trains: SpikeTrains,
    events: Any,
    *,
    before: int | float,
    after: int | float,
    bin_size: int | float,
) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, "bin n"]]:
    r"""The peristimulus time histogram: the rate of each neuron around events, averaged over them.

    **Arguments:**

    - `trains`: the spikes.
    - `events`: times of the events in ms, whole numbers of steps, shape `(event,)`. Each must have
        its surroundings in the observed window.
    - `before`, `after`: what surrounds an event in ms, whole numbers of bins.
    - `bin_size`: width of a bin in ms, a whole number of steps.

    **Returns:** the centres of the bins in ms relative to the event; and the rates in 1/ms, shape
    `(bin, size)`.

    **Raises:** `ValueError` naming the argument.

    ??? cite

        Gerstein and Kiang (1960), "An approach to the quantitative analysis of
        electrophysiological data from single neurons", doi:10.1016/S0006-3495(60)86872-5.
    """
    check_trains(trains)
    width = whole_steps("bin_size", milliseconds("bin_size", bin_size), trains.dt, minimum=1)
    wide = width * trains.dt
    left = whole_steps("before", milliseconds("before", before), wide)
    right = whole_steps("after", milliseconds("after", after), wide)
    bins = left + right
    if bins == 0:
        raise ValueError("`before` and `after` must not both be 0.")
    times = np.asarray(events, np.float64)
    if times.ndim != 1 or times.size == 0:
        raise ValueError(f"`events` must be a list of at least one time, got {times.shape}.")
    at = np.array([whole_steps("events", float(t), trains.dt) for t in times])
    if at.min() - left * width < trains.start or at.max() + right * width > trains.stop:
        raise ValueError(
            f"`events` must lie at least {left * wide:g} ms after the beginning and "
            f"{right * wide:g} ms before the end of the observed window "
            f"[{trains.start * trains.dt:g}, {trains.stop * trains.dt:g}) ms, got values from "
            f"{times.min():g} to {times.max():g}."
        )
    steps, neurons = np.asarray(trains.steps), np.asarray(trains.neurons)
    total = np.zeros(bins * trains.size)
    for event in at:
        begin = event - left * width
        low, high = np.searchsorted(steps, [begin, event + right * width])
        cell = (steps[low:high] - begin) // width * trains.size + neurons[low:high]
        total += np.bincount(cell, minlength=total.size)
    centres = (np.arange(bins) + 0.5 - left) * wide
    return centres, total.reshape(bins, trains.size) / (at.size * wide)
