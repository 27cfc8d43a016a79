"""Rules without randomness."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp

from .._custom_types import Key
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


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _all(n_pre: int, n_post: int, start: int, stop: int, diagonal: int) -> Structure:
    """All pairs, without the own neurons of rows `start` to `stop`."""
    row = jnp.arange(n_pre + 1, dtype=jnp.int32)
    indptr = row * n_post - jnp.clip(row - start, 0, stop - start)
    at = jnp.arange(n_pre * n_post - (stop - start), dtype=jnp.int32)
    if stop > start:
        # Own columns stand n_post + 1 apart in the flattened matrix, with n_post others between two
        # of them, so each synapse knows how many were left out before it.
        first = start * n_post + start + diagonal
        left_out = jnp.where(at < first, 0, jnp.minimum((at - first) // n_post + 1, stop - start))
        at = at + left_out
    return at % max(n_post, 1), indptr


class OneToOne(AbstractRule):
    """Neuron `i` connects to neuron `i`, whatever the `diagonal`.

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
                f"`n_post` = {n_post}. Try a part of the larger one, or FixedInDegree(1)."
            )
        check_synapses("OneToOne()", n_pre)
        index = jnp.arange(n_pre + 1, dtype=jnp.int32)
        return index[:-1], index

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_post, diagonal
        return n_pre
