"""Joins the records of simulations that continue each other."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from ._spikes import SpikeTrains


def join(*records: Any) -> Any:
    """Joins records along time, where each simulation continues the previous one.

    ```python
    a = bf.simulate(net, duration=100.0, dt=0.1, key=key)
    b = bf.simulate(net, duration=100.0, dt=0.1, key=key, state=a.state)
    spikes = bf.record.join(a.outputs, b.outputs)
    ```

    **Arguments:**

    - `records`: `outputs` of the same structure: arrays with a leading axis of time, and
        [`brainfn.record.SpikeTrains`][]. Results of reducers are not joined here: add counts,
        weight means by duration, and use `a.then(b)` of those with moments.

    **Raises:** `ValueError` if there are none, their structures or shapes differ, or one does not
    begin where the previous one ends.
    """
    if not records:
        raise ValueError("`records` must hold at least one, got none.")

    def is_leaf(x: Any) -> bool:
        return isinstance(x, SpikeTrains)

    flat = [jtu.tree_flatten(record, is_leaf=is_leaf) for record in records]
    structure = flat[0][1]
    for leaves, other in flat[1:]:
        if other != structure or len(leaves) != len(flat[0][0]):
            raise ValueError(f"`records` must have one structure, got {structure} and {other}.")
    columns = zip(*(leaves for leaves, _ in flat), strict=True)
    return jtu.tree_unflatten(structure, [_join(list(parts)) for parts in columns])


def _join(parts: list[Any]) -> Any:
    if isinstance(parts[0], SpikeTrains):
        return _join_trains(parts)
    if any(np.ndim(part) == 0 for part in parts):
        raise ValueError("`records` must have a leading axis of time, got a single number.")
    if len({tuple(np.shape(part)[1:]) for part in parts}) > 1:
        raise ValueError(
            f"`records` must agree in all but time, got shapes {[np.shape(p) for p in parts]}."
        )
    if any(isinstance(part, jax.Array) for part in parts):
        return jnp.concatenate([jnp.asarray(part) for part in parts])
    return np.concatenate([np.asarray(part) for part in parts])


def _join_trains(parts: list[SpikeTrains]) -> SpikeTrains:
    first = parts[0]
    for before, after in itertools.pairwise(parts):
        if (after.size, after.dt) != (first.size, first.dt) or after.start != before.stop:
            raise ValueError(
                "`records` must continue each other: spikes of "
                f"{before.size} neurons up to step {before.stop} (dt {before.dt} ms) are followed "
                f"by {after.size} neurons from step {after.start} on (dt {after.dt} ms)."
            )
    return SpikeTrains(
        np.concatenate([np.asarray(part.steps) for part in parts]),
        np.concatenate([np.asarray(part.neurons) for part in parts]),
        first.size,
        first.start,
        parts[-1].stop,
        first.dt,
    )
