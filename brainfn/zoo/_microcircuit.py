"""The cortical microcircuit of Potjans and Diesmann."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from .. import measure
from .._custom_types import Key
from .._errors import time_step
from .._field import astype
from ..connect import FixedTotalNumber
from ..init import Normal, TruncatedNormal
from ..input import Constant, Poisson, PoissonArrivals
from ..network import Network, Projection
from ..neuron import LIF
from ..record import SpikeTrains
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Current, Exponential
from ..units import Hz, ms, mV, pF
from ._entry import Entry, Figures, Finished, Variant, Window, check_scale, choose
from ._pictures import boxes, finite, presented, sheet
from ._statistics import mean_cv, rate, windowed

NAMES: tuple[str, ...] = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
_SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
_THALAMIC = 902
# Connection probabilities, `_PROBABILITY[target][source]`; the last column is the thalamus.
_PROBABILITY = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0, 0.0],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0, 0.0983],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0, 0.0619],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0, 0.0],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252, 0.0512],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443, 0.0196],
    ]
)
_EXTERNAL = np.array((1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100))
_BACKGROUND = 8 * Hz
# Membrane potentials near those of the stationary state: mean and standard deviation.
_V_INIT = (
    (-68.28, 5.36),
    (-63.16, 4.57),
    (-63.33, 4.74),
    (-63.45, 4.94),
    (-63.11, 4.94),
    (-61.66, 4.55),
    (-66.72, 5.46),
    (-61.43, 4.48),
)
_TAU_M, _TAU_S, _CAPACITANCE = 10 * ms, 0.5 * ms, 250 * pF
_PSP, _G, _SPREAD = 0.15 * mV, -4.0, 0.1
_DELAY_EXC, _DELAY_INH = 1.5 * ms, 0.75 * ms
# Rates of the full network in Hz, with which a smaller one keeps its mean input; and those of
# other implementations.
_RATES = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)
_RATES_PYNEST = (0.943, 3.026, 4.368, 5.882, 7.733, 8.664, 1.096, 7.851)
_BACKGROUNDS = {"poisson": "Poisson spikes", "dc": "a constant current"}
_STARTS = {"optimized": "near the stationary state", "original": "-58 mV +- 10 mV"}


def psc_of_psp(psp: float) -> float:
    """The synaptic current in pA whose postsynaptic potential has a peak of `psp` mV."""
    ratio = _TAU_M / _TAU_S
    difference = _TAU_M - _TAU_S
    peak = ratio ** (-_TAU_M / difference) - ratio ** (-_TAU_S / difference)
    return psp * _CAPACITANCE * (_TAU_S - _TAU_M) / (_TAU_M * _TAU_S) / peak


def synapse_number(probability: float, n_pre: int, n_post: int) -> float:
    """How many synapses drawn with replacement connect a pair at least once with `probability`."""
    return math.log(1 - probability) / math.log(1 - 1 / (n_pre * n_post))


def microcircuit(
    *,
    scale: int | float = 1.0,
    key: Key,
    in_degree: int | float | None = None,
    background: str = "poisson",
    thalamus: bool = False,
    start: str = "optimized",
    dt: float = 0.1,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""The cells below 1 mm$^2$ of cortex: four layers, each with excitatory and inhibitory
    neurons, 77 169 neurons and 298 880 968 synapses in all, at full scale.

    $$C \dot v = \frac{C}{\tau}(v_\mathrm{rest} - v) + I, \qquad \dot I = -I / \tau_s$$

    with $C$ = 250 pF, $\tau$ = 10 ms, $\tau_s$ = 0.5 ms, rest and reset at -65 mV, threshold -50
    mV, 2 ms refractory. The number of synapses between two populations is fixed, with pairs drawn
    with replacement. Weights are normal with a standard deviation of 10 %, drawn again if they
    change their sign: a postsynaptic potential of 0.15 mV, 0.3 mV from layer 4 to 2/3, and -0.6 mV
    from inhibitory neurons. Delays are normal, 1.5 +- 0.75 ms for excitatory and 0.75 +- 0.375 ms
    for inhibitory neurons, drawn again if they are less than one step. Each is one step longer here
    than its number says, as spikes of NEST come one step later.

    A smaller network has a share `in_degree` of the synapses of each neuron. Its weights are
    divided by the square root of that, which keeps the variance of its input, and a constant
    current keeps the mean that it has at the rates of the full network. That is a linear
    correction: the smaller the network, the further its rates are from those of the full one (at 5
    % layer 2/3 fires at 0.25 Hz, here and in NEST), and at 10 % with `"dc"` background, which has
    no fluctuations from outside, most populations hardly spike.

    **Arguments:**

    - `scale`: number of neurons relative to the full network.
    - `key`: a JAX random key for connections, weights and delays.
    - `in_degree`: synapses of a neuron relative to the full network; by default `scale`.
    - `background`: `"poisson"`, Poisson spikes of 8 Hz at each of 1500 to 2900 synapses of a neuron
        from outside; or `"dc"`, their mean as a constant current.
    - `thalamus`: whether a population `thalamus` of 902 cells spikes with 120 Hz from 700 to 710
        ms.
    - `start`: initial membrane potentials: `"optimized"`, near the stationary state; or
        `"original"`, normal with -58 +- 10 mV.
    - `dt`: step size in ms, the smallest delay.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one, which take less
        memory.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network, and its background by population, the `inputs` of
    [`brainfn.simulate`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    !!! example

        ```python
        key = jax.random.key(0)
        network, background = bf.zoo.microcircuit(scale=0.1, key=key)
        out = bf.run(network, inputs=background, duration=1000.0, dt=0.1, key=key,
                     record=bf.record.Spikes())
        ```

    ??? cite

        Potjans and Diesmann (2014), "The cell-type specific cortical microcircuit: relating
        structure and activity in a full-scale spiking network model", doi:10.1093/cercor/bhs358;
        initial membrane potentials and the reference rates: INM-6, microcircuit-PD14-model. Scaling
        by Van Albada, Helias and Diesmann (2015), "Scalability of asynchronous networks is limited
        by one-to-one mapping between effective connectivity and correlations",
        doi:10.1371/journal.pcbi.1004490.
    """
    scale = check_scale(scale, 0.01, 2.5, "770 neurons", "77 169 neurons")
    share = scale if in_degree is None else check_scale(in_degree, 0.01, 1, "1 %", "all synapses")
    choose("background", background, _BACKGROUNDS)
    choose("start", start, _STARTS)
    if not isinstance(thalamus, bool):
        raise TypeError(f"`thalamus` must be True or False, got {thalamus!r}.")
    dt = time_step(dt)
    dtype = jnp.result_type(float) if dtype is None else dtype
    sizes = [round(scale * n) for n in _SIZES]
    starts = _V_INIT if start == "optimized" else [(-58.0, 10.0)] * len(NAMES)
    populations: dict[str, Any] = {
        name: LIF(
            size,
            tau=_TAU_M,
            capacitance=_CAPACITANCE,
            v_rest=-65 * mV,
            v_threshold=-50 * mV,
            v_reset=-65 * mV,
            refractory=2 * ms,
            v_init=Normal(*v),
            surrogate=surrogate,
        )
        for name, size, v in zip(NAMES, sizes, starts, strict=True)
    }
    synapse, output = Exponential(_TAU_S), Current()

    numbers, psps = _full()

    def project(source: str, j: int, target: str, i: int) -> Projection:
        full, psp = int(numbers[i, j]), _PSP if j == len(NAMES) else float(psps[i, j])
        mean = _DELAY_EXC if psp > 0 else _DELAY_INH
        weight = psc_of_psp(psp) / math.sqrt(share)
        bounds = (0.0, math.inf) if weight > 0 else (-math.inf, 0.0)
        return Projection(
            source,
            target,
            FixedTotalNumber(round(full * scale * share)),
            weight=TruncatedNormal(weight, _SPREAD * abs(weight), *bounds),
            delay=TruncatedNormal(mean + dt, mean / 2, 1.5 * dt, math.inf),
            synapse=synapse,
            output=output,
            name=f"{source}->{target}",
        )

    sources: list[str] = list(NAMES)
    if thalamus:
        size = max(1, round(scale * _THALAMIC))
        populations["thalamus"] = Poisson(size, 120 * Hz, start=700 * ms, stop=710 * ms)
        sources.append("thalamus")
    projections = [
        project(source, j, target, i)
        for i, target in enumerate(NAMES)
        for j, source in enumerate(sources)
        if numbers[i, j]
    ]
    inputs = _background(share, background)
    network = astype(Network(populations, projections, key=key), dtype)
    return network, astype(inputs, dtype)


