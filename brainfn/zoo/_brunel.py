"""The sparsely connected network of Brunel, in its four states."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from .. import measure
from .._custom_types import Key
from .._field import astype
from ..connect import FixedInDegree
from ..init import Uniform
from ..input import PoissonArrivals
from ..network import Network, Projection
from ..neuron import LIF
from ..record import SpikeTrains
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Delta, Instant
from ..units import Hz, ms, mV
from ._entry import Entry, Figures, Finished, Variant, Window, check_scale, choose
from ._pictures import histogram, presented, sheet
from ._statistics import mean_cv, rate, windowed

_SIZES = {"exc": 10_000, "inh": 2500}
_IN_DEGREE = {"exc": 1000, "inh": 250}
_TAU, _THETA, _J, _DELAY = 20 * ms, 20 * mV, 0.1 * mV, 1.5 * ms
# The rate of the input at which its mean alone reaches the threshold: 10 Hz at each synapse.
_THRESHOLD_RATE = _THETA / (_J * _IN_DEGREE["exc"] * _TAU)
_SEGMENT, _BIN = 200 * ms, 0.5 * ms


class Brunel(NamedTuple):
    """A state of Brunel's network: the strength of inhibition `g` relative to excitation, the rate
    of the external input relative to that which reaches the threshold, and the rate in Hz of the
    theory of stationary states (without meaning where neurons synchronise)."""

    g: float
    external: float
    mean_field: float
    about: str
    expected: str


BRUNEL: dict[str, Brunel] = {
    "C": Brunel(
        5.0,
        2.0,
        37.95,
        "asynchronous irregular",
        "activity at 37.7 Hz, irregular, with weak and broad fluctuations",
    ),
    "A": Brunel(
        3.0, 2.0, 327.01, "synchronous regular", "neurons are almost fully synchronised, CV near 0"
    ),
    "B": Brunel(
        6.0,
        4.0,
        55.84,
        "synchronous irregular, fast",
        "a fast oscillation, in which single neurons spike irregularly and more slowly",
    ),
    "D": Brunel(
        4.5,
        0.9,
        6.52,
        "synchronous irregular, slow",
        "a slow oscillation, in which single neurons spike irregularly and rarely",
    ),
}
"""The states that [`brainfn.zoo.brunel`][] knows, by the letters of Brunel's figure 8."""


