"""The C++ source of a kernel for an elementwise program."""

import functools as ft
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ._axes import Axes, Place
from ._program import Node, Program, Unsupported, is_read
from ._statements import Writer, is_whole, number_of

_NATIVE = pathlib.Path(__file__).parent / "native"


class Kernel(NamedTuple):
    """A kernel: its source, the name of its handler, and the nodes that it reads and writes."""

    source: str
    symbol: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]


# Roughly, in nanoseconds for each number.
_EXPENSIVE = ("exp", "expm1", "log", "log1p", "logistic", "tanh", "sinh", "cosh", "phi1")
_COST = {
    **dict.fromkeys(("sin", "cos", "exp2", "erf", "erfc", "rem"), 10.0),
    **dict.fromkeys(_EXPENSIVE, 1.0),
    **dict.fromkeys(("div", "sqrt", "rsqrt"), 0.5),
    "pow": 25.0,
    "erf_inv": 4.0,
}
_ANY_COST, _ARRAY_COST = 0.05, 0.1


def emit(program: Program, axes: Axes, needed: Sequence[int], writes: Sequence[int]) -> Kernel:
    """The kernel that computes the nodes `writes`; `needed` are all nodes in it, in order. Inputs
    and nodes of kind `"other"` are read from arrays."""
    reads = reads_of(program, needed)
    wide = is_wide(program, needed)
    text = "\n".join(
        [
            f"#define WIDEST {8 if wide else 4}",
            header("vector.h"),
            "namespace {",
            *pass_of(program, axes, needed, writes),
            "}  // namespace",
            *_handler(program, axes, reads, writes, cost_of(program, axes, needed, writes)),
        ]
    )
    return Kernel(text, "brainfn_generated", reads, tuple(writes))


def pass_of(
    program: Program,
    axes: Axes,
    needed: Sequence[int],
    writes: Sequence[int],
    listed: int | None = None,
) -> list[str]:
    """Declarations of `Call`, which holds the arrays, and of the function `unit` that computes a
    range of the innermost axis. The neurons that node `listed` is true for are appended to a list,
    if it is given."""
    nodes, reads = program.nodes, reads_of(program, needed)
    return [
        *_pointers(nodes, reads, writes, listed is not None),
        *Writer(program, axes, needed, writes, listed).body(),
        *_unit(program, axes, reads, writes),
    ]


def reads_of(program: Program, needed: Sequence[int]) -> tuple[int, ...]:
    """The nodes that a kernel reads from arrays."""
    return tuple(i for i in needed if is_read(program.nodes, i))


def is_wide(program: Program, needed: Sequence[int]) -> bool:
    """Whether a kernel has numbers of 64 bits."""
    return any(np.dtype(program.nodes[i].dtype).itemsize == 8 for i in needed)


def cost_of(program: Program, axes: Axes, needed: Sequence[int], writes: Sequence[int]) -> float:
    """Roughly the nanoseconds that each element takes."""
    inner, reads = len(axes.extents) - 1, reads_of(program, needed)
    moving = [program.nodes[i].kind for i in needed if inner in axes.varies[i]]
    total = sum(_COST.get(kind, _ANY_COST) for kind in moving)
    return total * (2 if is_wide(program, needed) else 1) + _ARRAY_COST * (len(reads) + len(writes))


@ft.cache
def header(name: str) -> str:
    """The text of a C++ header of this room."""
    return (_NATIVE / name).read_text().replace("#pragma once\n", "")


def _pointers(
    nodes: Sequence[Node], reads: Sequence[int], writes: Sequence[int], listed: bool
) -> list[str]:
    lines = ["struct Arrays {"]
    if listed:
        lines += ["  List* list = nullptr;", "  int64_t limit = 0;"]
    for i in reads:
        lines.append(f"  const {number_of(nodes[i])}* a{i};")
        lines.append(f"  int64_t s{i} = 1, n{i} = 0;")
    for k, i in enumerate(writes):
        lines.append(f"  {number_of(nodes[i])}* o{k};")
        lines.append(f"  int64_t m{k} = 0;")
    return [*lines, "};"]


