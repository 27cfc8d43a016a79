"""Gamma rhythms of interneurons alone, and of pyramidal cells and interneurons."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import DTypeLike

from .. import measure
from .._custom_types import FloatScalarLike, Key
from .._field import astype
from ..channel import Leak, PotassiumTraubMiles, SodiumTraubMiles
from ..connect import AllToAll, FixedProbability
from ..driver import simulate
from ..init import Uniform
from ..input import Constant
from ..network import Network, Projection
from ..neuron import PointNeuron, wang_buzsaki
from ..record import SpikeTrains
from ..solver import ExponentialMidpoint
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Conductance, Instant, SigmoidGate
from ..units import Hz, ms, mV
from ._entry import Entry, Outcome, Variant, check_scale, choose
from ._pictures import presented, titled


class Gamma(NamedTuple):
    """A rhythm: the numbers of cells, the mean currents into them in uA/cm2, the relative standard
    deviation of the currents, that of a sweep, and on average how many interneurons inhibit an
    interneuron (`None`: all)."""

    sizes: dict[str, int]
    drive: dict[str, float]
    heterogeneity: float
    sweep: tuple[float, ...]
    contacts: int | None = None


_ING = Gamma({"inh": 100}, {"inh": 1.0}, 0.03, (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1))
GAMMA: dict[str, Gamma] = {
    "ing": _ING,
    "ing-sparse": _ING._replace(contacts=60),
    "ping": Gamma(
        {"exc": 200, "inh": 50},
        {"exc": 1.4, "inh": 0.0},
        0.05,
        (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    ),
}
"""The rhythms that [`brainfn.zoo.gamma`][] knows."""

_SKIPPED, _TRACED = 500 * ms, 2
# Below this coherence there is no rhythm whose frequency could be drawn.
_COHERENT = 0.15


def gamma(
    rhythm: str = "ing",
    *,
    heterogeneity: FloatScalarLike | None = None,
    scale: int | float = 1.0,
    key: Key,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""Neurons with ion channels that synchronise at 35 to 50 Hz by inhibition.

    `"ing"`: 100 interneurons of Wang and Buzsaki ([`brainfn.neuron.wang_buzsaki`][]), each driven
    by 1 uA/cm2 and inhibited by all others, with 0.1 mS/cm2 in all that decay with 10 ms towards
    -75 mV. They inhibit each other into a common rhythm if their currents differ by few percent.
    `"ing-sparse"`: each is inhibited by 60 others on average, drawn at random.

    `"ping"`: 200 pyramidal cells with the channels of Traub and Miles, driven by 1.4 uA/cm2, and 50
    interneurons as above, not driven, connected all to all with 0.25 mS/cm2 in all (not pyramidal
    cells with each other). Excitation decays with 3 ms, inhibition with 9 ms. A volley of pyramidal
    cells makes the interneurons spike, which silence all until their inhibition wears off.

    $$C \dot v = I - \sum_k I_k + \frac{g}{n} \sum_j s_j\,(E - v),\qquad
    \dot s = \alpha\,F(v)\,(1 - s) - \beta s$$

    The solver is of order 2: with steps of 0.05 ms the period of the rhythm is known to 0.2 %, with
    the usual one, of order 1, to 5 %.

    Conductances and currents are those of 1 cm2 divided by 1e6: nS and pA for 100 um2.

    **Arguments:**

    - `rhythm`: a key of `brainfn.zoo.GAMMA`: `"ing"`, `"ing-sparse"` or `"ping"`.
    - `heterogeneity`: relative standard deviation of the currents that drive the cells; by default
        0.03 (`"ing"`) or 0.05 (`"ping"`). It may be traced.
    - `scale`: numbers of cells relative to the above; conductances are divided by it.
    - `key`: a JAX random key for connections and currents.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network and its `inputs` for [`brainfn.simulate`][].

    **Raises:** `TypeError` or `ValueError` naming the argument.

    ??? cite

        `"ing"`: Wang and Buzsaki (1996), "Gamma oscillation by synaptic inhibition in a hippocampal
        interneuronal network model", J. Neurosci. 16:6402-6413,
        doi:10.1523/JNEUROSCI.16-20-06402.1996.

        `"ping"`: Boergers (2017), "An Introduction to Modeling Neuronal Dynamics",
        doi:10.1007/978-3-319-51171-9, chapter 30: sizes, drives, conductances, decays; with the
        synaptic gate of Boergers and Kopell (2003), "Synchronization in networks of excitatory and
        inhibitory neurons with sparse, random connectivity", Neural Comput. 15:509-538,
        doi:10.1162/089976603321192059. Unlike there, sodium channels open with their own time
        constant, and all pairs are connected.
    """
    chosen = choose("rhythm", rhythm, GAMMA)
    scale = check_scale(scale, 0.1, 100, "a tenth of the cells", "100 interneurons")
    dtype = jnp.result_type(float) if dtype is None else dtype
    sizes = {name: round(scale * n) for name, n in chosen.sizes.items()}
    connect_key, current_key = jr.split(key)
    cells: dict[str, Any] = {
        name: _pyramidal(n, surrogate) if name == "exc" else _interneuron(n, surrogate)
        for name, n in sizes.items()
    }
    network = astype(Network(cells, _projections(chosen, sizes), key=connect_key), dtype)
    spread = chosen.heterogeneity if heterogeneity is None else heterogeneity
    return network, _currents(chosen, sizes, spread, current_key, dtype)


