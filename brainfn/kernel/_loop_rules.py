"""The source of plasticity rules in a loop over steps."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ._axes import Axes
from ._emit import bind, pass_of, reads_of
from ._program import Program


class LoopPass(NamedTuple):
    """A kernel over presynaptic or postsynaptic neurons. `read` and `written` give the buffers of
    nodes (C++ expressions; `rule` is the rule and `t` the thread)."""

    pre: bool
    late: bool
    program: Program
    axes: Axes
    needed: Sequence[int]
    writes: Sequence[int]
    read: Mapping[int, str]
    written: Mapping[int, str]


class LoopUpdate(NamedTuple):
    """A change of weights: the fields of `Update` with their buffers, and which are arrays.
    `everywhere`: not only of neurons that spike."""

    pre: bool
    power: bool
    everywhere: bool
    buffers: Mapping[str, str]
    each: Mapping[str, bool]


class LoopRule(NamedTuple):
    """A plasticity rule on the connections of route number `route`.

    - `slots`: the buffers over neurons: whether presynaptic, bytes of a number, and the state that
        it is, if any.
    - `arrived`, `fired`: those of the signals, -1 for none, and the bytes of one.
    - `columns`: rows, starts and places of the weights onto each postsynaptic neuron, and whether
        the latter two are wide; `None` where nothing needs them.
    - `copies`: buffers over neurons, whether presynaptic, that are copied to slots before a step.
    """

    route: int
    sizes: tuple[int, int]
    slots: Sequence[tuple[bool, int, str | None]]
    arrived: int
    arrived_bytes: int
    fired: int
    fired_bytes: int
    columns: tuple[str, str, bool, str, bool] | None
    copies: Sequence[tuple[bool, str, int]]
    passes: Sequence[LoopPass]
    updates: Sequence[LoopUpdate]


def slot(i: int) -> str:
    """The buffer of a slot."""
    return f"rule.at(t, {i})"


def functions_of(rules: Sequence[LoopRule]) -> list[str]:
    """The kernels of all rules."""
    text: list[str] = []
    for k, rule in enumerate(rules):
        for j, p in enumerate(rule.passes):
            text += [
                f"namespace r{k}p{j} {{",
                *pass_of(p.program, p.axes, p.needed, p.writes),
                "void advance(const void* call, int64_t from, int64_t to) {",
                "  if (from < to) unit(*static_cast<const Call*>(call), 0, from, to);",
                "}",
                "}",
            ]
    return text


def declarations_of(rules: Sequence[LoopRule], number: str) -> list[str]:
    """Statements that give the loop its rules."""
    text = [f"  std::vector<std::unique_ptr<Rule<{number}>>> rules;"]
    for k, rule in enumerate(rules):
        n_pre, n_post = rule.sizes
        text += [
            "  {",
            f"  rules.emplace_back(new Rule<{number}>(the_thread_count, {n_pre}, {n_post}));",
            "  auto& rule = *rules.back();",
            f"  rule.route = {rule.route};",
        ]
        for pre, size, real in rule.slots:
            text.append(
                f"  rule.add({int(pre)}, {size}, {'nullptr' if real is None else f'{real}.data'});"
            )
        fields = ("arrived", "arrived_bytes", "fired", "fired_bytes")
        text += [f"  rule.{name} = {getattr(rule, name)};" for name in fields]
        if rule.columns is not None:
            rows, starts, wide, order, order_wide = rule.columns
            text += [
                f"  rule.rows = static_cast<const int32_t*>({rows}.data);",
                f"  rule.indptr = {starts}.data;",
                f"  rule.wide = {int(wide)};",
                f"  rule.order = {order}.data;",
                f"  rule.order_wide = {int(order_wide)};",
            ]
        text.append("  for (int t = 0; t < the_thread_count; ++t) {")
        for pre, buffer, to in rule.copies:
            size = rule.slots[to][1]
            text.append(
                f"  rule.of[t].copies.push_back({{{str(pre).lower()}, {size}, "
                f"static_cast<const char*>({buffer}.data), static_cast<char*>({slot(to)}.data)}});"
            )
        for j, p in enumerate(rule.passes):
            reads = reads_of(p.program, p.needed)
            text += [
                "  {",
                f"  auto call = std::make_shared<r{k}p{j}::Call>();",
                "  auto& c = *call;",
                *bind(p.program, p.axes, reads, p.writes, p.read, p.written),
                f"  const bool pre = {int(p.pre)}, late = {int(p.late)};",
                f"  rule.of[t].passes.push_back({{pre, late, r{k}p{j}::advance, call}});",
                "  }",
            ]
        for u in rule.updates:
            text += ["  {", f"  Update<{number}> u;", f"  u.pre = {int(u.pre)};"]
            text.append(f"  u.power = {int(u.power)};")
            text.append(f"  u.everywhere = {int(u.everywhere)};")
            for name, buffer in u.buffers.items():
                text.append(f"  u.{name} = static_cast<const {number}*>({buffer}.data);")
            text += [f"  u.each_{name} = {int(each)};" for name, each in u.each.items()]
            text += ["  rule.of[t].updates.push_back(u);", "  }"]
        text += ["  }", "  loop.rules.push_back(rules.back().get());", "  }"]
    return text