def _strides(node: Node, places: Sequence[Place | None], buffer: str) -> Mapping[int, str]:
    """For each axis along which an array lies, the distance of neighbours in memory."""
    out = {}
    for d, place in enumerate(places):
        if place is not None:
            later = [f"{buffer}.dims[{e}]" for e in range(d + 1, len(node.shape))]
            out[place.axis] = " * ".join(later) or "1"
    return out


def _unit(program: Program, axes: Axes, reads: Sequence[int], writes: Sequence[int]) -> list[str]:
    """A function that computes a range of the innermost axis in one row of the others."""
    nodes, inner = program.nodes, len(axes.extents) - 1
    lines = [
        "struct Call {",
        "  Arrays arrays;",
        f"  int64_t extent[{inner + 1}];",
        *(f"  int64_t ra{i}[{inner + 1}] = {{}};" for i in reads),
        *(f"  int64_t ro{k}[{inner + 1}] = {{}};" for k in range(len(writes))),
        "};",
        "void unit(const Call& c, int64_t row, int64_t first, int64_t stop) {",
        "  Arrays p = c.arrays;",
        f"  int64_t at[{inner + 1}] = {{}};",
    ]
    for axis in range(inner - 1, -1, -1):
        lines.append(f"  at[{axis}] = row % c.extent[{axis}]; row /= c.extent[{axis}];")
    lines.append("  (void)row;")

    def outer(i: int) -> list[Place]:
        return [p for p in axes.places[i] if p is not None and p.axis != inner]

    for i in reads:
        for place in outer(i):
            if place.start or _length(nodes[i], axes, i, place) != axes.extents[place.axis]:
                raise Unsupported("a part of an array along an outer axis")
            lines.append(f"  p.a{i} += at[{place.axis}] * c.ra{i}[{place.axis}];")
    for k, i in enumerate(writes):
        for place in outer(i):
            if place.start or _length(nodes[i], axes, i, place) != axes.extents[place.axis]:
                raise Unsupported("a part of an output along an outer axis")
            lines.append(f"  p.o{k} += at[{place.axis}] * c.ro{k}[{place.axis}];")
        if len(outer(i)) != inner:
            raise Unsupported("outputs with different axes")
    # The last numbers are computed in a full vector, by the same instructions as all others.
    lines += [
        "  const int64_t whole = first + (stop - first) / W * W;",
        "  if (whole > first) run(p, first, whole, 0, at);",
        "  if (whole == stop) return;",
        "  Arrays q = p;",
        "  const int64_t left = stop - whole;",
    ]
    for i in reads:
        moving = any(p is not None and p.axis == inner for p in axes.places[i])
        if moving and is_whole(nodes[i], axes, i, inner):
            number = number_of(nodes[i])
            lines.append(f"  {number} from{i}[W] = {{}};")
            lines.append(
                f"  for (int64_t j = 0; j < left; ++j) from{i}[j] = p.a{i}[(whole + j) * p.s{i}];"
            )
            lines.append(f"  q.a{i} = from{i}; q.s{i} = 1;")
    kept = [k for k, i in enumerate(writes) if is_whole(nodes[i], axes, i, inner)]
    for k in kept:
        lines.append(f"  {number_of(nodes[writes[k]])} to{k}[W];")
        lines.append(f"  q.o{k} = to{k};")
    lines.append("  run(q, 0, W, whole, at);")
    for k in kept:
        lines.append(f"  for (int64_t j = 0; j < left; ++j) p.o{k}[whole + j] = to{k}[j];")
    return [*lines, "}"]


def _length(node: Node, axes: Axes, i: int, place: Place) -> int:
    return node.shape[axes.places[i].index(place)]


