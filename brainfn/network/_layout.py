"""Where everything of a network is stored: static, decided once when it is built."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any

from .._named import Places
from ._merge import kind
from ._pathway import Receptor


@dataclasses.dataclass(frozen=True)
class Group:
    """Populations of one kind, stored and stepped as one array, in the order of `names`."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @cached_property
    def size(self) -> int:
        return sum(self.sizes)


@dataclasses.dataclass(frozen=True)
class Segment:
    """A receptor in the neurons of one population (at one port), or a release of one population."""

    part: int
    name: str
    port: str
    size: int


@dataclasses.dataclass(frozen=True)
class Layer:
    """Receptors (or releases) of one kind, stored as one array: their segments one after the other.

    A layer has an entry for each neuron that a receptor reaches and for no other. The segments of a
    group are contiguous, in the order of the group, so that a layer mostly coincides with the
    group.
    """

    segments: tuple[Segment, ...]

    @cached_property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)

    @cached_property
    def offsets(self) -> dict[tuple[str, str], int]:
        """Offset of the segment of a population and port."""
        out, start = {}, 0
        for segment in self.segments:
            out[segment.name, segment.port] = start
            start += segment.size
        return out


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """Groups, layers, and the location of each population.

    `populations` and `projections` are names in the order given. The order is kept here because JAX
    sorts the keys of a dictionary whenever it passes a transformation or `eqx.tree_at`, and random
    numbers and the order of sums must not depend on that.

    - `layers`: of receptors.
    - `senders`: of releases; those that send a group's signal unchanged are whole groups.
    """

    groups: tuple[Group, ...]
    layers: tuple[Layer, ...]
    senders: tuple[Layer, ...]
    populations: tuple[str, ...]
    projections: tuple[str, ...]

    @cached_property
    def _key(self) -> Hashable:
        return self.groups, self.layers, self.senders, self.populations, self.projections

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    # JAX hashes and compares it at each call of a compiled function.
    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Layout) and hash(self) == hash(other) and self._key == other._key

    @cached_property
    def places(self) -> Places:
        where = {}
        for g, group in enumerate(self.groups):
            offset = 0
            for name, size in zip(group.names, group.sizes, strict=True):
                where[name] = (g, offset, size)
                offset += size
        return Places(
            self.populations,
            tuple(where[name] for name in self.populations),
            tuple(group.size for group in self.groups),
        )

    @cached_property
    def group_of(self) -> dict[str, int]:
        return {name: g for g, group in enumerate(self.groups) for name in group.names}

    @cached_property
    def _layers_of(self) -> dict[tuple[int, str, str], int]:
        return {
            (segment.part, segment.name, segment.port): i
            for i, layer in enumerate(self.layers)
            for segment in layer.segments
        }

    def layer_of(self, receptor: int, name: str, port: str) -> int:
        """The layer that holds a population's state of a receptor."""
        return self._layers_of[receptor, name, port]

    @cached_property
    def _senders_of(self) -> dict[tuple[int, str], int]:
        return {
            (segment.part, segment.name): i
            for i, sender in enumerate(self.senders)
            for segment in sender.segments
        }

    def sender_of(self, release: int, name: str) -> int:
        """The layer of releases that holds a population's state of a release."""
        return self._senders_of[release, name]


def group_populations(populations: Mapping[str, Any], merge: bool) -> tuple[Group, ...]:
    """Groups of populations of the same kind, in the order given."""
    members: dict[Hashable, list[str]] = {}
    for name, model in populations.items():
        key = kind(model, model.size) if merge and model.elementwise else None
        members.setdefault(("alone", name) if key is None else key, []).append(name)
    return tuple(
        Group(tuple(names), tuple(populations[name].size for name in names))
        for names in members.values()
    )


