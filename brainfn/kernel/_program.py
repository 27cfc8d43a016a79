"""An elementwise JAX function as a list of operations, and its parts that are not elementwise."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from ..event import bind_equation, reference_of


class Unsupported(Exception):
    """Why a function has no generated kernel."""


class Node(NamedTuple):
    """One operation.

    - `kind`: the name of the JAX primitive; `"input"`, `"constant"`, or `"other"` for primitives
      that kernels do not know.
    - `inputs`: positions of its operands.
    - `params`: what else determines the value, hashable.
    - `equation`: the JAX equation that computes it, and which of its outputs it is.
    """

    kind: str
    inputs: tuple[int, ...]
    params: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: Any
    equation: tuple[Any, int] | None = None


class Program(NamedTuple):
    """Nodes in an order in which each follows its operands, and which of them are outputs.

    - `constants`: arrays that the function closes over; inputs after those of the function.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    n_inputs: int
    constants: tuple[Any, ...]


DTYPES = {
    np.dtype(np.float32): "f32",
    np.dtype(np.float64): "f64",
    np.dtype(np.int32): "i32",
    np.dtype(np.uint32): "u32",
    np.dtype(np.int64): "i64",
    np.dtype(np.uint64): "u64",
    np.dtype(bool): "mask",
}

# Primitives whose equations are replaced by those inside them.
_CALLS = {
    *("jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"),
    *("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"),
}

# Primitives of kernels, and the parameters on which their value depends (besides shape and dtype).
ELEMENTWISE = {
    **dict.fromkeys(("add", "add_any", "sub", "mul", "div", "rem", "neg", "abs", "sign"), ()),
    **dict.fromkeys(("max", "min", "pow", "square", "sqrt", "rsqrt"), ()),
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log1p", "logistic", "tanh"), ()),
    **dict.fromkeys(("sinh", "cosh", "sin", "cos", "erf", "erfc", "erf_inv"), ()),
    **dict.fromkeys(("floor", "ceil", "is_finite"), ()),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "xor"), ()),
    **dict.fromkeys(("shift_left", "shift_right_logical", "shift_right_arithmetic"), ()),
    **dict.fromkeys(("select_n", "clamp", "copy", "copy_p", "stop_gradient"), ()),
    "round": ("rounding_method",),
    "integer_pow": ("y",),
    "convert_element_type": ("new_dtype",),
    "bitcast_convert_type": ("new_dtype",),
}
# The operator of `solver.phi1`, which kernels compute by their own function.
PHI1 = "with_derivative_moment_value"
STRUCTURAL = {
    "broadcast_in_dim": ("shape", "broadcast_dimensions"),
    "reshape": ("new_sizes", "dimensions"),
    "squeeze": ("dimensions",),
    "expand_dims": ("dimensions",),
    "transpose": ("permutation",),
    "slice": ("start_indices", "limit_indices", "strides"),
    "pad": ("padding_config",),
    "concatenate": ("dimension",),
    "iota": ("dtype", "shape", "dimension"),
}


def program_of(
    function: Callable[..., Any], avals: Sequence[Any], apart: Container[str] = ()
) -> Program:
    """The operations of a function of arrays, which returns a flat sequence of them; those named in
    `apart` stay as they are."""
    closed = jax.make_jaxpr(function)(*avals)
    tracer = _Tracer(len(avals), apart)
    arguments = [tracer.input(k, aval) for k, aval in enumerate(avals)]
    outputs = tracer.inline(closed.jaxpr, closed.consts, arguments)
    return Program(tuple(tracer.nodes), tuple(outputs), len(avals), tuple(tracer.constants))


