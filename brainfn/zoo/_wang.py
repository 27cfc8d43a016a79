"""The decision network of Wang (2002)."""

from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import DTypeLike

from .. import measure
from .._custom_types import FloatScalarLike, Key
from .._field import astype
from ..connect import AllToAll, OneToOne
from ..driver import simulate
from ..init import Uniform
from ..input import Poisson, PoissonArrivals, TimeSeries
from ..network import Network, Projection
from ..neuron import LIF
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Conductance, Exponential, Instant, MagnesiumBlock, NMDAGate
from ..units import Hz, ms, mV, nS, pF
from ._decisions import BIN, COHERENCES, ROWS, Trials, draw, figures, run_trials, sliding_mean
from ._entry import Entry, Outcome, Variant, check_scale

# Neurons of the two selective pools, all other excitatory neurons, and inhibitory neurons.
_SIZES = {"a": 240, "b": 240, "rest": 1120, "inh": 400}
_FRACTION, _POTENTIATED = 0.15, 1.7
_DEPRESSED = 1 - _FRACTION * (_POTENTIATED - 1) / (1 - _FRACTION)
_EXTERNAL = 2400 * Hz
_ONSET, _TRIALS = 500 * ms, 34
_STIMULUS, _SPREAD, _INTERVAL = 40 * Hz, 4 * Hz, 50 * ms
# Peak conductances: onto excitatory and onto inhibitory neurons.
_EXTERNAL_WEIGHT = 2.1 * nS, 1.62 * nS
_AMPA = 0.05 * nS, 0.04 * nS
_NMDA = 0.165 * nS, 0.13 * nS
_GABA = 1.3 * nS, 1.0 * nS


