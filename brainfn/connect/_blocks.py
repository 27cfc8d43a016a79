"""Connections between groups of neurons, each pair of groups with its own probability."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int32

from .._custom_types import Key
from .._errors import count, describe, from_host, is_concrete
from .._field import as_parameter
from ._cells import Blocks as _Bounds, Groups, by_label, draw
from ._check import as_flag, as_probability, check_key, check_synapses
from ._counter import key_words
from ._of_distance import AbstractOfSynapses
from ._rule import AbstractRule, Structure, check_sizes

# Synapses of the neurons that are drawn together. These see the same random numbers, so this is
# part of what a key means.
_CHUNK, _MAX_ROWS = 60_000, 2**16


class Blocks(AbstractRule):
    r"""The stochastic block model: a pair of neurons is connected with a probability that depends
    on the blocks to which they belong, independently of all others.

    $$P(i \to j) = p_{a(i)\,b(j)}$$

    ```python
    # Three blocks of 100 neurons, more connected within than between.
    p = 0.02 + 0.18 * np.eye(3)
    rule = bf.connect.Blocks(p, np.repeat(np.arange(3), 100))
    ```

    The work is proportional to the number of synapses. The same key gives the same synapses on
    every device (drawn on the host); build outside of `jit`. See [`brainfn.connect.clustered`][]
    for clusters of equal size, and [`brainfn.connect.OfBlocks`][] for their weights.

    **Arguments:**

    - `p`: probabilities, shape `(blocks of pre, blocks of post)`.
    - `pre`: the block of each presynaptic neuron, whole numbers from 0, shape `(n_pre,)`.
    - `post`: that of each postsynaptic neuron, by default the same.
    - `autapses`: whether a neuron may connect to itself.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Holland, Laskey and Leinhardt (1983), "Stochastic blockmodels: first steps",
        doi:10.1016/0378-8733(83)90021-7.
    """

    p: Float[Array, "pre_blocks post_blocks"]
    pre: Int32[Array, " n_pre"]
    post: Int32[Array, " n_post"]
    autapses: bool = eqx.field(static=True)

    def __init__(self, p: Any, pre: Any, post: Any = None, *, autapses: bool = True):
        self.p = _table("p", p)
        host = np.asarray(self.p)
        if not np.all((host >= 0) & (host <= 1)):
            raise ValueError(f"`p` must be probabilities in [0, 1], got {describe(host)}.")
        self.pre = _labels("pre", pre, host.shape[0])
        self.post = _labels("post", pre if post is None else post, host.shape[1])
        self.autapses = as_flag("autapses", autapses)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        key = check_key("Blocks", key)
        if not is_concrete(key):
            raise TypeError(
                "`key` is traced by JAX, but Blocks draws the number of synapses from it. Try to "
                "build the connections outside of `jit` and `vmap`."
            )
        check_synapses("Blocks()", self.expected(n_pre, n_post, diagonal=diagonal), copies=2)
        pre, post = np.asarray(self.pre, np.int64), np.asarray(self.post, np.int64)
        p = np.asarray(self.p, np.float64)
        sources, targets = by_label(pre, p.shape[0]), by_label(post, p.shape[1])
        rows, label = _cut(sources, p @ targets.sizes)
        every = np.arange(p.shape[1])
        return draw(
            "Blocks()",
            np.asarray(key_words(key)),
            rows,
            targets,
            lambda g: _Bounds(every, p[label[g]]),
            None,
            (n_pre, n_post),
            None if self.autapses else diagonal,
        )

    def expected(self, n_pre: int, n_post: int, *, diagonal: int | None = None) -> float:
        pre, post, p = (np.asarray(x) for x in (self.pre, self.post, self.p))
        for name, labels, n in (("pre", pre, n_pre), ("post", post, n_post)):
            if labels.size != n:
                raise ValueError(
                    f"`{name}` of Blocks must have the block of each of {n} neurons, got "
                    f"{labels.size}."
                )
        sizes = (np.bincount(x, minlength=n) for x, n in zip((pre, post), p.shape, strict=True))
        first, second = sizes
        total = float(first @ p.astype(np.float64) @ second)
        if diagonal is not None and not self.autapses:
            i = np.arange(max(-diagonal, 0), max(min(n_pre, n_post - diagonal), 0))
            total -= float(p[pre[i], post[i + diagonal]].sum())
        return total


def _cut(groups: Groups, each: np.ndarray) -> tuple[Groups, np.ndarray]:
    """Groups in pieces that have about `_CHUNK` synapses, of which a neuron of each group has
    `each`; and the group of each piece."""
    starts, label = [], []
    for g, (start, stop) in enumerate(zip(groups.start[:-1], groups.start[1:], strict=True)):
        step = max(1, min(_MAX_ROWS, int(_CHUNK / max(each[g], 1e-9))))
        starts += range(int(start), int(stop), step)
        label += [g] * (len(starts) - len(label))
    ends = np.asarray([*starts, groups.order.size], np.int64)
    return Groups(groups.order, ends), np.asarray(label, np.int64)


def clustered(
    n: int, clusters: int, p: float = 0.2, ratio: float = 2.5, *, autapses: bool = True
) -> Blocks:
    r"""Clusters of equal size, whose neurons connect more often with each other than with others.

    $$p_\mathrm{in} = r\,p_\mathrm{out},\qquad
    \frac{p_\mathrm{in}}{C} + \left(1 - \frac{1}{C}\right) p_\mathrm{out} = p$$

    **Arguments:**

    - `n`: the number of neurons, a multiple of the number of clusters. Neurons of a cluster stand
        side by side.
    - `clusters`: $C$.
    - `p`: the mean probability of a connection.
    - `ratio`: $r$.
    - `autapses`: whether a neuron may connect to itself.

    **Returns:** [`brainfn.connect.Blocks`][].

    **Raises:** `ValueError` naming the argument.

    ??? cite

        Litwin-Kumar and Doiron (2012), "Slow dynamics and high variability in balanced cortical
        networks with clustered connections", doi:10.1038/nn.3220 (excitatory neurons: p = 0.2,
        r = 2.5, 50 clusters of 80; weights within a cluster are 1.9 times those between).
    """
    n, clusters = count("n", n), count("clusters", clusters, minimum=1)
    p = as_probability("p", p)
    if n % clusters:
        raise ValueError(f"`n` must be a multiple of `clusters` = {clusters}, got {n}.")
    if not (isinstance(ratio, int | float) and ratio >= 0):
        raise ValueError(f"`ratio` must be a number that is not negative, got {ratio!r}.")
    out = p * clusters / (ratio + clusters - 1) if ratio + clusters > 1 else 0.0
    if max(out, ratio * out) > 1:
        raise ValueError(
            f"`ratio` = {ratio} and `p` = {p} need a probability of {max(out, ratio * out):.3g} "
            "within a cluster. Try a smaller one."
        )
    table = np.full((clusters, clusters), out)
    np.fill_diagonal(table, ratio * out)
    return Blocks(table, np.repeat(np.arange(clusters), n // clusters), autapses=autapses)


class OfBlocks(AbstractOfSynapses):
    r"""Weights or delays that depend on the blocks to which source and target belong.

    $$w_{ij} = W_{a(i)\,b(j)}$$

    ```python
    rule = bf.connect.clustered(4000, 50)
    weight = bf.connect.OfBlocks(1.0 + 0.9 * np.eye(50), rule.pre)
    ```

    **Arguments:**

    - `values`: in nS, pA or ms, shape `(blocks of pre, blocks of post)`.
    - `pre`, `post`: the block of each neuron, as for [`brainfn.connect.Blocks`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    values: Float[Array, "pre_blocks post_blocks"]
    pre: Int32[Array, " n_pre"]
    post: Int32[Array, " n_post"]

    def __init__(self, values: Any, pre: Any, post: Any = None):
        self.values = _table("values", values)
        self.pre = _labels("pre", pre, self.values.shape[0])
        self.post = _labels("post", pre if post is None else post, self.values.shape[1])

    def __call__(
        self,
        rule: AbstractRule,
        i: Int32[np.ndarray, " nnz"],
        j: Int32[np.ndarray, " nnz"],
        dtype: DTypeLike,
        *,
        key: Key | None = None,
    ) -> Float[Array, " nnz"]:
        del rule, key
        for name, labels, index in (("pre", self.pre, i), ("post", self.post, j)):
            if index.size and index.max() >= labels.shape[0]:
                raise ValueError(
                    f"`{name}` of OfBlocks must have the block of each neuron, got "
                    f"{labels.shape[0]} for at least {index.max() + 1} neurons."
                )
        first, second = np.asarray(self.pre)[i], np.asarray(self.post)[j]
        if is_concrete(self.values):
            return from_host(np.asarray(self.values)[first, second].astype(dtype))
        return self.values[first, second].astype(dtype)


def _table(name: str, value: Any) -> Float[Array, "rows columns"]:
    table = as_parameter(np.asarray(value) if isinstance(value, list | tuple) else value)
    if not isinstance(table, jax.Array) or table.ndim != 2:
        got = f"shape {table.shape}" if isinstance(table, jax.Array) else repr(value)[:100]
        raise ValueError(
            f"`{name}` must be a matrix with a row for each block of `pre` and a column for each "
            f"block of `post`, got {got}."
        )
    if is_concrete(table) and not bool(jnp.all(jnp.isfinite(table))):
        raise ValueError(f"`{name}` must be finite, got {describe(np.asarray(table))}.")
    return table


def _labels(name: str, value: Any, blocks: int) -> Int32[Array, " n"]:
    labels = np.asarray(value)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        raise TypeError(
            f"`{name}` must be the block of each neuron, whole numbers of shape (n,), got shape "
            f"{labels.shape} and dtype {labels.dtype}. Try np.repeat(np.arange({blocks}), size)."
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < blocks):
        raise ValueError(
            f"`{name}` must lie in [0, {blocks}), the blocks of the matrix, got values from "
            f"{labels.min()} to {labels.max()}."
        )
    return from_host(labels.astype(np.int32))
