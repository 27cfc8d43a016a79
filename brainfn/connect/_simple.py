"""Rules without randomness."""

import equinox as eqx
import numpy as np

from .._custom_types import Key
from .._errors import empty_on_host, from_host
from ._check import as_flag, check_synapses
from ._rule import AbstractRule, Structure, check_sizes, pairs, self_rows


class AllToAll(AbstractRule):
    """Every neuron connects to every neuron.

    **Arguments:**

    - `autapses`: whether a neuron connects to itself.

    **Raises:**

    `ValueError` for more synapses than 32-bit indices can count.
    """

    autapses: bool = eqx.field(static=True)

    def __init__(self, autapses: bool = True):
        self.autapses = as_flag("autapses", autapses)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        del key
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        start, stop = self_rows(n_pre, n_post, diagonal, self.autapses)
        check_synapses("AllToAll()", n_pre * n_post)
        return _all(n_pre, n_post, start, stop, 0 if diagonal is None else diagonal)

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        return pairs(n_pre, n_post, diagonal, self.autapses)


def _all(n_pre: int, n_post: int, start: int, stop: int, diagonal: int) -> Structure:
    """All pairs, without the own neurons of rows `start` to `stop`."""
    row = np.arange(n_pre + 1, dtype=np.int64)
    indptr = row * n_post - np.clip(row - start, 0, stop - start)
    indices = empty_on_host(int(indptr[-1]), np.int32)
    whole = np.arange(n_post, dtype=np.int32)
    for first, last in ((0, start), (stop, n_pre)):
        indices[indptr[first] : indptr[last]].reshape(last - first, n_post)[:] = whole
    others = indices[indptr[start] : indptr[stop]].reshape(stop - start, max(n_post - 1, 0))
    if others.size:
        own = np.arange(start, stop, dtype=np.int32)[:, None] + diagonal
        others[:] = whole[:-1]
        others += others >= own
    return from_host(indices), from_host(indptr.astype(np.int32))


class OneToOne(AbstractRule):
    """Neuron `i` connects to neuron `i`, regardless of `diagonal`.

    **Raises:**

    `ValueError` if the populations have different sizes.
    """

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        del key
        n_pre, n_post, _ = check_sizes(n_pre, n_post, diagonal)
        if n_pre != n_post:
            raise ValueError(
                f"OneToOne connects populations of equal size, got `n_pre` = {n_pre} and "
                f"`n_post` = {n_post}. Try part of the larger one, or FixedInDegree(1)."
            )
        check_synapses("OneToOne()", n_pre)
        index = np.arange(n_pre + 1, dtype=np.int32)
        return from_host(index[:-1]), from_host(index)

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_post, diagonal
        return n_pre
