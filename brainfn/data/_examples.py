"""Inputs and what is wanted of them."""

from typing import Any, NamedTuple

from .._errors import check_key


class Examples(NamedTuple):
    """Examples, the first axis of each array.

    - `x`: inputs.
    - `y`: labels from 0 as int32, or targets.
    """

    x: Any
    y: Any


class Trials(NamedTuple):
    """Examples that are answered at some time.

    - `x`: inputs in each step, bools of shape `(trials, time, inputs)`: spikes.
    - `y`: labels from 0 as int32.
    - `mask`: the steps in which the answer counts, bools of shape `(time,)`.
    """

    x: Any
    y: Any
    mask: Any


def needs_key(name: str, key: Any) -> None:
    """Raise unless there is a random key."""
    if key is None:
        raise ValueError(f"`{name}` is needed. Try {name}=jax.random.key(0).")
    check_key(key)