class _Tracer:
    """Makes a node of each equation; equal ones become one."""

    def __init__(self, n_inputs: int, apart: Container[str]) -> None:
        self.apart = apart
        self.nodes: list[Node] = []
        self.known: dict[Any, int] = {}
        self.constants: list[Any] = []
        self.n_inputs = n_inputs

    def add(self, node: Node, key: Any) -> int:
        if key not in self.known:
            self.known[key] = len(self.nodes)
            self.nodes.append(node)
        return self.known[key]

    def input(self, k: int, aval: Any) -> int:
        node = Node("input", (), (k,), tuple(aval.shape), aval.dtype)
        return self.add(node, ("input", k))

    def constant(self, value: Any) -> int:
        if not isinstance(value, jax.Array):
            array = np.asarray(value)
            if array.shape == () and array.dtype in DTYPES:
                params = (array.dtype.str, array.tobytes())
                node = Node("constant", (), params, (), array.dtype)
                return self.add(node, ("constant", *params))
        for k, other in enumerate(self.constants):
            if other is value:
                return self.input(self.n_inputs + k, other)
        self.constants.append(value)
        return self.input(self.n_inputs + len(self.constants) - 1, value)

    def read(self, env: dict[Any, int], atom: Any) -> int:
        if isinstance(atom, core.Literal):
            aval: Any = atom.aval
            return self.constant(np.asarray(atom.val, aval.dtype))
        return env[atom]

    def inline(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[int]) -> list[int]:
        env = dict(zip(jaxpr.constvars, map(self.constant, consts), strict=True))
        env.update(zip(jaxpr.invars, arguments, strict=True))
        for equation in jaxpr.eqns:
            inputs = tuple(self.read(env, x) for x in equation.invars)
            env.update(zip(equation.outvars, self.results(equation, inputs), strict=True))
        return [self.read(env, x) for x in jaxpr.outvars]

    def results(self, equation: Any, inputs: tuple[int, ...]) -> list[int]:
        """The nodes of the outputs of an equation."""
        name, params = equation.primitive.name, equation.params
        if name in self.apart:
            return self.others(equation, inputs)
        if name == PHI1 and params["static"][1] == (0, None) and not params["axes"]:
            (out,) = equation.outvars
            if out.aval.dtype in DTYPES:
                node = Node("phi1", inputs, (), tuple(out.aval.shape), out.aval.dtype)
                return [self.add(node._replace(equation=(equation, 0)), ("phi1", inputs))]
        inner = _inner(equation)
        if inner is not None:
            return self.inline(inner.jaxpr, inner.consts, inputs)
        wanted = ELEMENTWISE.get(name, STRUCTURAL.get(name))
        if wanted is None:
            return self.others(equation, inputs)
        (out,) = equation.outvars
        types = [out.aval.dtype, *(self.nodes[i].dtype for i in inputs)]
        if any(t not in DTYPES for t in types):
            return self.others(equation, inputs)
        simpler = self.simplified(name, inputs, equation)
        if simpler is not None:
            return [simpler]
        kept = tuple(_hashable(params.get(k)) for k in wanted)
        node = Node(name, inputs, kept, tuple(out.aval.shape), out.aval.dtype, (equation, 0))
        return [self.add(node, (name, inputs, kept, node.shape, node.dtype))]

    def simplified(self, name: str, inputs: tuple[int, ...], equation: Any) -> int | None:
        """A node with the same bits as a sum or product with fewer operations: derivatives are full
        of products with 1 and -1."""
        nodes, aval = self.nodes, equation.outvars[0].aval
        if name == "stop_gradient":
            return inputs[0]
        if name not in ("add", "add_any", "sub", "mul", "neg"):
            return None
        if not np.issubdtype(aval.dtype, np.floating):
            return None

        def make(kind: str, *operands: int) -> int:
            shape = tuple(aval.shape)
            node = Node(kind, operands, (), shape, aval.dtype, (equation, 0))
            return self.add(node, (kind, operands, (), shape, aval.dtype))

        def negative(i: int) -> int:
            minus = negated(i)
            return make("neg", i) if minus is None else minus

        def negated(i: int) -> int | None:
            return nodes[i].inputs[0] if nodes[i].kind == "neg" else None

        if name == "neg":
            return negated(inputs[0])
        a, b = inputs
        minus_a, minus_b = negated(a), negated(b)
        if name == "mul":
            for x, y in ((a, b), (b, a)):
                if nodes[y].shape == aval.shape and _value_of(nodes, x) in (1, -1):
                    return y if _value_of(nodes, x) == 1 else negative(y)
            for x, y in ((minus_a, b), (minus_b, a)):
                if x is not None:
                    return make("neg", make("mul", x, y))
            return None
        if name == "sub":
            if minus_b is not None:
                return make("add", a, minus_b)
            return None if minus_a is None else make("neg", make("add", minus_a, b))
        if minus_a is not None and minus_b is not None:
            return make("neg", make("add", minus_a, minus_b))
        if minus_b is not None:
            return make("sub", a, minus_b)
        return None if minus_a is None else make("sub", b, minus_a)

    def others(self, equation: Any, inputs: tuple[int, ...]) -> list[int]:
        made, name = [], equation.primitive.name
        for k, out in enumerate(equation.outvars):
            shape = tuple(getattr(out.aval, "shape", ()))
            dtype = getattr(out.aval, "dtype", None)
            node = Node("other", inputs, (name,), shape, dtype, (equation, k))
            made.append(self.add(node, (id(equation), inputs, k)))
        return made


