"""The source of a loop over steps of a network."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ._axes import Axes
from ._emit import bind, cost_of, header, is_wide, pass_of, reads_of
from ._loop_rules import LoopRule, declarations_of, functions_of
from ._program import Program


class LoopGroup(NamedTuple):
    """A group of neurons: its kernel, and the buffers (C++ expressions) of what it reads and
    writes.

    - `listed`: the node that says which neurons spiked.
    - `rows`: nodes that are read from a row for each step, and the numbers in a row.
    - `counts`: the buffer of the numbers of spikes, if they are counted.
    - `bits`: that of the spikes of all steps as bits, if they are recorded.
    - `longest`: the longest delay of its lines in steps.
    """

    program: Program
    axes: Axes
    needed: Sequence[int]
    writes: Sequence[int]
    listed: int
    read: Mapping[int, str]
    written: Mapping[int, str]
    rows: Sequence[tuple[int, int]]
    counts: str | None
    bits: str | None
    longest: int


class LoopLine(NamedTuple):
    """A delay line of a group; `pieces` are first neuron, position in the line, and size."""

    group: int
    steps: int
    rows: str
    bytes: int
    pieces: tuple[tuple[int, int, int], ...]


class LoopRoute(NamedTuple):
    """Connections from `rows` neurons of group `source`, from `first` on, to those of group
    `target` from `column` on. `sums` is an accumulator; with `delays`, a ring buffer."""

    source: int
    target: int
    steps: int
    first: int
    rows: int
    column: int
    columns: int
    indices: str
    indptr: str | None
    wide: bool
    weights: str
    scalar: bool
    sums: str
    delays: str | None
    delay_bytes: int


class LoopRing(NamedTuple):
    """A ring buffer of arrivals at the accumulators `sums` of a group."""

    group: int
    rows: str
    sums: str


class LoopArrivals(NamedTuple):
    """What is added in each step to the accumulators `sums` of `size` neurons of a group, from
    `first` on: given amounts, or Poisson numbers of one mean times a weight.

    - `rows`: the amounts, `step` numbers further in each step; for each neuron, or one for all.
    - `key`: two words; `codes`: what is folded into the key of a step.
    - `table`: cumulative probabilities.
    """

    group: int
    first: int
    size: int
    sums: str
    rows: str | None = None
    step: int = 0
    each: bool = False
    key: str = ""
    codes: tuple[int, int] = (0, 0)
    table: str = ""
    weight: str = ""


class LoopKept(NamedTuple):
    """Numbers of some neurons of a group that are kept after every `every`-th step, as `rows`.

    - `source`: the buffer of the numbers of all neurons, each of `bytes` bytes; `None` for spikes.
    - `neurons`: the buffer of their indices; `None` for `count` neurons from `first` on.
    """

    group: int
    source: str | None
    bytes: int
    neurons: str | None
    first: int
    count: int
    every: int
    rows: str


SYMBOL = "brainfn_loop"
HEADERS = ("vector.h", "records.h", "plastic.h", "loop.h")


def loop_name(populations: Iterable[str]) -> str:
    """The name of the loop of a network in `reports`."""
    return "loop of " + ", ".join(populations)


def loop_source(
    groups: Sequence[LoopGroup],
    lines: Sequence[LoopLine],
    routes: Sequence[LoopRoute],
    rings: Sequence[LoopRing],
    arrivals: Sequence[LoopArrivals],
    kept: Sequence[LoopKept],
    rules: Sequence[LoopRule],
    number: str,
    step: str,
    steps: str,
) -> str:
    """The source of a handler that makes `steps` steps from `step` (buffers); `number` is `float`
    or `double`, that of the accumulators."""
    kernels = [*groups, *(p for rule in rules for p in rule.passes)]
    wide = any(is_wide(k.program, k.needed) for k in kernels)
    text = [f"#define WIDEST {8 if wide else 4}", *map(header, HEADERS)]
    for k, g in enumerate(groups):
        text += [
            f"namespace g{k} {{",
            *pass_of(g.program, g.axes, g.needed, g.writes, g.listed),
            "void advance(const void* call, int64_t at, int64_t from, int64_t to, List* list) {",
            "  (void)at;",
            "  if (from >= to) return;",
            "  Call c = *static_cast<const Call*>(call);",
            *(f"  c.arrays.a{i} += at * {size};" for i, size in g.rows),
            "  c.arrays.list = list;",
            "  c.arrays.limit = c.extent[0];",
            "  unit(c, 0, from, to);",
            "}",
            "}",
        ]
    text += functions_of(rules)
    text += [
        f'extern "C" XLA_FFI_Error* {SYMBOL}(XLA_FFI_CallFrame* frame) {{',
        "  if (asked_for_version(frame)) return nullptr;",
        "  Loop loop;",
        f"  loop.step = *static_cast<const int32_t*>({step}.data);",
        "  loop.first = loop.step;",
        f"  loop.steps = *static_cast<const int32_t*>({steps}.data);",
    ]
    for k, g in enumerate(groups):
        reads = reads_of(g.program, g.needed)
        cost = cost_of(g.program, g.axes, g.needed, g.writes)
        text += [
            f"  g{k}::Call c{k};",
            "  {",
            f"  auto& c = c{k};",
            *bind(g.program, g.axes, reads, g.writes, g.read, g.written),
            "  Group group;",
            "  group.n = c.extent[0];",
            f"  group.advance = g{k}::advance;",
            "  group.call = &c;",
            f"  group.cost = {cost:.3f} * 1e-3 * group.n;",
            f"  group.longest = {g.longest};",
        ]
        if g.counts is not None:
            text.append(f"  group.counts = static_cast<int32_t*>({g.counts}.data);")
        if g.bits is not None:
            text.append(f"  group.bits = static_cast<uint8_t*>({g.bits}.data);")
            text.append(f"  group.row = {g.bits}.dims[1];")
        text += ["  loop.groups.push_back(group);", "  }"]
    for line in lines:
        text += [
            "  {",
            "  Line line;",
            f"  line.group = {line.group};",
            f"  line.steps = {line.steps};",
            f"  line.width = {line.rows}.dims[1];",
            f"  line.rows = {line.rows}.data;",
            f"  line.bytes = {line.bytes};",
            *(f"  line.pieces.push_back({{{a}, {b}, {n}}});" for a, b, n in line.pieces),
            "  loop.lines.push_back(line);",
            "  }",
        ]
    for route in routes:
        text += ["  {", "  Route r;"]
        fields = ("source", "target", "steps", "first", "rows", "column", "columns")
        text += [f"  r.{name} = {getattr(route, name)};" for name in fields]
        text.append(f"  r.indices = static_cast<const int32_t*>({route.indices}.data);")
        if route.indptr is None:
            text.append(f"  r.fan = {route.indices}.dims[1];")
        else:
            text.append(f"  r.indptr = {route.indptr}.data;")
            text.append(f"  r.wide = {int(route.wide)};")
        text.append(f"  r.weights = {route.weights}.data;")
        text.append(f"  r.scalar = {int(route.scalar)};")
        text.append(f"  r.sums = {route.sums}.data;")
        if route.delays is not None:
            text.append(f"  r.delays = {route.delays}.data;")
            text.append(f"  r.delay_bytes = {route.delay_bytes};")
            text.append(f"  r.slots = {route.sums}.dims[0];")
            text.append(f"  r.width = {route.sums}.dims[1];")
        text += ["  loop.routes.push_back(r);", "  }"]
    for ring in rings:
        text += [
            "  {",
            "  Ring r;",
            f"  r.group = {ring.group};",
            f"  r.slots = {ring.rows}.dims[0];",
            f"  r.width = {ring.rows}.dims[1];",
            f"  r.rows = {ring.rows}.data;",
            f"  r.sums = {ring.sums}.data;",
            "  loop.rings.push_back(r);",
            "  }",
        ]
    for a in arrivals:
        text += [
            "  {",
            "  Arrivals a;",
            *(f"  a.{name} = {getattr(a, name)};" for name in ("group", "first", "size")),
            f"  a.sums = {a.sums}.data;",
        ]
        if a.rows is not None:
            text += [f"  a.rows = {a.rows}.data;", f"  a.step = {a.step};"]
            text.append(f"  a.each = {int(a.each)};")
        else:
            text += [
                f"  a.key = static_cast<const uint32_t*>({a.key}.data);",
                *(f"  a.codes[{i}] = {code & 0xFFFFFFFF}u;" for i, code in enumerate(a.codes)),
                f"  a.table = {a.table}.data;",
                f"  a.terms = {a.table}.dims[0];",
                f"  a.weight = {a.weight}.data;",
            ]
        text += ["  loop.arrivals.push_back(a);", "  }"]
    text += declarations_of(rules, number)
    for k in kept:
        text += [
            "  {",
            "  Kept k;",
            *(f"  k.{f} = {getattr(k, f)};" for f in ("group", "bytes", "first", "count", "every")),
            f"  k.rows = static_cast<char*>({k.rows}.data);",
        ]
        if k.source is not None:
            text.append(f"  k.source = static_cast<const char*>({k.source}.data);")
        if k.neurons is not None:
            text.append(f"  k.neurons = static_cast<const int32_t*>({k.neurons}.data);")
        text += ["  loop.kept.push_back(k);", "  }"]
    said = "a delay line holds signals that are not spikes (0 or 1); set BRAINFN_GENERATE=0"
    text += [
        f"  if (run_loop<{number}>(loop)) return nullptr;",
        f'  return failure(frame, "{said}");',
        "}",
        'extern "C" void brainfn_set_threads(void* in_parts, void* together, int count) {',
        "  the_threads = reinterpret_cast<Threads>(in_parts);",
        "  the_together = reinterpret_cast<Together>(together);",
        "  the_thread_count = count;",
        "}",
    ]
    return "\n".join(text)
