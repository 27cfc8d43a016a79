"""The loop over steps of a network as one native call, where every part of a step has a kernel."""

import dataclasses
import functools as ft
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .. import kernel, random
from .._model import Clock
from ..event import CSR, Delayed, FixedFanout
from ..input import Arrival, Constant, PoissonArrivals
from ..kernel import LoopArrivals, LoopGroup, LoopLine, LoopRing, LoopRoute, Unsupported
from ..network import NetworkStepper, advance_group
from ..record import Packed, SpikeCount, Spikes
from ..synapse import Spikes as Unchanged
from ._inputs import key_codes
from ._result import Snapshot

# Fewer steps than this are not worth what it takes to compile their loop.
_FEWEST_STEPS = 100
# The native loop draws as JAX does with this option, which is on by default.
_PARTITIONABLE = "jax_threefry_partitionable"


def may_run_natively(
    model: Any, recorders: Sequence[Any], fixed: Any, every: int, segment: int | None
) -> bool:
    """Whether a loop is of a kind that can be one native call; the rest is found out when it is
    compiled."""
    return (
        isinstance(model, NetworkStepper)
        and not model.plasticity
        and every == 1
        and segment is None
        and all(type(leaf) in (Constant, PoissonArrivals) for leaf in fixed.leaves)
        and all(_is_known(r) for r in recorders)
        and len({type(r) for r in recorders}) == len(recorders)
        and all(type(sender.release) is Unchanged for sender in model.senders)
    )


def _is_known(recorder: Any) -> bool:
    """Whether the native loop can record this."""
    everything = type(recorder) is Spikes and recorder.populations is None
    return everything or type(recorder) is SpikeCount


class _Operands:
    """The operands of the native call: first the state, which is advanced in place, then what is
    only read. `place` gives the C++ expression of the buffer at a position of all arrays."""

    def __init__(self, state: Sequence[int]) -> None:
        self.state = {k: i for i, k in enumerate(state)}
        self.others: dict[int, int] = {}

    def place(self, position: int) -> str:
        if position in self.state:
            return f"result(frame, {self.state[position]})"
        at = self.others.setdefault(position, len(self.state) + len(self.others))
        return f"argument(frame, {at})"


class _Arrays(NamedTuple):
    """All arrays of a loop as trees: of shapes, and of positions."""

    model: Any
    start: Any
    summaries: Any
    driven: Any


def rewrite(flat: Any, avals: Any, arguments: Any, batch: Any) -> Callable[..., Any] | None:
    """For `with_derivative`: the native loop instead of the scan, or `None`."""
    model, *_, dt, n_steps, _, _ = arguments(avals)
    size = sum(group.size for group in model.layout.groups)
    if batch or size < kernel.FEWEST or n_steps < _FEWEST_STEPS:
        return None
    name = kernel.loop_name(model.layout.populations)
    try:
        kernel.check_enabled()
        run = _planned(flat, avals, arguments, dt, n_steps)
    except Unsupported as reason:
        kernel.report(name, f"XLA: {reason}")
        return None
    kernel.report(name, "generated")
    return run


def _driven(model: Any, start: Any, series: Any, fixed: Any, key: Any, dt: float) -> Any:
    """The input of the groups, the same in all steps; and for what arrives at receptors their
    layer, first neuron and number, and the input that it comes from."""
    if key is not None:
        key = jr.fold_in(key, start.step)
    values, _ = fixed.evaluate(series, start.inputs, Clock(start.step, dt), key)
    driven = model.arrange_inputs(values)
    leaves = jtu.tree_leaves(values, is_leaf=lambda x: isinstance(x, Arrival))
    of = {id(x.amount): i for i, x in enumerate(leaves) if isinstance(x, Arrival)}
    found = [(layer, at, size, of.get(id(x))) for layer, at, size, x in driven.arrivals]
    return driven.values, found