def bind(
    program: Program,
    axes: Axes,
    reads: Sequence[int],
    writes: Sequence[int],
    read: Mapping[int, str],
    written: Mapping[int, str],
) -> list[str]:
    """Statements that give a `Call` named `c` its arrays. `read` and `written` are expressions for
    the XLA buffers of the nodes."""
    nodes, inner = program.nodes, len(axes.extents) - 1
    lines: list[str] = []
    extents: dict[int, str] = {}
    for k, i in enumerate(writes):
        lines.append(f"  const auto& o{k} = {written[i]};")
        lines.append(f"  c.arrays.o{k} = static_cast<{number_of(nodes[i])}*>(o{k}.data);")
        for axis, stride in _strides(nodes[i], axes.places[i], f"o{k}").items():
            if axis != inner:
                lines.append(f"  c.ro{k}[{axis}] = {stride};")
        for d, place in enumerate(axes.places[i]):
            if place is None:
                continue
            if place.start == 0 and nodes[i].shape[d] == axes.extents[place.axis]:
                extents.setdefault(place.axis, f"o{k}.dims[{d}]")
            if place.axis == inner:
                lines.append(f"  c.arrays.m{k} = o{k}.dims[{d}];")
    for i in reads:
        lines.append(f"  const auto& a{i} = {read[i]};")
        lines.append(f"  c.arrays.a{i} = static_cast<const {number_of(nodes[i])}*>(a{i}.data);")
        for axis, stride in _strides(nodes[i], axes.places[i], f"a{i}").items():
            if axis == inner:
                lines.append(f"  c.arrays.s{i} = {stride};")
            else:
                lines.append(f"  c.ra{i}[{axis}] = {stride};")
        cut = nodes[i].kind == "slice"
        for d, place in enumerate(axes.places[i]):
            if place is not None and place.axis == inner:
                length = str(nodes[i].shape[d]) if cut else f"a{i}.dims[{d}]"
                lines.append(f"  c.arrays.n{i} = {length};")
        for d, start in enumerate(nodes[i].params[0] if cut else ()):
            if start:
                later = [f"a{i}.dims[{e}]" for e in range(d + 1, len(nodes[i].shape))]
                lines.append(f"  c.arrays.a{i} += {' * '.join([str(start), *later])};")
    for axis in range(inner + 1):
        lines.append(f"  c.extent[{axis}] = {extents.get(axis, str(axes.extents[axis]))};")
    return lines


def _handler(
    program: Program, axes: Axes, reads: Sequence[int], writes: Sequence[int], cost: float
) -> list[str]:
    inner = len(axes.extents) - 1
    lines = [
        'extern "C" XLA_FFI_Error* brainfn_generated(XLA_FFI_CallFrame* frame) {',
        "  if (asked_for_version(frame)) return nullptr;",
        "  Call c;",
        *bind(
            program,
            axes,
            reads,
            writes,
            {i: f"argument(frame, {k})" for k, i in enumerate(reads)},
            {i: f"result(frame, {k})" for k, i in enumerate(writes)},
        ),
    ]
    rows = " * ".join(f"c.extent[{axis}]" for axis in range(inner)) or "1"
    lines += [
        f"  const int64_t rows = {rows}, n = c.extent[{inner}];",
        # Blocks are whole vectors, so that no number depends on the number of threads.
        "  constexpr int64_t kBlock = 64 * W;",
        "  const int64_t per_row = (n + kBlock - 1) / kBlock, blocks = rows * per_row;",
        f"  const double work = {cost:.3f} * 1e-3 * rows * n;  // microseconds",
        "  int64_t parts = static_cast<int64_t>(work / 4);",
        "  if (parts > the_thread_count) parts = the_thread_count;",
        "  if (parts > blocks) parts = blocks;",
        "  if (parts < 1) parts = 1;",
        "  auto part = [&](int k) {",
        "    int64_t block = blocks * k / parts;",
        "    const int64_t end = blocks * (k + 1) / parts;",
        "    while (block < end) {",
        "      const int64_t row = block / per_row, in_row = block % per_row;",
        "      int64_t until = in_row + (end - block);",
        "      if (until > per_row) until = per_row;",
        "      const int64_t stop = until * kBlock < n ? until * kBlock : n;",
        "      unit(c, row, in_row * kBlock, stop);",
        "      block += until - in_row;",
        "    }",
        "  };",
        "  in_parts(static_cast<int>(parts), part);",
        "  return nullptr;",
        "}",
        'extern "C" void brainfn_set_threads(void* in_parts, void*, int count) {',
        "  the_threads = reinterpret_cast<Threads>(in_parts);",
        "  the_thread_count = count;",
        "}",
    ]
    return lines