def stack(
    groups: Sequence[Group],
    parts: Sequence[Any],
    places: Sequence[Sequence[tuple[str, str, int]]],
    merge: bool,
) -> tuple[Layer, ...]:
    """As few layers as possible: each takes at most one part of its kind per population and port.

    **Arguments:**

    - `groups`: the groups.
    - `parts`: receptors or releases.
    - `places`: for each part, the population, port and size of each of its places.
    - `merge`: whether parts of one kind are stored in one layer.
    """
    order = {}
    for g, group in enumerate(groups):
        for i, name in enumerate(group.names):
            order[name] = (g, i)
    layers: list[tuple[Hashable, dict[tuple[str, str], Segment]]] = []
    index: dict[Hashable, list[int]] = {}
    for p, (part, mine) in enumerate(zip(parts, places, strict=True)):
        size = mine[0][2] if len(mine) == 1 else -1
        key = kind(part, size) if merge else None
        spanned = frozenset(order[name][0] for name, _, _ in mine)
        ports = frozenset(port for _, port, _ in mine)
        full: Hashable = ("alone", p) if key is None else (key, spanned, ports)
        segments = {(name, port): Segment(p, name, port, n) for name, port, n in mine}
        for i in index.get(full, []):
            if not layers[i][1].keys() & segments.keys():
                layers[i][1].update(segments)
                break
        else:
            index.setdefault(full, []).append(len(layers))
            layers.append((full, segments))
    return tuple(
        Layer(tuple(sorted(segments.values(), key=lambda s: order[s.name])))
        for _, segments in layers
    )


def stack_senders(
    groups: Sequence[Group],
    releases: Sequence[Any],
    sources: Sequence[Sequence[str]],
    merge: bool,
) -> tuple[Layer, ...]:
    """Layers of releases of one kind from the populations of one group.

    A release without fields (such as `Spikes`) can't differ between populations: it covers the
    whole group, and the group's signal need not be sliced.
    """
    senders: list[Layer] = []
    index: dict[Hashable, list[dict[str, Segment]]] = {}
    for g, group in enumerate(groups):
        sizes = dict(zip(group.names, group.sizes, strict=True))
        index.clear()
        for r, (release, names) in enumerate(zip(releases, sources, strict=True)):
            mine = [name for name in group.names if name in names]
            if not mine:
                continue
            if not dataclasses.fields(release):
                mine = list(group.names)
            key = kind(release, sizes[mine[0]] if len(mine) == 1 else -1) if merge else None
            full: Hashable = ("alone", g, r) if key is None else key
            segments = {name: Segment(r, name, "", sizes[name]) for name in mine}
            for known in index.setdefault(full, []):
                if not known.keys() & segments.keys():
                    known.update(segments)
                    break
            else:
                index[full].append(segments)
        for stacks in index.values():
            for segments in stacks:
                names = [name for name in group.names if name in segments]
                senders.append(Layer(tuple(segments[name] for name in names)))
    return tuple(senders)


def share_receptors(
    projections: Mapping[str, Any],
) -> tuple[list[Receptor], dict[str, int], list[list[tuple[str, str]]]]:
    """Projections that hold the same receptor object and the same output share one receptor.

    Outputs without parameters are the same if they have the same class. Otherwise the identity of
    objects counts, never the equality of numbers: so `eqx.tree_at` has no surprising effects, and
    building under `jax.jit`, where numbers are unknown, gives the same network.

    **Returns:** the receptors, the receptor index of each projection, and the targets of each
    receptor.
    """
    receptors: list[Receptor] = []
    targets: list[list[tuple[str, str]]] = []
    index: dict[str, int] = {}
    known: dict[Hashable, int] = {}
    for name, projection in projections.items():
        reached = [(post, projection.port or "") for post in projection.post]
        key = (id(projection.synapse), identity(projection.output))
        if key in known:
            index[name] = i = known[key]
            targets[i] += [target for target in reached if target not in targets[i]]
        else:
            index[name] = known[key] = len(receptors)
            receptors.append(Receptor(projection.synapse, projection.output))
            targets.append(reached)
    return receptors, index, targets


def share_releases(
    projections: Mapping[str, Any],
) -> tuple[list[Any], dict[str, int], list[list[str]]]:
    """Projections with the same release object share it, as receptors are shared."""
    releases: list[Any] = []
    sources: list[list[str]] = []
    index: dict[str, int] = {}
    known: dict[Hashable, int] = {}
    for name, projection in projections.items():
        key = identity(projection.release)
        if key in known:
            index[name] = i = known[key]
            if projection.pre not in sources[i]:
                sources[i].append(projection.pre)
        else:
            index[name] = known[key] = len(releases)
            releases.append(projection.release)
            sources.append([projection.pre])
    return releases, index, sources


def identity(part: Any) -> Hashable:
    """The identity of a part: that of the object or, for outputs and releases without fields, their
    class, since they can't differ."""
    return id(part) if dataclasses.fields(part) else type(part)
