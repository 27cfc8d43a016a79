"""Spatial working memory: the network of Compte, Brunel, Goldman-Rakic and Wang."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import DTypeLike

from .._custom_types import FloatScalarLike, Key
from .._field import astype
from ..connect import AllToAll
from ..driver import simulate
from ..event import Circulant
from ..init import Uniform
from ..input import PoissonArrivals, Signal, Step
from ..network import Network, Projection
from ..neuron import LIF
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Conductance, Exponential, Instant, MagnesiumBlock, NMDAGate
from ..units import Hz, ms, mV, nS, pA, pF, second
from ._entry import Entry, Outcome, Variant, check_scale
from ._pictures import presented, titled
from ._ring_attractor import half_width

_SIZES = {"exc": 2048, "inh": 512}
# Excitatory neurons that are counted together; all sizes are multiples of it.
_GROUPS = 64
_POTENTIATED, _SIGMA = 1.62, 14.4
_EXTERNAL = 1800 * Hz
# Peak conductances of a synapse onto excitatory and onto inhibitory neurons.
_AFFERENT = {"exc": 3.1 * nS, "inh": 2.38 * nS}
_NMDA = {"exc": 0.381 * nS, "inh": 0.292 * nS}
_GABA = {"exc": 1.336 * nS, "inh": 1.024 * nS}
_ONSET, _CUE, _STRENGTH = 500 * ms, 250 * ms, 200 * pA
_TRIALS, _SILENT, _BIN = 16, 4, 50 * ms
# The length of the population vector above which there is a bump.
_TUNED = 0.3


def working_memory(
    cue: FloatScalarLike = 180.0,
    *,
    strength: FloatScalarLike = _STRENGTH,
    start: float = _ONSET,
    stop: float = _ONSET + _CUE,
    scale: int | float = 1.0,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""A direction is remembered by neurons that keep each other active after a cue has gone.

    2048 excitatory neurons prefer directions around a ring. They excite each other by slow NMDA
    receptors, more strongly those that are near,

    $$W(\Delta) = J_- + (J_+ - J_-)\,e^{-\Delta^2 / 2 \sigma^2}$$

    with a mean of 1, $J_+$ = 1.62 and $\sigma$ = 14.4 degrees, and excite 512 inhibitory ones,
    which inhibit all. Each neuron gets background spikes of 1800 Hz. The network has a spontaneous
    state, and persistent ones in which neurons around any direction are active.

    The NMDA gates are computed once for each neuron, and reach the others through a matrix of
    [`brainfn.event.Circulant`][]: a step costs $O(n \log n)$.

    **Arguments:**

    - `cue`: its direction in degrees; `strength`: the current in pA into the neurons that prefer
        it, less into others, as a Gaussian with $\sigma$; 0 for no cue. Both may be traced.
    - `start`, `stop`: of the cue in ms.
    - `scale`: number of neurons in units of 2560; weights are divided by it. Sizes are rounded to
        multiples of 64.
    - `surrogate`, `dtype`: as of [`brainfn.zoo.vogels_abbott`][].

    **Returns:** the network and its `inputs` for [`brainfn.simulate`][]. The population
    `"afferents"` is silent; the background acts on its receptors.

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        network, inputs = bf.zoo.working_memory(90.0)
        key = jax.random.key(0)
        out = bf.simulate(network, inputs=inputs, duration=2000.0, dt=0.1, key=key)
        ```

    ??? cite

        Compte, Brunel, Goldman-Rakic and Wang (2000), "Synaptic mechanisms and network dynamics
        underlying spatial working memory in a cortical network model", Cereb. Cortex 10:910-923,
        doi:10.1093/cercor/10.9.910: its control set of parameters, all but $\sigma$, which is
        printed as 18 degrees but was 14.4 in later scripts of the group that call it a misprint.
        With 18 degrees the spontaneous state is not stable. The cue's shape and strength are ours.
    """
    scale = check_scale(scale, 0.1, 100, "256 neurons", "2560 neurons")
    unit = max(1, round(scale * _SIZES["exc"] / _GROUPS))
    sizes = {name: unit * _GROUPS * n // _SIZES["exc"] for name, n in _SIZES.items()}
    dtype = jnp.result_type(float) if dtype is None else dtype
    exc: dict[str, Any] = {"tau": 20 * ms, "capacitance": 500 * pF, "refractory": 2 * ms}
    inh: dict[str, Any] = {"tau": 10 * ms, "capacitance": 200 * pF, "refractory": 1 * ms}
    populations: dict[str, Any] = {
        name: LIF(
            size,
            v_rest=-70 * mV,
            v_threshold=-50 * mV,
            v_reset=-60 * mV,
            v_init=Uniform(-70.0, -52.0),
            surrogate=surrogate,
            **(exc if name == "exc" else inh),
        )
        for name, size in sizes.items()
    }
    populations["afferents"] = Signal(1)
    network = astype(Network(populations, _projections(sizes)), dtype)
    preferred = 360 / sizes["exc"] * jnp.arange(sizes["exc"], dtype=dtype)
    away = _apart(preferred, jnp.asarray(cue, dtype))
    current = jnp.asarray(strength, dtype) * jnp.exp(-0.5 * (away / _SIGMA) ** 2)
    inputs: dict[str, Any] = {
        name: astype(PoissonArrivals(_EXTERNAL, _AFFERENT[name], into="background"), dtype)
        for name in sizes
    }
    inputs["exc"] = inputs["exc"] + Step(current, start=start, stop=stop)
    return network, inputs


def footprint(size: int) -> np.ndarray:
    """The relative weight between neurons that are 0, 1, ... places apart; its mean is 1."""
    bell = np.exp(-0.5 * (_apart(360 / size * np.arange(size), 0.0) / _SIGMA) ** 2)
    low = (1 - _POTENTIATED * bell.mean()) / (1 - bell.mean())
    return low + (_POTENTIATED - low) * bell


def _apart(angle: Any, other: Any) -> Any:
    """How far an angle in degrees is from another, from -180 to 180."""
    return (angle - other + 180) % 360 - 180


def _projections(sizes: dict[str, int]) -> dict[str, Projection]:
    slow: dict[str, Any] = {
        "synapse": Instant(),
        "output": MagnesiumBlock(0 * mV),
        "release": NMDAGate(tau_rise=2 * ms, tau_decay=100 * ms, alpha=0.5),
    }
    block: dict[str, Any] = {"synapse": Exponential(10 * ms), "output": Conductance(-70 * mV)}
    fast: dict[str, Any] = {"synapse": Exponential(2 * ms), "output": Conductance(0 * mV)}
    more = {name: _SIZES[name] / n for name, n in sizes.items()}
    ring = Circulant(jnp.asarray(_NMDA["exc"] * more["exc"] * footprint(sizes["exc"])))
    out = {
        "nmda_exc": Projection("exc", "exc", ring, **slow),
        "nmda_inh": Projection("exc", "inh", AllToAll(), weight=_NMDA["inh"] * more["exc"], **slow),
        "background": Projection("afferents", ["exc", "inh"], AllToAll(), weight=1 * nS, **fast),
    }
    for name in sizes:
        weight = _GABA[name] * more["inh"]
        out[f"gaba_{name}"] = Projection("inh", name, AllToAll(), weight=weight, **block)
    return out


class Memories(NamedTuple):
    """Trials with a cue at 180 degrees, and without any.

    - `rates`: of groups of neighbouring excitatory neurons in 1/ms, shape `(trials, time, groups)`;
      `silent`: those of trials without cue.
    - `inhibitory`: rates of inhibitory neurons in trials without cue, shape `(trials, time)`.
    - `ts`: ends of the bins of 50 ms, in ms.
    """

    rates: np.ndarray
    silent: np.ndarray
    inhibitory: np.ndarray
    ts: np.ndarray


def run_working_memory(
    scale: float, duration: float, dt: float, key: Key, trials: int = _TRIALS, silent: int = _SILENT
) -> Memories:
    """All trials in one `vmap`."""
    network, _ = working_memory(strength=0.0, scale=scale, surrogate=None)
    sizes = {name: network.populations[name].size for name in _SIZES}

    def record(state: Any, output: Any) -> Any:
        del state
        groups = output["exc"].reshape(_GROUPS, -1)
        return jnp.sum(groups, 1, dtype=jnp.int16), jnp.sum(output["inh"], dtype=jnp.int16)

    def trial(strength: Any, key: Key) -> Any:
        _, given = working_memory(strength=strength, scale=scale, surrogate=None)
        return simulate(
            network, inputs=given, duration=duration, dt=dt, key=key, record=record
        ).outputs

    strengths = jnp.asarray([_STRENGTH] * trials + [0.0] * silent, jnp.result_type(float))
    keys = jr.split(key, trials + silent)
    exc, inh = (np.asarray(x) for x in jax.jit(jax.vmap(trial))(strengths, keys))
    steps = round(_BIN / dt)
    bins = exc.shape[1] // steps

    def binned(n: np.ndarray) -> np.ndarray:
        shape = (n.shape[0], bins, steps, *n.shape[2:])
        return n[:, : bins * steps].reshape(shape).sum(2) / _BIN

    rates = binned(exc) / (sizes["exc"] // _GROUPS)
    return Memories(
        rates[:trials], rates[trials:], binned(inh[trials:]) / sizes["inh"],
        _BIN * np.arange(1, bins + 1),
    )  # fmt: skip


def vector(rates: np.ndarray, bins: int = 5) -> np.ndarray:
    """The population vector by the rates of groups, over windows of 250 ms that end with each bin:
    its direction, and its length relative to the mean rate. Zeros before the first window."""
    angle = 2 * np.pi * (np.arange(_GROUPS) + 0.5) / _GROUPS
    total = np.cumsum(np.concatenate([np.zeros_like(rates[:, :1]), rates], 1), 1)
    seen = np.zeros_like(rates)
    seen[:, bins - 1 :] = total[:, bins:] - total[:, :-bins]
    return seen @ np.exp(1j * angle) / np.maximum(seen.sum(-1), 1e-12)


def _figures(m: Memories) -> dict[str, float]:
    last = m.ts > m.ts[-1] - 500
    direction = np.angle(vector(m.rates), deg=True) % 360
    kept = np.abs(vector(m.rates)[:, -1]) > _TUNED
    bump = _aligned(m, last)
    delay = m.ts >= _ONSET + _CUE + 250
    moved = _apart(direction[kept][:, delay], direction[kept][:, delay][:, :1])
    t = (m.ts[delay] - m.ts[delay][0]) / second
    spread = np.sum(t * np.mean(moved**2, 0)) / np.sum(t**2) if kept.any() else np.nan
    silent = m.silent[:, last] / Hz
    return {
        "kept": float(kept.mean()),
        "peak": float(bump.max() / Hz),
        "width": half_width(bump),
        "error": float(np.sqrt(np.mean(_apart(direction[kept, -1], 180.0) ** 2))),
        "diffusion": float(spread / 2),
        "spontaneous": float(silent.mean()),
        "spontaneous_inh": float(m.inhibitory[:, last].mean() / Hz),
        "untuned": float(np.mean(np.abs(vector(m.silent)[:, -1]) < _TUNED)),
    }


def _aligned(m: Memories, when: np.ndarray) -> np.ndarray:
    """The mean profile of the bumps at the end, each moved to the middle, in 1/ms."""
    direction = np.angle(vector(m.rates)[:, -1]) / (2 * np.pi) % 1
    shifts = _GROUPS // 2 - np.floor(direction * _GROUPS).astype(int)
    means = m.rates[:, when].mean(1)
    return np.mean([np.roll(x, s) for x, s in zip(means, shifts, strict=True)], 0)


@presented
def _picture(m: Memories, size: int) -> Any:
    """A trial with and one without a cue, the shape of the bump, and how it moves in all trials."""
    from ..plot import colour, grey, open_frame

    f = _figures(m)
    figure, grid = titled(
        "Spatial working memory",
        f"{size:,} neurons   ·   {len(m.rates)} trials: {100 * f['kept']:.0f} % remember, within "
        f"{f['error']:.1f} degrees   ·   {f['peak']:.0f} Hz in the bump, spontaneously "
        f"{f['spontaneous']:.1f} Hz",
        [2.0, 1.0],
        [1.0, 1.0],
    )
    end = m.ts[-1] / second
    top = np.quantile(m.rates[0, m.ts > _ONSET + _CUE + 100], 0.998) / Hz
    cue = (_ONSET / second, (_ONSET + _CUE) / second)
    seen = m.ts >= 250
    for place, (rates, word) in enumerate(
        ((m.rates, "a cue at 180 degrees"), (m.silent, "no cue"))
    ):
        ax = figure.add_subplot(grid[place, 0])
        image = ax.imshow(
            rates[0].T / Hz, origin="lower", aspect="auto", extent=(0, end, 0, 360), cmap="magma",
            vmin=0, vmax=top,
        )  # fmt: skip
        if place == 0:
            angle = np.angle(vector(rates)[0], deg=True) % 360
            after = m.ts > 1e3 * cue[1]
            ax.plot(m.ts[after] / second, angle[after], color="#FFFFFF", linewidth=1.3, ls="--")
            ax.plot(cue, (352, 352), color="#FFFFFF", linewidth=6, solid_capstyle="butt")
        ax.set_title(word, fontsize=15, loc="left")
        ax.set(ylabel="preferred direction", xlabel="time (s)" if place else "")
        ax.set_yticks([0, 90, 180, 270, 360])
        figure.colorbar(image, ax=ax, pad=0.02, fraction=0.05, label="rate (Hz)")
    bump, walk = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    last = m.ts > m.ts[-1] - 500
    degrees = 360 * (np.arange(_GROUPS) + 0.5) / _GROUPS - 180
    shade = colour("exc", 0, bump)
    bump.plot(degrees, _aligned(m, last) / Hz, color=shade, linewidth=2.4, label="memory")
    silent = m.silent[:, last].mean((0, 1)) / Hz
    bump.plot(degrees, silent, color=grey(bump), linewidth=1.8, label="no cue")
    bump.set(xlabel="distance from the bump (degrees)", ylabel="rate (Hz)", ylim=(0, None))
    bump.set_xticks([-180, -90, 0, 90, 180])
    bump.legend(frameon=False, fontsize=12)
    direction = np.angle(vector(m.rates), deg=True) % 360
    walk.axvspan(*cue, color=grey(walk), alpha=0.2, linewidth=0)
    after = seen & (m.ts > 1e3 * cue[0] + 250)
    for each in direction:
        walk.plot(m.ts[after] / second, each[after], color=shade, linewidth=0.9, alpha=0.7)
    walk.axhline(180, color=grey(walk), linestyle=":")
    walk.set(xlabel="time (s)", ylabel="direction remembered", xlim=(0, end), ylim=(140, 220))
    for panel in (bump, walk):
        open_frame(panel)
    return figure


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del variant
    if duration < 2 * second:
        raise ValueError(f"`duration` must be at least 2000 ms, got {duration}.")
    m = run_working_memory(scale, duration, dt, key)
    network, _ = working_memory(scale=scale, surrogate=None)
    size = sum(network.populations[name].size for name in _SIZES)
    number = len(m.rates) + len(m.silent)
    return Outcome(
        _figures(m),
        m._asdict(),
        f"{number} trials of {size:,} neurons",
        number * duration,
        lambda: _picture(m, size),
    )


WORKING_MEMORY = Entry(
    name="working_memory",
    title="a direction remembered by a bump of persistent activity",
    source="Compte et al. (2000), doi:10.1093/cercor/10.9.910",
    size="2560 neurons, all connected to all; 20 trials in one vmap",
    expected="spontaneously 3 Hz (inhibitory neurons 9 Hz); after a cue neurons around its "
    "direction stay active at about 20 Hz, and the direction diffuses slowly",
    variants={
        "control": Variant(
            "Spatial working memory",
            "Compte et al. (2000), control set of parameters with a footprint of 14.4 degrees",
            reference={
                "paper": {
                    "": {"kept": 1.0, "spontaneous": 3.0, "spontaneous_inh": 9.0, "untuned": 1.0}
                }
            },
        )
    },
    experiment=_experiment,
    python="bf.zoo.working_memory(cue)",
    rows={
        "kept": ("trials with a cue that end with a bump", "{:.2f}"),
        "peak": ("rate in the middle of the bump (Hz)", "{:.1f}"),
        "width": ("width at half height (degrees)", "{:.0f}"),
        "error": ("error of the direction at the end (degrees)", "{:.1f}"),
        "diffusion": ("diffusion of the direction (degrees^2/s)", "{:.1f}"),
        "spontaneous": ("rate without a cue (Hz)", "{:.2f}"),
        "spontaneous_inh": ("that of inhibitory neurons (Hz)", "{:.2f}"),
        "untuned": ("trials without a cue that end without a bump", "{:.2f}"),
    },
    duration=4000.0,
    dt=0.1,
    multiples={"the refractory period": 1 * ms},
    note="paper: rates of the spontaneous state, from memory",
)