def wang2002(
    coherence: FloatScalarLike = 0.0,
    *,
    start: float = 500.0,
    stop: float = 1500.0,
    scale: int | float = 1.0,
    key: Key,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""Two pools of neurons compete, through common inhibition, for the interpretation of a noisy
    stimulus.

    1600 excitatory neurons, 240 of which (`"a"`) prefer one direction of motion and 240 (`"b"`) the
    other, and 400 inhibitory ones are connected all to all. Weights are $w_+ = 1.7$ times as
    strong within a pool and $w_- = 0.876$ times between pools. Slow NMDA receptors make the
    network integrate; after the stimulus the pool that has won stays active.

    Every neuron gets background spikes of 2400 Hz, and neurons of the pools those of the stimulus:
    at rates drawn anew every 50 ms from $N(40\,(1 \pm c/100),\ 4)$ Hz.

    **Arguments:**

    - `coherence`: $c$ in percent, positive in favour of pool `"a"`. It may be traced:
        `jax.vmap` over coherences and keys runs all trials at once.
    - `start`, `stop`: of the stimulus in ms; its duration is a multiple of 50 ms.
    - `scale`: number of neurons in units of 2000; weights are divided by it.
    - `key`: a JAX random key for the rates of the stimulus.
    - `surrogate`, `dtype`: as of [`brainfn.zoo.vogels_abbott`][].

    **Returns:** the network and its `inputs` for [`brainfn.simulate`][].

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        key = jax.random.key(0)
        network, inputs = bf.zoo.wang2002(12.8, key=key)
        out = bf.simulate(network, inputs=inputs, duration=2000.0, dt=0.1, key=key)
        ```

    ??? cite

        Wang (2002), "Probabilistic decision making by slow reverberation in cortical circuits",
        Neuron 36:955-968, doi:10.1016/S0896-6273(02)01092-9; its parameters as in the scripts of
        Brian2 and NEST.
    """
    scale = check_scale(scale, 0.05, 1000, "100 neurons", "2000 neurons")
    dtype = jnp.result_type(float) if dtype is None else dtype
    sizes = {name: round(n * scale) for name, n in _SIZES.items()}
    exc: dict[str, Any] = {"tau": 20 * ms, "capacitance": 500 * pF, "refractory": 2 * ms}
    inh: dict[str, Any] = {"tau": 10 * ms, "capacitance": 200 * pF, "refractory": 1 * ms}
    populations: dict[str, Any] = {
        name: LIF(
            size,
            v_rest=-70 * mV,
            v_threshold=-50 * mV,
            v_reset=-55 * mV,
            v_init=Uniform(-70.0, -52.0),
            surrogate=surrogate,
            **(inh if name == "inh" else exc),
        )
        for name, size in sizes.items()
    }
    for name in ("a", "b"):
        populations[f"stimulus_{name}"] = Poisson(sizes[name], 0.0)
    network = astype(Network(populations, _projections(scale)), dtype)
    rates = _rates(coherence, start, stop, key)
    inputs: dict[str, Any] = {f"stimulus_{name}": rates[name] for name in ("a", "b")}
    for name in sizes:
        weight = _EXTERNAL_WEIGHT[name == "inh"]
        into = "ampa_rest_inh" if name == "inh" else "ampa_rest_pools"
        into = "ampa_rest_rest" if name == "rest" else into
        inputs[name] = astype(PoissonArrivals(_EXTERNAL, weight, into=into), dtype)
    return network, inputs


def _projections(scale: float) -> dict[str, Projection]:
    fast = {"synapse": Exponential(2 * ms), "output": Conductance(0 * mV), "delay": 0.5 * ms}
    slow = {
        "synapse": Instant(),
        "output": MagnesiumBlock(0 * mV),
        "release": NMDAGate(tau_rise=2 * ms, tau_decay=100 * ms, alpha=0.5),
        "delay": 0.5 * ms,
    }
    block = {"synapse": Exponential(5 * ms), "output": Conductance(-70 * mV), "delay": 0.5 * ms}
    targets = {
        # (source, name of the targets): targets, relative weight
        ("a", "a"): (["a"], _POTENTIATED),
        ("a", "b"): (["b"], _DEPRESSED),
        ("b", "a"): (["a"], _DEPRESSED),
        ("b", "b"): (["b"], _POTENTIATED),
        ("rest", "pools"): (["a", "b"], _DEPRESSED),
        **{(pre, post): ([post], 1.0) for pre in ("a", "b", "rest") for post in ("rest", "inh")},
    }
    rule, out = AllToAll(), {}
    for (pre, label), (post, relative) in targets.items():
        for kind, weights, parts in (("ampa", _AMPA, fast), ("nmda", _NMDA, slow)):
            weight = relative * weights[label == "inh"] / scale
            out[f"{kind}_{pre}_{label}"] = Projection(pre, post, rule, weight=weight, **parts)
    for label, post, weight in (
        ("exc", ["a", "b", "rest"], _GABA[0]),
        ("inh", ["inh"], _GABA[1]),
    ):
        out[f"gaba_{label}"] = Projection("inh", post, rule, weight=weight / scale, **block)
    for name in ("a", "b"):
        one = OneToOne()
        out[f"stimulus_{name}"] = Projection(
            f"stimulus_{name}", name, one, weight=_EXTERNAL_WEIGHT[0], **{**fast, "delay": None}
        )
    return out


def _rates(coherence: Any, start: float, stop: float, key: Key) -> dict[str, TimeSeries]:
    """Rates of the stimulus to the two pools."""
    number = (stop - start) / _INTERVAL
    if not number >= 1 or abs(number - round(number)) > 1e-9:
        raise ValueError(
            f"`stop` must be a multiple of {_INTERVAL} ms after `start`, got {start} and {stop}."
        )
    noise = jr.normal(key, (2, round(number)))
    return {
        name: TimeSeries(
            jnp.maximum(_STIMULUS * (1 + sign * coherence / 100) + _SPREAD * noise[i], 0),
            interval=_INTERVAL,
            start=start,
        )
        for i, (name, sign) in enumerate((("a", 1), ("b", -1)))
    }


def _rates_of(counts: Any, size: int, dt: float) -> Any:
    """Rates in 1/ms from the number of spikes in each step."""
    steps = round(BIN / dt)
    bins = counts[: counts.shape[0] // steps * steps].reshape(-1, steps, 2).sum(1)
    return sliding_mean(bins / (size * BIN))


def run_wang2002(
    scale: float, duration: float, dt: float, key: Key, coherences: Any, number: int
) -> Trials:
    """`number` trials of each coherence, with the stimulus from 500 ms to 500 ms before the end."""
    size = round(_SIZES["a"] * scale)
    stop = _stop(duration)

    def trial(coherence: Any, key: Key) -> Any:
        network, inputs = wang2002(
            coherence, start=_ONSET, stop=stop, scale=scale, key=key, surrogate=None
        )
        out = simulate(
            network, inputs=inputs, duration=duration, dt=dt, key=key, record=_count_pools
        )
        return _rates_of(out.outputs, size, dt)

    bins = BIN * np.arange(1, int(duration // BIN) + 1)
    return run_trials(trial, coherences, number, bins=bins, onset=_ONSET, key=key)


def _stop(duration: float) -> float:
    """The end of the stimulus, 500 ms before that of a trial."""
    stop = _ONSET + (duration - 2 * _ONSET) // _INTERVAL * _INTERVAL
    if stop <= _ONSET:
        raise ValueError(f"`duration` must be at least 1050 ms, got {duration}.")
    return stop


def _count_pools(state: Any, output: Any) -> Any:
    del state
    return jnp.stack([jnp.sum(output[name], dtype=jnp.float32) for name in ("a", "b")])


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del variant
    trials = run_wang2002(scale, duration, dt, key, COHERENCES, _TRIALS)
    number, shown = len(COHERENCES) * _TRIALS, len(COHERENCES) // 2

    def raster(ax: Any) -> None:
        # The trial whose rates are drawn below.
        own = jr.split(key, number)[shown * _TRIALS]
        stop = _stop(duration)
        network, inputs = wang2002(
            COHERENCES[shown], start=_ONSET, stop=stop, scale=scale, key=own, surrogate=None
        )
        from .. import plot

        names = ("a", "b")
        out = simulate(
            network,
            inputs=inputs,
            duration=duration,
            dt=dt,
            key=own,
            record=lambda state, output: {name: output[name] for name in names},
        )
        spikes = {f"pool {n}": measure.from_dense(np.asarray(out.outputs[n]), dt=dt) for n in names}
        plot.raster(spikes, ax=ax, neurons=160)
        ax.set_title(f"coherence {COHERENCES[shown]:g} %")

    return Outcome(
        figures(trials),
        {"coherences": trials.coherences, "rates": trials.rates, "ts": trials.ts},
        f"{number} trials of {round(2000 * scale):,} neurons",
        number * duration,
        lambda: draw(trials, "Decisions: Wang (2002)", raster, shown),
    )


WANG2002 = Entry(
    name="wang2002",
    title="two pools of neurons compete for a decision",
    source="Wang (2002), doi:10.1016/S0896-6273(02)01092-9",
    size="2000 neurons, all connected to all; 204 trials in one vmap",
    expected="a few Hz before the stimulus, then one pool wins at 20 to 40 Hz and stays active; "
    "threshold about 9 %",
    variants={
        "spiking": Variant(
            "Decisions of spiking neurons",
            "parameters as in the scripts of Brian2 and NEST",
            reference={"paper": {"": {"chance": 0.5, "sure": 1.0, "alpha": 9.2, "beta": 1.5}}},
        )
    },
    experiment=_experiment,
    python="bf.zoo.wang2002(coherence, scale=1, key=key)",
    rows=ROWS,
    duration=2500.0,
    dt=0.25,
    multiples={"the delay": 0.5 * ms},
    note="paper: coherence threshold and slope of its figure 5, from memory",
)
