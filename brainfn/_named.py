"""Values stored in groups and accessed by name."""

import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array

from ._errors import nearest


class AbstractNamed(eqx.Module):
    """A state, or an output, with named parts."""

    @abc.abstractmethod
    def named(self) -> dict[str, Any]:
        """The parts by the names that a user knows."""


class Places(eqx.Module):
    """The location of each population: names, and for each its group, offset and size. Static."""

    names: tuple[str, ...] = eqx.field(static=True)
    places: tuple[tuple[int, int, int], ...] = eqx.field(static=True)
    totals: tuple[int, ...] = eqx.field(static=True)

    def __getitem__(self, name: str) -> tuple[int, int, int]:
        """Group, offset in the group, and size of a population."""
        try:
            return self.places[self.names.index(name)]
        except ValueError:
            raise KeyError(
                f"there is no population {name!r}, only {list(self.names)}."
                f"{nearest(str(name), self.names)}"
            ) from None

    def members(self, group: int) -> list[tuple[str, int, int]]:
        """Names, offsets and sizes of the populations of a group, in the order of storage."""
        both = zip(self.names, self.places, strict=True)
        return sorted(
            ((name, offset, size) for name, (g, offset, size) in both if g == group),
            key=lambda member: member[1],
        )


class Emitted(AbstractNamed):
    """The signals of the populations of a network: one array for each group, accessed by name.

    A mapping from population names to arrays of shape `(..., size)`: `emitted["exc"]`. It is sliced
    on access, so that a loop over steps handles a few groups, not each population.

    - `groups`: arrays of shape `(..., total)`, one for each group.
    """

    groups: tuple[Any, ...]
    places: Places

    def __getitem__(self, name: str) -> Any:
        group, offset, size = self.places[name]
        whole = self.groups[group]
        if isinstance(whole, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct((*whole.shape[:-1], size), whole.dtype)
        return whole if size == whole.shape[-1] else whole[..., offset : offset + size]

    def keys(self) -> tuple[str, ...]:
        return self.places.names

    def values(self) -> list[Any]:
        return [self[name] for name in self.places.names]

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self[name]) for name in self.places.names]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places.names)

    def __len__(self) -> int:
        return len(self.places.names)

    def __contains__(self, name: object) -> bool:
        return name in self.places.names

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self.places.names else default

    def named(self) -> dict[str, Any]:
        return dict(self.items())

    def map(self, function: Callable[[Array], Array]) -> "Emitted":
        """`function` of each group; it must keep the last axis, one entry for each neuron."""
        return Emitted(tuple(function(x) for x in self.groups), self.places)


Mapping.register(Emitted)  # pyright: ignore[reportAttributeAccessIssue]
