"""Phases of oscillations, and how well signals and spikes are locked to them.

The functions of arrays take NumPy or JAX arrays; with JAX arrays they are differentiable.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Inexact, Int, Shaped

from .._errors import count
from ..record import SpikeTrains
from ._check import namespace, positive, same_shape, signal
from ._trains import check_trains


def band_pass(
    x: Shaped[Any, "time *rest"],
    *,
    dt: int | float,
    low: int | float,
    high: int | float,
    order: int = 4,
) -> Float[np.ndarray, "time *rest"]:
    """Signals within a band of frequencies: a Butterworth filter run forwards and backwards, which
    shifts no phase. On the host.

    **Arguments:**

    - `x`: signals, shape `(time, ...)`.
    - `dt`: spacing of the samples in ms.
    - `low`, `high`: the band in 1/ms (times `brainfn.units.Hz`), below half of `1 / dt`.
    - `order`: of the filter; it acts twice.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Butterworth (1930), "On the theory of filter amplifiers", Experimental Wireless 7:536-541.
        Forwards and backwards: Gustafsson (1996), "Determining the initial states in
        forward-backward filtering", doi:10.1109/78.492552.
    """
    from scipy.signal import butter, sosfiltfilt

    x, dt = np.asarray(signal("x", x)), positive("dt", dt, "ms")
    low, high = positive("low", low, "1/ms"), positive("high", high, "1/ms")
    if not low < high < 0.5 / dt:
        raise ValueError(
            f"`low` must be below `high`, and that below half of 1/dt, {0.5 / dt:g} 1/ms; got "
            f"{low} and {high}. Try 8 * brainfn.units.Hz."
        )
    sos: Any = butter(
        count("order", order, minimum=1), [low, high], "bandpass", output="sos", fs=1 / dt
    )
    # What sosfiltfilt pads at either end must fit into the record.
    needed = 3 * (2 * len(sos) + 1) + 1
    if x.shape[0] < needed:
        raise ValueError(f"`x` must have at least {needed} times, got {x.shape[0]}.")
    return sosfiltfilt(sos, x, axis=0)


def analytic_signal(x: Shaped[Any, "time *rest"]) -> Inexact[Any, "time *rest"]:
    r"""The analytic signal $z = x + i\,\mathcal{H}[x]$ with the Hilbert transform of the signal.

    `abs(z)` is the envelope and `angle(z)` the phase, 0 at a maximum. They have a meaning where the
    signal has a narrow band, see [`brainfn.measure.band_pass`][].

    **Arguments:**

    - `x`: signals, shape `(time, ...)`.

    **Returns:** complex, of the shape of `x`.

    ??? cite

        Gabor (1946), "Theory of communication", doi:10.1049/ji-3-2.1946.0074.
    """
    x = signal("x", x)
    n, xp = x.shape[0], namespace(x)
    twice = np.zeros(n)
    twice[0] = 1.0
    twice[1 : (n + 1) // 2] = 2.0
    if n % 2 == 0:
        twice[n // 2] = 1.0
    transform = xp.fft.fft(x, axis=0)
    weight = xp.asarray(twice.reshape((-1,) + (1,) * (x.ndim - 1)), transform.dtype)
    return xp.fft.ifft(transform * weight, axis=0)


def phase_locking_value(
    first: Shaped[Any, "time *rest"], second: Shaped[Any, "time *rest"]
) -> Float[Any, "*rest"]:
    r"""The phase locking of two signals, $\mathrm{PLV} = |\langle e^{i (\phi_1 - \phi_2)}
    \rangle_t|$, from 0 to 1.

    **Arguments:**

    - `first`, `second`: phases in radians, of one shape `(time, ...)`.

    **Returns:** one value for each pair of signals.

    ??? cite

        Lachaux, Rodriguez, Martinerie and Varela (1999), "Measuring phase synchrony in brain
        signals", doi:10.1002/(SICI)1097-0193(1999)8:4%3C194::AID-HBM4%3E3.0.CO;2-C.
    """
    first, second = signal("first", first, minimum=1), signal("second", second, minimum=1)
    same_shape("first", first, "second", second)
    return _resultant(first - second)


def pairwise_phase_consistency(phases: Shaped[Any, "sample *rest"]) -> Float[Any, "*rest"]:
    r"""The pairwise phase consistency: the mean cosine of the differences of all pairs of phases.

    $$\mathrm{PPC} = \frac{|\sum_k e^{i \phi_k}|^2 - N}{N (N - 1)}$$

    Unlike the locking value, whose square it estimates, it is not biased by the number of samples:
    random phases give 0 on average.

    **Arguments:**

    - `phases`: in radians, shape `(sample, ...)`, such as those of
        [`brainfn.measure.spike_phases`][].

    ??? cite

        Vinck, van Wingerden, Womelsdorf, Fries and Pennartz (2010), "The pairwise phase
        consistency: a bias-free measure of rhythmic neuronal synchronization",
        doi:10.1016/j.neuroimage.2010.01.073.
    """
    phases = signal("phases", phases)
    n, xp = phases.shape[0], namespace(phases)
    square = xp.cos(phases).sum(axis=0) ** 2 + xp.sin(phases).sum(axis=0) ** 2
    return (square - n) / (n * (n - 1))


def spike_phases(
    trains: SpikeTrains, phase: Shaped[Any, " time"]
) -> tuple[Float[np.ndarray, " spike"], Int[np.ndarray, " spike"]]:
    """The phase of a signal at each spike.

    **Arguments:**

    - `trains`: the spikes.
    - `phase`: in radians, one for each step of the window.

    **Returns:** the phases in radians, in the order of the spikes; and the neuron of each.

    **Raises:** `ValueError` for a phase of another length than the window.
    """
    check_trains(trains)
    host = each_step(trains, "phase", phase, ndim=1)
    return host[np.asarray(trains.steps) - trains.start], np.asarray(trains.neurons)


def order_parameter(phases: Shaped[Any, "time n"]) -> Float[Any, " time"]:
    r"""Kuramoto's order parameter over time, $R(t) = |\frac1N \sum_j e^{i \phi_j(t)}|$.

    1 if all phases are equal. Its standard deviation over time is called metastability.

    **Arguments:**

    - `phases`: in radians, shape `(time, n)`.

    ??? cite

        Kuramoto (1984), Chemical Oscillations, Waves, and Turbulence. Metastability: Shanahan
        (2010), "Metastable chimera states in community-structured oscillator networks",
        doi:10.1063/1.3305451.
    """
    phases = signal("phases", phases, ndim=2, minimum=1)
    return _resultant(phases.T)


def each_step(trains: SpikeTrains, name: str, x: Any, *, ndim: int | None = None) -> np.ndarray:
    """A signal on the host with one row for each step of the window."""
    host = np.asarray(signal(name, x, ndim=ndim))
    steps = trains.stop - trains.start
    if host.shape[0] != steps:
        raise ValueError(
            f"`{name}` must have one row for each of the {steps} steps of the window, got "
            f"{host.shape[0]}. If it was recorded with `every=k`, try np.repeat({name}, k, axis=0)."
        )
    return host


def _resultant(phases: Any) -> Any:
    """The length of the mean of unit vectors, along the first axis."""
    xp = namespace(phases)
    return xp.hypot(xp.cos(phases).mean(axis=0), xp.sin(phases).mean(axis=0))
