"""Experiments on decision networks: choices and reaction times by coherence."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Bool, Float

from .._custom_types import Key
from ..units import Hz

COHERENCES = (0.0, 3.2, 6.4, 12.8, 25.6, 51.2)
# The rate by which a decision is taken, as in Wang (2002) and Wong and Wang (2006).
THRESHOLD = 15 * Hz
# Rates are means over windows of 50 ms that end every 5 ms.
BIN, _BINS = 5.0, 10


class Trials(NamedTuple):
    """Trials of a decision network.

    - `coherences`: in percent, shape `(conditions,)`.
    - `rates`: of the two pools in 1/ms, shape `(conditions, trials, time, 2)`.
    - `ts`: ends of the bins in ms.
    - `onset`: of the stimulus in ms.
    """

    coherences: np.ndarray
    rates: np.ndarray
    ts: np.ndarray
    onset: float

    @property
    def right(self) -> np.ndarray:
        """Whether the first pool won: it reached the threshold first, or, if none did, has the
        higher rate at the end."""
        first = self._crossings()
        last = self.rates[:, :, -1]
        tie = first[..., 0] == first[..., 1]
        return np.where(tie, last[..., 0] > last[..., 1], first[..., 0] < first[..., 1])

    @property
    def times(self) -> np.ndarray:
        """From the onset to the crossing of the threshold, in ms; NaN if there is none."""
        first = self._crossings().min(-1)
        return np.where(np.isfinite(first), first - self.onset, np.nan)

    def _crossings(self) -> np.ndarray:
        after = self.ts > self.onset
        above = self.rates[:, :, after] >= THRESHOLD
        first = self.ts[after][above.argmax(2)]
        return np.where(above.any(2), first, np.inf)


def run_trials(
    trial: Callable[[Any, Any], Any],
    coherences: Sequence[float],
    number: int,
    *,
    bins: np.ndarray,
    onset: float,
    key: Key,
) -> Trials:
    """All trials in one `vmap`; `trial(coherence, key)` gives the rates of two pools `(time, 2)`
    in bins that end at `bins`."""
    keys = jr.split(key, len(coherences) * number)
    each = jnp.repeat(jnp.asarray(coherences, jnp.result_type(float)), number)
    rates = np.asarray(jax.jit(jax.vmap(trial))(each, keys))
    shape = (len(coherences), number, *rates.shape[1:])
    return Trials(np.asarray(coherences), rates.reshape(shape), bins, onset)


def sliding_mean(bins: Any) -> Any:
    """The mean over windows that end with each bin; before the beginning there is nothing."""
    total = jnp.cumsum(jnp.concatenate([jnp.zeros((_BINS, 2), bins.dtype), bins]), 0)
    return (total[_BINS:] - total[:-_BINS]) / _BINS


def weibull(coherence: Any, alpha: float, beta: float) -> Any:
    r"""$1 - \frac12 e^{-(c / \alpha)^\beta}$: how often a choice is right."""
    return 1 - 0.5 * np.exp(-((np.asarray(coherence) / alpha) ** beta))


def fit_weibull(
    coherences: Float[np.ndarray, " conditions"], right: Bool[np.ndarray, "conditions trials"]
) -> tuple[float, float]:
    """`alpha` and `beta` of largest likelihood; the condition without evidence says nothing."""
    from scipy.optimize import minimize

    some = np.asarray(coherences) > 0
    c, hits, n = coherences[some], right[some].sum(1), right.shape[1]

    def cost(logs: np.ndarray) -> float:
        p = np.clip(weibull(c, *np.exp(logs)), 1e-9, 1 - 1e-9)
        return float(-np.sum(hits * np.log(p) + (n - hits) * np.log(1 - p)))

    found = minimize(cost, np.log([8.0, 1.3]), method="Nelder-Mead")
    alpha, beta = np.exp(found.x)
    return float(alpha), float(beta)


def figures(trials: Trials) -> dict[str, float]:
    """What decision networks are known by."""
    alpha, beta = fit_weibull(trials.coherences, trials.right)
    before = trials.ts <= trials.onset
    last = trials.rates[:, :, -1]
    times = [float(np.nanmean(t)) if np.isfinite(t).any() else np.nan for t in trials.times]
    return {
        "spontaneous": float(trials.rates[:, :, before][:, :, before.sum() // 2 :].mean() / Hz),
        "winner": float(trials.rates.max((2, 3)).mean() / Hz),
        "after": float(last.max(-1).mean() / Hz),
        "chance": float(trials.right[0].mean()),
        "sure": float(trials.right[-1].mean()),
        "alpha": alpha,
        "beta": beta,
        "slow": times[0],
        "fast": times[-1],
    }


ROWS = {
    "spontaneous": ("rate before the stimulus (Hz)", "{:.2f}"),
    "winner": ("highest rate of a trial (Hz)", "{:.1f}"),
    "after": ("rate of the winner at the end (Hz)", "{:.1f}"),
    "chance": ("right at coherence 0", "{:.2f}"),
    "sure": ("right at coherence 51.2 %", "{:.2f}"),
    "alpha": ("Weibull threshold (%)", "{:.1f}"),
    "beta": ("Weibull slope", "{:.2f}"),
    "slow": ("reaction time at coherence 0 (ms)", "{:.0f}"),
    "fast": ("reaction time at coherence 51.2 % (ms)", "{:.0f}"),
}


def draw(trials: Trials, title: str, raster: Callable[[Any], None] | None, shown: int = 0) -> Any:
    """Example trial, psychometric and chronometric curve."""
    from .. import plot

    figure = plot.new_figure(11.0, 6.2)
    figure.suptitle(title)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1))
    colours = ("#009E73", "#CC79A7")  # those of the raster
    if raster is None:
        rates = figure.add_subplot(grid[:, 0])
    else:
        raster(figure.add_subplot(grid[0, 0]))
        rates = figure.add_subplot(grid[1, 0])
    middle = len(trials.coherences) // 2
    if raster is None:
        for i in range(min(6, trials.rates.shape[1])):
            for pool in (0, 1):
                rates.plot(trials.ts, trials.rates[middle, i, :, pool] / Hz, colours[pool], lw=0.8)
        name = f"coherence {trials.coherences[middle]:g} %, six trials"
    else:
        for pool, label in enumerate(("pool a", "pool b")):
            rates.plot(trials.ts, trials.rates[shown, 0, :, pool] / Hz, colours[pool], label=label)
        rates.legend(loc="upper left", frameon=False)
        name = f"coherence {trials.coherences[shown]:g} %"
    rates.axhline(THRESHOLD / Hz, color="0.6", lw=0.8, ls=":")
    rates.set(xlabel="time (ms)", ylabel="rate (Hz)", title=name, xlim=(0, trials.ts[-1]))
    right, times = trials.right, trials.times
    some = trials.coherences > 0
    alpha, beta = fit_weibull(trials.coherences, right)
    top, bottom = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    p = right.mean(1)
    error = np.sqrt(p * (1 - p) / right.shape[1])
    top.errorbar(trials.coherences[some], p[some], error[some], fmt="o", color="C0")
    fine = np.geomspace(trials.coherences[some][0] / 1.5, 100, 200)
    top.plot(fine, weibull(fine, alpha, beta), "C0")
    top.set(
        xscale="log",
        ylabel="fraction right",
        ylim=(0.45, 1.02),
        title=f"threshold {alpha:.1f} %, slope {beta:.2f}",
    )
    spread = [np.nanstd(t) / np.sqrt(max(np.isfinite(t).sum(), 1)) for t in times]
    mean = np.array([np.nanmean(t) if np.isfinite(t).any() else np.nan for t in times])
    bottom.errorbar(trials.coherences[some], mean[some], np.array(spread)[some], fmt="o-")
    bottom.set(xscale="log", xlabel="coherence (%)", ylabel="reaction time (ms)")
    for ax in (top, bottom):
        ax.set_xlim(trials.coherences[some][0] / 1.5, 100)
        ax.set_xticks(trials.coherences[some], [f"{c:g}" for c in trials.coherences[some]])
        ax.minorticks_off()
    return figure