def brunel(
    state: str = "C",
    *,
    scale: int | float = 1.0,
    key: Key,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""10 000 excitatory and 2500 inhibitory neurons whose potentials jump when spikes arrive.

    $$\tau \dot v = -v, \qquad v \leftarrow v + J \text{ or } v - g J \text{ per spike}$$

    with $\tau$ = 20 ms, threshold 20 mV, reset 10 mV, 2 ms refractory, $J$ = 0.1 mV and a delay of
    1.5 ms. Each neuron has 1000 excitatory and 250 inhibitory synapses from the network, and 1000
    from outside, at each of which Poisson spikes arrive at a multiple `external` of 10 Hz: at 10 Hz
    their mean alone would bring a neuron to its threshold. Both kinds of neurons are alike.

    **Arguments:**

    - `state`: a key of `brainfn.zoo.BRUNEL`: `"A"` to `"D"`, as in Brunel's figure 8.
    - `scale`: number of neurons relative to 12 500; each keeps its number of synapses.
    - `key`: a JAX random key for the connections.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one, which take less
        memory.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network, and its external input by population, the `inputs` of
    [`brainfn.simulate`][].

    **Raises:** `ValueError` for an unknown state or a `scale` out of range.

    ??? cite

        Brunel (2000), "Dynamics of sparsely connected networks of excitatory and inhibitory spiking
        neurons", J. Comput. Neurosci. 8:183-208, doi:10.1023/A:1008925309027, model A.
    """
    chosen = choose("state", state, BRUNEL)
    scale = check_scale(scale, 0.1, 130, "1250 neurons", "12 500 neurons")
    dtype = jnp.result_type(float) if dtype is None else dtype
    populations = {
        name: LIF(
            round(scale * size),
            tau=_TAU,
            v_rest=0 * mV,
            v_threshold=_THETA,
            v_reset=10 * mV,
            refractory=2 * ms,
            v_init=Uniform(0.0, _THETA),
            surrogate=surrogate,
        )
        for name, size in _SIZES.items()
    }
    synapse, output = Instant(), Delta()
    projections = {
        name: Projection(
            name,
            list(_SIZES),
            FixedInDegree(degree),
            weight=_J if name == "exc" else -chosen.g * _J,
            delay=_DELAY,
            synapse=synapse,
            output=output,
        )
        for name, degree in _IN_DEGREE.items()
    }
    events = _IN_DEGREE["exc"] * chosen.external * _THRESHOLD_RATE
    inputs = {name: PoissonArrivals(events, _J, into="exc") for name in _SIZES}
    network = astype(Network(populations, projections, key=key), dtype)
    return network, astype(inputs, dtype)


def spectrum(trains: SpikeTrains) -> tuple[np.ndarray, np.ndarray]:
    """The power spectrum of a population's rate, relative to that of as many independent Poisson
    trains of the same rate (1 everywhere); frequencies in Hz."""
    width = max(1, round(_BIN / trains.dt)) * trains.dt
    _, signal = measure.population_rate(trains, width)
    segment = min(_SEGMENT, signal.size // 2 * width)
    segment = max(2, round(segment / width)) * width
    frequencies, power = measure.welch(signal, dt=width, segment=segment)
    level = 2 * measure.mean_rate(trains) / trains.size
    return frequencies / Hz, power / level if level > 0 else power


def _figures(trains: dict[str, SpikeTrains], window: Window) -> Figures:
    """Rate, CV, and the highest peak of the spectrum."""
    both = measure.pool(list(windowed(trains, _SIZES, window).values()))
    frequencies, power = spectrum(both)
    # Below 10 Hz the spectrum is that of the window.
    seen = frequencies >= 10
    at = int(np.argmax(np.where(seen, power, 0)))
    return {
        "rate": rate(both),
        "cv": mean_cv(both),
        "frequency": float(frequencies[at]),
        "peak": float(power[at]),
    }


def _window(duration: float) -> Window:
    """Without the first 200 ms, if there is more."""
    return (200.0, duration) if duration >= 400.0 else (0.0, duration)


@presented
def _picture(finished: Finished) -> Any:
    """Spikes and rates of the last 200 ms, the spectrum of the rate, rates and CVs of neurons."""
    from .. import plot
    from ..plot import colour, grey, open_frame

    end = finished.duration
    figures = finished.figures
    facts = f"rate {figures['rate']:.1f} Hz   ·   CV {figures['cv']:.2f}"
    figure, grid = sheet(finished, columns=[2.2, 1.0], rows=[1.7, 1.0], facts=facts)
    shown = windowed(finished.trains, _SIZES, (max(0.0, end - 200.0), end))
    top = plot.raster(shown, ax=figure.add_subplot(grid[0, 0]), neurons=200)
    top.set_xlabel("")
    below = figure.add_subplot(grid[1, 0], sharex=top)
    plot.population_rate(
        {"exc": shown["exc"]}, ax=below, bin_size=max(1, round(_BIN / finished.dt)) * finished.dt
    )
    right = grid[:, 1].subgridspec(3, 1, hspace=0.1)
    both = measure.pool(list(windowed(finished.trains, _SIZES, finished.window).values()))
    frequencies, power = spectrum(both)
    ax = figure.add_subplot(right[0])
    ax.loglog(frequencies[1:], power[1:], color=colour("e", 0, ax), linewidth=1.8)
    ax.axhline(1.0, color=grey(ax), linewidth=1.0, linestyle=":")
    ax.set(xlabel="frequency (Hz)", ylabel="power / Poisson")
    panels = [top, below, ax]
    for place, (label, values) in enumerate(
        {
            "rate of a neuron (Hz)": measure.firing_rates(both) / Hz,
            "CV of its intervals": measure.cv_isi(both),
        }.items()
    ):
        panels.append(histogram(figure.add_subplot(right[place + 1]), values, label))
    for panel in panels:
        open_frame(panel)
    return figure


def _build(variant: str, *, scale: float, key: Key, dt: float) -> tuple[Network, Any]:
    del dt
    return brunel(variant, scale=scale, key=key, surrogate=None)


BRUNEL_NETWORK = Entry(
    name="brunel",
    title="sparse network of Brunel, in its four states A to D",
    source="Brunel (2000), doi:10.1023/A:1008925309027",
    size="12 500 neurons, 15 625 000 synapses",
    expected="by state: neurons synchronised (A), a fast oscillation (B), asynchronous irregular "
    "activity at 37.7 Hz (C), a slow oscillation (D)",
    variants={
        name: Variant(
            f"Brunel's network, state {name}: {chosen.about}",
            f"Brunel (2000), model A, g = {chosen.g:g}, external rate {chosen.external:g} of that "
            "at threshold",
            chosen.expected,
            {"mean field": {"": {"rate": chosen.mean_field}}},
        )
        for name, chosen in BRUNEL.items()
    },
    build=_build,
    python='bf.zoo.brunel("VARIANT", key=key)',
    drawn=dict.fromkeys(_SIZES, 0),
    figures=_figures,
    rows={
        "rate": ("rate (Hz)", "{:.2f}"),
        "cv": ("CV of intervals", "{:.3f}"),
        "frequency": ("peak of the spectrum at (Hz)", "{:.0f}"),
        "peak": ("its power / Poisson", "{:.1f}"),
    },
    window=_window,
    picture=_picture,
    duration=1200.0,
    multiples={"the delay": _DELAY, "the refractory period": 2 * ms},
    note="mean field: stationary states, no synchrony; Poisson: as many independent trains",
)
