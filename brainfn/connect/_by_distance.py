"""Connections that depend on where neurons are."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Float64, Int32, Integer

from .._custom_types import Key
from .._errors import from_host, is_concrete
from ._cells import COLUMNS, ROWS, Blocks, Groups, Near, boxes, by_place, draw
from ._check import as_degree, as_flag, check_key, check_synapses
from ._counter import key_words
from ._kernel import NEVER, AbstractKernel, check_targets, differs, of_targets, on_host
from ._positions import Offsets, Positions, check_fits, check_positions, displacements
from ._rule import AbstractRule, Structure, check_sizes, transposed
from ._successive import check_partners, successive

_PARTS = ("positive", "negative", "both")
# Pairs from which the number of synapses is estimated, and the fewest rows of them.
_SAMPLE, _FEWEST = 2**18, 8


class ByDistance(AbstractRule):
    r"""Each pair of neurons is connected with a probability that depends on the distance between
    them, or on the vector from one to the other.

    $$P(i \to j) = k(x_j - x_i)$$

    ```python
    sheet = bf.connect.grid((100, 100), spacing=10.0, periodic=True)
    rule = bf.connect.ByDistance(bf.connect.GaussianKernel(80.0, peak=0.3), sheet, autapses=False)
    ```

    With `fan_in` (or `fan_out`) each neuron gets (or makes) exactly as many synapses, with
    different partners that are chosen one after the other, each with a probability proportional to
    $k$ among those that are left. Only the shape of $k$ matters then.

    Neurons are grouped with their neighbours, and candidates are drawn group by group from bounds
    of the kernel, so the time and memory needed are proportional to the number of synapses, not of
    pairs. The probabilities are exact to $2^{-32}$. The same key gives the same synapses on every
    device (drawn on the host); build outside of `jit`.

    **Arguments:**

    - `kernel`: $k$, e.g. [`brainfn.connect.GaussianKernel`][]; what exceeds one counts as one.
    - `pre`: [`brainfn.connect.Positions`][] of the presynaptic neurons.
    - `post`: those of the postsynaptic neurons, by default the same.
    - `fan_in`, `fan_out`: a fixed number of synapses for each target, or for each source.
    - `part`: what happens to negative values: `"positive"` takes them as zero; `"negative"` takes
        $-k$ where it is positive; `"both"` takes $|k|$.
    - `autapses`: whether a neuron may connect to itself.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for positions in different spaces, or of
    another number than there are neurons, and for a neuron with fewer possible partners than it
    needs.

    ??? cite

        Efraimidis and Spirakis (2006), "Weighted random sampling with a reservoir",
        doi:10.1016/j.ipl.2005.11.003 (the law of the choice with a fixed number).
    """

    kernel: AbstractKernel
    pre: Positions
    post: Positions
    fan_in: int | None = eqx.field(static=True)
    fan_out: int | None = eqx.field(static=True)
    part: str = eqx.field(static=True)
    autapses: bool = eqx.field(static=True)

    def __init__(
        self,
        kernel: AbstractKernel,
        pre: Positions,
        post: Positions | None = None,
        *,
        fan_in: int | None = None,
        fan_out: int | None = None,
        part: str = "positive",
        autapses: bool = True,
    ):
        if not isinstance(kernel, AbstractKernel):
            raise TypeError(
                f"`kernel` must be a kernel of brainfn.connect, got {type(kernel).__name__}: "
                f"{kernel!r:.100}. Try bf.connect.GaussianKernel(100.0, peak=0.2), or "
                "bf.connect.FunctionKernel(function)."
            )
        post = pre if post is None else post
        check_positions("ByDistance", pre, post)
        if part not in _PARTS:
            raise ValueError(f"`part` must be one of {_PARTS}, got {part!r}.")
        if fan_in is not None and fan_out is not None:
            raise ValueError("`fan_in` and `fan_out` can't both be given.")
        self.kernel, self.pre, self.post = kernel, pre, post
        self.fan_in = None if fan_in is None else as_degree("fan_in", fan_in)
        self.fan_out = None if fan_out is None else as_degree("fan_out", fan_out)
        self.part, self.autapses = part, as_flag("autapses", autapses)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        key = check_key("ByDistance", key)
        space = self._space(n_pre, n_post)
        if not is_concrete(key):
            raise TypeError(
                "`key` is traced by JAX, but ByDistance draws where synapses are on the host. Try "
                "to build the connections outside of `jit` and `vmap`."
            )
        own = None if self.autapses else diagonal
        expected = self.expected(n_pre, n_post, diagonal=diagonal)
        check_synapses("ByDistance()", expected, copies=2)
        if expected == 0 or n_pre * n_post == 0:
            if expected > 0:
                check_partners("fan_in" if self.fan_out is None else "fan_out", int(expected), 0, 0)
            return from_host(np.zeros(0, np.int32)), from_host(np.zeros(n_pre + 1, np.int32))
        words = np.asarray(key_words(key))
        if self.fan_in is None and self.fan_out is None:
            rows, columns = by_place(space.pre, ROWS), by_place(space.post, COLUMNS)
            bounds = space.bounds(rows, columns, False)
            return draw(
                "ByDistance()", words, rows, columns, bounds, space.law, (n_pre, n_post), own
            )
        incoming = self.fan_out is None
        k = self.fan_in if incoming else self.fan_out
        assert k is not None
        sides = (space.post, space.pre) if incoming else (space.pre, space.post)
        rows, columns = by_place(sides[0], ROWS), by_place(sides[1], COLUMNS)
        if incoming:
            own = None if own is None else -own
        chosen = successive(
            words,
            rows,
            columns,
            space.bounds(rows, columns, incoming),
            (lambda i, j: space.law(j, i)) if incoming else space.law,
            k,
            own,
            "fan_in" if incoming else "fan_out",
        )
        starts = np.arange(sides[0].shape[0] + 1, dtype=np.int32) * np.int32(k)
        if incoming:
            return transposed(chosen, starts, n_pre)
        return from_host(chosen), from_host(starts)

    def expected(self, n_pre: int, n_post: int, *, diagonal: int | None = None) -> float | int:
        if self.fan_in is not None:
            return self.fan_in * n_post
        if self.fan_out is not None:
            return self.fan_out * n_pre
        space = self._space(n_pre, n_post)
        some = min(n_pre, max(_SAMPLE // max(n_post, 1), _FEWEST))
        rows = ((np.arange(some) + 0.5) * (n_pre / max(some, 1))).astype(np.int32)
        total, step = 0.0, max(1, _SAMPLE // max(some, 1))
        for start in range(0, n_post, step):
            j = np.arange(start, min(start + step, n_post), dtype=np.int32)
            i, j = np.repeat(rows, j.size), np.tile(j, some)
            p = np.clip(space.law(i, j), 0.0, 1.0)
            if diagonal is not None and not self.autapses:
                p[j == i + diagonal] = 0.0
            total += float(p.sum())
        return total * n_pre / max(some, 1)

    def offsets(self, i: Integer[np.ndarray, " nnz"], j: Integer[np.ndarray, " nnz"]) -> Offsets:
        pre, post = self.pre.on_host("pre"), self.post.on_host("post")
        return displacements(pre, post, self.pre.period, i, j)

    def _space(self, n_pre: int, n_post: int) -> "_Space":
        check_fits("ByDistance", self.pre, self.post, n_pre, n_post)
        check_targets(self.kernel, n_post)
        pre, post = self.pre.on_host("pre"), self.post.on_host("post")
        kernel = on_host(self.kernel)
        return _Space(kernel, pre, post, self.pre.period, self.part, differs(kernel))


class _Space(NamedTuple):
    """What probabilities are computed from, on the host."""

    kernel: Any
    pre: Float64[np.ndarray, "n_pre dimensions"]
    post: Float64[np.ndarray, "n_post dimensions"]
    period: tuple[float | None, ...]
    part: str
    differs: bool  # whether a parameter of the kernel differs between targets

    def law(
        self, i: Int32[np.ndarray, " pairs"], j: Int32[np.ndarray, " pairs"]
    ) -> Float64[np.ndarray, " pairs"]:
        """The probability of each pair; what is not positive never occurs."""
        kernel = of_targets(self.kernel, j) if self.differs else self.kernel
        values = kernel(displacements(self.pre, self.post, self.period, i, j))
        if self.part == "positive":
            return values
        return -values if self.part == "negative" else np.abs(values)

    def bounds(self, rows: Groups, columns: Groups, incoming: bool) -> Callable[[int], Blocks]:
        """The bounds of a group of rows, which are targets if `incoming`."""
        of, others = (
            boxes(self.post if incoming else self.pre, rows),
            boxes(self.pre if incoming else self.post, columns),
        )
        within = Near(others, self.period, self.kernel.reach())

        def blocks(g: int) -> Blocks:
            group, near, far = within.of(g, of)
            if not self.differs:
                return Blocks(group, self._bound(self.kernel, near, far))
            if incoming:
                targets = rows.order[rows.start[g] : rows.start[g + 1]]
                each = jtu.tree_map(
                    lambda x: x[:, None] if np.ndim(x) else x, of_targets(self.kernel, targets)
                )
                return Blocks(group, self._bound(each, near[None], far[None]).max(axis=0))
            sizes = columns.sizes[group]
            each = of_targets(self.kernel, columns.members(group))
            most = self._bound(each, np.repeat(near, sizes), np.repeat(far, sizes))
            if group.size:
                most = np.maximum.reduceat(most, np.cumsum(sizes) - sizes)
            return Blocks(group, most)

        return blocks

    def _bound(self, kernel: Any, near: Any, far: Any) -> Any:
        low, high = kernel.bounds(near, far)
        most = high if self.part == "positive" else -low
        if self.part == "both":
            most = np.maximum(high, -low)
        return np.where(most > NEVER, most, 0.0)
