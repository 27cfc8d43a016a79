"""The reduced decision model of Wong and Wang (2006)."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from .._custom_types import FloatScalarLike, Key
from .._field import astype
from ..driver import simulate
from ..event import Dense
from ..input import OrnsteinUhlenbeck, Step
from ..network import Network, Projection
from ..rate import WongWang
from ..synapse import Current, Graded, Instant
from ..units import Hz, ms, pA
from ._decisions import BIN, COHERENCES, ROWS, Trials, draw, figures, run_trials, sliding_mean
from ._entry import Entry, Outcome, Variant

_ONSET, _TRIALS = 500 * ms, 300
_SELF, _OTHER = 260.9 * pA, -49.7 * pA
_BACKGROUND, _SIGMA, _TAU = 325.5 * pA, 20 * pA, 2 * ms
_GAIN, _STIMULUS = 0.52 * pA / Hz, 30 * Hz


def wong_wang(
    coherence: FloatScalarLike = 0.0,
    *,
    start: float = 500.0,
    stop: float = 2500.0,
    stimulus: FloatScalarLike = _STIMULUS,
    noise: bool = True,
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""The network of [`brainfn.zoo.wang2002`][] reduced to two variables: the mean NMDA gates of
    its two pools.

    $$\frac{ds_i}{dt} = -\frac{s_i}{\tau} + (1 - s_i)\,\gamma\,H(I_i),\qquad
    I_i = J_+ s_i - J_- s_j + I_0 + J_\mathrm{ext}\,\mu\,(1 \pm c/100) + \eta_i$$

    with $J_+$ = 0.2609 nA, $J_-$ = 0.0497 nA, $I_0$ = 0.3255 nA, $J_\mathrm{ext}$ = 0.52 pA/Hz and
    noise $\eta$ that is filtered by AMPA receptors of 2 ms.

    **Arguments:**

    - `coherence`: $c$ in percent, positive in favour of the first pool; it may be traced.
    - `start`, `stop`: of the stimulus in ms.
    - `stimulus`: $\mu$ in 1/ms (`30*Hz`).
    - `noise`: whether there is noise; without it no key is needed.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network, with the population `"pools"` whose output is the rate in 1/ms, and
    its `inputs` for [`brainfn.simulate`][].

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        network, inputs = bf.zoo.wong_wang(12.8)
        key = jax.random.key(0)
        out = bf.simulate(network, inputs=inputs, duration=2500.0, dt=0.5, key=key)
        ```

    ??? cite

        Wong and Wang (2006), "A recurrent network mechanism of time integration in perceptual
        decisions", J. Neurosci. 26:1314-1328, doi:10.1523/JNEUROSCI.3733-05.2006.
    """
    dtype = jnp.result_type(float) if dtype is None else dtype
    weights = jnp.asarray([[_SELF, _OTHER], [_OTHER, _SELF]], dtype)
    coupled = Projection(
        "pools",
        "pools",
        Dense(weights),
        release=Graded(_gate),
        synapse=Instant(),
        output=Current(),
    )
    network = astype(Network({"pools": WongWang(2)}, [coupled]), dtype)
    signs = jnp.asarray([1.0, -1.0], dtype)
    rates = jnp.asarray(stimulus, dtype) * (1 + signs * jnp.asarray(coherence, dtype) / 100)
    pulse = Step(_GAIN * rates, start=start, stop=stop)
    if not noise:
        return network, {"pools": pulse + astype(Step(_BACKGROUND), dtype)}
    # The published amplitude is that of the equation; the standard deviation is a root of 2 less.
    other = OrnsteinUhlenbeck(_SIGMA / 2**0.5, _TAU, mean=_BACKGROUND)
    return network, {"pools": pulse + astype(other, dtype)}


def _gate(state: Any) -> Any:
    return state.s


def run_wong_wang(duration: float, dt: float, key: Key, coherences: Any, number: int) -> Trials:
    """`number` trials of each coherence, with the stimulus from 500 ms to the end."""
    every = max(1, round(BIN / dt))

    def trial(coherence: Any, key: Key) -> Any:
        network, inputs = wong_wang(coherence, start=_ONSET, stop=duration)
        out = simulate(network, inputs=inputs, duration=duration, dt=dt, key=key, every=every)
        return sliding_mean(out.outputs["pools"])

    bins = every * dt * np.arange(1, round(duration / dt) // every + 1)
    return run_trials(trial, coherences, number, bins=bins, onset=_ONSET, key=key)


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del variant
    each = round(_TRIALS * scale)
    if each < 1:
        raise ValueError(f"`scale` is the number of trials in units of {_TRIALS}, got {scale}.")
    trials = run_wong_wang(duration, dt, key, COHERENCES, each)
    number = len(COHERENCES) * each
    return Outcome(
        figures(trials),
        {"coherences": trials.coherences, "rates": trials.rates, "ts": trials.ts},
        f"{number} trials of two pools",
        number * duration,
        lambda: draw(trials, "Decisions: Wong and Wang (2006)", None),
    )


WONG_WANG = Entry(
    name="wong_wang",
    title="decisions of two pools, reduced to two variables",
    source="Wong and Wang (2006), doi:10.1523/JNEUROSCI.3733-05.2006",
    size="2 pools; 1800 trials in one vmap (scale: number of trials)",
    expected="winner takes all; half right at coherence 0, all at 51.2 %; slower when it is harder",
    variants={
        "reduced": Variant(
            "Reduced decisions",
            "the equations of the paper",
            reference={"paper": {"": {"chance": 0.5, "sure": 1.0}}},
        )
    },
    experiment=_experiment,
    python="bf.zoo.wong_wang(coherence)",
    rows=ROWS,
    duration=2500.0,
    dt=0.5,
)
