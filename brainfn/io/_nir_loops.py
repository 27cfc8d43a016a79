"""Which edges of a graph act one step later: NIR says nothing of steps, so a rule has to."""

from collections.abc import Mapping, Sequence

Edge = tuple[str, str]


def late_edges(start: str, edges: Sequence[Edge], has_memory: Mapping[str, bool]) -> set[Edge]:
    """The edges that close a loop on the way from `start`, in the order of `edges`. Where such an
    edge does not begin at a node with memory, the one nearest before it does."""
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
        before.setdefault(b, []).append(a)
    closing, done, path = [], set(), []

    def visit(node: str) -> None:
        path.append(node)
        for target in after.get(node, []):
            if target in path:
                closing.append((node, target))
            elif target not in done:
                visit(target)
        path.pop()
        done.add(node)

    visit(start)
    late: set[Edge] = set()
    for a, b in closing:
        while not has_memory[a]:
            if len(before[a]) != 1 or before[a][0] == start:
                raise ValueError(f"the loop through {a!r} has no neurons whose outputs are kept.")
            a, b = before[a][0], a
        late.add((a, b))
    return late
