"""Plasticity rules in the native loop: kernels over neurons, and changes of weights at spikes."""

import functools as ft
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.tree_util as jtu
import numpy as np

from .. import kernel
from .._model import Clock
from ..kernel import LoopPass, LoopRule, LoopUpdate, Node, Pass, Staged, Unsupported, slot
from ..network import UPDATES, learn
from ..plasticity import AbstractPlasticity
from ..synapse import Activity
from ._native_operands import Arrays, Operands, is_shape

# The arrays over the other neurons of each operator, see `Update` in `plastic.h`.
_FIELDS = {
    "event_update": ("change", "factor", "lower", "upper"),
    "event_update_power": (
        *("change", "lower", "upper", "scale", "toward", "exponent"),
        "newer",
    ),
}


class TracedRule(NamedTuple):
    """A plasticity rule as operations.

    - `route`: the number of its connections.
    - `where`: the positions of its inputs among all arrays; for the states of postsynaptic neurons
      that of the whole group, and the first neuron; `None` for signals and for other states.
    - `arrived`, `fired`: which inputs are signals.
    - `olds`: which inputs are traces and, last, weights; the outputs are their new values.
    """

    name: str
    route: int
    plan: Staged
    where: tuple[int | tuple[int, int] | None, ...]
    arrived: int
    fired: int
    olds: tuple[int, ...]

    def changed(self) -> list[tuple[int, int]]:
        """Inputs that change, and the nodes of their new values."""
        nodes = self.plan.program.nodes
        return [
            (old, new)
            for old, new in zip(self.olds, self.plan.program.outputs, strict=True)
            if not (nodes[new].kind == "input" and nodes[new].params[0] == old)
        ]

    def positions(self) -> list[int]:
        """The positions of the arrays that change."""
        found = [self.where[old] for old, _ in self.changed()]
        return [k for k in found if isinstance(k, int)]


def traced_rules(model: Any, start: Any, where: Any, dt: float) -> list[TracedRule]:
    """All plasticity rules; `where` are the positions of the arrays of `(model, start)`."""
    return [
        _traced(model, start, where, route.name, k, dt)
        for k, route in enumerate(model.exchange.routes)
        if route.name is not None
    ]


def _traced(model: Any, start: Any, where: Any, name: str, route: int, dt: float) -> TracedRule:
    rule = model.plasticity[name]
    if type(rule).due is not AbstractPlasticity.due:
        raise Unsupported(f"weights of {name} that change without spikes")
    ((pre, modulator),) = ((a, b) for n, a, b in model.sources if n == name)
    ((post,),) = (names for n, names, _, _ in model.pathways if n == name)
    due = model.exchange.due[model.exchange.routes[route].source]

    def parts(model: Any, start: Any) -> Any:
        constants = model.plasticity[name], model.exchange.routes[route].matrix
        state = start.model_state
        return constants, (state.traces[name], state.weights[name]), start.step

    leaves, structure = jtu.tree_flatten(parts(model, start))
    positions = parts(*where)
    mine = [k for k, x in zip(jtu.tree_leaves(positions), leaves, strict=True) if is_shape(x)]
    arrived = jax.ShapeDtypeStruct(
        (model.exchange.routes[route].matrix.shape[0],), model.exchange.lines[due.sender].dtype
    )
    seen = jax.eval_shape(lambda s: (s[pre], s[post]), start.model_state)
    others, rest = jtu.tree_flatten(
        (*seen, None if modulator is None else _signal(model, modulator))
    )
    n = len(mine)

    def flat(*arrays: Any) -> list[Any]:
        given = iter(arrays)
        filled = [next(given) if is_shape(x) else x for x in leaves]
        constants, (traces, weight), step = structure.unflatten(filled)
        arrived, fired, *more = arrays[n:]
        before, after, modulated = rest.unflatten(more)
        sides = Activity(arrived, before), Activity(fired, after)
        clock = Clock(step, dt)
        return jtu.tree_leaves(learn(constants, traces, weight, *sides, modulated, clock, None))

    avals = [x for x in leaves if is_shape(x)] + [arrived, _signal(model, post), *others]
    avals = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in avals]
    fixed = [mine.index(k) for k in jtu.tree_leaves(positions[0]) if k in mine]
    try:
        plan = kernel.stages_of(flat, avals, fixed, UPDATES)
    except (ValueError, TypeError, AttributeError) as error:
        raise Unsupported(f"{name} can't be traced without a key ({str(error)[:60]})") from error
    olds = tuple(mine.index(k) for k in jtu.tree_leaves(positions[1]))
    places: list[int | tuple[int, int] | None] = [*mine, *(None,) * (2 + len(others))]
    group, first, _ = model.layout.places[post]
    own = jtu.tree_leaves(where[1].model_state.groups[group])
    at = n + 2 + len(jtu.tree_leaves(seen[0]))
    places[at : at + len(own)] = [(k, first) for k in own]
    return TracedRule(name, route, plan, tuple(places), n, n + 1, olds)


