"""A hierarchy of cortical areas: whether a pulse in the first reaches the last."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from .._custom_types import Key
from .._errors import count
from .._field import astype
from ..connect import Blocks, OfBlocks
from ..init import Uniform
from ..input import PoissonArrivals, Step
from ..network import Network, Projection
from ..neuron import LIF
from ..record import SpikeTrains
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Delta, Instant
from ..units import Hz, mm, ms, mV, pA
from ._entry import Entry, Figures, Finished, Variant, Window, check_scale, choose
from ._pictures import presented, sheet
from ._statistics import mean_cv, rate, windowed

_AREAS = 8
_EACH = {"exc": 400, "inh": 100}
_IN_DEGREE = {"exc": 80, "inh": 20, "long": 80}
# The distance between neighbours, the decay of connections, and the speed of axons.
_STEP, _DECAY, _SPEED = 7.0 * mm, 0.19 / mm, 3.5 * mm / ms
_GRADIENT = 0.3
_PULSE, _START, _LENGTH = 100 * pA, 500 * ms, 100 * ms
_NOISE = 0.5 * mV
_BACKGROUND = {"exc": 15.0 * mV, "inh": 14.0 * mV}
_TAU = {"exc": 20 * ms, "inh": 10 * ms}
# Onto excitatory and onto inhibitory neurons, from those of the area and of others.
_LOCAL = {"exc": 0.02 * mV, "inh": 0.15 * mV}
_BLOCKED_INH, _LONG_INH = 0.15 * mV, 0.05 * mV
_BIN = 10 * ms


class Coupling(NamedTuple):
    """What differs between regimes of [`brainfn.zoo.multi_area`][]: the weight in mV of excitatory
    synapses from other areas (onto excitatory neurons), and of inhibitory ones onto them."""

    long: float
    inhibition: float
    about: str
    expected: str


COUPLINGS: dict[str, Coupling] = {
    "strong": Coupling(
        0.18,
        0.5,
        "strong balanced amplification",
        "a pulse in the first area reaches the last; activity is sparse before and after",
    ),
    "weak": Coupling(
        0.075,
        0.1,
        "weak balanced amplification",
        "a pulse in the first area dies out within three areas",
    ),
    "unbalanced": Coupling(
        0.18,
        0.1,
        "strong excitation between areas, weak inhibition within",
        "activity explodes without a pulse",
    ),
}
"""The regimes that [`brainfn.zoo.multi_area`][] knows, by name."""


def connectome(areas: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Fractions of the inputs of each area by source, shape `(sources, targets)`, and distances in
    um, for areas in a row: $f_{ij} \propto e^{-0.19 d_{ij}}$, with columns that sum to one."""
    at = _STEP * np.arange(areas)
    distance = np.abs(at[:, None] - at)
    weight = np.exp(-_DECAY * distance) * (distance > 0)
    return weight / np.maximum(weight.sum(0), 1e-300), distance


