"""Means, variances, covariances and histograms over time, step by step."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._model import Clock
from ._reducers import AbstractReducer, add, as_float, check_function


class Moments(eqx.Module):
    r"""Mean and variance over time of each entry of a pytree.

    - `count`: number of steps $n$.
    - `mean`: of each entry.
    - `squares`: $\sum_k (x_k - \bar x)^2$ of each entry.

    `a.then(b)` are the moments of both stretches of time together.
    """

    count: Int[Array, ""]
    mean: Any
    squares: Any

    @property
    def variance(self) -> Any:
        r"""The variance over time, $\frac1n \sum_k (x_k - \bar x)^2$."""
        return jax.tree.map(lambda x: x / self.count.astype(x.dtype), self.squares)

    @property
    def std(self) -> Any:
        """The standard deviation over time."""
        return jax.tree.map(jnp.sqrt, self.variance)

    def then(self, after: "Moments") -> "Moments":
        """The moments of this stretch of time and the one after it.

        **Arguments:**

        - `after`: moments of the same structure.
        """
        n = self.count + after.count

        def weights(x: Any) -> tuple[Any, Any]:
            mine, other, all_ = (k.astype(x.dtype) for k in (self.count, after.count, n))
            return other / all_, mine * other / all_

        mean = jax.tree.map(lambda x, y: x + (y - x) * weights(x)[0], self.mean, after.mean)
        squares = jax.tree.map(
            lambda p, q, x, y: p + q + (y - x) ** 2 * weights(x)[1],
            self.squares,
            after.squares,
            self.mean,
            after.mean,
        )
        return Moments(n, mean, squares)


class MeanVariance(AbstractReducer):
    r"""The mean and the variance over time of a function of state and output, by Welford's method.

    $$\bar x_n = \bar x_{n-1} + \frac{x_n - \bar x_{n-1}}{n}, \qquad
    Q_n = Q_{n-1} + (x_n - \bar x_{n-1}) (x_n - \bar x_n)$$

    The variance does not suffer from a large mean, and both sums are compensated (Kahan), so they
    stay accurate over $10^8$ steps in float32.

    ```python
    record = bf.record.MeanVariance(lambda state, output: state["exc"].v)
    ```

    **Arguments:**

    - `function`: `(state, output) -> pytree` of arrays; bool spikes count as 0 and 1.

    **Returns** (in `outputs`): [`brainfn.record.Moments`][].

    ??? cite

        Welford (1962), "Note on a method for calculating corrected sums of squares and products",
        doi:10.1080/00401706.1962.10490022. Joining two stretches: Chan, Golub and LeVeque (1983),
        "Algorithms for computing the sample variance", doi:10.1080/00031305.1983.10483115.
    """

    function: Any = eqx.field(static=True)

    def __check_init__(self):
        check_function(self.function)

    def init(self, state: Any, output: Any) -> Any:
        zero = jax.tree.map(lambda x: jnp.zeros_like(as_float(x)), self.function(state, output))
        return jnp.zeros((), jnp.int32), (zero, zero), (zero, zero)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        n, mean, squares = summary
        new = jax.tree.map(as_float, self.function(state, output))
        n, before = n + 1, jax.tree.map(jnp.subtract, new, mean[0])
        mean = add(mean, jax.tree.map(lambda d: d / n.astype(d.dtype), before))
        squares = add(squares, jax.tree.map(lambda d, x, m: d * (x - m), before, new, mean[0]))
        return n, mean, squares

    def finish(self, summary: Any) -> Any:
        n, (mean, _), (squares, _) = summary
        return Moments(n, mean, squares)


class PairMoments(eqx.Module):
    r"""Covariances over time of all pairs of entries of a vector.

    - `count`: number of steps $n$.
    - `mean`: shape `(n,)`.
    - `products`: $\sum_k (x_k - \bar x) (x_k - \bar x)^T$, shape `(n, n)`.

    `a.then(b)` are the moments of both stretches of time together.
    """

    count: Int[Array, ""]
    mean: Float[Array, " n"]
    products: Float[Array, "n n"]

    @property
    def covariance(self) -> Float[Array, "n n"]:
        r"""$\frac{1}{n - 1} \sum_k (x_k - \bar x) (x_k - \bar x)^T$, as `numpy.cov` has it."""
        return self.products / (self.count.astype(self.mean.dtype) - 1)

    @property
    def correlation(self) -> Float[Array, "n n"]:
        """Pearson's correlations, the functional connectivity; NaN for entries that are constant.
        It is differentiable."""
        square = jnp.diagonal(self.products)
        scale = jax.lax.rsqrt(jnp.where(square > 0, square, jnp.nan))
        return self.products * scale[:, None] * scale[None, :]

    def then(self, after: "PairMoments") -> "PairMoments":
        """The moments of this stretch of time and the one after it.

        **Arguments:**

        - `after`: moments of as many entries.
        """
        n = self.count + after.count
        mine, other, all_ = (k.astype(self.mean.dtype) for k in (self.count, after.count, n))
        shift = after.mean - self.mean
        products = self.products + after.products + jnp.outer(shift, shift) * (mine * other / all_)
        return PairMoments(n, self.mean + shift * (other / all_), products)


class Covariance(AbstractReducer):
    r"""The covariances over time of all pairs of entries of a vector, by Welford's method.

    Memory is $N^2$, and so is the work of a step: meant for regions or tens of neurons, whose
    functional connectivity it gives without a record.

    ```python
    record = bf.record.Covariance(lambda state, output: state["regions"].rate)
    ```

    **Arguments:**

    - `function`: `(state, output) -> array` of shape `(n,)`.

    **Returns** (in `outputs`): [`brainfn.record.PairMoments`][], whose `correlation` is that of
    [`brainfn.measure.functional_connectivity`][].

    **Raises:** `ValueError`, when the simulation starts, for another shape.

    ??? cite

        Welford (1962) and Chan, Golub and LeVeque (1983), as [`brainfn.record.MeanVariance`][].
    """

    function: Any = eqx.field(static=True)

    def __check_init__(self):
        check_function(self.function)

    def init(self, state: Any, output: Any) -> Any:
        mean = jnp.zeros_like(as_float(self.function(state, output)))
        if mean.ndim != 1:
            raise ValueError(
                f"`function` of Covariance must return shape (n,), got {mean.shape}. Name a "
                'population, e.g. lambda state, output: output["exc"].'
            )
        products = jnp.zeros((mean.size, mean.size), mean.dtype)
        return jnp.zeros((), jnp.int32), (mean, mean), (products, products)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        n, mean, products = summary
        x = as_float(self.function(state, output))
        n, before = n + 1, x - mean[0]
        mean = add(mean, before / n.astype(x.dtype))
        # Symmetric to the last bit: (x - new mean) is (x - old mean) (n - 1) / n.
        ratio = (n - 1).astype(x.dtype) / n.astype(x.dtype)
        return n, mean, add(products, jnp.outer(before, before) * ratio)

    def finish(self, summary: Any) -> Any:
        n, (mean, _), (products, _) = summary
        return PairMoments(n, mean, products)


class Histogram(AbstractReducer):
    """The distribution over time and entries of a function of state and output.

    **Arguments:**

    - `function`: `(state, output) -> array` of any shape; all its entries are counted in each step.
    - `edges`: of the bins, increasing, shape `(bin + 1,)`. A bin holds what lies from its left
        edge up to, not including, the right one; other values are not counted.

    **Returns** (in `outputs`): the numbers, shape `(bin,)`, int32. Those of several stretches of
    time are added. They have no derivative.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    function: Any = eqx.field(static=True)
    edges: Float[Array, " edge"]

    def __init__(self, function: Any, edges: Any):
        check_function(function)
        host = np.asarray(edges, np.float64)
        if host.ndim != 1 or host.size < 2 or not np.all(np.diff(host) > 0):
            raise ValueError(
                "`edges` must be a list of at least two increasing numbers, got "
                f"{host.shape if host.ndim != 1 or host.size > 4 else host.tolist()}. Try "
                "np.linspace(-80, -40, 41)."
            )
        self.function = function
        self.edges = jnp.asarray(host, jnp.result_type(float))

    def init(self, state: Any, output: Any) -> Any:
        del state, output
        return jnp.zeros(self.edges.size - 1, jnp.int32)

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        x = as_float(self.function(state, output)).reshape(-1)
        place = jnp.searchsorted(self.edges.astype(x.dtype), x, side="right") - 1
        # What lies below the first edge, or is not a number, goes where nothing is added.
        place = jnp.where((place < 0) | jnp.isnan(x), summary.size, place)
        return summary.at[place].add(1, mode="drop")

    def finish(self, summary: Any) -> Any:
        return summary
