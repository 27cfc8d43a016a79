"""Local field potentials: proxies of them, and how spikes relate to them."""

from typing import Any

import numpy as np
from jaxtyping import Float, Inexact, Shaped

from .._errors import whole_steps
from ..record import SpikeTrains
from ._check import choice, namespace, positive, same_shape, signal
from ._phase import each_step
from ._spectra import multitaper_coherence, welch_coherence
from ._trains import check_trains, milliseconds


def lfp_proxy(
    excitatory: Shaped[Any, "time *rest"],
    inhibitory: Shaped[Any, "time *rest"],
    *,
    dt: int | float,
    method: str = "weighted",
) -> Float[Any, "_ *rest"]:
    r"""A proxy of the local field potential from the synaptic currents of point neurons.

    | method | $\mathrm{LFP}(t) \propto$ |
    |---|---|
    | `"weighted"` | $\sum_i I_E(t - 6\,\mathrm{ms}) - 1.65 \sum_i I_I(t)$ |
    | `"absolute"` | $\sum_i \lvert I_E(t) \rvert + \lvert I_I(t) \rvert$ |
    | `"sum"` | $\sum_i I_E(t) + I_I(t)$ |

    then shifted and scaled to mean 0 and variance 1. Currents carry their signs, $I_E > 0$ and
    $I_I < 0$: excitation at the apical dendrite and inhibition at the soma make dipoles of the same
    direction, so both add.

    **Arguments:**

    - `excitatory`, `inhibitory`: $I_E$ and $I_I$ of the pyramidal cells in pA, summed over cells or
        averaged, of one shape `(time, ...)`.
    - `dt`: spacing of the samples in ms. 6 ms must be a whole number of them for `"weighted"`.
    - `method`: the first column. `"weighted"` is the reference weighted sum (RWS).

    **Returns:** the shape of the currents, dimensionless; `"weighted"` starts 6 ms later.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Mazzoni, Lindén, Cuntz, Lansner, Panzeri and Einevoll (2015), "Computing the local field
        potential (LFP) from integrate-and-fire network models", doi:10.1371/journal.pcbi.1004584.
    """
    method = choice("method", method, ("weighted", "absolute", "sum"))
    e, i = signal("excitatory", excitatory), signal("inhibitory", inhibitory)
    dt = positive("dt", dt, "ms")
    same_shape("excitatory", e, "inhibitory", i)
    xp = namespace(e, i)
    if method == "weighted":
        try:
            lag = whole_steps("6 ms", 6.0, dt)
        except ValueError:
            raise ValueError(f"`dt` must divide the delay of 6 ms, got {dt}.") from None
        if lag + 2 > e.shape[0]:
            raise ValueError(f"`excitatory` must be longer than 6 ms, got {e.shape[0] * dt:g} ms.")
        field = e[: e.shape[0] - lag] - 1.65 * i[lag:]
    else:
        field = xp.abs(e) + xp.abs(i) if method == "absolute" else e + i
    field = field - field.mean(axis=0, keepdims=True)
    return field / xp.sqrt((field**2).mean(axis=0, keepdims=True))


def spike_triggered_average(
    trains: SpikeTrains,
    x: Shaped[Any, "time *rest"],
    *,
    before: int | float,
    after: int | float,
) -> tuple[Float[np.ndarray, " lag"], Float[np.ndarray, "lag *rest"]]:
    r"""The mean of signals around spikes, $\mathrm{STA}(s) = \langle x(t^k + s) \rangle_k$.

    Over all spikes of all neurons, without those whose surroundings reach out of the window. For a
    part of the neurons use [`brainfn.measure.select`][].

    **Arguments:**

    - `trains`: the spikes.
    - `x`: signals such as a stimulus or a field potential, with one row for each step of the
        window, shape `(time, ...)`.
    - `before`, `after`: what surrounds a spike in ms, whole numbers of steps.

    **Returns:** the lags in ms from `-before` to `after`, and the means; NaN without spikes.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        de Boer and Kuyper (1968), "Triggered correlation", doi:10.1109/TBME.1968.4502561.
    """
    check_trains(trains)
    host = each_step(trains, "x", x)
    left = whole_steps("before", milliseconds("before", before), trains.dt)
    right = whole_steps("after", milliseconds("after", after), trains.dt)
    at = np.asarray(trains.steps) - trains.start
    at = at[(at >= left) & (at + right < host.shape[0])]
    # Spikes of a step share their surroundings.
    at, number = np.unique(at, return_counts=True)
    lags = np.arange(-left, right + 1)
    total = np.zeros((lags.size, *host.shape[1:]))
    for low in range(0, at.size, 1024):
        rows = host[at[low : low + 1024, None] + lags]
        total += np.tensordot(number[low : low + 1024].astype(np.float64), rows, axes=1)
    with np.errstate(invalid="ignore"):
        return lags * trains.dt, total / number.sum()


def spike_field_coherence(
    trains: SpikeTrains,
    x: Shaped[Any, "time *rest"],
    *,
    segment: int | float | None = None,
    overlap: float = 0.5,
    half_bandwidth: int | float = 4.0,
) -> tuple[Float[np.ndarray, " frequency"], Inexact[np.ndarray, "frequency *rest"]]:
    """The coherency of a population's spikes with signals, such as a field potential.

    **Arguments:**

    - `trains`: the spikes, summed over neurons.
    - `x`: signals with one row for each step of the window, shape `(time, ...)`.
    - `segment`, `overlap`: Welch's method with segments of this length in ms, see
        [`brainfn.measure.welch_coherence`][]; or the multitaper method if no segment is given.
    - `half_bandwidth`: for the multitaper method, see [`brainfn.measure.multitaper_coherence`][].

    **Returns:** frequencies in 1/ms; and the complex coherency, shape `(frequency, ...)`, whose
    phase is that by which the signal is ahead. `abs(c)**2` is the spike-field coherence.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Jarvis and Mitra (2001), "Sampling properties of the spectrum and coherency of sequences of
        action potentials", doi:10.1162/089976601300014312.
    """
    check_trains(trains)
    host = each_step(trains, "x", x)
    steps = np.asarray(trains.steps) - trains.start
    spikes = np.bincount(steps, minlength=host.shape[0]).astype(np.float64)
    spikes = np.broadcast_to(spikes.reshape((-1,) + (1,) * (host.ndim - 1)), host.shape)
    if segment is None:
        return multitaper_coherence(spikes, host, dt=trains.dt, half_bandwidth=half_bandwidth)
    return welch_coherence(spikes, host, dt=trains.dt, segment=segment, overlap=overlap)