def _planned(
    flat: Callable[..., Any], avals: Any, arguments: Any, dt: float, n_steps: int
) -> Callable[..., Any]:
    model, start, summaries, *_ = arguments(avals)
    sources: list[tuple[int, int, int, int | None]] = []

    def inputs_of(*operands: Any) -> Any:
        model, start, _, series, fixed, key, *_ = arguments(operands)
        driven, found = _driven(model, start, series, fixed, key, dt)
        sources[:] = found
        return driven

    driven = jax.eval_shape(inputs_of, *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in avals))
    leaves, structure = jtu.tree_flatten(driven)
    n = len(avals)
    shapes = _Arrays(model, start, summaries, driven)
    where = arguments(range(n))
    driven_at = structure.unflatten(range(n, n + len(leaves)))
    positions = _Arrays(where[0], where[1], where[2], driven_at)
    state_tree = _state_of(positions)
    state = jtu.tree_leaves(state_tree)
    recorders = _recorders(arguments(avals)[6])
    sizes = [group.size for group in model.layout.groups]
    # Bits of spikes are written like state; they are not among the arguments.
    bits = [-1 - g for g in range(len(sizes))] if Spikes in recorders else []
    operands = _Operands([*state, *bits])
    extra: list[Callable[..., Any]] = []
    count = n + len(leaves)
    groups = []
    for g in range(len(model.layout.groups)):
        group, outside = _group(shapes, positions, operands, g, dt, count + len(extra))
        groups.append(group)
        extra.extend(outside)
    lines = _lines(shapes, positions, operands)
    routes, number = _routes(shapes, positions, operands)
    rings = _rings(shapes, positions, operands)
    arrivals, outside, means = _arrivals(
        shapes, positions, operands, arguments, avals, sources, dt, count + len(extra)
    )
    extra.extend(outside)
    step = operands.place(positions.start.step)
    at = len(operands.state) + len(operands.others)
    source = kernel.loop_source(
        groups, lines, routes, rings, arrivals, number, step, f"argument(frame, {at})"
    )
    target = kernel.compiled(source, kernel.SYMBOL)

    def run(*given: Any) -> Any:
        model, start, _, series, fixed, key, *_ = arguments(given)
        values = [*given, *jtu.tree_leaves(_driven(model, start, series, fixed, key, dt)[0])]
        for make in extra:
            values.append(make(values))
        inputs = [
            jnp.zeros((n_steps, -(-sizes[-1 - k] // 8)), jnp.uint8) if k < 0 else values[k]
            for k in (*operands.state, *operands.others)
        ]
        state = inputs[: len(operands.state)]
        results = jax.ffi.ffi_call(
            target,
            [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in state],
            input_output_aliases={i: i for i in range(len(state))},
        )(*inputs, jnp.asarray(n_steps, jnp.int32))
        new_groups, layers, buffers, rings, counts = jtu.tree_unflatten(
            jtu.tree_structure(state_tree), results[: len(results) - len(bits)]
        )
        after = dataclasses.replace(
            start.model_state, groups=new_groups, layers=layers, lines=buffers, rings=rings
        )
        done = start.step + jnp.asarray(n_steps, start.step.dtype)
        end = Snapshot(after, done, dt, start.inputs)
        rows = Packed(tuple(results[len(results) - len(bits) :]), model.layout.places)
        kept = tuple(rows if kind is Spikes else None for kind in recorders)
        return jtu.tree_leaves((end, counts, kept))

    if not means:
        return run

    def either(*given: Any) -> Any:
        # Poisson numbers with a large mean are drawn in another way, which has no kernel.
        small = jnp.all(jnp.stack([mean(given) for mean in means]) < 10)
        return jax.lax.cond(small, run, flat, *given)

    return either


def _recorders(record: Any) -> list[type]:
    known = jtu.tree_leaves(record, is_leaf=_is_known)
    return [type(r) for r in known]


def _state_of(arrays: _Arrays) -> Any:
    state = arrays.start.model_state
    return state.groups, state.layers, state.lines, state.rings, arrays.summaries


def _group(
    shapes: _Arrays, positions: _Arrays, operands: _Operands, g: int, dt: float, first: int
) -> tuple[LoopGroup, list[Callable[..., Any]]]:
    """The kernel of a group; and functions of all arrays that compute what it needs besides, which
    follows them from position `first` on."""

    def whole(arrays: _Arrays) -> Any:
        state, step = arrays.start.model_state, arrays.start.step
        injected = arrays.driven[g]
        return arrays.model.local.arguments(g, state.groups[g], state.layers, injected, step, None)

    reached = {t.layer for terms in shapes.model.local.terms[g].values() for t in terms}
    _, _, (_, own) = whole(shapes)
    if not reached <= set(own):
        raise Unsupported("a layer of receptors reaches several groups")
    leaves, structure = jtu.tree_flatten(whole(shapes), is_leaf=_is_shape)
    others = jtu.tree_leaves(whole(positions))
    mine = [k for k, x in zip(others, leaves, strict=True) if _is_shape(x)]

    def flat(*arrays: Any) -> list[Any]:
        given = iter(arrays)
        filled = [next(given) if _is_shape(x) else x for x in leaves]
        constants, (injected, step, key, shared), variables = structure.unflatten(filled)
        context = injected, Clock(step, dt), key, shared
        return jtu.tree_leaves(advance_group(constants, context, variables))

    avals = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves if _is_shape(x)]
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
    needed = kernel.within(program, [*writes, listed])
    if any(i in timed for i in needed):
        raise Unsupported("a model depends on time")
    axes = kernel.axes_of(program, needed, [*writes, listed])
    if len(axes.extents) != 1:
        raise Unsupported("its arrays have several axes")
    # A thread may read only what it overwrites itself, at the same place.
    at = {written[i]: axes.places[i] for i in writes}
    read, outside = {}, []
    for i in needed:
        if not kernel.is_read(nodes, i):
            continue
        j = kernel.array_of(nodes, i)
        if j in changing and nodes[j].kind == "input":
            buffer = operands.place(mine[nodes[j].params[0]])
            if buffer in at and (i != j or at[buffer] != axes.places[i]):
                raise Unsupported("a neuron reads the state of others")
        if nodes[j].kind == "other":
            if j in changing or j in timed:
                raise Unsupported(f"it uses `{nodes[j].params[0]}`")
            read[i] = operands.place(first + len(outside))
            outside.append(ft.partial(_outside, program, j, tuple(mine)))
        elif nodes[j].params[0] >= len(mine):
            constant = program.constants[nodes[j].params[0] - len(mine)]
            read[i] = operands.place(first + len(outside))
            outside.append(lambda values, constant=constant: jnp.asarray(constant))
        else:
            read[i] = operands.place(mine[nodes[j].params[0]])
    size = shapes.model.layout.groups[g].size
    if axes.extents != (size,):
        raise Unsupported("its arrays differ in length")
    counted = jtu.tree_leaves(positions.summaries)
    counts = operands.place(counted[g]) if counted else None
    bits = operands.place(-1 - g) if -1 - g in operands.state else None
    senders = shapes.model.senders
    steps = [
        line.steps
        for line, sender in zip(shapes.model.exchange.lines, senders, strict=True)
        if sender.group == g
    ]
    longest = max(steps, default=1)
    group = LoopGroup(program, axes, needed, writes, listed, read, written, counts, bits, longest)
    return group, outside


def _outside(program: Any, node: int, mine: Sequence[int], values: Sequence[Any]) -> Any:
    return kernel.evaluate(program, [node], [values[k] for k in mine])[node]


def _is_shape(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")


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


def _lines(shapes: _Arrays, positions: _Arrays, operands: _Operands) -> list[LoopLine]:
    model, lines = shapes.model, []
    for i, (sender, line) in enumerate(zip(model.senders, model.exchange.lines, strict=True)):
        rows = operands.place(positions.start.model_state.lines[i].buffer)
        size = np.dtype(line.dtype).itemsize
        lines.append(LoopLine(sender.group, line.steps, rows, size, _pieces(model, i)))
    return lines


def _owner(model: Any, layer: int) -> int:
    """The group whose neurons a layer of receptors reaches, all of them in order."""
    for g, ports in enumerate(model.local.terms):
        for terms in ports.values():
            for term in terms:
                if term.layer == layer:
                    size = model.layout.groups[g].size
                    if term.size == term.total == size:
                        return g
    raise Unsupported("a layer of receptors reaches a part of a group")


def _accumulator(shapes: _Arrays, positions: _Arrays, layer: int) -> tuple[int, Any]:
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


def _routes(
    shapes: _Arrays, positions: _Arrays, operands: _Operands
) -> tuple[list[LoopRoute], str]:
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
        out.append(
            LoopRoute(
                source=model.senders[due.sender].group,
                target=_owner(model, layer),
                steps=due.steps,
                first=first,
                rows=matrix.shape[0],
                column=route.column,
                columns=matrix.shape[1],
                indices=operands.place(at.indices),
                indptr=None if even else operands.place(at.indptr),
                wide=not even and matrix.indptr.dtype.itemsize == 8,
                weights=operands.place(at.data),
                scalar=matrix.data.ndim == 0,
                sums=operands.place(sums),
                delays=delays,
                delay_bytes=delay_bytes,
            )
        )
    if len(dtypes) > 1 or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise Unsupported(f"sums of {sorted(map(str, dtypes))}")
    return out, "double" if np.dtype(np.float64) in dtypes else "float"


def _arrivals(
    shapes: _Arrays,
    positions: _Arrays,
    operands: _Operands,
    arguments: Any,
    avals: Any,
    sources: Sequence[tuple[int, int, int, int | None]],
    dt: float,
    first: int,
) -> tuple[list[LoopArrivals], list[Callable[..., Any]], list[Callable[..., Any]]]:
    """Poisson numbers that arrive in each step; functions of all arrays that compute what they
    need, which follows from position `first` on; and functions that give their means."""
    out: list[LoopArrivals] = []
    outside: list[Callable[..., Any]] = []
    means: list[Callable[..., Any]] = []
    if not sources:
        return out, outside, means
    fixed, key = arguments(avals)[4:6]
    if key is None or str(key.dtype) != "key<fry>" or not getattr(jax.config, _PARTITIONABLE):
        raise Unsupported("random numbers of another kind than Threefry's")

    def place(function: Callable[..., Any]) -> str:
        outside.append(lambda values: function(values[: len(avals)]))
        return operands.place(first + len(outside) - 1)

    words = place(lambda given: jr.key_data(arguments(given)[5]))
    for layer, offset, size, i in sources:
        leaf = None if i is None else fixed.leaves[i]
        if type(leaf) is not PoissonArrivals or leaf.rate.shape or leaf.weight.shape:
            raise Unsupported("an input that is delivered to receptors is not Poisson of one rate")
        sums, like = _accumulator(shapes, positions, layer)
        if {leaf.rate.dtype, leaf.weight.dtype} != {like.dtype}:
            raise Unsupported("rates and sums differ in precision")
        assert i is not None
        mean = ft.partial(_mean, arguments, i, dt)
        means.append(mean)
        out.append(
            LoopArrivals(
                group=_owner(shapes.model, layer),
                first=offset,
                size=size,
                key=words,
                codes=key_codes(fixed.names[i]),
                table=place(lambda given, mean=mean: random.poisson_cumulative(mean(given))),
                weight=place(lambda given, i=i: arguments(given)[4].leaves[i].weight),
                sums=operands.place(sums),
            )
        )
    return out, outside, means


def _mean(arguments: Any, i: int, dt: float, given: Sequence[Any]) -> Any:
    return arguments(given)[4].leaves[i].rate * dt


def _rings(shapes: _Arrays, positions: _Arrays, operands: _Operands) -> list[LoopRing]:
    model, state, out = shapes.model, positions.start.model_state, []
    for layer, slots in enumerate(model.exchange.rings):
        if slots:
            sums, _ = _accumulator(shapes, positions, layer)
            ring = operands.place(state.rings[layer])
            out.append(LoopRing(_owner(model, layer), ring, operands.place(sums)))
    return out
