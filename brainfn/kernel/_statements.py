"""The C++ statements of an elementwise program: its operations, and its loads and stores."""

from collections.abc import Sequence

import numpy as np
from jax import lax

from ._axes import Axes, Place
from ._program import DTYPES, Node, Program, Unsupported, is_read

_BINARY = {
    "add": "{0} + {1}",
    "add_any": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "max": "max_of({0}, {1})",
    "min": "min_of({0}, {1})",
    "pow": "pow_of({0}, {1})",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "xor": "{0} ^ {1}",
    "shift_left": "shift_left({0}, {1})",
    "shift_right_logical": "shift_right_logical({0}, {1})",
    "shift_right_arithmetic": "shift_right_arithmetic({0}, {1})",
}
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_FUNCTIONS = (
    *("abs", "sign", "sqrt", "exp", "exp2", "expm1", "log", "log1p", "logistic", "phi1"),
    *("tanh", "sinh", "cosh", "sin", "cos", "erf", "erfc", "erf_inv", "floor", "ceil"),
)
_UNARY = {
    "neg": "-{0}",
    "square": "{0} * {0}",
    "rsqrt": "1 / sqrt_of({0})",
    "is_finite": "finite({0})",
    "copy": "{0}",
    "copy_p": "{0}",
    "not": "~{0}",
    **{name: f"{name}_of({{0}})" for name in _FUNCTIONS},
}
# Nodes that are their operand in another shape.
_SAME = ("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "slice")


class Writer:
    """Writes the statements of a loop and of what comes before it."""

    def __init__(
        self,
        program: Program,
        axes: Axes,
        needed: Sequence[int],
        writes: Sequence[int],
        listed: int | None,
    ) -> None:
        self.listed = listed
        self.nodes, self.axes, self.needed, self.writes = program.nodes, axes, needed, writes
        self.reads = [i for i in needed if is_read(self.nodes, i)]
        self.inner = len(axes.extents) - 1
        uses: dict[int, int] = dict.fromkeys(needed, 0)
        for i in needed:
            if not is_read(self.nodes, i):
                for j in self.nodes[i].inputs:
                    uses[j] += 1
        for i in (*writes, *(() if listed is None else (listed,))):
            uses[i] += 1
        self.uses = uses
        self.joined = self._joined()

    def _joined(self) -> dict[int, int]:
        """For sums, the product that is computed with each of them."""
        found: dict[int, int] = {}
        for i in self.needed:
            node = self.nodes[i]
            if node.kind not in ("add", "add_any", "sub") or not _floating(node):
                continue
            for j in node.inputs:
                other = self.nodes[j]
                if other.kind == "mul" and self.uses[j] == 1 and j not in found.values():
                    found[i] = j
                    break
        return found

    def body(self) -> list[str]:
        before, within = [], []
        skipped = set(self.joined.values())
        for i in self.needed:
            if i in skipped:
                continue
            text = f"const {vector_of(self.nodes[i])} x{i} = {self._value(i)};"
            (within if self._moves(i) else before).append(text)
        stores = [self._store(i, k) for k, i in enumerate(self.writes)]
        if self.listed is not None:
            stores.append(f"append(p.list, here, x{self.listed}, p.limit);")
        return [
            "__attribute__((noinline)) void run(",
            "    const Arrays& p, int64_t first, int64_t stop, int64_t shift, const int64_t* at) {",
            "  (void)at;",
            # Copies, which the stores below are known not to change.
            *(f"  const auto a{i} = p.a{i};" for i in self.reads),
            *(f"  const auto o{k} = p.o{k};" for k in range(len(self.writes))),
            *(f"  {line}" for line in before),
            "  for (int64_t i = first; i < stop; i += W) {",
            "    const int64_t here = i + shift;",
            "    (void)here;",
            *(f"    {line}" for line in within),
            *(f"    {line}" for line in stores),
            "  }",
            "}",
        ]

    def _moves(self, i: int) -> bool:
        return self.inner in self.axes.varies[i]

    def _ref(self, i: int, *, sign: str = "") -> str:
        return f"{sign}x{i}"

    def _inner_place(self, i: int) -> Place | None:
        for place in self.axes.places[i]:
            if place is not None and place.axis == self.inner:
                return place
        return None

    def _value(self, i: int) -> str:
        node = self.nodes[i]
        kind, inputs, vector = node.kind, node.inputs, vector_of(node)
        if is_read(self.nodes, i):
            return self._load(i)
        if kind == "constant":
            return _constant(node)
        x = [self._ref(j) for j in inputs]
        if i in self.joined:
            return self._fused(i)
        if kind in ("max", "min") and _floating(node):
            for a, b in ((0, 1), (1, 0)):
                if self._plain_number(inputs[b]):
                    return f"{kind}_with({x[a]}, {x[b]})"
        if kind == "div":
            return f"{x[0]} / {x[1]}" if _floating(node) else f"quotient_of({x[0]}, {x[1]})"
        if kind == "rem":
            return f"{'fmod' if _floating(node) else 'remainder'}_of({x[0]}, {x[1]})"
        if kind in _BINARY:
            return _BINARY[kind].format(*x)
        if kind in _COMPARE:
            if self.nodes[inputs[0]].dtype == bool:
                same = f"({x[0]} ^ {x[1]})"
                by_kind = {"eq": f"~{same}", "ne": same}
                if kind not in by_kind:
                    raise Unsupported(f"{kind} of bools")
                return by_kind[kind]
            return f"as_mask({x[0]} {_COMPARE[kind]} {x[1]})"
        if kind == "abs" and not _floating(node) and np.issubdtype(node.dtype, np.unsignedinteger):
            return x[0]
        if kind in _UNARY:
            return _UNARY[kind].format(*x)
        if kind == "integer_pow":
            return f"{_powers(x[0], node.params[0], vector)}"
        if kind == "round":
            even = node.params[0] == lax.RoundingMethod.TO_NEAREST_EVEN
            return f"{'round_even' if even else 'round_away'}({x[0]})"
        if kind == "select_n":
            return self._select(inputs, x)
        if kind == "clamp":
            return f"min_of(max_of({x[1]}, {x[0]}), {x[2]})"
        if kind == "convert_element_type":
            return self._convert(self.nodes[inputs[0]], node, x[0])
        if kind == "bitcast_convert_type":
            if np.dtype(self.nodes[inputs[0]].dtype).itemsize != np.dtype(node.dtype).itemsize:
                raise Unsupported("bitcast between sizes")
            return f"bits<{vector}>({x[0]})"
        if kind == "iota":
            return self._iota(i, node)
        if kind == "pad":
            return self._pad(i, node, x)
        if kind == "concatenate":
            return self._concatenate(i, node, x)
        assert kind in _SAME
        return x[0]

    def _plain_number(self, i: int) -> bool:
        """Whether a node is a constant that is neither zero nor NaN, maybe repeated."""
        node = self.nodes[i]
        while node.kind == "broadcast_in_dim":
            node = self.nodes[node.inputs[0]]
        if node.kind != "constant":
            return False
        value = np.frombuffer(node.params[1], node.dtype)[0]
        return bool(value == value and value != 0)

    def _fused(self, i: int) -> str:
        node, product = self.nodes[i], self.joined[i]
        a, b = (self._ref(j) for j in self.nodes[product].inputs)
        left, right = node.inputs
        if left == product:
            other = self._ref(right)
            return f"fma({a}, {b}, {'-' if node.kind == 'sub' else ''}{other})"
        other = self._ref(left)
        return f"fma({'-' if node.kind == 'sub' else ''}{a}, {b}, {other})"

    def _load(self, i: int) -> str:
        node, vector = self.nodes[i], vector_of(self.nodes[i])
        mask = vector == "mask"
        place = self._inner_place(i)
        if place is None:
            return f"mask{{}} - (*a{i} != 0)" if mask else f"splat<{vector}>(*a{i})"
        length = self.axes.extents[self.inner]
        own = node.shape[self.axes.places[i].index(place)]
        kind = "load_mask" if mask else "load"
        call = kind if mask else f"load<{vector}>"
        if place.start == 0 and own == length:
            if self._apart(i):
                call = "load_mask_apart" if mask else f"load_apart<{vector}>"
                return f"{call}(a{i} + i * p.s{i}, p.s{i})"
            return f"{call}(a{i} + i)"
        if self._apart(i):
            raise Unsupported("a part of a transposed array")
        call = "load_mask_near" if mask else f"load_near<{vector}>"
        return f"{call}(a{i}, here - {place.start}, p.n{i})"

    def _apart(self, i: int) -> bool:
        return is_apart(self.nodes[i], self.axes.places[i], self.inner)

    def _store(self, i: int, k: int) -> str:
        node, place = self.nodes[i], self._inner_place(i)
        if place is None or is_apart(node, self.axes.places[i], self.inner):
            raise Unsupported("an output without the innermost axis")
        name = "store_mask" if vector_of(node) == "mask" else "store"
        if is_whole(node, self.axes, i, self.inner):
            return f"{name}(o{k} + i, x{i});"
        return f"{name}_near(o{k}, here - {place.start}, p.m{k}, x{i});"

    def _select(self, inputs: Sequence[int], x: Sequence[str]) -> str:
        which = self.nodes[inputs[0]]
        if which.dtype == bool:
            on, off = x[2], x[1]
            if self.nodes[inputs[1]].dtype == bool:
                return f"(({x[0]} & {on}) | (~{x[0]} & {off}))"
            return f"select({x[0]}, {on}, {off})"
        if self.nodes[inputs[1]].dtype == bool:
            raise Unsupported("select_n of bools by a number")
        text = x[-1]
        for k in range(len(x) - 3, -1, -1):
            text = f"select(as_mask({x[0]} <= {k}), {x[k + 1]}, {text})"
        return text

    def _convert(self, old: Node, new: Node, x: str) -> str:
        if old.dtype == new.dtype:
            return x
        if old.dtype == bool:
            return f"from_mask<{vector_of(new)}>({x})"
        if new.dtype == bool:
            return f"as_mask({x} != 0)"
        return f"convert<{vector_of(new)}>({x})"

    def _iota(self, i: int, node: Node) -> str:
        place = self.axes.places[i][node.params[2]]
        vector = vector_of(node)
        if place is None:
            if node.shape[node.params[2]] == 1:
                return f"splat<{vector}>(0)"
            raise Unsupported("iota along an axis that no output has")
        if place.axis == self.inner:
            at = f"here - {place.start}"
            return f"splat<{vector}>(static_cast<lane<{vector}>>({at})) + lanes<{vector}>()"
        at = f"at[{place.axis}] - {place.start}"
        return f"splat<{vector}>(static_cast<lane<{vector}>>({at}))"

    def _inside(self, i: int, dimension: int, start: int, stop: int) -> str:
        """Whether the index along a dimension of node `i` lies in [start, stop)."""
        place = self.axes.places[i][dimension]
        assert place is not None
        low, high = start + place.start, stop + place.start
        if place.axis == self.inner:
            return f"within(here, {low}, {high})"
        at = f"at[{place.axis}]"
        return f"(mask{{}} - ({at} >= {low} && {at} < {high}))"

    def _pad(self, i: int, node: Node, x: Sequence[str]) -> str:
        text = x[0]
        for d, (low, high, _) in enumerate(node.params[0]):
            if low or high:
                inside = self._inside(i, d, low, node.shape[d] - high)
                text = f"select({inside}, {text}, {x[1]})"
        if node.dtype == bool:
            raise Unsupported("pad of bools")
        return text

    def _concatenate(self, i: int, node: Node, x: Sequence[str]) -> str:
        d = node.params[0]
        if node.dtype == bool:
            raise Unsupported("concatenate of bools")
        text, start = x[0], self.nodes[node.inputs[0]].shape[d]
        for j, part in zip(node.inputs[1:], x[1:], strict=True):
            inside = self._inside(i, d, start, node.shape[d])
            text = f"select({inside}, {part}, {text})"
            start += self.nodes[j].shape[d]
        return text


def vector_of(node: Node) -> str:
    return DTYPES[np.dtype(node.dtype)]


def number_of(node: Node) -> str:
    name = vector_of(node)
    return "uint8_t" if name == "mask" else f"lane<{name}>"


def _floating(node: Node) -> bool:
    return bool(np.issubdtype(node.dtype, np.floating))


def _constant(node: Node) -> str:
    value = np.frombuffer(node.params[1], node.dtype)[0]
    vector = vector_of(node)
    if vector == "mask":
        return f"mask{{}} - {int(value)}"
    if _floating(node):
        whole = np.uint64 if node.dtype == np.float64 else np.uint32
        return (
            f"from_bits<{vector}>({int(value.view(whole)):#x}u{'ll' if whole is np.uint64 else ''})"
        )
    if int(value) < 0:
        return f"splat<{vector}>(static_cast<lane<{vector}>>({int(value) & (2**64 - 1):#x}ull))"
    return f"splat<{vector}>({int(value):#x}{'ull' if np.dtype(node.dtype).itemsize == 8 else 'u'})"


def _powers(x: str, y: int, vector: str) -> str:
    """x^y by squaring, in the order in which JAX multiplies."""
    if y == 0:
        return f"splat<{vector}>(1)"
    steps, square, product, k = [], x, "", abs(y)
    while k:
        if k & 1:
            if product:
                steps.append(f"const {vector} r{len(steps)} = {product} * {square};")
                product = f"r{len(steps) - 1}"
            else:
                product = square
        k >>= 1
        if k:
            steps.append(f"const {vector} r{len(steps)} = {square} * {square};")
            square = f"r{len(steps) - 1}"
    result = f"1 / {product}" if y < 0 else product
    return f"[&] {{ {' '.join(steps)} return {result}; }}()"


def is_apart(node: Node, places: Sequence[Place | None], inner: int) -> bool:
    """Whether neighbours along the innermost axis are not neighbours in memory."""
    longer = [(place, n) for place, n in zip(places, node.shape, strict=True) if n != 1]
    return (
        bool(longer)
        and longer[-1][0] is not None
        and longer[-1][0].axis != inner
        and any(place is not None and place.axis == inner for place, _ in longer)
    )


def is_whole(node: Node, axes: Axes, i: int, inner: int) -> bool:
    for place, n in zip(axes.places[i], node.shape, strict=True):
        if place is not None and place.axis == inner:
            return place.start == 0 and n == axes.extents[inner]
    return False
