"""The arrays of the native loop: as trees, and as operands of the call."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Operands:
    """The operands of the native call: first the state, which is advanced in place, then what is
    only read.

    - `state`: positions of arrays that are advanced.
    - `moving`: positions of arrays of which there is a row for each step.
    - `size`: the number of arrays that there are; those that are computed follow them.
    """

    def __init__(self, state: Sequence[int], size: int, moving: set[int]) -> None:
        self.moving = moving
        self.state = {k: i for i, k in enumerate(state)}
        self.size = size
        self.others: dict[int, int] = {}
        self.outside: list[Callable[..., Any]] = []

    def place(self, position: int) -> str:
        """The C++ expression of the buffer of an array, or of its first row."""
        if position in self.state:
            return f"result(frame, {self.state[position]})"
        at = self.others.setdefault(position, len(self.state) + len(self.others))
        buffer = f"argument(frame, {at})"
        return f"row_of({buffer})" if position in self.moving else buffer

    def computed(self, function: Callable[..., Any]) -> str:
        """The buffer of an array that `function` computes of all those before it."""
        self.outside.append(function)
        return self.place(self.size + len(self.outside) - 1)

    @property
    def count(self) -> int:
        """The number of operands."""
        return len(self.state) + len(self.others)


def is_shape(x: Any) -> bool:
    """Whether this is the shape and dtype of an array."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


class Arrays(NamedTuple):
    """All arrays of a loop as trees: of shapes, and of positions. `counts` are the numbers of
    spikes of the groups, if they are counted."""

    model: Any
    start: Any
    counts: Any
    driven: Any
