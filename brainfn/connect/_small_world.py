"""Small-world networks: a ring of neighbours with some long connections."""

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Int64, UInt32

from .._custom_types import Key
from .._errors import from_host, is_concrete
from ._cells import another_key
from ._check import as_degree, as_flag, as_probability, check_key, check_synapses
from ._counter import bounded, key_words, threefry
from ._rule import AbstractRule, Structure, check_sizes, of_places

# Rounds of drawing again after which all long connections are drawn anew.
_ROUNDS, _ATTEMPTS = 100, 100


class SmallWorld(AbstractRule):
    r"""The networks of Watts and Strogatz, or of Newman and Watts.

    Neurons on a ring are connected with their `k` nearest neighbours, `k / 2` on each side. Then
    each connection is rewired with probability `p`: it keeps one end, and the other becomes a
    neuron drawn uniformly among those to which there is no connection yet. With `added` (Newman and
    Watts) all connections stay, and with probability `p` for each a new one is added.

    For `p` = 0 the clustering coefficient is $C = \frac{3 (k - 2)}{4 (k - 1)}$ and the mean
    distance about $n / 2k$; rewiring shortens distances long before it reduces clustering,
    $C(p) \approx C(0) (1 - p)^3$.

    As in the papers, connections are undirected, that is, a pair of neurons has none or both.
    With `directed` each of the $n k$ connections is rewired by itself and keeps its source, so all
    out-degrees are `k`.

    **Arguments:**

    - `k`: how many neighbours a neuron has, even.
    - `p`: the probability of rewiring.
    - `added`: whether connections are added instead of rewired.
    - `directed`: whether the two directions are independent.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for an odd `k`, one that is more than half the
    number of neurons, or populations of different sizes.

    ??? cite

        Watts and Strogatz (1998), "Collective dynamics of 'small-world' networks",
        doi:10.1038/30918. Newman and Watts (1999), "Renormalization group analysis of the
        small-world network model", doi:10.1016/S0375-9601(99)00757-4. Barrat and Weigt (2000), "On
        the properties of small-world network models", doi:10.1007/s100510050067 (the clustering).
    """

    k: int = eqx.field(static=True)
    p: float = eqx.field(static=True)
    added: bool = eqx.field(static=True)
    directed: bool = eqx.field(static=True)

    def __init__(self, k: int, p: float, *, added: bool = False, directed: bool = False):
        self.k, self.p = as_degree("k", k), as_probability("p", p)
        if self.k % 2:
            raise ValueError(f"`k` must be even, half of it on each side, got {self.k}.")
        self.added, self.directed = as_flag("added", added), as_flag("directed", directed)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n, n_post, _ = check_sizes(n_pre, n_post, diagonal)
        key = check_key("SmallWorld", key)
        if n != n_post:
            raise ValueError(
                f"SmallWorld connects a population with itself, got `n_pre` = {n} and `n_post` = "
                f"{n_post}."
            )
        if not is_concrete(key):
            raise TypeError(
                "`key` is traced by JAX, but SmallWorld draws where synapses are on the host. Try "
                "to build the connections outside of `jit` and `vmap`."
            )
        if n and self.k > n // 2:
            raise ValueError(f"`k` must be at most half of {n} neurons, got {self.k}.")
        check_synapses("SmallWorld()", self.expected(n, n), copies=8)
        near = np.arange(1, self.k // 2 + 1)[:, None]
        steps = np.concatenate([near, -near]) if self.directed else near
        source = np.broadcast_to(np.arange(n), (steps.shape[0], n)).reshape(-1)
        target = ((np.arange(n) + steps) % max(n, 1)).reshape(-1)
        places = self._drawn(np.asarray(key_words(key)), n, source, target)
        if not self.directed:
            i, j = places // max(n, 1), places % max(n, 1)
            places = np.concatenate([i * n + j, j * n + i])
        indices, indptr = of_places(places, n, n)
        return from_host(indices), from_host(indptr)

    def expected(self, n_pre: int, n_post: int, *, diagonal: int | None = None) -> float | int:
        del n_post, diagonal
        return n_pre * self.k * (1 + self.p) if self.added else n_pre * self.k

    def _place(self, n: int, i: Any, j: Any) -> Int64[np.ndarray, " some"]:
        """One number for a connection, the same for both directions if it has none."""
        return i * n + j if self.directed else np.minimum(i, j) * n + np.maximum(i, j)

    def _drawn(
        self,
        words: UInt32[np.ndarray, "2"],
        n: int,
        source: Int64[np.ndarray, " edges"],
        target: Int64[np.ndarray, " edges"],
    ) -> Int64[np.ndarray, " edges_or_more"]:
        """The connections, one number for each."""
        slot = np.arange(source.size, dtype=np.uint32)
        lot, _ = threefry(words, slot, np.zeros(1, np.uint32))
        moved = np.flatnonzero(lot * 2.0**-32 < self.p)
        kept = np.ones(source.size, bool)
        kept[moved] = self.added
        near = self._place(n, source[kept], target[kept])
        for attempt in range(_ATTEMPTS):
            far = _somewhere(another_key(words, attempt), n, source[moved], slot[moved], self, near)
            if far is not None:
                return np.concatenate([near, far])
        raise ValueError(
            f"`k` = {self.k} is too large for {n} neurons: connections could not be rewired "
            "without repeating any. Try fewer."
        )


def _somewhere(
    words: UInt32[np.ndarray, "2"],
    n: int,
    source: Int64[np.ndarray, " moved"],
    slot: UInt32[np.ndarray, " moved"],
    rule: SmallWorld,
    taken: Int64[np.ndarray, " near"],
) -> Int64[np.ndarray, " moved"] | None:
    """New connections of `source`, none of them twice or `taken`; `None` if there is no room.

    Those that are not free are drawn again; of two that are equal the first stays.
    """
    places, waiting = np.full(source.size, -1), np.arange(source.size)
    taken = np.sort(taken)
    for turn in range(_ROUNDS):
        if not waiting.size:
            return places
        drawn = bounded(threefry(words, slot[waiting], np.full(1, turn, np.uint32)), n - 1)
        other = drawn.astype(np.int64)
        other += other >= source[waiting]
        place = rule._place(n, source[waiting], other)
        _, first = np.unique(place, return_index=True)
        free = np.zeros(waiting.size, bool)
        free[first] = True
        at = np.searchsorted(taken, place)
        free &= taken[np.minimum(at, taken.size - 1)] != place if taken.size else True
        places[waiting[free]] = place[free]
        taken = np.sort(np.concatenate([taken, place[free]]))
        waiting = waiting[~free]
    return None if waiting.size else places