def _interneuron(n: int, surrogate: Any) -> PointNeuron:
    v_init = Uniform(-70.0, -50.0)
    return wang_buzsaki(n, v_init=v_init, solver=ExponentialMidpoint(), surrogate=surrogate)


def _pyramidal(n: int, surrogate: Any) -> PointNeuron:
    channels = (
        SodiumTraubMiles(g=100.0, reversal=50.0, v_t=-67.0),
        PotassiumTraubMiles(g=80.0, reversal=-100.0, v_t=-67.0),
        Leak(g=0.1, reversal=-67.0),
    )
    return PointNeuron(
        n,
        channels,
        capacitance=1.0,
        v_init=Uniform(-75.0, -60.0),
        solver=ExponentialMidpoint(),
        surrogate=surrogate,
    )


def _projections(chosen: Gamma, sizes: dict[str, int]) -> list[Projection]:
    slow = Conductance(-75 * mV)
    if "exc" not in sizes:
        n, contacts = sizes["inh"], chosen.contacts
        rule: Any = AllToAll(autapses=False)
        if contacts is not None:
            rule = FixedProbability(contacts / chosen.sizes["inh"], autapses=False)
        share = n if contacts is None else contacts * n / chosen.sizes["inh"]
        parts: dict[str, Any] = {"release": SigmoidGate(), "synapse": Instant(), "output": slow}
        return [Projection("inh", "inh", rule, weight=0.1 / share, **parts)]
    fast, parts = Conductance(0 * mV), {"synapse": Instant()}
    # Rise times of 0.1 and 0.3 ms.
    exc, inh = SigmoidGate(alpha=10.0, beta=1 / 3), SigmoidGate(alpha=1 / 0.3, beta=1 / 9)
    e, i = (0.25 / sizes[name] for name in ("exc", "inh"))
    return [
        Projection("exc", "inh", AllToAll(), weight=e, release=exc, output=fast, **parts),
        Projection("inh", ["exc", "inh"], AllToAll(), weight=i, release=inh, output=slow, **parts),
    ]


def _currents(chosen: Gamma, sizes: dict[str, int], spread: Any, key: Key, dtype: Any) -> Any:
    """The current into each cell; the same draws for each `spread`."""
    out = {}
    for name, n in sizes.items():
        key, own = jr.split(key)
        factor = 1 + jnp.asarray(spread, dtype) * jr.normal(own, (n,), dtype)
        out[name] = Constant(chosen.drive[name] * factor)
    return out


def coherence(trains: SpikeTrains, bin_size: float) -> float:
    r"""The coherence of Wang and Buzsaki: the mean over all pairs of cells of

    $$\kappa_{ij} = \frac{\sum_l X_i(l)\,X_j(l)}{\sqrt{\sum_l X_i(l) \sum_l X_j(l)}}$$

    where $X_i(l)$ is whether cell $i$ spikes in bin $l$. 1 if all spike together. Cells without
    spikes are left out; NaN if there are fewer than two others.
    """
    there = (measure.count_matrix(trains, bin_size) > 0).astype(np.float64)
    there = there[:, there.any(0)]
    n = there.shape[1]
    if n < 2:
        return np.nan
    scaled = there / np.sqrt(there.sum(0))
    # All pairs, less each cell with itself, for which it is one.
    return float((np.sum(scaled.sum(1) ** 2) - n) / (n * (n - 1)))


def _smooth(trains: SpikeTrains) -> np.ndarray:
    """The deviation of a population's rate from its mean, smoothed over 3 ms, in each step."""
    n = measure.spike_counts(trains, trains.dt)
    kernel = np.hanning(round(6 / trains.dt) + 1)
    return np.convolve(n - n.mean(), kernel / kernel.sum(), "same")


def _correlation(a: np.ndarray, b: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """The sum of `a[t] b[t + lag]`."""
    size = 2 * a.size
    both = np.fft.irfft(np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size), size)
    return both[lags]


