"""Layers as the nodes of a graph."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .._custom_types import Key
from .._errors import nearest
from .._model import Clock
from ._chain import begun, check_layer, in_order, one_step, prepared, unpacked
from ._layer import Layer
from ._timed import AbstractTimed, Response

_INPUT = "input"


class GraphState(eqx.Module):
    """The state of each node, and the last outputs of those from which recurrent edges begin."""

    nodes: dict[str, Any]
    previous: dict[str, Array]


class Graph(AbstractTimed[GraphState]):
    """Layers as the nodes of a graph: skip connections, branches and feedback.

    ```python
    net = bf.nn.Graph(
        {"a": layer_a, "b": layer_b, "back": eqx.nn.Linear(20, 50, key=k), "out": readout},
        [("input", "a"), ("a", "b"), ("b", "out"), ("a", "out"), ("back", "a")],
        recurrent=[("b", "back")],
    )
    ```

    A node gets the sum of what its edges bring; `"input"` is the input of the graph. An edge acts
    within the step, a recurrent one in the next. Nodes that are in no loop run over all steps, one
    after the other, as those of a [`brainfn.nn.Chain`][]; those of a loop are stepped together. The
    numbers are the same.

    **Arguments:**

    - `nodes`: layers by name, whatever can be one in a chain.
    - `edges`: pairs `(from, to)` of names, without a loop.
    - `recurrent`: edges that act one step later. They begin at a [`brainfn.nn.Layer`][], whose
        number of outputs is known, and bring them as a vector.
    - `output`: the node whose outputs are those of the graph, by default the last one named.

    **Raises:** `ValueError` or `TypeError` naming the argument: an unknown name, a node without an
    edge to it, a loop of edges that are not recurrent.
    """

    nodes: dict[str, Any]
    edges: tuple[tuple[str, str], ...] = eqx.field(static=True)
    recurrent: tuple[tuple[str, str], ...] = eqx.field(static=True)
    output: str = eqx.field(static=True)
    blocks: tuple[tuple[str, ...], ...] = eqx.field(static=True)

    def __init__(
        self,
        nodes: Mapping[str, Any],
        edges: Iterable[tuple[str, str]],
        *,
        recurrent: Iterable[tuple[str, str]] = (),
        output: str | None = None,
    ) -> None:
        if not nodes or _INPUT in nodes:
            raise ValueError(f"`nodes` must be layers by name, none of them {_INPUT!r}.")
        for name, layer in nodes.items():
            check_layer(f"nodes[{name!r}]", layer)
        self.nodes = dict(nodes)
        self.edges = _checked("edges", edges, nodes)
        self.recurrent = _checked("recurrent", recurrent, nodes)
        self.output = _known("output", list(nodes)[-1] if output is None else output, nodes)
        for name in nodes:
            if all(target != name for _, target in (*self.edges, *self.recurrent)):
                raise ValueError(f"`edges`: nothing leads to node {name!r}.")
        for source, _ in self.recurrent:
            if not isinstance(nodes[source], Layer):
                raise TypeError(
                    f"`recurrent`: {source!r} must be a brainfn.nn.Layer, got "
                    f"{type(nodes[source]).__name__}."
                )
        self.blocks = _blocks(list(nodes), self.edges, self.recurrent)

    def prepare(self, dt: float) -> "Graph":
        nodes = {name: prepared(node, dt) for name, node in self.nodes.items()}
        return eqx.tree_at(lambda m: m.nodes, self, nodes)

    def init(self, *, key: Key | None = None) -> GraphState:
        keys = self._keys(key)
        states = {name: begun(node, keys[name]) for name, node in self.nodes.items()}
        previous = {}
        for source, _ in self.recurrent:
            said = self.nodes[source].population.emits()
            previous[source] = jnp.zeros(said.shape, said.dtype)
        return GraphState(states, previous)

    def step(
        self, state: GraphState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[GraphState, Array]:
        keys, states, known = self._keys(key), {}, {_INPUT: inputs}
        for name in (name for block in self.blocks for name in block):
            x = self._into(name, known, state.previous)
            states[name], known[name] = one_step(
                self.nodes[name], state.nodes[name], x, clock, keys[name]
            )
        previous = {name: jnp.ravel(known[name]) for name in state.previous}
        ordered = {name: states[name] for name in self.nodes}
        return GraphState(ordered, previous), known[self.output]

    def over_time(self, state: GraphState, inputs: Any, dt: float, *, key: Key | None) -> Response:
        """The totals are those of the nodes, by name."""
        keys, states, totals = self._keys(key), {}, {}
        known, before = {_INPUT: inputs}, {}
        for block in self.blocks:
            if self._loops(block):
                self._stepped(block, state, known, before, states, totals, dt, keys)
            else:
                (name,) = block
                known[name], (states[name],), (totals[name],) = in_order(
                    [self.nodes[name]],
                    [state.nodes[name]],
                    self._into(name, known, before),
                    dt,
                    [keys[name]],
                )
            for name in block:
                if name in state.previous:
                    flat = known[name].reshape(known[name].shape[0], -1)
                    before[name] = jnp.concatenate([state.previous[name][None], flat[:-1]])
        previous = {name: known[name][-1].reshape(-1) for name in state.previous}
        in_turn = [{name: x[name] for name in self.nodes} for x in (states, totals)]
        return Response(known[self.output], GraphState(in_turn[0], previous), in_turn[1])

    def _stepped(
        self,
        block: tuple[str, ...],
        state: GraphState,
        known: dict[str, Any],
        before: dict[str, Any],
        states: dict[str, Any],
        totals: dict[str, Any],
        dt: float,
        keys: dict[str, Any],
    ) -> None:
        """All steps of the nodes of a loop, whose results are added to the dictionaries."""
        outside = {a: unpacked(known[a]) for a, b in self.edges if b in block and a not in block}
        late = {a: before[a] for a, b in self.recurrent if b in block and a not in block}

        def one(carry: Any, row: Any) -> Any:
            (own, previous), (step, outside, late) = carry, row
            clock, now = Clock(step, dt), dict(outside)
            for name in block:
                k = None if keys[name] is None else jr.fold_in(keys[name], step)
                x = self._into(name, now, {**late, **previous})
                own[name], now[name] = one_step(self.nodes[name], own[name], x, clock, k)
            previous = {name: jnp.ravel(now[name]) for name in previous}
            return (own, previous), {name: now[name] for name in block}

        own = {name: state.nodes[name] for name in block}
        previous = {name: x for name, x in state.previous.items() if name in block}
        time = unpacked(known[_INPUT]).shape[0]
        rows = (jnp.arange(time, dtype=jnp.int32), outside, late)
        (own, _), outs = lax.scan(one, (own, previous), rows)
        known |= outs
        states |= own
        for name in block:
            totals[name] = None if own[name] is None else outs[name].sum(axis=0)

    def _into(self, name: str, known: dict[str, Any], previous: dict[str, Any]) -> Any:
        """What the edges to a node bring, of one step or of all."""
        terms = [known[a] for a, b in self.edges if b == name]
        terms += [previous[a] for a, b in self.recurrent if b == name]
        if len(terms) == 1:
            return terms[0]
        terms = [unpacked(x) for x in terms]
        shapes = [jnp.shape(x) for x in terms]
        if len(set(shapes)) > 1:
            raise ValueError(f"the edges to node {name!r} bring different shapes: {shapes}.")
        dtype = jnp.result_type(float, *(x for x in terms if jnp.issubdtype(x.dtype, jnp.floating)))
        return sum(jnp.asarray(x, dtype) for x in terms)

    def _loops(self, block: tuple[str, ...]) -> bool:
        return len(block) > 1 or any((name, name) in self.recurrent for name in block)

    def _keys(self, key: Key | None) -> dict[str, Any]:
        names = sorted(self.nodes)  # JAX sorts dictionaries too
        keys = [None] * len(names) if key is None else list(jr.split(key, len(names)))
        return dict(zip(names, keys, strict=True))


def _checked(
    argument: str, edges: Iterable[tuple[str, str]], nodes: Mapping[str, Any]
) -> tuple[tuple[str, str], ...]:
    checked = []
    for edge in edges:
        if not (isinstance(edge, tuple) and len(edge) == 2):
            raise TypeError(f"`{argument}` must be pairs (from, to) of names, got {edge!r}.")
        source, target = edge
        if argument == "recurrent" or source != _INPUT:
            _known(argument, source, nodes)
        checked.append((source, _known(argument, target, nodes)))
    if len(set(checked)) < len(checked):
        raise ValueError(f"`{argument}` has an edge twice.")
    return tuple(checked)


def _known(argument: str, name: str, nodes: Mapping[str, Any]) -> str:
    if name not in nodes:
        raise ValueError(
            f"`{argument}`: there is no node {name!r}, only {list(nodes)}."
            f"{nearest(str(name), nodes)}"
        )
    return name


def _blocks(
    names: list[str], edges: tuple[tuple[str, str], ...], recurrent: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, ...], ...]:
    """The nodes in the order in which they run; those that are in a loop together, as a block."""
    within = _ordered(names, [e for e in edges if e[0] != _INPUT])
    pairs = [(a, b) for a, b in (*edges, *recurrent) if a != _INPUT]
    at = {name: i for i, name in enumerate(names)}
    rows, columns = [at[a] for a, _ in pairs], [at[b] for _, b in pairs]
    shape = (len(names), len(names))
    matrix = coo_array((np.ones(len(pairs)), (rows, columns)), shape=shape)
    _, labels = connected_components(matrix, directed=True, connection="strong")
    block_of = {name: int(labels[at[name]]) for name in names}
    between = {(block_of[a], block_of[b]) for a, b in pairs if block_of[a] != block_of[b]}
    order = _ordered(list(dict.fromkeys(block_of[name] for name in within)), sorted(between))
    return tuple(tuple(n for n in within if block_of[n] == block) for block in order)


def _ordered(names: list[Any], edges: list[tuple[Any, Any]]) -> list[Any]:
    """The names so that all edges lead forwards, otherwise as given."""
    left, done = list(names), []
    while left:
        free = [n for n in left if all(a in done for a, b in edges if b == n)]
        if not free:
            raise ValueError(f"`edges` form a loop among {left}: name one of them in `recurrent`.")
        done.append(free[0])
        left.remove(free[0])
    return done
