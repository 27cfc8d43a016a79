"""Functions that run as one generated kernel on CPU."""

import ctypes
import functools as ft
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.tree_util as jtu
import numpy as np

from ..event import CompileError, Source, compiled_target, enabled, threads, with_derivative
from ._axes import axes_of
from ._emit import Kernel, emit
from ._program import Node, Program, Unsupported, array_of, closure, evaluate, is_read, program_of

# Below this many numbers a call is dominated by what it takes to begin it, and compiling is not
# worth its time.
FEWEST = 128
_FLAGS = (
    *("-O2", "-march=native", "-w"),
    # The meaning of each operation is IEEE's; nothing reads floating-point flags or errno.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)

_reports: dict[str, str] = {}


def generated(function: Any) -> Callable[..., Any]:
    """A function that computes the same as `function`, on CPU in one pass over memory.

    The function is traced to elementwise operations, which become one loop in C++ that reads and
    writes each array once; it is compiled when first needed and kept on disk. Where that is not
    possible, XLA runs the function as it stands: without a compiler or the native library, for
    operations that kernels do not know, for half precision, on other platforms, and for small
    arrays. [`brainfn.kernel.reports`][] says which functions run in which way. Results differ from
    XLA's by rounding only; each number has the same bits whatever the arrays' length and the
    number of threads. Derivatives of any order are those of `function`.

    **Arguments:**

    - `function`: `function(constants, context, variables) -> (variables, output)`, of pytrees.
        New variables are written over the old ones where XLA allows it. What does not depend on
        `variables` may contain any JAX operation, and is computed by XLA where kernels can't.
        Define it at the top level of a module.

    **Returns:** a function `(name, size, constants, context, variables) -> (variables, output)`:
    `name` identifies it in reports, and `size` is the number of elements that decides whether a
    kernel is worth its cost (that of the whole network, so that the way in which it is stored does
    not change its numbers).

    **Raises:** `TypeError` if `function` is not callable, or returns variables of another
    structure; `ValueError` if `BRAINFN_GENERATE` is neither 0 nor 1.
    """
    if not callable(function):
        raise TypeError(f"generated: `function` must be a function, got {function!r}.")
    call = cast("Callable[..., Any]", function)

    @ft.wraps(call)
    def named(name: str, size: int, constants: Any, context: Any, variables: Any) -> Any:
        del size
        after, output = call(constants, context, variables)
        if jtu.tree_structure(after) != jtu.tree_structure(variables):
            raise TypeError(
                f"generated: {name!r} must return (variables, output), with variables of the "
                f"structure that it gets, {jtu.tree_structure(variables)}, got "
                f"{jtu.tree_structure(after)}."
            )
        return after, output

    def rewrite(flat: Any, avals: Any, arguments: Any, batch: tuple[int, ...]) -> Any:
        name, size, _, _, variables = arguments(range(len(avals)))
        state = tuple(jtu.tree_leaves(variables))
        if size * math.prod(batch) < FEWEST:
            return None
        try:
            made = _plan(flat, avals, state)
            target = compiled(made.kernel.source, made.kernel.symbol)
            _reports[name] = "generated"
        except Unsupported as reason:
            _reports[name] = f"XLA: {reason}"
            return None
        return ft.partial(_run, made, target)

    return with_derivative(named, named, rewrite=rewrite)


def reports() -> dict[str, str]:
    """How the functions of [`brainfn.kernel.generated`][] that were compiled in this process run.

    **Returns:** a dictionary by name: `"generated"`, or `"XLA: "` and the reason.
    """
    return dict(_reports)


class Plan(NamedTuple):
    """What a function becomes.

    - `outside`: nodes that JAX computes: operands of the kernel, and outputs.
    - `returned`: for each output its position among those of the kernel, or its node.
    - `aliases`: operands of the kernel whose memory its outputs take.
    """

    program: Program
    kernel: Kernel
    outside: tuple[int, ...]
    returned: tuple[tuple[bool, int], ...]
    aliases: dict[int, int]


def check_enabled() -> None:
    """Raise if nothing is to be generated."""
    wanted = os.environ.get("BRAINFN_GENERATE", "1")
    if wanted not in ("0", "1"):
        raise ValueError(f"BRAINFN_GENERATE must be 0 or 1, got {wanted!r}.")
    if not enabled() or wanted == "0":
        raise Unsupported("generated kernels are turned off")


def report(name: str, how: str) -> None:
    """Note how a function runs."""
    _reports[name] = how


def _plan(flat: Callable[..., Any], avals: Sequence[Any], state: Sequence[int]) -> Plan:
    check_enabled()
    program = program_of(flat, avals)
    nodes = program.nodes
    wanted = closure(program, program.outputs)
    moving: set[int] = set()
    for i, node in enumerate(nodes):
        if node.kind == "input" and node.params[0] in state:
            moving.add(i)
        elif any(j in moving for j in node.inputs):
            moving.add(i)
            if node.kind == "other" and i in wanted:
                raise Unsupported(f"it uses `{node.params[0]}` of {node.dtype}{list(node.shape)}")
    writes: list[int] = []
    returned: list[tuple[bool, int]] = []
    for i in program.outputs:
        node = nodes[i]
        if node.kind in ("input", "other", "constant") or (node.shape == () and i not in moving):
            returned.append((False, i))
            continue
        if i not in writes:
            writes.append(i)
        returned.append((True, writes.index(i)))
    if not writes:
        raise Unsupported("it computes nothing")
    needed = within(program, writes)
    axes = axes_of(program, needed, writes)
    kernel = emit(program, axes, needed, writes)
    others = {j for j in (array_of(nodes, i) for i in kernel.reads) if nodes[j].kind == "other"}
    outside = tuple(sorted(others | {i for inside, i in returned if not inside}))
    aliases = {}
    for k, place in zip(range(len(returned)), state, strict=False):
        inside, at = returned[k]
        read = next((i for i in kernel.reads if _is_input(nodes[i], place)), None)
        if not inside or read is None or at in aliases.values():
            continue
        a, b = nodes[read], nodes[writes[at]]
        same = axes.places[read] == axes.places[writes[at]]
        # A slice is read elsewhere in its array than where the loop is.
        cut = any(array_of(nodes, i) == read != i for i in kernel.reads)
        if a.shape == b.shape and a.dtype == b.dtype and same and not cut:
            aliases[kernel.reads.index(read)] = at
    return Plan(program, kernel, outside, tuple(returned), aliases)


def _is_input(node: Node, k: int) -> bool:
    return node.kind == "input" and node.params == (k,)


def within(program: Program, writes: Sequence[int]) -> list[int]:
    """The nodes that a kernel computes or reads, in order: not what XLA computes for it."""
    found: set[int] = set()
    todo = list(writes)
    while todo:
        i = todo.pop()
        if i not in found:
            found.add(i)
            if not is_read(program.nodes, i):
                todo.extend(program.nodes[i].inputs)
    return sorted(found)


def compiled(source: str, symbol: str) -> str:
    """The name in XLA of the compiled handler of a generated source."""
    pool = threads()
    if pool is None:
        raise Unsupported("there is no native library")

    def ready(library: ctypes.CDLL) -> None:
        in_parts, together, count = pool
        library.brainfn_set_threads(ctypes.c_void_p(in_parts), ctypes.c_void_p(together), count)

    try:
        target = compiled_target(Source(source, None, symbol, "cpu", _FLAGS), ready)
    except CompileError as error:
        raise Unsupported(f"its kernel does not compile: {error}") from error
    if target is None:
        raise Unsupported("there is no compiler")
    return target


def _run(plan: Plan, target: str, *operands: Any) -> list[Any]:
    nodes, kernel = plan.program.nodes, plan.kernel
    values = evaluate(plan.program, plan.outside, operands)
    arrays = [*operands, *plan.program.constants]
    given = []
    for i in (array_of(nodes, j) for j in kernel.reads):
        node = nodes[i]
        given.append(values[i] if node.kind == "other" else arrays[node.params[0]])
    shapes = [jax.ShapeDtypeStruct(nodes[i].shape, np.dtype(nodes[i].dtype)) for i in kernel.writes]
    call = jax.ffi.ffi_call(target, shapes, input_output_aliases=plan.aliases)
    out = call(*given)
    return [out[i] if inside else values[i] for inside, i in plan.returned]
