"""Rates and the regularity of firing, step by step."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from .._model import Clock
from ._reducers import AbstractReducer, add


class Rate(AbstractReducer):
    r"""The firing rate of each neuron, $r_i = n_i / T$, in 1/ms, in the structure of the model's
    output.

    The count is exact, and has no derivative: for a rate with that of the spikes use
    [`brainfn.record.Mean`][] and divide by `dt`. It is what [`brainfn.measure.firing_rates`][]
    gives.
    """

    def init(self, state: Any, output: Any) -> Any:
        del state
        count = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.int32), output)
        real = jnp.result_type(float)
        return count, jnp.zeros((), jnp.int32), jnp.zeros((), real)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del state
        count, steps, _ = summary
        count = jax.tree.map(lambda n, x: n + x.astype(bool).astype(jnp.int32), count, output)
        return count, steps + 1, jnp.asarray(clock.dt, summary[2].dtype)

    def finish(self, summary: Any) -> Any:
        count, steps, dt = summary
        duration = steps.astype(dt.dtype) * dt
        return jax.tree.map(lambda n: n.astype(duration.dtype) / duration, count)


class IntervalMoments(eqx.Module):
    r"""Number, mean and variance of each neuron's interspike intervals, each in the structure of
    the model's output: `moments.cv["exc"]`.

    - `count`: number of intervals $m$.
    - `mean`: in ms, 0 without intervals.
    - `squares`: $\sum_k (I_k - \bar I)^2$ in ms^2.
    - `first`, `last`: the steps of the first and of the last spike, -1 if there was none.
    - `dt`: step size in ms.

    `a.then(b)` are the moments of both stretches of time together, with the interval between them.
    """

    count: Any
    mean: Any
    squares: Any
    first: Any
    last: Any
    dt: Array

    @property
    def cv(self) -> Any:
        r"""The coefficient of variation, $\sqrt{\langle (I - \bar I)^2 \rangle} / \bar I$; NaN for
        neurons with fewer than two intervals. As [`brainfn.measure.cv_isi`][]."""

        def one(n: Any, mean: Any, squares: Any) -> Any:
            enough = n >= 2
            m = jnp.where(enough, n, 1).astype(mean.dtype)
            return jnp.where(enough, jnp.sqrt(squares / m) / jnp.where(enough, mean, 1), jnp.nan)

        return jax.tree.map(one, self.count, self.mean, self.squares)

    def then(self, after: "IntervalMoments") -> "IntervalMoments":
        """The moments of this stretch of time and the one that continues it.

        **Arguments:**

        - `after`: moments of the same structure, of a simulation that starts where this one ended.
        """

        def one(*parts: Any) -> Any:
            n, mean, squares, first, last, m, other, rest, begin, end = parts
            gap = (begin - last).astype(mean.dtype) * self.dt.astype(mean.dtype)
            bridge = (last >= 0) & (begin >= 0)
            n, mean, squares = _joined(
                (n, mean, squares), (bridge.astype(n.dtype), gap, jnp.zeros_like(squares))
            )
            n, mean, squares = _joined((n, mean, squares), (m, other, rest))
            return (
                n,
                mean,
                squares,
                jnp.where(first >= 0, first, begin),
                jnp.where(end >= 0, end, last),
            )

        mine, other = (
            [jax.tree.leaves(x) for x in (p.count, p.mean, p.squares, p.first, p.last)]
            for p in (self, after)
        )
        columns = zip(*(one(*parts) for parts in zip(*mine, *other, strict=True)), strict=True)
        structure = jax.tree.structure(self.count)
        trees = [jax.tree.unflatten(structure, column) for column in columns]
        return IntervalMoments(*trees, dt=self.dt)


class Intervals(AbstractReducer):
    r"""The moments of each neuron's interspike intervals, for the CV of large networks over long
    times without a record of their spikes.

    In integers of steps where it matters, so intervals are exact; their mean and squares are summed
    as in [`brainfn.record.MeanVariance`][].

    **Returns** (in `outputs`): [`brainfn.record.IntervalMoments`][]. They have no derivative.

    ??? cite

        Welford (1962) and Chan, Golub and LeVeque (1983), as [`brainfn.record.MeanVariance`][].
    """

    def init(self, state: Any, output: Any) -> Any:
        del state
        real = jnp.result_type(float)
        never = jax.tree.map(lambda x: jnp.full(x.shape, -1, jnp.int32), output)
        number = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.int32), output)
        zero = jax.tree.map(lambda x: jnp.zeros(x.shape, real), output)
        return number, (zero, zero), (zero, zero), never, never, jnp.zeros((), real)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del state
        number, mean, squares, first, last, dt = summary
        dt, step = jnp.asarray(clock.dt, dt.dtype), jnp.asarray(clock.step, jnp.int32)
        spiked = jax.tree.map(lambda x: x.astype(bool), output)
        ended = jax.tree.map(lambda s, t: s & (t >= 0), spiked, last)
        number = jax.tree.map(lambda n, e: n + e.astype(n.dtype), number, ended)
        # Zero where no interval ended: nothing is added there.
        before = jax.tree.map(
            lambda e, t, m: jnp.where(e, (step - t).astype(m.dtype) * dt - m, 0),
            ended,
            last,
            mean[0],
        )
        mean = add(
            mean, jax.tree.map(lambda d, n: d / jnp.maximum(n, 1).astype(d.dtype), before, number)
        )

        def square(d: Any, n: Any) -> Any:
            m = jnp.maximum(n, 1).astype(d.dtype)
            return d**2 * ((m - 1) / m)

        squares = add(squares, jax.tree.map(square, before, number))
        first = jax.tree.map(lambda s, t: jnp.where(s & (t < 0), step, t), spiked, first)
        last = jax.tree.map(lambda s, t: jnp.where(s, step, t), spiked, last)
        return number, mean, squares, first, last, dt

    def finish(self, summary: Any) -> Any:
        number, (mean, _), (squares, _), first, last, dt = summary
        return IntervalMoments(number, mean, squares, first, last, dt)


def _joined(a: tuple[Any, Any, Any], b: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Number, mean and squares of two sets of data together."""
    (n, mean, squares), (m, other, rest) = a, b
    total: Int[Array, "..."] = n + m
    whole = jnp.maximum(total, 1).astype(mean.dtype)
    part = m.astype(mean.dtype) / whole
    shift = jnp.where(total > 0, other - mean, 0)
    return (
        total,
        mean + shift * part,
        squares + rest + shift**2 * part * n.astype(mean.dtype),
    )
