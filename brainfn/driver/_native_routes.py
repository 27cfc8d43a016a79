"""What arrives at neurons in the native loop: delay lines, connections, Poisson numbers."""

import functools as ft
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .. import random
from ..event import CSR, Delayed, FixedFanout
from ..input import PoissonArrivals
from ..kernel import LoopArrivals, LoopLine, LoopRing, LoopRoute, Unsupported
from ._inputs import key_codes
from ._native_operands import Arrays, Operands

# The native loop draws as JAX does with this option, which is on by default.
_PARTITIONABLE = "jax_threefry_partitionable"


def _pieces(model: Any, i: int) -> tuple[tuple[int, int, int], ...]:
    """For a sender: first neuron of the group, position in the line, and size of each range."""
    sender = model.senders[i]
    if not sender.pieces:
        return ((0, 0, sum(sender.sizes)),)
    out, at = [], 0
    for start, size in sender.pieces:
        out.append((start, at, size))
        at += size
    return tuple(out)


def lines_of(shapes: Arrays, positions: Arrays, operands: Operands) -> list[LoopLine]:
    model, lines = shapes.model, []
    for i, (sender, line) in enumerate(zip(model.senders, model.exchange.lines, strict=True)):
        rows = operands.place(positions.start.model_state.lines[i].buffer)
        size = np.dtype(line.dtype).itemsize
        lines.append(LoopLine(sender.group, line.steps, rows, size, _pieces(model, i)))
    return lines


def owner_of(model: Any, layer: int) -> int:
    """The group whose neurons a layer of receptors reaches, all of them in order."""
    for g, ports in enumerate(model.local.terms):
        for terms in ports.values():
            for term in terms:
                if term.layer == layer:
                    size = model.layout.groups[g].size
                    if term.size == term.total == size:
                        return g
    raise Unsupported("a layer of receptors reaches a part of a group")


def _accumulator(shapes: Arrays, positions: Arrays, layer: int) -> tuple[int, Any]:
    """Position and shape of the array to which a receptor adds what arrives."""
    synapse = shapes.model.local.layers[layer].synapse
    leaves, structure = jtu.tree_flatten(shapes.start.model_state.layers[layer])
    avals = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves]
    traced = jax.make_jaxpr(lambda *xs: synapse.accumulator(structure.unflatten(xs)))(*avals)
    (out,) = traced.jaxpr.outvars
    if out not in traced.jaxpr.invars:
        raise Unsupported("a receptor computes its accumulator")
    k = traced.jaxpr.invars.index(out)
    return jtu.tree_leaves(positions.start.model_state.layers[layer])[k], leaves[k]


def routes_of(shapes: Arrays, positions: Arrays, operands: Operands) -> tuple[list[LoopRoute], str]:
    model, out = shapes.model, []
    exchange, where = model.exchange, positions.model.exchange
    state = positions.start.model_state
    layers = len(model.local.layers)
    with_ring = [i for i, slots in enumerate(exchange.rings) if slots]
    dtypes = set()
    for route, place in zip(exchange.routes, where.routes, strict=True):
        due = exchange.due[route.source]
        if due.delays is not None:
            raise Unsupported("a delay for each presynaptic neuron")
        matrix, at = route.matrix, place.matrix
        delays, delay_bytes = None, 0
        if isinstance(matrix, Delayed):
            layer = with_ring[route.target - layers]
            delays, delay_bytes = operands.place(at.delays), matrix.delays.dtype.itemsize
            sums, like = state.rings[layer], shapes.start.model_state.rings[layer]
            matrix, at = matrix.matrix, at.matrix
        else:
            layer = route.target
            sums, like = _accumulator(shapes, positions, layer)
        if type(matrix) not in (CSR, FixedFanout):
            raise Unsupported(f"connections are stored as {type(matrix).__name__}")
        if matrix.data.dtype != like.dtype:
            raise Unsupported(f"weights are {matrix.data.dtype}, sums {like.dtype}")
        dtypes.add(np.dtype(like.dtype))
        first = None
        for start, position, size in _pieces(model, due.sender):
            if position <= route.row and route.row + matrix.shape[0] <= position + size:
                first = start + route.row - position
        if first is None:
            raise Unsupported("connections from several ranges of a group")
        even = type(matrix) is FixedFanout
        weights = at.data if route.name is None else state.weights[route.name]
        out.append(
            LoopRoute(
                source=model.senders[due.sender].group,
                target=owner_of(model, layer),
                steps=due.steps,
                first=first,
                rows=matrix.shape[0],
                column=route.column,
                columns=matrix.shape[1],
                indices=operands.place(at.indices),
                indptr=None if even else operands.place(at.indptr),
                wide=not even and matrix.indptr.dtype.itemsize == 8,
                weights=operands.place(weights),
                scalar=route.name is None and matrix.data.ndim == 0,
                sums=operands.place(sums),
                delays=delays,
                delay_bytes=delay_bytes,
            )
        )
    if len(dtypes) > 1 or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise Unsupported(f"sums of {sorted(map(str, dtypes))}")
    return out, "double" if np.dtype(np.float64) in dtypes else "float"