def _signal(model: Any, name: str) -> Any:
    group, _, size = model.layout.places[name]
    return jax.ShapeDtypeStruct((size,), model.local.populations[group].emits().dtype)


def rules_of(rules: Sequence[TracedRule], shapes: Arrays, operands: Operands) -> list[LoopRule]:
    """What the loop needs for each rule."""
    return [_Planner(rule, shapes.model, operands).planned() for rule in rules]


class _Planner:
    """Finds the buffers of a rule."""

    def __init__(self, rule: TracedRule, model: Any, operands: Operands) -> None:
        self.rule, self.operands = rule, operands
        self.program = rule.plan.program
        self.nodes = self.program.nodes
        self.sizes = model.exchange.routes[rule.route].matrix.shape
        self.slots: list[tuple[bool, int, str | None]] = []
        # The buffers of nodes that the loop has.
        self.buffers: dict[int, str] = {}
        self.signals: dict[int, int] = {}
        self.used: set[int] = set()
        # Those of traces before the step, and what is copied there.
        self.saved: dict[int, str] = {}
        self.copies: list[tuple[bool, str, int]] = []

    def planned(self) -> LoopRule:
        rule = self.rule
        updates = [self._operator(i) for i in rule.plan.apart]
        before = [self._input(rule.olds[-1]), *rule.plan.apart]
        if [u.weights for u in updates] != before[:-1] or before[-1] != self.program.outputs[-1]:
            raise Unsupported("a rule changes weights not only where neurons spike")
        sides: dict[int, bool] = {}
        for update in updates:
            sides.update(dict.fromkeys(update.rows, update.pre))
            sides.update({i: not update.pre for i in update.cols if self.nodes[i].shape})
        self.used = {i for update in updates for i in (*update.rows, *update.cols)}
        new = {i: old for old, i in rule.changed()}
        overwritten = set()
        passes = []
        for stage in rule.plan.stages:
            pre = self._side(stage, sides)
            for i in stage.writes:
                self._written(i, pre, new, overwritten)
            late = not self.used & set(stage.writes)
            passes.append((stage, pre, late))
        for stage, pre, late in passes:
            inputs = {new[i] for i in stage.writes if i in new}
            direct = {self.nodes[i].params[0] for i in self.used if self.nodes[i].kind == "input"}
            if not late:
                self._save(inputs & direct, pre)
        made = [self._pass(*each) for each in passes]
        changes = [self._update(update) for update in updates]
        columns = next((u.columns for u in updates if not u.pre), None)
        return LoopRule(
            route=rule.route,
            sizes=self.sizes,
            slots=self.slots,
            arrived=self.signals.get(rule.arrived, -1),
            arrived_bytes=self._bytes(rule.arrived),
            fired=self.signals.get(rule.fired, -1),
            fired_bytes=self._bytes(rule.fired),
            columns=None if columns is None else self._columns(columns),
            copies=self.copies,
            passes=made,
            updates=changes,
        )

    def _input(self, k: int) -> int | None:
        """The node of an input."""
        found = (i for i, x in enumerate(self.nodes) if x.kind == "input" and x.params[0] == k)
        return next(found, None)

    def _bytes(self, k: int) -> int:
        i = self._input(k)
        return 1 if i is None else np.dtype(self.nodes[i].dtype).itemsize

    def _side(self, stage: Pass, sides: dict[int, bool]) -> bool:
        """Whether a kernel is over presynaptic neurons."""
        found = {sides[i] for i in (*stage.writes, *stage.needed) if i in sides}
        inputs = {self.nodes[i].params[0] for i in stage.needed if self.nodes[i].kind == "input"}
        if self.rule.arrived in inputs:
            found.add(True)
        if self.rule.fired in inputs:
            found.add(False)
        if len(found) != 1:
            raise Unsupported("it is not clear to which neurons a trace belongs")
        (pre,) = found
        if stage.axes.extents != (self.sizes[0 if pre else 1],):
            raise Unsupported("traces have several axes")
        return pre

    def _slot(self, pre: bool, dtype: Any, real: str | None = None) -> int:
        self.slots.append((pre, np.dtype(dtype).itemsize, real))
        return len(self.slots) - 1

    def _written(self, i: int, pre: bool, new: dict[int, int], overwritten: set[int]) -> None:
        node, old = self.nodes[i], new.get(i)
        if old is None:
            self.buffers[i] = slot(self._slot(pre, node.dtype))
            return
        if old in overwritten or self.nodes[i].shape != (self.sizes[0 if pre else 1],):
            raise Unsupported("traces can't be advanced in place")
        overwritten.add(old)
        position = self.rule.where[old]
        assert isinstance(position, int)
        real = self.operands.place(position)
        self.buffers[i] = slot(self._slot(pre, node.dtype, real)) if pre else real
        before = self._input(old)
        if before is not None:
            self.buffers[before] = self.buffers[i]

    def _buffer(self, i: int) -> str:
        """The buffer of a node."""
        node = self.nodes[i]
        if i in self.buffers:
            return self.buffers[i]
        k = node.params[0] if node.kind == "input" else None
        if k is not None and k in (self.rule.arrived, self.rule.fired):
            self.signals[k] = self._slot(k == self.rule.arrived, node.dtype)
            self.buffers[i] = slot(self.signals[k])
        elif k is not None and k < self.program.n_inputs:
            position = self.rule.where[k]
            if position is None:
                raise Unsupported("a rule reads the state of presynaptic neurons")
            if isinstance(position, int):
                self.buffers[i] = self.operands.place(position)
            else:
                position, first = position
                size = np.dtype(node.dtype).itemsize
                self.buffers[i] = f"from({self.operands.place(position)}, {first * size})"
        else:
            function = ft.partial(_outside, self.program, i, self.rule.where)
            self.buffers[i] = self.operands.computed(function)
        return self.buffers[i]

    def _save(self, inputs: set[int], pre: bool) -> None:
        """Let changes of weights read traces as they were before the step."""
        for k in sorted(inputs):
            i = self._input(k)
            assert i is not None
            self.saved[i] = slot(self._slot(pre, self.nodes[i].dtype))
            self.copies.append((pre, self.buffers[i], len(self.slots) - 1))

    def _pass(self, stage: Pass, pre: bool, late: bool) -> LoopPass:
        read = {
            i: self._buffer(kernel.array_of(self.nodes, i))
            for i in stage.needed
            if kernel.is_read(self.nodes, i)
        }
        written = {i: self.buffers[i] for i in stage.writes}
        return LoopPass(
            pre, late, self.program, stage.axes, stage.needed, stage.writes, read, written
        )

    def _operator(self, i: int) -> "_Operator":
        node = self.nodes[i]
        assert node.equation is not None
        spec = node.equation[0].params["spec"]
        rows, cols, weights, _, structure = spec.split(node.inputs)
        (block,) = spec.blocks
        pre = block.kind in ("csr", "ell")
        if spec.batch or not (pre or block.kind == "permuted"):
            raise Unsupported(f"a rule changes weights that are stored as {block.kind}")
        return _Operator(node.params[0], pre, rows, cols, weights[0], structure)

    def _update(self, u: "_Operator") -> LoopUpdate:
        x, *since = u.rows
        signal = self._input(self.rule.arrived if u.pre else self.rule.fired)
        buffers: dict[str, str] = {}
        if x != signal:
            buffers["x"] = self._operand(x)
        each = {}
        for name, i in zip(_FIELDS[u.kind], u.cols, strict=False):
            buffers[name] = self._operand(i)
            if name in ("change", "factor"):
                each[name] = self.nodes[i].shape != ()
        if since:
            buffers["since"] = self._operand(since[0])
        everywhere = x != signal and not _only_where(self.nodes, x, signal)
        return LoopUpdate(u.pre, u.kind == "event_update_power", everywhere, buffers, each)

    def _operand(self, i: int) -> str:
        return self.saved[i] if i in self.saved else self._buffer(i)

    def _columns(self, structure: Sequence[int]) -> tuple[str, str, bool, str, bool]:
        rows, starts, order = structure
        wide = [np.dtype(self.nodes[i].dtype).itemsize == 8 for i in structure]
        if wide[0]:
            raise Unsupported("indices of 64 bits")
        at = [self._buffer(i) for i in (rows, starts, order)]
        return at[0], at[1], wide[1], at[2], wide[2]


class _Operator(NamedTuple):
    """An operator that changes weights, by its nodes."""

    kind: str
    pre: bool
    rows: Sequence[int]
    cols: Sequence[int]
    weights: int
    columns: Sequence[int]


def _only_where(nodes: Sequence[Node], i: int, signal: int | None) -> bool:
    """Whether a node is zero where a signal is."""
    node = nodes[i]
    if i == signal:
        return True
    if node.kind in ("convert_element_type", "neg"):
        return _only_where(nodes, node.inputs[0], signal)
    return node.kind == "mul" and any(_only_where(nodes, j, signal) for j in node.inputs)


def _outside(program: Any, node: int, where: Sequence[Any], values: Sequence[Any]) -> Any:
    given = [values[k] if isinstance(k, int) else None for k in where]
    return kernel.evaluate(program, [node], given)[node]
