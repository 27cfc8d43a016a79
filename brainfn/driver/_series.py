"""Time series as inputs, sliced for each chunk."""

import hashlib
import math
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu

from ._fingerprint import host_array


class Series:
    """Arrays with a leading axis of steps, kept where the caller has them: on the host or a device.

    **Arguments:**

    - `tree`: the arrays.
    """

    def __init__(self, tree: Any):
        self._tree = tree
        self._arrays = jtu.tree_leaves(tree)
        self._hashes = [hashlib.blake2b(digest_size=16) for _ in self._arrays]
        self._hashed = 0
        self.row_bytes = sum(math.prod(x.shape[1:]) * x.dtype.itemsize for x in self._arrays)

    def rows(self, first: int, last: int) -> Any:
        """The steps from `first` up to `last` (not included), on the device."""
        return jax.tree.map(lambda x: jnp.asarray(x[first:last]), self._tree)

    def kinds(self) -> list[str]:
        """Dtype and shape of a row of each array."""
        return [f"{x.dtype}{x.shape[1:]}" for x in self._arrays]

    def digests(self, last: int) -> list[str]:
        """A digest of each array up to step `last`, which must not decrease between calls."""
        for x, known in zip(self._arrays, self._hashes, strict=True):
            piece = host_array(x[self._hashed : last])
            known.update(piece.tobytes())
        self._hashed = last
        return [known.hexdigest() for known in self._hashes]