def _frequency(trains: SpikeTrains) -> float:
    """That of the population in Hz: the lag from 12 to 50 ms at which it is most like itself."""
    x = _smooth(trains)
    lags = np.arange(round(12 / trains.dt), min(round(50 / trains.dt), x.size))
    return 1 / (trains.dt * lags[np.argmax(_correlation(x, x, lags))]) / Hz


def _lead(exc: SpikeTrains, inh: SpikeTrains) -> float:
    """By how much excitatory spikes are before inhibitory ones, in ms."""
    lags = np.arange(-round(8 / exc.dt), round(8 / exc.dt) + 1)
    return float(exc.dt * lags[np.argmax(_correlation(_smooth(exc), _smooth(inh), lags))])


def _measured(trains: dict[str, SpikeTrains]) -> dict[str, float]:
    """What one network is known by."""
    first, inh = next(iter(trains.values())), trains["inh"]
    rate = measure.mean_rate(first) / Hz
    tenth = max(1, round(0.1 / (max(rate, 1.0) * Hz) / inh.dt)) * inh.dt
    return {
        "frequency": _frequency(inh),
        "coherence": coherence(first, tenth),
        "rate_exc": measure.mean_rate(trains["exc"]) / Hz if "exc" in trains else np.nan,
        "rate_inh": measure.mean_rate(inh) / Hz,
        "lead": _lead(trains["exc"], inh) if "exc" in trains else np.nan,
    }


class Sweep(NamedTuple):
    """Networks that differ in heterogeneity: the spikes of each after the first 200 ms, and the
    potentials of two cells of each population, shape `(heterogeneity, time, cells)`."""

    heterogeneity: tuple[float, ...]
    trains: list[dict[str, SpikeTrains]]
    potentials: dict[str, np.ndarray]


def run_gamma(
    rhythm: str, scale: float, duration: float, dt: float, key: Key, sweep: Any = None
) -> Sweep:
    """One network, driven by currents that differ less and more, in one `vmap`."""
    chosen = GAMMA[rhythm]
    sweep = chosen.sweep if sweep is None else sweep
    build, currents, key = jr.split(key, 3)
    network, inputs = gamma(rhythm, scale=scale, key=build, surrogate=None)
    sizes, dtype = {name: x.value.shape[0] for name, x in inputs.items()}, jnp.result_type(float)

    def record(state: Any, output: Any) -> Any:
        return {name: (output[name], state[name].v[:_TRACED]) for name in sizes}

    def run(spread: Any) -> Any:
        given = _currents(chosen, sizes, spread, currents, dtype)
        return simulate(
            network, inputs=given, duration=duration, dt=dt, key=key, record=record
        ).outputs

    found = jax.jit(jax.vmap(run))(jnp.asarray(sweep, dtype))
    skipped = round(min(_SKIPPED, duration / 3) / dt)
    return Sweep(
        tuple(sweep),
        [
            {
                name: measure.from_dense(np.asarray(x[0][i])[skipped:], dt=dt, start=skipped)
                for name, x in found.items()
            }
            for i in range(len(sweep))
        ],
        {name: np.asarray(x[1])[:, skipped:] for name, x in found.items()},
    )