def _full() -> tuple[np.ndarray, np.ndarray]:
    """At full scale, by target and source: numbers of synapses and PSPs in mV."""
    sources = (*_SIZES, _THALAMIC)
    numbers = np.array(
        [
            [round(synapse_number(p, n_pre, n_post)) for p, n_pre in zip(row, sources, strict=True)]
            for row, n_post in zip(_PROBABILITY, _SIZES, strict=True)
        ]
    )
    psps = np.where([name.endswith("I") for name in NAMES], _G * _PSP, _PSP)
    psps = np.tile(psps, (len(NAMES), 1))
    psps[NAMES.index("L23E"), NAMES.index("L4E")] *= 2
    return numbers, psps


def _background(share: float, background: str) -> dict[str, Any]:
    """Input by population: Poisson spikes, and a current that keeps the mean of a share."""
    numbers, psps = _full()
    in_degrees = numbers[:, :-1] / np.array(_SIZES)[:, None]
    unit = psc_of_psp(1 * mV)
    recurrent = (in_degrees * psps * unit) @ (np.array(_RATES) * Hz) * _TAU_S
    weight = unit * _PSP
    external = _EXTERNAL * _BACKGROUND * weight * _TAU_S
    root = math.sqrt(share)
    lost = 1 - root
    inputs: dict[str, Any] = {}
    for i, name in enumerate(NAMES):
        if background == "dc":
            inputs[name] = Constant(float(external[i] + lost * recurrent[i]))
            continue
        # Every population gets input from the excitatory neurons of its own layer.
        into = f"{name[:-1]}E->{name}"
        events = PoissonArrivals(share * _EXTERNAL[i] * _BACKGROUND, weight / root, into=into)
        current = lost * (recurrent[i] + external[i])
        inputs[name] = events + float(current) if share < 1 else events
    return inputs


