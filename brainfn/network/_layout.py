"""Where everything of a network is stored: static, decided once at construction."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from ._merge import kind, same
from ._projection import Projection, Receptor


@dataclasses.dataclass(frozen=True)
class Group:
    """Populations of one kind, stored and stepped as one array."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def offset(self, name: str) -> int:
        return sum(self.sizes[: self.names.index(name)])


@dataclasses.dataclass(frozen=True)
class Layer:
    """Synapses of one kind onto a group: one variable for each neuron of the group.

    `receptors[i]` is the index of the receptor of the group's `i`-th population, or `None`.
    Populations in one layer may have different parameters.
    """

    group: int
    receptors: tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Groups, layers, and where each population is.

    `populations` and `projections` are names in the order given. It is kept here because JAX sorts
    a dictionary by its keys whenever it goes through a transformation or `eqx.tree_at`, and random
    numbers and the order of sums must not depend on that.
    """

    groups: tuple[Group, ...]
    layers: tuple[Layer, ...]
    places: tuple[tuple[str, int, int, int], ...]
    populations: tuple[str, ...]
    projections: tuple[str, ...]

    def place(self, name: str) -> tuple[int, int, int]:
        """Group, offset in the group and size of a population."""
        for known, group, offset, size in self.places:
            if known == name:
                return group, offset, size
        raise KeyError(name)

    def layer_of(self, name: str, receptor: int) -> int:
        """The layer in which a population keeps the state of a receptor."""
        group, _, _ = self.place(name)
        position = self.groups[group].names.index(name)
        for i, layer in enumerate(self.layers):
            if layer.group == group and layer.receptors[position] == receptor:
                return i
        raise KeyError((name, receptor))

    def runs(self, names: Sequence[str]) -> list[tuple[list[str], int, int, int]]:
        """Split a list of populations into runs of neighbours: names, group, offset, size."""
        out: list[tuple[list[str], int, int, int]] = []
        for name in names:
            group, offset, size = self.place(name)
            if out and out[-1][1] == group and out[-1][2] + out[-1][3] == offset:
                members, _, start, length = out[-1]
                out[-1] = ([*members, name], group, start, length + size)
            else:
                out.append(([name], group, offset, size))
        return out


def group_populations(populations: Mapping[str, Any]) -> tuple[Group, ...]:
    """Populations of the same kind together, in the order given."""
    members: dict[Hashable, list[str]] = {}
    for name, model in populations.items():
        key = kind(model, model.size)
        members.setdefault(("alone", name) if key is None else key, []).append(name)
    return tuple(
        Group(tuple(names), tuple(populations[name].size for name in names))
        for names in members.values()
    )


def places_of(groups: Sequence[Group]) -> tuple[tuple[str, int, int, int], ...]:
    return tuple(
        (name, i, group.offset(name), size)
        for i, group in enumerate(groups)
        for name, size in zip(group.names, group.sizes, strict=True)
    )


def share_receptors(
    projections: Mapping[str, Projection], merge: bool
) -> tuple[tuple[Receptor, ...], dict[str, int], list[tuple[str, ...]]]:
    """Projections onto common targets whose synapse and output are equal share one receptor.

    **Returns:** the receptors, the index of each projection's, and the targets of each.
    """
    receptors: list[Receptor] = []
    targets: list[tuple[str, ...]] = []
    index: dict[str, int] = {}
    for name, projection in projections.items():
        new = Receptor(projection.synapse, projection.output)
        for i, old in enumerate(receptors):
            meets = any(post in targets[i] for post in projection.post)
            if merge and meets and same(old, new):
                extra = tuple(post for post in projection.post if post not in targets[i])
                targets[i] = targets[i] + extra
                index[name] = i
                break
        else:
            index[name] = len(receptors)
            receptors.append(new)
            targets.append(projection.post)
    return tuple(receptors), index, targets


def stack_layers(
    groups: Sequence[Group], receptors: Sequence[Receptor], targets: Sequence[Sequence[str]]
) -> tuple[Layer, ...]:
    """As few layers as possible: each takes at most one receptor of its kind per population."""
    layers: list[tuple[int, Hashable, list[int | None]]] = []
    for g, group in enumerate(groups):
        for r, (receptor, posts) in enumerate(zip(receptors, targets, strict=True)):
            mine = [i for i, name in enumerate(group.names) if name in posts]
            if not mine:
                continue
            size = group.sizes[mine[0]] if len(mine) == 1 else -1
            parts = kind(receptor.synapse, size), kind(receptor.output, size)
            alone = None in parts
            key: Hashable = ("alone", r) if alone else parts
            for group_index, known, slots in layers:
                if group_index == g and known == key and all(slots[i] is None for i in mine):
                    break
            else:
                slots: list[int | None] = [None] * len(group.names)
                layers.append((g, key, slots))
            for i in mine:
                slots[i] = r
    return tuple(Layer(g, tuple(slots)) for g, _, slots in layers)
