"""The C++ source of layers over all steps: elementwise kernels of a step, and what they work on."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ._axes import Axes, axes_of
from ._emit import header, is_wide, pass_of, reads_of
from ._generated import within
from ._program import Program, Unsupported, is_read, program_of

SYMBOL = "brainfn_layers"


class StepKernel(NamedTuple):
    """What the neurons of a layer do in a step, as a function `name` of pointers.

    - `n`: the number of neurons.
    - `axes`: `None` if nothing is computed, only copied.
    - `inputs`, `outputs`: C++ expressions of the arrays; empty for inputs that do not change.
    """

    name: str
    n: int
    program: Program
    axes: Axes | None
    needed: list[int]
    writes: list[int]
    inputs: list[str]
    outputs: list[str]


FORWARD = (
    "const void* call, const void* current, const void* const* before, void* const* after, "
    "void* out"
)
BACKWARD = (
    "const void* call, const void* current, const void* const* before, const void* out_bar, "
    "void* const* bars, void* delta, void* const* sums"
)


def step_kernel(
    name: str,
    n: int,
    function: Callable[..., Any],
    avals: Sequence[Any],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> StepKernel:
    """The kernel of an elementwise function of arrays of `n` numbers or of one.

    **Raises:** `Unsupported` if there is none.
    """
    program = program_of(function, avals)
    nodes = program.nodes
    if program.constants:
        raise Unsupported("arrays inside a function")
    writes: list[int] = []
    for i in program.outputs:
        if nodes[i].shape != (n,):
            raise Unsupported("an output that is not one number for each neuron")
        if nodes[i].kind != "input" and i not in writes:
            writes.append(i)
    needed = within(program, writes)
    for i in needed:
        if nodes[i].kind == "other":
            raise Unsupported(f"it uses `{nodes[i].params[0]}`")
        if is_read(nodes, i) and (nodes[i].kind != "input" or nodes[i].shape not in ((), (n,))):
            raise Unsupported("it uses a part of an array")
    axes = axes_of(program, needed, writes, alike=True) if writes else None
    if axes is not None and axes.extents != (n,):
        raise Unsupported("its arrays differ in length")
    return StepKernel(name, n, program, axes, needed, writes, list(inputs), list(outputs))


def is_wide_step(kernel: StepKernel) -> bool:
    """Whether it has numbers of 64 bits."""
    return is_wide(kernel.program, kernel.needed)


def defined(kernel: StepKernel, signature: str) -> list[str]:
    """The definition of the function."""
    name, program, nodes = kernel.name, kernel.program, kernel.program.nodes
    lines = [f"namespace in_{name} {{"]
    if kernel.axes is None:
        lines.append("struct Call {};")
    else:
        lines += pass_of(program, kernel.axes, kernel.needed, kernel.writes)
    lines += ["}", f"void {name}({signature}) {{", f"  constexpr int64_t n = {kernel.n};"]
    if kernel.axes is None:
        lines.append("  (void)call;")
    before, after, first = [], [], {}
    for i, place in zip(program.outputs, kernel.outputs, strict=True):
        size = f"{np.dtype(nodes[i].dtype).itemsize} * n"
        if i in first:
            after.append(f"  std::memcpy({place}, {first[i]}, {size});")
        elif nodes[i].kind == "input":
            source = kernel.inputs[nodes[i].params[0]]
            if not source:
                raise Unsupported("an output that is a parameter")
            if place in kernel.inputs and source != place:
                raise Unsupported("variables that are exchanged")
            before.append(f"  if ({place} != {source}) std::memcpy({place}, {source}, {size});")
        else:
            first[i] = place
    lines += before
    if kernel.axes is not None:
        lines.append(f"  in_{name}::Call c = *static_cast<const in_{name}::Call*>(call);")
        for i in reads_of(program, kernel.needed):
            role = kernel.inputs[nodes[i].params[0]]
            if role:
                lines.append(f"  bind_to(c.arrays.a{i}, {role});")
        for k, i in enumerate(kernel.writes):
            lines.append(f"  bind_to(c.arrays.o{k}, {first[i]});")
        lines.append(f"  in_{name}::unit(c, 0, 0, n);")
    return [*lines, *after, "}"]


def called(kernel: StepKernel, places: Sequence[str]) -> list[str]:
    """Statements that declare `call_NAME`, which has the constants; `places` are their buffers."""
    call = f"call_{kernel.name}"
    lines = [f"  in_{kernel.name}::Call {call};", f"  (void){call};"]
    if kernel.axes is None:
        return lines
    lines.append(f"  {call}.extent[0] = {kernel.n};")
    for i in reads_of(kernel.program, kernel.needed):
        k = kernel.program.nodes[i].params[0]
        lines.append(f"  {call}.arrays.n{i} = {kernel.n};")
        if not kernel.inputs[k]:
            lines.append(f"  bind_to({call}.arrays.a{i}, {places[k]}.data);")
    lines += [f"  {call}.arrays.m{k} = {kernel.n};" for k in range(len(kernel.writes))]
    return lines


def layers_source(
    definitions: Sequence[str], statements: Sequence[str], *, wide: bool, run: str
) -> str:
    """The source of a handler with these definitions, which describes its layers by `statements`
    and calls `run`."""
    return "\n".join(
        [
            f"#define WIDEST {8 if wide else 4}",
            header("vector.h"),
            header("rows.h"),
            header("layers.h"),
            "namespace {",
            *definitions,
            "}  // namespace",
            f'extern "C" XLA_FFI_Error* {SYMBOL}(XLA_FFI_CallFrame* frame) {{',
            "  if (asked_for_version(frame)) return nullptr;",
            *statements,
            f"  {run}(all);",
            "  return nullptr;",
            "}",
            'extern "C" void brainfn_set_threads(void* in_parts, void*, int count) {',
            "  the_threads = reinterpret_cast<Threads>(in_parts);",
            "  the_thread_count = count;",
            "}",
        ]
    )
