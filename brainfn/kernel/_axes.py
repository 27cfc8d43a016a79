"""Which index of its arrays an elementwise program loops over, and where each array begins."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ._program import Node, Program, Unsupported, is_read


class Place(NamedTuple):
    """Where one dimension of a value lies: its index `j` is number `j + start` of `axis`."""

    axis: int
    start: int


class Axes(NamedTuple):
    """The loops of a program.

    - `extents`: the length of each loop; the last is the innermost.
    - `places`: for each node, the place of each dimension; `None` for one of length 1, and for one
      along which the value does not vary and that no loop runs over.
    - `varies`: for each node, the loops that change its value.
    """

    extents: tuple[int, ...]
    places: Mapping[int, tuple[Place | None, ...]]
    varies: Mapping[int, frozenset[int]]


class _Sets:
    """Disjoint sets of dimensions; `shift` is the index along a dimension minus that along the
    representative of its set."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.shift: list[int] = []

    def new(self) -> int:
        self.parent.append(len(self.parent))
        self.shift.append(0)
        return len(self.parent) - 1

    def find(self, a: int) -> tuple[int, int]:
        total = 0
        while self.parent[a] != a:
            total += self.shift[a]
            a = self.parent[a]
        return a, total

    def join(self, a: int | None, b: int | None, by: int = 0) -> None:
        """Index along `a` = index along `b` + `by`."""
        if a is None or b is None:
            return
        (ra, sa), (rb, sb) = self.find(a), self.find(b)
        if ra == rb:
            if sa != sb + by:
                raise Unsupported("an array is combined with itself, shifted")
            return
        # idx_a = idx_ra + sa = idx_b + by = idx_rb + sb + by
        self.parent[ra] = rb
        self.shift[ra] = sb + by - sa


def axes_of(
    program: Program, needed: Sequence[int], outputs: Sequence[int], *, alike: bool = False
) -> Axes:
    """The loops of the nodes `needed` (in order), with the arrays `outputs` to be written. If all
    outputs are `alike`, entry `i` of each is made in the same turn of the loops, even if it does
    not vary, and an axis may have a single entry."""
    nodes, sets = program.nodes, _Sets()
    dims: dict[int, tuple[int | None, ...]] = {}
    along: dict[int, frozenset[int]] = {}  # dimensions along which a value varies
    for i in needed:
        node = nodes[i]
        own = tuple(None if n == 1 and not alike else sets.new() for n in node.shape)
        dims[i] = own
        along[i] = _link(sets, nodes, dims, along, i, node, own)
    for i in outputs[1:] if alike else ():
        for d, e in zip(dims[i], dims[outputs[0]], strict=True):
            sets.join(d, e)
    roots: list[int] = []
    order = sorted(outputs, key=lambda i: -sum(n != 1 for n in nodes[i].shape))
    for i in order:
        for d in dims[i]:
            if d is not None and sets.find(d)[0] not in roots:
                if i != order[0]:
                    raise Unsupported("its outputs have different axes")
                roots.append(sets.find(d)[0])
    if not roots:
        raise Unsupported("it has no array of more than one number")
    bounds = {root: [0, 0] for root in roots}
    first: set[int] = set()
    for i in order:
        for d, n in zip(dims[i], nodes[i].shape, strict=True):
            if d is None:
                continue
            root, shift = sets.find(d)
            low, high = -shift, n - shift
            if root not in first:
                bounds[root] = [low, high]
                first.add(root)
            bounds[root] = [min(bounds[root][0], low), max(bounds[root][1], high)]
    places: dict[int, tuple[Place | None, ...]] = {}
    varies: dict[int, frozenset[int]] = {}
    for i in needed:
        mine: list[Place | None] = []
        for d in dims[i]:
            root, shift = (None, 0) if d is None else sets.find(d)
            if root is None or root not in bounds:
                mine.append(None)
            else:
                mine.append(Place(roots.index(root), -shift - bounds[root][0]))
        places[i] = tuple(mine)
        found = {sets.find(d)[0] for d in along[i]}
        if not found <= set(roots):
            raise Unsupported("a value varies along an axis that no output has")
        varies[i] = frozenset(roots.index(root) for root in found)
    extents = tuple(high - low for low, high in (bounds[root] for root in roots))
    return Axes(extents, places, varies)


def _link(
    sets: _Sets,
    nodes: Sequence[Node],
    dims: Mapping[int, tuple[int | None, ...]],
    along: Mapping[int, frozenset[int]],
    i: int,
    node: Node,
    own: tuple[int | None, ...],
) -> frozenset[int]:
    """Join the dimensions of a node with those of its operands; returns those along which it
    varies."""
    kind, inputs, params = node.kind, node.inputs, node.params
    if is_read(nodes, i):
        return frozenset(d for d in own if d is not None)
    if kind == "iota":
        d = own[params[2]]
        return frozenset(() if d is None else (d,))
    if kind == "constant":
        return frozenset()
    below = frozenset().union(*(along[j] for j in inputs))
    if kind == "broadcast_in_dim":
        for d, k in zip(dims[inputs[0]], params[1], strict=True):
            sets.join(d, own[k])
    elif kind in ("reshape", "squeeze", "expand_dims"):
        if kind == "reshape" and params[1] is not None:
            raise Unsupported("reshape in another order")
        old = [
            (d, n)
            for d, n in zip(dims[inputs[0]], nodes[inputs[0]].shape, strict=True)
            if d is not None
        ]
        new = [(d, n) for d, n in zip(own, node.shape, strict=True) if d is not None]
        if [n for _, n in old] != [n for _, n in new]:
            raise Unsupported("reshape of more than dimensions of length 1")
        for (a, _), (b, _) in zip(old, new, strict=True):
            sets.join(a, b)
    elif kind == "transpose":
        for d, k in zip(own, params[0], strict=True):
            sets.join(d, dims[inputs[0]][k])
    elif kind == "slice":
        if params[2] is not None and set(params[2]) != {1}:
            raise Unsupported("slice with strides")
        for d, e, start, n in zip(
            dims[inputs[0]], own, params[0], nodes[inputs[0]].shape, strict=True
        ):
            if d is not None and e is None and n != 1:
                raise Unsupported("a slice of length 1")
            sets.join(d, e, start)
    elif kind == "pad":
        for d, e, (low, high, inner) in zip(dims[inputs[0]], own, params[0], strict=True):
            if inner or low < 0 or high < 0 or (d is None and (low or high)):
                raise Unsupported("pad within or below an array")
            sets.join(e, d, low)
        if dims[inputs[1]] != ():
            raise Unsupported("pad with an array")
        padded = (e for e, (low, high, _) in zip(own, params[0], strict=True) if low or high)
        below = below | frozenset(d for d in padded if d is not None)
    elif kind == "concatenate":
        start = 0
        for j in inputs:
            for k, (d, e) in enumerate(zip(dims[j], own, strict=True)):
                if k == params[0] and d is None:
                    raise Unsupported("concatenate with an array of length 1")
                sets.join(e, d, start if k == params[0] else 0)
            start += nodes[j].shape[params[0]]
        d = own[params[0]]
        below = below | frozenset(() if d is None else (d,))
    else:
        for j in inputs:
            if nodes[j].shape == ():
                continue
            for d, e in zip(dims[j], own, strict=True):
                sets.join(d, e)
    return below