def _value_of(nodes: Sequence[Node], i: int) -> float | None:
    """The number that a node is, maybe repeated or negated."""
    node, sign = nodes[i], 1.0
    while node.kind in ("broadcast_in_dim", "neg"):
        sign = -sign if node.kind == "neg" else sign
        node = nodes[node.inputs[0]]
    if node.kind != "constant" or not np.issubdtype(node.dtype, np.floating):
        return None
    return sign * float(np.frombuffer(node.params[1], node.dtype)[0])


def _inner(equation: Any) -> core.ClosedJaxpr | None:
    """The equations that one stands for."""
    name, params = equation.primitive.name, equation.params
    if name in _CALLS:
        for field in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
            inner = params.get(field)
            if isinstance(inner, core.ClosedJaxpr):
                return inner
            if inner is not None and hasattr(inner, "eqns"):
                return core.ClosedJaxpr(inner, ())
    reference = reference_of(equation.primitive)
    if reference is None:
        return None
    avals = [jax.ShapeDtypeStruct(x.aval.shape, x.aval.dtype) for x in equation.invars]
    return jax.make_jaxpr(lambda *xs: reference(*xs, **params))(*avals)


def _hashable(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return tuple(_hashable(y) for y in x)
    if isinstance(x, np.integer):  # as `vmap` makes them
        return int(x)
    if isinstance(x, int | str | type(None) | bool):
        return x
    return str(x)


def is_read(nodes: Sequence[Node], i: int) -> bool:
    """Whether a kernel reads a node from an array: all of it, or a slice."""
    node = nodes[i]
    if node.kind == "slice" and (node.params[2] is None or set(node.params[2]) == {1}):
        return nodes[node.inputs[0]].kind in ("input", "other")
    return node.kind in ("input", "other")


def array_of(nodes: Sequence[Node], i: int) -> int:
    """The array in which a node that is read lies."""
    return nodes[i].inputs[0] if nodes[i].kind == "slice" else i


def evaluate(
    program: Program,
    wanted: Sequence[int],
    inputs: Sequence[Any],
    known: Mapping[int, Any] | None = None,
) -> dict[int, jnp.ndarray]:
    """The values of some nodes, computed by JAX; those of some others may be known."""
    nodes = program.nodes
    values: dict[int, Any] = dict(known or {})
    arrays = [*inputs, *program.constants]
    done: dict[Any, Any] = {}
    needed = closure(program, wanted, values)
    for i in sorted(needed):
        node = nodes[i]
        if i in values:
            continue
        if node.kind == "input":
            values[i] = arrays[node.params[0]]
        elif node.kind == "constant":
            values[i] = jnp.asarray(np.frombuffer(node.params[1], node.dtype)[0])
        else:
            assert node.equation is not None
            equation, k = node.equation
            if (id(equation), node.inputs) not in done:
                done[id(equation), node.inputs] = bind_equation(
                    equation, [values[j] for j in node.inputs]
                )
            values[i] = done[id(equation), node.inputs][k]
    return {i: values[i] for i in wanted}


def closure(program: Program, wanted: Sequence[int], known: Container[int] = ()) -> set[int]:
    """The nodes that some nodes need, and these themselves; not what only `known` ones need."""
    needed: set[int] = set()
    todo = list(wanted)
    while todo:
        i = todo.pop()
        if i not in needed:
            needed.add(i)
            if i not in known:
                todo.extend(program.nodes[i].inputs)
    return needed
