"""Minibatches of arrays."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .._custom_types import Key
from .._errors import check_key, count


class Batches(eqx.Module):
    """Minibatches of arrays, made by [`brainfn.data.batches`][].

    `len(batches)` is their number in an epoch. `epoch(i)` gives those of epoch `i`, a function of
    the key and `i` alone, which is what lets [`brainfn.learn.fit`][] resume; iteration gives those
    of epoch 0.
    """

    arrays: Any
    size: int = eqx.field(static=True)
    key: Key | None
    keep_rest: bool = eqx.field(static=True)

    def __len__(self) -> int:
        n = _length(self.arrays)
        return -(-n // self.size) if self.keep_rest else n // self.size

    def epoch(self, i: int, start: int = 0) -> Iterator[Any]:
        """The batches of epoch `i` from the batch `start` on."""
        n = _length(self.arrays)
        if self.key is None:
            order = np.arange(n)
        else:
            order = np.asarray(jr.permutation(jr.fold_in(self.key, i), n))
        for k in range(start, len(self)):
            chosen = order[k * self.size : (k + 1) * self.size]
            yield jtu.tree_map(lambda x: x[chosen], self.arrays)  # noqa: B023

    def __iter__(self) -> Iterator[Any]:
        return self.epoch(0)


def batches(arrays: Any, size: int, *, key: Key | None = None, keep_rest: bool = False) -> Batches:
    """Minibatches of arrays, in another order in each epoch.

    ```python
    train, test = bf.data.fashion_mnist()
    for batch in bf.data.batches(train, 256, key=key):
        batch.x                                       # (256, 28, 28)
    ```

    **Arguments:**

    - `arrays`: an array or a pytree of them, such as [`brainfn.data.Examples`][]; their first axes
        have the same length. NumPy arrays stay on the host.
    - `size`: examples in a batch.
    - `key`: a JAX random key for the order; by default the order is that of the arrays.
    - `keep_rest`: whether examples that do not fill a batch form a smaller one at the end. By
        default they are left out of the epoch.

    **Returns:** [`brainfn.data.Batches`][].

    **Raises:** `ValueError` if lengths differ or there is not one batch; `TypeError` for what is no
    array.
    """
    size = count("size", size, minimum=1)
    check_key(key)
    leaves = jtu.tree_leaves(arrays)
    wrong = [type(x).__name__ for x in leaves if not (eqx.is_array(x) and x.ndim > 0)]
    if wrong or not leaves:
        raise TypeError(
            f"`arrays` must be arrays with examples as first axis, got {wrong or 'nothing'}."
        )
    lengths = {len(x) for x in leaves}
    if len(lengths) > 1:
        raise ValueError(f"`arrays` must have the same number of examples, got {sorted(lengths)}.")
    made = Batches(arrays, size, key, bool(keep_rest))
    if len(made) == 0:
        raise ValueError(
            f"`size` {size} is more than the {lengths.pop()} examples. Try keep_rest=True."
        )
    return made


def _length(arrays: Any) -> int:
    return len(jtu.tree_leaves(arrays)[0])
