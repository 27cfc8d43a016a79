"""Functions of which some operations stay as they are, and the rest becomes generated kernels."""

import functools as ft
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ..event import with_derivative
from ._axes import Axes, axes_of
from ._emit import emit
from ._generated import FEWEST, check_enabled, compiled, report, within
from ._program import Program, Unsupported, array_of, closure, evaluate, program_of


class Pass(NamedTuple):
    """One kernel: the nodes that it writes, those that it computes or reads, and its loop."""

    writes: tuple[int, ...]
    needed: tuple[int, ...]
    axes: Axes


class Staged(NamedTuple):
    """A function as kernels, and operations that follow them."""

    program: Program
    stages: tuple[Pass, ...]
    apart: tuple[int, ...]


def stages_of(
    function: Callable[..., Any], avals: Sequence[Any], fixed: Sequence[int], apart: Sequence[str]
) -> Staged:
    """What a flat function of arrays becomes.

    **Arguments:**

    - `fixed`: positions of arrays that stay the same from call to call.
    - `apart`: names of operations that stay as they are. What is computed of their results must be
        such operations, too.
    """
    program = program_of(function, avals, apart)
    nodes = program.nodes
    moving: set[int] = set()
    after: set[int] = set()
    for i, node in enumerate(nodes):
        if node.kind == "input" and node.params[0] < len(avals):
            if node.params[0] not in fixed:
                moving.add(i)
        elif any(j in moving for j in node.inputs):
            moving.add(i)
            if node.kind == "other" or any(j in after for j in node.inputs):
                after.add(i)
    wanted = closure(program, program.outputs)
    for i in sorted(after & wanted):
        name = nodes[i].params[0] if nodes[i].kind == "other" else nodes[i].kind
        if name not in apart:
            raise Unsupported(f"it uses `{name}` of {nodes[i].dtype}{list(nodes[i].shape)}")
    last = set(program.outputs) | {j for i in after & wanted for j in nodes[i].inputs}
    writes = [i for i in sorted((last & moving) - after) if nodes[i].kind != "input"]
    if any(nodes[i].shape == () for i in writes):
        raise Unsupported("it computes single numbers")
    stages = []
    for group in _connected(program, writes):
        needed = within(program, group)
        stages.append(Pass(tuple(group), tuple(needed), axes_of(program, needed, group)))
    return Staged(program, tuple(stages), tuple(sorted(after & wanted)))


def _connected(program: Program, writes: Sequence[int]) -> list[list[int]]:
    """Nodes grouped by the arrays that they are computed of."""
    groups: list[tuple[list[int], set[int]]] = []
    for i in writes:
        mine = {j for j in within(program, [i]) if program.nodes[j].shape != ()}
        mine = {j for j in mine if program.nodes[j].kind != "broadcast_in_dim"}
        together = [g for g in groups if g[1] & mine]
        groups = [g for g in groups if not g[1] & mine]
        members = [k for g in together for k in g[0]]
        groups.append(([*members, i], mine.union(*(g[1] for g in together))))
    return [sorted(members) for members, _ in groups]


def staged(
    function: Callable[..., Any], fixed: Callable[..., Any], apart: Sequence[str]
) -> Callable[..., Any]:
    """A function `(name, size, *arguments)` that computes `function(*arguments)`, on CPU in
    generated kernels around the operations named in `apart`, if that is possible; see
    [`brainfn.kernel.generated`][].

    **Arguments:**

    - `fixed`: gives of `arguments` those that stay the same from call to call.
    """

    @ft.wraps(function)
    def named(name: str, size: int, *arguments: Any) -> Any:
        del name, size
        return function(*arguments)

    def rewrite(flat: Any, avals: Any, arguments: Any, batch: tuple[int, ...]) -> Any:
        name, size, *rest = arguments(range(len(avals)))
        if batch or size < FEWEST:
            return None
        try:
            check_enabled()
            same = [k for k in jax.tree.leaves(fixed(*rest)) if isinstance(k, int)]
            plan = stages_of(flat, avals, same, apart)
            kernels = [emit(plan.program, s.axes, s.needed, s.writes) for s in plan.stages]
            targets = [compiled(k.source, k.symbol) for k in kernels]
        except Unsupported as reason:
            report(name, f"XLA: {reason}")
            return None
        report(name, "generated")
        return ft.partial(_run, plan, kernels, targets)

    return with_derivative(named, named, rewrite=rewrite)


def _run(plan: Staged, kernels: Any, targets: Any, *operands: Any) -> list[Any]:
    program = plan.program
    nodes, arrays = program.nodes, [*operands, *program.constants]
    known: dict[int, Any] = {}
    for kernel, target in zip(kernels, targets, strict=True):
        read = [array_of(nodes, j) for j in kernel.reads]
        others = evaluate(program, [i for i in read if nodes[i].kind == "other"], operands)
        given = [others[i] if i in others else arrays[nodes[i].params[0]] for i in read]
        shapes = [
            jax.ShapeDtypeStruct(nodes[i].shape, np.dtype(nodes[i].dtype)) for i in kernel.writes
        ]
        known.update(zip(kernel.writes, jax.ffi.ffi_call(target, shapes)(*given), strict=True))
    done = evaluate(program, program.outputs, operands, known)
    return [done[i] for i in program.outputs]
