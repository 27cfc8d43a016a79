"""The kernels of groups of neurons in the native loop."""

import functools as ft
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from .. import kernel
from .._model import Clock
from ..kernel import LoopGroup, Unsupported
from ..network import advance_group
from ._native_operands import Arrays, Operands, is_shape


def group_of(shapes: Arrays, positions: Arrays, operands: Operands, g: int, dt: float) -> LoopGroup:
    """The kernel of a group."""

    def whole(arrays: Arrays) -> Any:
        state, step = arrays.start.model_state, arrays.start.step
        injected = arrays.driven[g]
        return arrays.model.local.arguments(g, state.groups[g], state.layers, injected, step, None)

    reached = {t.layer for terms in shapes.model.local.terms[g].values() for t in terms}
    _, _, (_, own) = whole(shapes)
    if not reached <= set(own):
        raise Unsupported("a layer of receptors reaches several groups")
    leaves, structure = jtu.tree_flatten(whole(shapes), is_leaf=is_shape)
    others = jtu.tree_leaves(whole(positions))
    mine = [k for k, x in zip(others, leaves, strict=True) if is_shape(x)]

    def flat(*arrays: Any) -> list[Any]:
        given = iter(arrays)
        filled = [next(given) if is_shape(x) else x for x in leaves]
        constants, (injected, step, key, shared), variables = structure.unflatten(filled)
        context = injected, Clock(step, dt), key, shared
        return jtu.tree_leaves(advance_group(constants, context, variables))

    avals = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves if is_shape(x)]
    try:
        program = kernel.program_of(flat, avals)
    except ValueError as error:
        raise Unsupported(f"it can't be traced without a key ({str(error)[:60]})") from error
    nodes = program.nodes
    variables = jtu.tree_leaves(whole(positions)[2])
    *new, out = program.outputs
    if len(new) != len(variables):
        raise Unsupported("a population emits several signals")
    listed = _mask_of(nodes, out)
    changing = _depending(nodes, {k for k, place in enumerate(mine) if place in variables})
    timed = _depending(nodes, {mine.index(positions.start.step)})
    writes, written = [], {}
    for i, position in zip(new, variables, strict=True):
        node = nodes[i]
        if node.kind == "input" and mine[node.params[0]] == position:
            continue  # not changed
        if i in writes or len(node.shape) != 1:
            raise Unsupported("its state can't be advanced in place")
        writes.append(i)
        written[i] = operands.place(position)
    given = _depending(nodes, {k for k, place in enumerate(mine) if place in operands.moving})
    needed = kernel.within(program, [*writes, listed])
    if any(i in timed for i in needed):
        raise Unsupported("a model depends on time")
    axes = kernel.axes_of(program, needed, [*writes, listed])
    if len(axes.extents) != 1:
        raise Unsupported("its arrays have several axes")
    # A thread may read only what it overwrites itself, at the same place.
    at = {written[i]: axes.places[i] for i in writes}
    read, rows = {}, []
    for i in needed:
        if not kernel.is_read(nodes, i):
            continue
        j = kernel.array_of(nodes, i)
        if j in changing and nodes[j].kind == "input":
            buffer = operands.place(mine[nodes[j].params[0]])
            if buffer in at and at[buffer] != _place_of_array(nodes, axes, i):
                raise Unsupported("a neuron reads the state of others")
        if nodes[j].kind == "other":
            if j in changing or j in timed or j in given:
                raise Unsupported(f"it uses `{nodes[j].params[0]}`")
            read[i] = operands.computed(ft.partial(_outside, program, j, tuple(mine)))
        elif nodes[j].params[0] >= len(mine):
            constant = program.constants[nodes[j].params[0] - len(mine)]
            read[i] = operands.computed(lambda values, constant=constant: jnp.asarray(constant))
        else:
            read[i] = operands.place(mine[nodes[j].params[0]])
            if mine[nodes[j].params[0]] in operands.moving:
                rows.append((i, int(np.prod(nodes[j].shape))))
    size = shapes.model.layout.groups[g].size
    if axes.extents != (size,):
        raise Unsupported("its arrays differ in length")
    counted = positions.counts
    counts = None if counted is None else operands.place(counted[g])
    bits = operands.place(-1 - g) if -1 - g in operands.state else None
    senders = shapes.model.senders
    steps = [
        line.steps
        for line, sender in zip(shapes.model.exchange.lines, senders, strict=True)
        if sender.group == g
    ]
    longest = max(steps, default=1)
    return LoopGroup(
        program, axes, needed, writes, listed, read, written, rows, counts, bits, longest
    )


def _place_of_array(nodes: Sequence[Any], axes: Any, i: int) -> Any:
    """Where the array lies from which a node is read, maybe as a slice."""
    if nodes[i].kind != "slice":
        return axes.places[i]
    starts = nodes[i].params[0]
    return tuple(
        None if place is None else place._replace(start=place.start - start)
        for place, start in zip(axes.places[i], starts, strict=True)
    )


def _outside(program: Any, node: int, mine: Sequence[int], values: Sequence[Any]) -> Any:
    return kernel.evaluate(program, [node], [values[k] for k in mine])[node]


def _depending(nodes: Sequence[Any], inputs: set[int]) -> set[int]:
    """The nodes that depend on some of the inputs."""
    found: set[int] = set()
    for i, node in enumerate(nodes):
        if any(j in found for j in node.inputs) or (
            node.kind == "input" and node.params[0] in inputs
        ):
            found.add(i)
    return found


def _mask_of(nodes: Sequence[Any], i: int) -> int:
    """The bools of which a node is the 0 or 1."""
    node = nodes[i]
    if node.dtype == bool:
        return i
    if node.kind == "convert_element_type" and nodes[node.inputs[0]].dtype == bool:
        return node.inputs[0]
    if node.kind == "select_n" and nodes[node.inputs[0]].dtype == bool:
        which, off, on = node.inputs
        if _number(nodes, off) == 0 and _number(nodes, on) == 1:
            return which
    raise Unsupported("a population emits signals that are not spikes")


def _number(nodes: Sequence[Any], i: int) -> float | None:
    node = nodes[i]
    while node.kind in ("broadcast_in_dim", "convert_element_type"):
        node = nodes[node.inputs[0]]
    if node.kind != "constant":
        return None
    return float(np.frombuffer(node.params[1], node.dtype)[0])
