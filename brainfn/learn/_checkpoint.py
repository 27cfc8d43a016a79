"""Checkpoints of a training loop: one file with its position and its states."""

import json
import os
from pathlib import Path
from typing import IO, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu

from ..driver import write_whole

_FILE = "training.eqx"


class Position(NamedTuple):
    """Where a loop is: the epoch and its next batch, the records so far, those of the batches of
    this epoch, the highest score, and the number of epochs since."""

    epoch: int
    batch: int
    records: list[dict[str, float]]
    partial: list[dict[str, float]]
    top: float
    since: int


def write_checkpoint(folder: Any, state: Any, best: Any, at: Position) -> None:
    """Replace the checkpoint in a folder; at any time there is a whole one."""
    path = Path(os.fspath(folder))
    path.mkdir(parents=True, exist_ok=True)

    def write(file: IO[bytes]) -> None:
        file.write((json.dumps(at) + "\n").encode())
        eqx.tree_serialise_leaves(file, _without_keys((state, best)))

    write_whole(path / _FILE, write)


def read_checkpoint(folder: Any, state: Any, start: Position) -> tuple[Any, Any, Position]:
    """The state, the best one and the position in a folder; those given if there is nothing.

    **Raises:** `ValueError` if it is damaged or of something else.
    """
    path = Path(os.fspath(folder)) / _FILE
    if not path.exists():
        return state, state, start
    try:
        with open(path, "rb") as file:
            at = Position(*json.loads(file.readline()))
            found = eqx.tree_deserialise_leaves(file, _without_keys((state, state)))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"`checkpoint`: {os.fspath(path)!r} is damaged, or of another model, optimiser or "
            f"precision ({reason}). Try another folder, or delete it to begin anew."
        ) from error
    found = jtu.tree_map(_with_key, (state, state), found)
    return *found, at


def _is_key(x: Any) -> bool:
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _without_keys(tree: Any) -> Any:
    return jtu.tree_map(lambda x: jr.key_data(x) if _is_key(x) else x, tree)


def _with_key(like: Any, x: Any) -> Any:
    return jr.wrap_key_data(x, impl=jr.key_impl(like)) if _is_key(like) else x