def _figures(trains: dict[str, SpikeTrains], window: Window) -> Figures:
    """Rates, CVs and correlations of the eight populations."""
    seen = windowed(trains, NAMES, window)
    return {
        **{f"rate_{name}": rate(p) for name, p in seen.items()},
        **{f"cv_{name}": mean_cv(p) for name, p in seen.items()},
        **{f"cc_{name}": float(np.mean(correlations(p))) for name, p in seen.items()},
    }


def correlations(trains: SpikeTrains, neurons: int = 250, width: float = 2.0) -> np.ndarray:
    """Correlation coefficients of spike counts in bins of `width` ms, of all pairs of the first
    `neurons` neurons that spike."""
    active = np.flatnonzero(trains.count)[:neurons]
    if active.size < 2:
        return np.zeros(1)
    step = max(1, round(width / trains.dt)) * trains.dt
    matrix = measure.correlation_matrix(measure.select(trains, active), step)
    return matrix[np.triu_indices(active.size, 1)]


def _window(duration: float) -> Window:
    """Without the first half second, if there is more."""
    return (500.0, duration) if duration >= 1000.0 else (0.0, duration)


@presented
def _picture(finished: Finished) -> Any:
    """Spikes by layer; rates, CVs and correlations of the populations, as boxes."""
    from .. import plot
    from ..plot import ink, open_frame

    figure, grid = sheet(finished, columns=[2.6, 1.0], rows=[3.0, 1.0])
    end = finished.duration
    shown = windowed(finished.trains, NAMES, (max(0.0, end - 500.0), end))
    top = plot.raster(shown, ax=figure.add_subplot(grid[0, 0]), neurons=2000)
    rows = [-(-p.size // -(-sum(q.size for q in shown.values()) // 2000)) for p in shown.values()]
    ends = np.cumsum([0, *rows])
    layers = ends[-1] - (ends[0:8:2] + ends[2:9:2]) / 2
    top.set_yticks(layers, ["2/3", "4", "5", "6"], rotation=0, color=ink(figure))
    top.set(ylabel="layer", xlabel="")
    below = figure.add_subplot(grid[1, 0], sharex=top)
    plot.population_rate(
        {kind: measure.pool([shown[n] for n in NAMES if n[-1] == kind]) for kind in "EI"},
        ax=below,
    )
    seen = windowed(finished.trains, NAMES, finished.window)
    right = grid[:, 1].subgridspec(3, 1, hspace=0.1)
    measured = {
        "rate (Hz)": [measure.firing_rates(p) / Hz for p in seen.values()],
        "CV of intervals": [finite(measure.cv_isi(p)) for p in seen.values()],
        "correlation (2 ms)": [correlations(p) for p in seen.values()],
    }
    whole = sum(p.size for p in seen.values()) == sum(_SIZES)
    published = {"rate (Hz)": _RATES} if whole else {}
    for place, (label, values) in enumerate(measured.items()):
        boxes(figure.add_subplot(right[place]), NAMES, values, label, published.get(label))
    for panel in (top, below):
        open_frame(panel)
    return figure


def _rates(values: tuple[float, ...]) -> dict[str, dict[str, float]]:
    return {"": {f"rate_{name}": value for name, value in zip(NAMES, values, strict=True)}}


def _build(variant: str, *, scale: float, key: Key, dt: float) -> tuple[Network, Any]:
    options: dict[str, Any] = _VARIANTS[variant][1]
    return microcircuit(scale=scale, key=key, dt=dt, surrogate=None, **options)


_INM6 = {"INM-6": _rates(_RATES), "PyNEST": _rates(_RATES_PYNEST)}
_VARIANTS: dict[str, tuple[Variant, dict[str, Any]]] = {
    "poisson": (
        Variant(
            "Cortical microcircuit",
            "Potjans and Diesmann (2014), Poisson background",
            reference=_INM6,
        ),
        {},
    ),
    "dc": (
        Variant(
            "Cortical microcircuit, constant background",
            "INM-6, microcircuit-PD14-model: DC background",
            reference=_INM6,
        ),
        {"background": "dc"},
    ),
    "thalamus": (
        Variant(
            "Cortical microcircuit with a thalamic pulse",
            "Potjans and Diesmann (2014), figure 10: thalamic spikes from 700 to 710 ms",
            "layers 4 and 6 respond first, then layers 2/3 and 5",
        ),
        {"thalamus": True},
    ),
    "original": (
        Variant(
            "Cortical microcircuit, original start",
            "Potjans and Diesmann (2014), all neurons start at -58 +- 10 mV",
            "a volley in the first milliseconds, then as with the other start",
            reference=_INM6,
        ),
        {"start": "original"},
    ),
}

MICROCIRCUIT = Entry(
    name="microcircuit",
    title="four layers of cortex with their cell-type specific connections",
    source="Potjans and Diesmann (2014), doi:10.1093/cercor/bhs358",
    size="77 169 neurons, 298 880 968 synapses with their own weights and delays",
    expected="asynchronous irregular spikes; rates from 0.9 Hz (layer 2/3) to 8.6 Hz (layer 5), "
    "inhibitory neurons faster than excitatory ones in each layer",
    variants={name: variant for name, (variant, _) in _VARIANTS.items()},
    build=_build,
    python="bf.zoo.microcircuit(scale=0.1, key=key)",
    drawn=dict.fromkeys(NAMES, 0),
    figures=_figures,
    rows={
        **{f"rate_{name}": (f"rate of {name} (Hz)", "{:.3f}") for name in NAMES},
        **{f"cv_{name}": (f"CV of intervals, {name}", "{:.3f}") for name in NAMES},
        **{f"cc_{name}": (f"correlation, {name}", "{:.4f}") for name in NAMES},
    },
    window=_window,
    picture=_picture,
    scale=0.1,
    multiples={"the refractory period": 2 * ms},
    note="others: rates at full scale, over 10 s; correlations are larger in a smaller network",
)