def multi_area(
    regime: str = "strong",
    *,
    areas: int = _AREAS,
    scale: int | float = 1.0,
    pulse: float = _PULSE,
    key: Key,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""Areas of 400 excitatory and 100 inhibitory neurons in a hierarchy, coupled by excitation.

    $$\tau \dot v = v_\mathrm{rest} - v + I,\qquad v \leftarrow v + w \text{ per spike}$$

    Within an area each neuron has about 80 excitatory and 20 inhibitory synapses, from other areas
    80 more, with shares that decay with the distance: $e^{-0.19\,d / \mathrm{mm}}$. Areas are 7 mm
    apart, and spikes run at 3.5 mm/ms. Excitatory weights grow by 30 % from the first to the last
    area. Every neuron has a background of Poisson spikes of 0.5 mV; from 500 to 600 ms the
    excitatory neurons of the first area get a pulse.

    Excitation between areas that lets a pulse pass would make activity explode, unless inhibition
    within areas is stronger as well ("global balanced amplification"); with both weak, the pulse
    dies out.

    **This is a stand-in**, with eight equal areas, and sizes and weights chosen here for the
    published behaviour. It is neither the network of Joglekar et al. with its measured connections
    between 29 areas, nor the data-constrained model of 32 areas of Schmidt et al. (2018).

    All areas are in the two populations `"exc"` and `"inh"`, one after the other, so that neither
    compilation nor the number of kernels depends on their number.

    **Arguments:**

    - `regime`: a key of `brainfn.zoo.COUPLINGS`: `"strong"`, `"weak"` or `"unbalanced"`.
    - `areas`: their number.
    - `scale`: number of neurons of an area in units of 500; each keeps its number of synapses.
    - `pulse`: the current of the pulse in pA.
    - `key`: a JAX random key for the connections.
    - `surrogate`, `dtype`: as of [`brainfn.zoo.vogels_abbott`][].

    **Returns:** the network and its `inputs` for [`brainfn.simulate`][].

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        key = jax.random.key(0)
        network, inputs = bf.zoo.multi_area("strong", key=key, surrogate=None)
        out = bf.run(network, inputs=inputs, duration=1000.0, dt=0.1, key=key,
                     record=bf.record.Spikes())
        ```

    ??? cite

        Joglekar, Mejias, Yang and Wang (2018), "Inter-areal balanced amplification enhances signal
        propagation in a large-scale circuit model of the primate cortex", Neuron 98:222-234,
        doi:10.1016/j.neuron.2018.02.031: the mechanism and what it does. The decay of connections
        with distance: Ercsey-Ravasz et al. (2013), "A predictive network model of cerebral cortical
        connectivity based on a distance rule", Neuron 80:184-197,
        doi:10.1016/j.neuron.2013.07.036. Weights that grow along the hierarchy: Chaudhuri et al.
        (2015), "A large-scale circuit mechanism for hierarchical dynamical processing in the
        primate cortex", Neuron 88:419-431, doi:10.1016/j.neuron.2015.09.008. The speed: Schmidt et
        al. (2018), "A multi-scale layer-resolved spiking network model of resting-state dynamics in
        macaque visual cortical areas", doi:10.1371/journal.pcbi.1006359.
    """
    chosen = choose("regime", regime, COUPLINGS)
    areas = count("areas", areas, minimum=2)
    scale = check_scale(scale, 0.4, 1000, "200 neurons in an area", "500 neurons in an area")
    dtype = jnp.result_type(float) if dtype is None else dtype
    sizes = {name: round(scale * n) for name, n in _EACH.items()}
    area = {name: np.repeat(np.arange(areas), n) for name, n in sizes.items()}
    populations = {
        name: LIF(
            areas * n,
            tau=_TAU[name],
            v_rest=-70 * mV,
            v_threshold=-50 * mV,
            v_reset=-60 * mV,
            refractory=2 * ms,
            v_init=Uniform(-65.0, -50.5),
            surrogate=surrogate,
        )
        for name, n in sizes.items()
    }
    share, distance = connectome(areas)
    own = np.eye(areas)
    growth = np.tile(1 + _GRADIENT * np.linspace(0, 1, areas), (areas, 1))
    synapse, output = Instant(), Delta()
    projections = {}

    def project(name: str, pre: str, post: str, degree: Any, weight: Any, delay: Any) -> None:
        blocks = area[pre], area[post]
        projections[f"{name}->{post}"] = Projection(
            pre,
            post,
            Blocks(np.minimum(degree / sizes[pre], 1.0), *blocks),
            weight=OfBlocks(weight * growth, *blocks) if pre == "exc" else -weight,
            delay=delay if np.ndim(delay) == 0 else OfBlocks(delay, *blocks),
            synapse=synapse,
            output=output,
        )

    blocked = {"exc": chosen.inhibition * mV, "inh": _BLOCKED_INH}
    far = {"exc": chosen.long * mV, "inh": _LONG_INH}
    delays = np.maximum(distance, _STEP) / _SPEED
    for post in sizes:
        project("exc", "exc", post, _IN_DEGREE["exc"] * own, _LOCAL[post], 2 * ms)
        project("inh", "inh", post, _IN_DEGREE["inh"] * own, blocked[post], 2 * ms)
        project("long", "exc", post, _IN_DEGREE["long"] * share, far[post], delays)
    first = np.where(area["exc"] == 0, pulse, 0.0)
    inputs: dict[str, Any] = {
        name: PoissonArrivals(
            _BACKGROUND[name] / (_NOISE * _TAU[name]), _NOISE, into=f"exc->{name}"
        )
        for name in sizes
    }
    inputs["exc"] = inputs["exc"] + Step(first, start=_START, stop=_START + _LENGTH)
    network = astype(Network(populations, projections, key=key), dtype)
    return network, astype(inputs, dtype)


def area_rates(trains: SpikeTrains, areas: int = _AREAS) -> tuple[np.ndarray, np.ndarray]:
    """Beginnings of bins of 10 ms, and the rates in Hz of the areas in them, shape `(bins,
    areas)`."""
    each = trains.size // areas
    steps = max(1, round(_BIN / trains.dt))
    bins = (trains.stop - trains.start) // steps
    at, area = (trains.steps - trains.start) // steps, trains.neurons // each
    inside = at < bins
    counts = np.zeros((bins, areas))
    np.add.at(counts, (at[inside], area[inside]), 1)
    ts = trains.start * trains.dt + steps * trains.dt * np.arange(bins)
    return ts, counts / (each * steps * trains.dt * Hz)


def peaks(ts: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each area, the mean rate before the pulse, and the highest rate within 200 ms of its
    beginning beyond that; NaN in a run that ends before."""
    before = rates[(ts >= 200.0) & (ts < _START)]
    after = rates[(ts >= _START) & (ts < _START + 200.0)]
    nothing = np.full(rates.shape[1], np.nan)
    base = before.mean(0) if len(before) else nothing
    return base, after.max(0) - base if len(after) else nothing


def _figures(trains: dict[str, SpikeTrains], window: Window) -> Figures:
    _, peak = peaks(*area_rates(trains["exc"]))
    before = windowed(trains, _EACH, (window[0], min(window[1], _START)))
    return {
        "rate_exc": rate(before["exc"]),
        "rate_inh": rate(before["inh"]),
        "cv": mean_cv(before["exc"]),
        "first": float(peak[0]),
        "middle": float(peak[_AREAS // 2]),
        "last": float(peak[-1]),
        "ratio": float(peak[-1] / peak[0]),
    }


def _window(duration: float) -> Window:
    """Without the first 200 ms, if there is more."""
    return (200.0, duration) if duration >= 400.0 else (0.0, duration)


@presented
def _picture(finished: Finished) -> Any:
    """Spikes by area, rates of the areas one above the other, and their peaks."""
    from .. import plot
    from ..plot import grey, open_frame

    trains = finished.trains["exc"]
    ts, rates = area_rates(trains)
    base, peak = peaks(ts, rates)
    facts = f"peak of area {_AREAS} / area 1: {peak[-1] / peak[0]:.2f}"
    figure, grid = sheet(finished, columns=[1.0, 1.0, 0.7], rows=[1.0], facts=facts)
    # Neurons of an area are alike: fifty of each.
    each = trains.size // _AREAS
    ax = figure.add_subplot(grid[0, 0])
    times, neurons = np.asarray(trains.times), np.asarray(trains.neurons)
    few = neurons % each < 50
    height = neurons[few] // each + (neurons[few] % each) / 55
    first = plot.colour("e", 0, ax)
    ax.plot(times[few], height, ".", markersize=1.5, color=first, rasterized=True)
    ax.set(xlabel="time (ms)", ylabel="area", xlim=(0, finished.duration), ylim=(0, _AREAS))
    middle = figure.add_subplot(grid[0, 1], sharex=ax)
    top = max(float(np.nanmax(rates[ts >= 200.0], initial=1.0)), 1.0)
    for i in range(_AREAS):
        curve = np.minimum(rates[:, i] / top, 1.0)
        middle.fill_between(ts, i, i + 0.95 * curve, color=first, alpha=0.25, linewidth=0)
        middle.plot(ts, i + 0.95 * curve, color=first, linewidth=1.3)
    middle.set(xlabel="time (ms)", ylim=(0, _AREAS))
    middle.set_title(f"rates; the distance of lines is {top:.0f} Hz", loc="right", fontsize=14)
    for panel in (ax, middle):
        panel.set_yticks(np.arange(_AREAS) + 0.5, [str(i + 1) for i in range(_AREAS)])
        panel.axvspan(_START, _START + _LENGTH, color=grey(panel), alpha=0.15, linewidth=0)
    last = figure.add_subplot(grid[0, 2])
    last.plot(peak, np.arange(_AREAS) + 0.5, "o-", color=first, label="peak after the pulse")
    last.plot(base, np.arange(_AREAS) + 0.5, "o--", color=grey(last), label="rate before")
    last.set(xlabel="rate (Hz)", ylim=(0, _AREAS), xlim=(0, None))
    last.set_yticks(np.arange(_AREAS) + 0.5, [str(i + 1) for i in range(_AREAS)])
    last.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.05, 0.995), borderpad=0.0)
    for panel in (ax, middle, last):
        open_frame(panel)
    return figure


def _build(variant: str, *, scale: float, key: Key, dt: float) -> tuple[Network, Any]:
    del dt
    return multi_area(variant, scale=scale, key=key, surrogate=None)


MULTI_AREA = Entry(
    name="multi_area",
    title="a hierarchy of eight cortical areas, a stand-in without measured connections",
    source="mechanism of Joglekar et al. (2018), doi:10.1016/j.neuron.2018.02.031",
    size="4000 neurons in eight areas, 720 000 synapses",
    expected="with strong excitation between areas, balanced by inhibition within them, a pulse in "
    "the first area reaches the last; with both weak it dies out",
    variants={
        name: Variant(
            f"Eight areas: {chosen.about}",
            f"weights of this network: {chosen.long:g} mV between areas, inhibition "
            f"{chosen.inhibition:g} mV",
            chosen.expected,
        )
        for name, chosen in COUPLINGS.items()
    },
    build=_build,
    python='bf.zoo.multi_area("VARIANT", key=key)',
    drawn=dict.fromkeys(_EACH, 0),
    figures=_figures,
    rows={
        "rate_exc": ("excitatory rate before (Hz)", "{:.2f}"),
        "rate_inh": ("inhibitory rate before (Hz)", "{:.2f}"),
        "cv": ("CV of intervals before", "{:.2f}"),
        "first": ("peak of area 1 (Hz)", "{:.1f}"),
        "middle": ("peak of area 5 (Hz)", "{:.1f}"),
        "last": ("peak of area 8 (Hz)", "{:.1f}"),
        "ratio": ("area 8 / area 1", "{:.3f}"),
    },
    window=_window,
    picture=_picture,
    duration=1000.0,
    multiples={"the shortest delay": 2 * ms, "the refractory period": 2 * ms},
)
