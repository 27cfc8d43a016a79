"""What the native loop keeps of its steps, and how records are made of it.

A recorder is traced. What it picks from the state and the spikes (slices, gathers, whole arrays)
the loop itself writes into rows. If that is not all, the rest is computed of these rows after each
stretch of steps.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax import lax

from .. import kernel
from .._model import Clock
from .._named import Emitted
from ..event import materialize
from ..kernel import LoopKept, Node, Program, Unsupported
from ..record import AbstractEvents, AbstractReducer, Packed, SpikeCount, Spikes
from ._native_operands import Operands
from ._recorders import is_recorder, recorded

# Rows that wait for what is computed of them, in bytes; and the fewest steps between.
_WAITING = 1 << 21
_FEWEST = 64
# Operations that only choose numbers.
_CHOOSE = ("slice", "squeeze", "reshape", "expand_dims", "transpose", "rev", "copy", "copy_p")
_CHOOSE_BY = ("gather", "dynamic_slice")


class Source(NamedTuple):
    """An array of one number for each neuron of a group: its position, `None` for the spikes."""

    group: int
    position: int | None


class Part(NamedTuple):
    """Numbers chosen from an array, by their indices."""

    source: Source
    index: np.ndarray


class _Recorder(NamedTuple):
    """A recorder as operations: `kept` gives the rows of nodes that the loop keeps."""

    program: Program
    kept: dict[int, int]
    structure: Any

    @property
    def direct(self) -> bool:
        """Whether the rows are the record."""
        return all(i in self.kept for i in self.program.outputs)

    def evaluate(self, inputs: Sequence[Any], rows: Any) -> Any:
        known = {i: rows[k] for i, k in self.kept.items()}
        values = kernel.evaluate(self.program, self.program.outputs, inputs, known)
        return jtu.tree_unflatten(self.structure, [values[i] for i in self.program.outputs])


class Recording:
    """All recorders of a loop.

    **Arguments:**

    - `arguments`, `avals`: as in `rewrite`.
    - `dt`, `every`: as in `simulate`.
    """

    def __init__(self, arguments: Any, avals: Sequence[Any], dt: float, every: int) -> None:
        self.arguments, self.avals, self.dt, self.every = arguments, avals, dt, every
        self.leaves = self._recorders(avals)
        kinds = [type(r) for r in self.leaves]
        # The loop itself counts spikes, and keeps them as bits.
        self.count = kinds.index(SpikeCount) if SpikeCount in kinds else None
        self.bits = [type(r) is Spikes and r.populations is None for r in self.leaves]
        self.programs: dict[int, _Recorder] = {}
        self.rows: list[tuple[Part, Any, int]] = []

    def _recorders(self, arrays: Sequence[Any]) -> list[Any]:
        return jtu.tree_leaves(self.arguments(arrays)[6], is_leaf=is_recorder)

    def plan(self, positions: Any, operands: Operands) -> list[LoopKept]:
        """What the loop keeps. `positions` are those of the parts of the state."""
        for i, bits in enumerate(self.bits):
            if not bits and i != self.count:
                self.programs[i] = self._traced(i, positions)
        made = []
        for k, (part, dtype, every) in enumerate(self.rows):
            flat = part.index.reshape(-1)
            first = int(flat[0]) if flat.size else 0
            neurons = None
            if not np.array_equal(flat, np.arange(first, first + flat.size)):
                neurons = operands.computed(lambda values, x=flat: jnp.asarray(x))
            position = part.source.position
            made.append(
                LoopKept(
                    group=part.source.group,
                    source=None if position is None else operands.place(position),
                    bytes=np.dtype(dtype).itemsize,
                    neurons=neurons,
                    first=first,
                    count=flat.size,
                    every=every,
                    rows=f"result(frame, {len(operands.state) + k})",
                )
            )
        return made

    def shapes(self, n: int) -> list[jax.ShapeDtypeStruct]:
        """Those of the rows of `n` steps."""
        return [
            jax.ShapeDtypeStruct((n // every, *part.index.shape), dtype)
            for part, dtype, every in self.rows
        ]

    def block(self, n_steps: int) -> int:
        """The number of steps after which rows are made into records."""
        waits = {k for p in self.programs.values() if not p.direct for k in p.kept.values()}
        if all(p.direct for p in self.programs.values()):
            return n_steps
        bytes_ = sum(
            self.rows[k][0].index.size * np.dtype(self.rows[k][1]).itemsize / self.rows[k][2]
            for k in waits
        )
        most = max(_FEWEST, int(_WAITING / max(bytes_, 1)))
        return min(n_steps, max(1, most // self.every) * self.every)

    def _traced(self, i: int, positions: Any) -> _Recorder:
        _, start, summaries, *_, example = self.arguments(self.avals)[:8]
        sums, structure = jtu.tree_flatten(summaries[i])
        emitted = example.output.groups
        state, whole = jtu.tree_flatten(start.model_state)
        n = len(self.avals)
        shapes: list[Any] = []

        def function(*arrays: Any) -> list[Any]:
            given, step = arrays[:n], arrays[n]
            rest = iter(arrays[n + 1 :])
            spikes = tuple(next(rest) for _ in emitted)
            before = jtu.tree_unflatten(structure, [next(rest) for _ in sums])
            after = jtu.tree_unflatten(whole, list(rest))
            recorder = self._recorders(given)[i]
            output = Emitted(spikes, example.output.places)
            if isinstance(recorder, AbstractReducer):
                made = recorder.update(before, after, output, Clock(step, self.dt))
            elif isinstance(recorder, AbstractEvents):
                made = recorder(after, output)
            else:
                made = recorded(recorder, after, output)
            shapes[:] = [jtu.tree_structure(made)]
            return jtu.tree_leaves(made)

        inputs = [*self.avals, start.step, *emitted, *sums, *state]
        program = kernel.program_of(
            function, [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in inputs]
        )
        sources: dict[int, Source | int | None] = {}
        for g in range(len(emitted)):
            sources[n + 1 + g] = Source(g, None)
        at = n + 1 + len(emitted) + len(sums)
        for k, position in enumerate(jtu.tree_leaves(positions.state)):
            sources[at + k] = positions.sources.get(position, position)
        reads = not isinstance(self.leaves[i], AbstractReducer | AbstractEvents)
        kept: dict[int, int] = {}
        for node, part in _chosen(program, sources).items():
            dtype = program.nodes[node].dtype
            kept[node] = self._row(part, dtype, self.every if reads else 1)
        self._check(program, kept, sources)
        return _Recorder(program, kept, shapes[0])

    def _row(self, part: Part, dtype: Any, every: int) -> int:
        """The number of the row of some numbers."""
        for k, (other, _, step) in enumerate(self.rows):
            same = other.source == part.source and step == every
            if same and np.array_equal(other.index, part.index):
                return k
        self.rows.append((part, dtype, every))
        return len(self.rows) - 1

    def _check(self, program: Program, kept: Any, sources: Any) -> None:
        for i in kernel.closure(program, program.outputs, kept):
            node = program.nodes[i]
            read = node.params[0] if node.kind == "input" and i not in kept else None
            if read in sources and sources[read] is None:
                raise Unsupported("a record reads signals on their way")

    def made(
        self, given: Sequence[Any], rows: Sequence[Any], sums: Any, step: Any, n: int
    ) -> tuple[Any, list[Any]]:
        """The summaries after `n` steps from `step` on, and the rows of each recorder that has
        some."""
        example = self.arguments(given)[7]
        groups = [None] * len(example.output.groups)
        state = jtu.tree_leaves(self.arguments(given)[1].model_state)

        def evaluate(i: int, at: Any, before: Any, now: Any) -> Any:
            program = self.programs[i]
            mine = dict(zip(program.kept.values(), now, strict=True))
            inputs = [*given, at, *groups, *jtu.tree_leaves(before), *state]
            return program.evaluate(inputs, mine)

        def of(i: int) -> list[Any]:
            return [rows[k] for k in self.programs[i].kept.values()]

        kinds = {i: self.leaves[i] for i in self.programs}
        reducers = [i for i, r in kinds.items() if isinstance(r, AbstractReducer)]
        kept: dict[int, Any] = {}
        for i in kinds:
            program = self.programs[i]
            if i in reducers:
                continue
            if program.direct:
                listed = [rows[program.kept[j]] for j in program.program.outputs]
                kept[i] = jtu.tree_unflatten(program.structure, listed)
                continue
            length = n if isinstance(kinds[i], AbstractEvents) else n // self.every
            kept[i] = _mapped(lambda now, i=i: evaluate(i, None, None, now), of(i), length)
        if reducers:

            def update(sums: Any, now: Any) -> Any:
                at, mine = now
                mine = materialize(mine)
                new = [
                    evaluate(i, at, before, part)
                    for i, before, part in zip(reducers, sums, mine, strict=True)
                ]
                return new, None

            steps = step + jnp.arange(n, dtype=step.dtype)
            before = [sums[i] for i in reducers]
            after, _ = lax.scan(update, before, (steps, [of(i) for i in reducers]), length=n)
            sums = list(sums)
            for i, new in zip(reducers, after, strict=True):
                sums[i] = new
        return tuple(sums), [kept.get(i) for i in range(len(self.leaves))]

    def finished(self, kept: Sequence[Any], bits: Sequence[Any], places: Any) -> tuple[Any, ...]:
        """The rows of all recorders."""
        return tuple(
            Packed(tuple(bits), places) if packed else rows
            for packed, rows in zip(self.bits, kept, strict=True)
        )


class Positions(NamedTuple):
    """Positions of the parts of the state of a network, and those with a number for each neuron;
    those that are not up to date within the loop are `None` there."""

    state: Any
    sources: dict[int, Source | None]


def _mapped(function: Callable[..., Any], rows: Sequence[Any], length: int) -> Any:
    _, out = lax.scan(lambda _, now: (None, function(materialize(now))), None, rows, length=length)
    return out


def _chosen(program: Program, sources: dict[int, Any]) -> dict[int, Part]:
    """The nodes that are chosen numbers of arrays, and of which others are computed."""
    nodes = program.nodes
    parts: dict[int, Part] = {}
    for i, node in enumerate(nodes):
        if node.kind == "input":
            source = sources.get(node.params[0])
            if isinstance(source, Source) and len(node.shape) == 1:
                parts[i] = Part(source, np.arange(node.shape[0], dtype=np.int32))
            continue
        name = node.params[0] if node.kind == "other" else node.kind
        if not node.inputs or node.inputs[0] not in parts or name not in (*_CHOOSE, *_CHOOSE_BY):
            continue
        index = _index(program, node, parts[node.inputs[0]].index)
        if index is not None:
            parts[i] = Part(parts[node.inputs[0]].source, index)
    needed = set(program.outputs)
    for i in kernel.closure(program, program.outputs, parts):
        if i not in parts:
            needed.update(nodes[i].inputs)
    return {i: part for i, part in parts.items() if i in needed}


def _index(program: Program, node: Node, index: np.ndarray) -> np.ndarray | None:
    """The indices of the numbers that an operation chooses, if they do not vary."""
    by = node.inputs[1:]
    read = (program.nodes[i] for i in kernel.closure(program, by, ()))
    if any(x.kind == "input" and x.params[0] < program.n_inputs for x in read):
        return None
    assert node.equation is not None
    equation, _ = node.equation
    with jax.ensure_compile_time_eval():
        values = kernel.evaluate(program, by, [None] * program.n_inputs, {})
        chosen = equation.primitive.bind(
            jnp.asarray(index), *(values[i] for i in by), **equation.params
        )
        chosen = chosen[0] if equation.primitive.multiple_results else chosen
    out = np.asarray(chosen)
    # Where there is no number another one is filled in.
    return out if out.size == 0 or out.min() >= 0 else None