@presented
def _picture(sweep: Sweep, at: int, title: str) -> Any:
    """Spikes and potentials of one network, its mean cycle, and the sweep."""
    from .. import plot
    from ..plot import colour, grey, open_frame

    every = [_measured(trains) for trains in sweep.trains]
    this, trains = every[at], sweep.trains[at]
    first = next(iter(trains.values()))
    facts = [f"{this['frequency']:.0f} Hz", f"coherence {this['coherence']:.2f}"]
    if "exc" in trains:
        facts.append(f"excitation leads by {this['lead']:.1f} ms")
    size = f"{sum(x.size for x in trains.values())} neurons with ion channels"
    figure, grid = titled(title, "   ·   ".join([size, *facts]), [1.9, 1.0], [1.5, 1.0])
    begin = first.start * first.dt
    shown = {
        n: measure.window(x, begin, min(begin + 250, x.stop * x.dt)) for n, x in trains.items()
    }
    top = plot.raster(shown, ax=figure.add_subplot(grid[0, 0]), neurons=200)
    top.set_xlabel("")
    below = figure.add_subplot(grid[1, 0], sharex=top)
    for name, x in sweep.potentials.items():
        v = x[at, : shown[name].stop - first.start, 0]
        ts = (first.start + np.arange(v.size)) * first.dt
        below.plot(ts, v, color=colour(name, 0, below), linewidth=1.4)
    below.set(xlabel="time (ms)", ylabel="potential (mV)")
    right = grid[:, 1].subgridspec(2, 1, hspace=0.12)
    curve = figure.add_subplot(right[0])
    percent = 100 * np.asarray(sweep.heterogeneity)
    kappa = np.array([x["coherence"] for x in every])
    rhythm = np.where(kappa > _COHERENT, [x["frequency"] for x in every], np.nan)
    shade = colour("inh", 0, curve)
    curve.plot(percent, kappa, "o-", color=shade, lw=2, label="coherence")
    curve.plot(percent, rhythm / 100, "s-", color=grey(curve), label="frequency / 100 Hz")
    curve.axvline(percent[at], color=grey(curve), linewidth=1.0, linestyle=":")
    curve.set(xlabel="spread of the currents (%)", ylim=(0, 1.05), xlim=(0, None))
    curve.legend(frameon=False)
    cycle = figure.add_subplot(right[1])
    period = 1 / (this["frequency"] * Hz)
    for name, x in trains.items():
        # Phases relative to the inhibitory volleys: the rhythm of the first harmonic.
        wave = np.exp(2j * np.pi * np.asarray(trains["inh"].times) / period).sum()
        times = np.asarray(x.times) - period * np.angle(wave) / (2 * np.pi)
        phase = (times + period / 2) % period - period / 2
        n, edges = np.histogram(phase, np.linspace(-period / 2, period / 2, 61))
        rates = n / x.size / ((x.stop - x.start) * x.dt / period) / np.diff(edges)
        cycle.stairs(rates, edges, fill=True, alpha=0.35, color=colour(name, 0, cycle))
        cycle.stairs(rates, edges, color=colour(name, 0, cycle), linewidth=1.6, label=name)
    cycle.set(xlabel="time in the cycle (ms)", ylabel="spikes per cell and ms")
    for panel in (top, below, curve, cycle):
        open_frame(panel)
    return figure


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    sweep = run_gamma(variant, scale, duration, dt, key)
    at = sweep.heterogeneity.index(GAMMA[variant].heterogeneity)
    every = [_measured(trains) for trains in sweep.trains]
    figures = {**every[at], "coherence_most": every[-1]["coherence"]}
    number, cells = len(sweep.trains), sum(x.size for x in sweep.trains[0].values())
    return Outcome(
        figures,
        {"heterogeneity": np.asarray(sweep.heterogeneity)}
        | {name: np.array([x[name] for x in every]) for name in every[0]},
        f"{number} networks of {cells} neurons",
        number * duration,
        lambda: _picture(sweep, at, GAMMA_NETWORK.variants[variant].title),
    )


GAMMA_NETWORK = Entry(
    name="gamma",
    title="gamma rhythms of interneurons (ING), and of pyramidal cells and interneurons (PING)",
    source="Wang and Buzsaki (1996), doi:10.1523/JNEUROSCI.16-20-06402.1996; Boergers (2017), "
    "doi:10.1007/978-3-319-51171-9",
    size="100 or 250 neurons with ion channels; 7 networks in one vmap",
    expected="synchrony at 35 to 50 Hz; interneurons alone lose it when their currents differ by "
    "ten percent; with pyramidal cells these lead by a few ms, and it is robust",
    variants={
        "ing": Variant(
            "Interneuronal gamma (ING)",
            "Wang and Buzsaki (1996): 1 uA/cm2, all connected, decay of 10 ms, currents that "
            "differ by 3 %",
            "synchrony at 35 to 40 Hz, which vanishes when currents differ by ten percent",
        ),
        "ing-sparse": Variant(
            "Interneuronal gamma (ING), 60 contacts",
            "the same with 60 random contacts of each cell",
            "as above, less coherent: about 60 contacts are the least",
        ),
        "ping": Variant(
            "Pyramidal-interneuronal gamma (PING)",
            "Boergers (2017), chapter 30, all pairs connected; currents that differ by 5 %",
            "synchrony at 40 to 50 Hz; pyramidal cells spike before interneurons",
        ),
    },
    experiment=_experiment,
    python='bf.zoo.gamma("VARIANT", key=key)',
    rows={
        "frequency": ("frequency (Hz)", "{:.1f}"),
        "coherence": ("coherence", "{:.2f}"),
        "rate_exc": ("excitatory rate (Hz)", "{:.1f}"),
        "rate_inh": ("inhibitory rate (Hz)", "{:.1f}"),
        "lead": ("excitation leads by (ms)", "{:.2f}"),
        "coherence_most": ("coherence with the largest spread of currents", "{:.2f}"),
    },
    duration=1500.0,
    dt=0.05,
)