def arrivals_of(
    shapes: Arrays,
    positions: Arrays,
    operands: Operands,
    arguments: Any,
    avals: Any,
    sources: Sequence[tuple[int, int, int, int | None]],
    amounts: Mapping[int, Any],
    dt: float,
) -> tuple[list[LoopArrivals], list[Callable[..., Any]]]:
    """What inputs deliver to receptors in each step, and functions of all arrays that give the
    means of the Poisson numbers that the loop draws. `amounts` are the positions and shapes of what
    is delivered."""
    out: list[LoopArrivals] = []
    means: list[Callable[..., Any]] = []
    if not sources:
        return out, means
    fixed, key = arguments(avals)[4:6]
    drawn = key is not None and str(key.dtype) == "key<fry>" and getattr(jax.config, _PARTITIONABLE)

    def place(function: Callable[..., Any]) -> str:
        return operands.computed(lambda values: function(values[: len(avals)]))

    for (layer, offset, size, i), amount in zip(sources, amounts, strict=True):
        leaf = None if i is None else fixed.leaves[i]
        sums, like = _accumulator(shapes, positions, layer)
        target = {
            "group": owner_of(shapes.model, layer),
            "first": offset,
            "size": size,
            "sums": operands.place(sums),
        }
        if not (drawn and _is_drawn(leaf, like.dtype)):
            x = amounts[amount]
            if x.dtype != like.dtype:
                raise Unsupported("what an input delivers and sums differ in precision")
            step = int(np.prod(x.shape)) if amount in operands.moving else 0
            rows = operands.place(amount)
            out.append(LoopArrivals(**target, rows=rows, step=step, each=bool(x.shape)))
            continue
        assert i is not None
        mean = ft.partial(_mean, arguments, i, dt)
        means.append(mean)
        out.append(
            LoopArrivals(
                **target,
                key=place(lambda given: jr.key_data(arguments(given)[5])),
                codes=key_codes(fixed.names[i]),
                table=place(lambda given, mean=mean: random.poisson_cumulative(mean(given))),
                weight=place(lambda given, i=i: arguments(given)[4].leaves[i].weight),
            )
        )
    return out, means


def _is_drawn(leaf: Any, dtype: Any) -> bool:
    """Whether the loop itself draws what an input delivers."""
    if type(leaf) is not PoissonArrivals or leaf.rate.shape or leaf.weight.shape:
        return False
    return leaf.rate.dtype == leaf.weight.dtype == dtype


def _mean(arguments: Any, i: int, dt: float, given: Sequence[Any]) -> Any:
    return arguments(given)[4].leaves[i].rate * dt


def rings_of(shapes: Arrays, positions: Arrays, operands: Operands) -> list[LoopRing]:
    model, state, out = shapes.model, positions.start.model_state, []
    for layer, slots in enumerate(model.exchange.rings):
        if slots:
            sums, _ = _accumulator(shapes, positions, layer)
            ring = operands.place(state.rings[layer])
            out.append(LoopRing(owner_of(model, layer), ring, operands.place(sums)))
    return out
