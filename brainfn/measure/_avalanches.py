"""Neuronal avalanches: sizes, durations, branching and power laws."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from .._errors import count
from ..record import SpikeTrains
from ._check import choice
from ._population import spike_counts, tiles
from ._trains import check_trains


def avalanches(
    trains: SpikeTrains, bin_size: int | float
) -> tuple[Int[np.ndarray, " avalanche"], Float[np.ndarray, " avalanche"]]:
    """The avalanches of a population: runs of bins with spikes between two bins without.

    Runs that touch an end of the window are left out, since they may be longer.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps. The mean interval between spikes
        of the population is usual; exponents depend on it.

    **Returns:** the sizes in spikes, and the durations in ms, in the order of time.

    ??? cite

        Beggs and Plenz (2003), "Neuronal avalanches in neocortical circuits",
        doi:10.1523/JNEUROSCI.23-35-11167.2003.
    """
    check_trains(trains)
    counts = spike_counts(trains, bin_size)
    width, _ = tiles(trains, bin_size)
    silent = np.flatnonzero(counts == 0)
    if silent.size == 0:
        return np.zeros(0, np.int64), np.zeros(0)
    total = np.concatenate([[0], np.cumsum(counts)])
    length = np.diff(silent) - 1
    size = total[silent[1:]] - total[silent[:-1]]
    return size[length > 0], length[length > 0] * width * trains.dt


def branching_ratio(
    trains: SpikeTrains, bin_size: int | float, *, method: str = "ratio", lags: int = 20
) -> float:
    r"""The mean number of spikes that a spike causes in the next bin.

    - `"ratio"`: $m = \langle n_{t+1} / n_t \rangle$ over the bins with spikes. It is biased if not
      all neurons are observed, or spikes come from outside.
    - `"multistep"`: the slopes $r_k$ of the regressions of $n_{t+k}$ on $n_t$ fall as $b\,m^k$,
      whatever part of the neurons is observed; $m$ is fitted to them.

    Activity dies out below 1, the critical value, and grows above.

    **Arguments:**

    - `trains`: the spikes.
    - `bin_size`: width of a bin in ms, a whole number of steps.
    - `method`: one of the above.
    - `lags`: the number of slopes that are fitted by `"multistep"`.

    **Returns:** $m$; NaN if there are no spikes, or counts don't vary.

    ??? cite

        Beggs and Plenz (2003), "Neuronal avalanches in neocortical circuits",
        doi:10.1523/JNEUROSCI.23-35-11167.2003. Multistep: Wilting and Priesemann (2018), "Inferring
        collective dynamical states from widely unobserved systems",
        doi:10.1038/s41467-018-04725-4.
    """
    check_trains(trains)
    method = choice("method", method, ("ratio", "multistep"))
    lags = count("lags", lags, minimum=2)
    n = spike_counts(trains, bin_size).astype(np.float64)
    if method == "ratio":
        active = n[:-1] > 0
        return float(np.mean(n[1:][active] / n[:-1][active])) if active.any() else float("nan")
    if n.size < lags + 3:
        raise ValueError(
            f"`lags` must be well below the number of bins, {n.size}, got {lags}. Try a smaller "
            "`bin_size`."
        )
    k = np.arange(1, lags + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = np.array([np.cov(n[:-i], n[i:])[0, 1] / np.var(n[:-i], ddof=1) for i in k])
    if not np.all(np.isfinite(slopes)):
        return float("nan")
    return _fit_decay(k, slopes)


class PowerLaw(NamedTuple):
    r"""A fitted power law $p(x) \propto x^{-\alpha}$ for $x \ge x_\mathrm{min}$.

    - `exponent`, `error`: $\alpha$ and its standard error, $(\alpha - 1) / \sqrt n$.
    - `minimum`: $x_\mathrm{min}$.
    - `distance`: the Kolmogorov-Smirnov distance of data and fit.
    - `samples`: $n$, the number of data from the minimum on.
    """

    exponent: float
    error: float
    minimum: float
    distance: float
    samples: int


def power_law_fit(x: Any, *, minimum: int | float | None = None, discrete: bool = True) -> PowerLaw:
    r"""The power law that is most likely to have made some data.

    $$\hat\alpha = 1 + n \Big/ \sum_i \ln \frac{x_i}{x_\mathrm{min}}$$

    for continuous data. For discrete ones the maximum of $-n \ln \zeta(\alpha, x_\mathrm{min}) -
    \alpha \sum_i \ln x_i$ with Hurwitz's zeta function. The minimum is the one whose fit has the
    least Kolmogorov-Smirnov distance from the data above it.

    **Arguments:**

    - `x`: positive data such as the sizes of avalanches, shape `(sample,)`.
    - `minimum`: $x_\mathrm{min}$, if it is known. Otherwise each value that leaves ten data is
        tried.
    - `discrete`: whether data are whole numbers.

    **Returns:** [`brainfn.measure.PowerLaw`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Clauset, Shalizi and Newman (2009), "Power-law distributions in empirical data",
        doi:10.1137/070710111.
    """
    data = np.sort(np.asarray(x, np.float64))
    if data.ndim != 1 or data.size < 2 or not (np.all(np.isfinite(data)) and data[0] > 0):
        raise ValueError("`x` must hold at least two positive numbers.")
    if discrete and np.any(data != np.rint(data)):
        raise ValueError("`x` must hold whole numbers. Try `discrete=False`.")
    if minimum is not None:
        fit = _fit_above(data, float(minimum), discrete)
        if fit is None:
            raise ValueError(
                f"`minimum` must be positive and leave two different values of `x`, got {minimum}."
            )
        return fit
    least = np.unique(data[: max(1, data.size - 9)])
    fits = [_fit_above(data, float(low), discrete) for low in least]
    good = [fit for fit in fits if fit is not None]
    if not good:
        raise ValueError("`x` must hold at least two different values.")
    return min(good, key=lambda fit: fit.distance)


def _fit_above(data: Float[np.ndarray, " n"], low: float, discrete: bool) -> PowerLaw | None:
    """The fit for a given minimum."""
    from scipy.optimize import minimize_scalar
    from scipy.special import zeta

    tail = data[np.searchsorted(data, low) :]
    if not low > 0 or tail.size < 2 or tail[0] == tail[-1]:
        return None
    n, logs = tail.size, np.sum(np.log(tail))
    values, last = np.unique(tail, return_index=True)
    if discrete:
        found: Any = minimize_scalar(
            lambda a: n * np.log(zeta(a, low)) + a * logs,
            bounds=(1.0 + 1e-6, 20.0),
            method="bounded",
            options={"xatol": 1e-10},
        )
        alpha = float(found.x)
        below = 1 - zeta(alpha, values) / zeta(alpha, low)
        upto = 1 - zeta(alpha, values + 1) / zeta(alpha, low)
    else:
        alpha = 1 + n / (logs - n * np.log(low))
        below = upto = 1 - (values / low) ** (1 - alpha)
    # The distribution of the data jumps at each value; that of the fit does so if it is discrete.
    before, after = last / n, np.append(last[1:], n) / n
    distance = max(np.max(np.abs(before - below)), np.max(np.abs(after - upto)))
    return PowerLaw(alpha, (alpha - 1) / np.sqrt(n), low, float(distance), n)


def _fit_decay(k: Int[np.ndarray, " lag"], slopes: Float[np.ndarray, " lag"]) -> float:
    """The `m` of the least-squares fit of `b m^k`: for each `m` the best `b` is known."""
    from scipy.optimize import minimize_scalar

    def residual(m: float) -> float:
        shape = m**k
        return float(np.sum((slopes - np.dot(slopes, shape) / np.dot(shape, shape) * shape) ** 2))

    grid = np.linspace(0.01, 1.2, 120)
    start = grid[np.argmin([residual(m) for m in grid])]
    best: Any = minimize_scalar(
        residual, bounds=(max(start - 0.02, 1e-6), start + 0.02), method="bounded"
    )
    return float(best.x)
