"""Scale-free networks, which grow by preferential attachment."""

import equinox as eqx
import numpy as np
from jaxtyping import Int64, UInt32

from .._custom_types import Key
from .._errors import from_host, is_concrete
from ._check import as_degree, check_key, check_synapses
from ._counter import bounded, key_words, threefry
from ._rule import AbstractRule, Structure, check_sizes, of_places

_HUBS = ("both", "receive", "send")


class ScaleFree(AbstractRule):
    r"""The network of Barabási and Albert: a few hubs have very many connections.

    Neurons come one after the other. Each connects with `m` different neurons that are there
    already, drawn with a probability proportional to how many connections they have. It begins with
    neuron `m`, which connects with neurons 0 to `m - 1`. The number of connections $k \ge m$ of a
    neuron then has, for many neurons, the distribution

    $$P(k) = \frac{2 m (m + 1)}{k (k + 1) (k + 2)} \sim k^{-3}$$

    As in the paper, connections are undirected, that is, a pair of neurons has none or both
    directions. In the directed variants a new neuron only sends to, or only receives from, those
    that it is attached to, which are chosen in the same way.

    **Arguments:**

    - `m`: how many connections each neuron comes with.
    - `hubs`: `"both"` for connections in both directions; `"receive"`, new neurons send to old
        ones, so all out-degrees are `m` and in-degrees have the long tail; `"send"`, the reverse.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for an `m` that is not at least one and below
    the number of neurons, and for populations of different sizes.

    ??? cite

        Barabási and Albert (1999), "Emergence of scaling in random networks",
        doi:10.1126/science.286.5439.509. Bollobás, Riordan, Spencer and Tusnády (2001), "The degree
        sequence of a scale-free random graph process", doi:10.1002/rsa.1009 (the distribution).
    """

    m: int = eqx.field(static=True)
    hubs: str = eqx.field(static=True)

    def __init__(self, m: int, hubs: str = "both"):
        self.m = as_degree("m", m)
        if self.m < 1:
            raise ValueError(f"`m` must be at least 1, got {self.m}.")
        if hubs not in _HUBS:
            raise ValueError(f"`hubs` must be one of {_HUBS}, got {hubs!r}.")
        self.hubs = hubs

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        n, n_post, _ = check_sizes(n_pre, n_post, diagonal)
        key = check_key("ScaleFree", key)
        if n != n_post:
            raise ValueError(
                f"ScaleFree connects a population with itself, got `n_pre` = {n} and `n_post` = "
                f"{n_post}."
            )
        if not is_concrete(key):
            raise TypeError(
                "`key` is traced by JAX, but ScaleFree draws where synapses are on the host. Try "
                "to build the connections outside of `jit` and `vmap`."
            )
        if n and self.m >= n:
            raise ValueError(f"`m` must be less than the number of neurons, {n}, got {self.m}.")
        check_synapses("ScaleFree()", self.expected(n, n), copies=8)
        new = np.repeat(np.arange(self.m, max(n, self.m)), self.m)
        old = _attached(np.asarray(key_words(key)), self.m, n).reshape(-1)
        places = {
            "both": lambda: np.concatenate([new * n + old, old * n + new]),
            "receive": lambda: new * n + old,
            "send": lambda: old * n + new,
        }[self.hubs]()
        indices, indptr = of_places(places, n, n)
        return from_host(indices), from_host(indptr)

    def expected(self, n_pre: int, n_post: int, *, diagonal: int | None = None) -> int:
        del n_post, diagonal
        return max(n_pre - self.m, 0) * self.m * (2 if self.hubs == "both" else 1)


def _attached(words: UInt32[np.ndarray, "2"], m: int, n: int) -> Int64[np.ndarray, "new m"]:
    """The `m` neurons that each of the neurons `m`, `m + 1`, ... is attached to.

    Connection `e` belongs to neuron `m + e // m`. To choose a neuron in proportion to its
    connections is to choose one end of a connection uniformly: number `2 e` is the new neuron of
    `e`, number `2 e + 1` the old one, which is known once that neuron has all of its own. So all
    neurons that wait for nothing are attached at the same time.

    ??? cite

        Batagelj and Brandes (2005), "Efficient generation of large random networks",
        doi:10.1103/PhysRevE.71.036113 (ends of connections as lots).
    """
    new = max(n - m, 0)
    old = np.zeros((new, m), np.int64)
    if new == 0:
        return old
    old[0] = np.arange(m)
    done = np.zeros(new, bool)
    done[0] = True
    slot = np.arange(new * m, dtype=np.uint32).reshape(new, m)
    turn = np.zeros((new, m), np.uint32)
    width = 2 * m * np.arange(new)[:, None]
    ends = bounded(threefry(words, slot, turn), width).astype(np.int64)
    waiting = np.arange(1, new)
    while waiting.size:
        end = ends[waiting]
        edge, is_old = end // 2, end % 2 == 1
        owner = edge // m
        ready = np.all(~is_old | done[owner], axis=1)
        who, edge, is_old = waiting[ready], edge[ready], is_old[ready]
        chosen = np.where(is_old, old.reshape(-1)[edge], m + edge // m)
        # The first of several equal ones stays, the others are drawn again.
        order = np.argsort(chosen, axis=1, kind="stable")
        ranked = np.take_along_axis(chosen, order, axis=1)
        again = np.zeros(chosen.shape, bool)
        np.put_along_axis(again, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], axis=1)
        old[who] = chosen
        done[who] = ~again.any(axis=1)
        row, column = np.nonzero(again)
        row = who[row]
        turn[row, column] += 1
        fresh = threefry(words, slot[row, column], turn[row, column])
        ends[row, column] = bounded(fresh, width[row, 0])
        waiting = waiting[~done[waiting]]
    return old
