"""A function of arrays in two parts: what does not depend on its variables, and the rest."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend import core

from ..event import bind_equation

# Equations that are replaced by those inside them.
_CALLS = ("jit", "pjit", "closed_call", "core_call")


class _Operation(NamedTuple):
    """An equation; its operands are numbers of values, or literals."""

    equation: Any
    inputs: tuple[Any, ...]
    outputs: tuple[int, ...]


class Rest:
    """The part that depends on the variables: `rest(constants, variables) -> outputs`, lists of
    arrays. It is static: JAX compares it by identity."""

    def __init__(
        self,
        operations: Sequence[_Operation],
        constants: Sequence[int],
        variables: Sequence[int],
        outputs: Sequence[Any],
    ) -> None:
        self._operations = tuple(operations)
        self._constants, self._variables = tuple(constants), tuple(variables)
        self._outputs = tuple(outputs)

    def __call__(self, constants: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
        values = dict(zip(self._constants, constants, strict=True))
        values.update(zip(self._variables, variables, strict=True))
        _evaluate(self._operations, values)
        return [_value(values, x) for x in self._outputs]

    def without(self, k: int) -> "Rest":
        """The same without variable `k`.

        **Raises:** `ValueError` if it is used.
        """
        unused = self._variables[k]
        used = [x for operation in self._operations for x in operation.inputs]
        if unused in [x for x in (*used, *self._outputs) if isinstance(x, int)]:
            raise ValueError("it depends on a variable that is to be dropped")
        variables = [x for i, x in enumerate(self._variables) if i != k]
        return Rest(self._operations, self._constants, variables, self._outputs)


def split(
    function: Callable[..., Sequence[Any]], parameters: Sequence[Any], variables: Sequence[Any]
) -> tuple[list[Any], Rest]:
    """The two parts of `function(parameters, variables)`, which takes and returns sequences of
    arrays.

    **Arguments:**

    - `parameters`: arrays.
    - `variables`: shapes and dtypes.

    **Returns:** all that the rest needs of the parameters, as arrays, which may be differentiated
    with respect to them; and the rest.
    """
    avals = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in parameters]
    others = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in variables]
    closed = jax.make_jaxpr(lambda *xs: function(xs[: len(avals)], xs[len(avals) :]))(
        *avals, *others
    )
    tracer = _Tracer()
    known = [tracer.new(False) for _ in avals]
    moving = [tracer.new(True) for _ in others]
    outputs = tracer.inline(closed.jaxpr, closed.consts, [*known, *moving])
    values = dict(zip(known, parameters, strict=True))
    values.update(tracer.consts)
    rest = tracer.rest(outputs)
    used = {x for o in rest for x in o.inputs if isinstance(x, int)}
    used.update(x for x in outputs if isinstance(x, int))
    made = {x for o in rest for x in o.outputs}
    constants = sorted(used - made - set(moving))
    _evaluate([o for o in tracer.operations if not tracer.moves(o.outputs)], values)
    return [values[x] for x in constants], Rest(rest, constants, moving, outputs)


class _Tracer:
    """Numbers the values of a jaxpr and of those inside it."""

    def __init__(self) -> None:
        self.moving: list[bool] = []
        self.operations: list[_Operation] = []
        self.consts: dict[int, Any] = {}

    def new(self, moving: bool) -> int:
        self.moving.append(moving)
        return len(self.moving) - 1

    def moves(self, values: Sequence[Any]) -> bool:
        return any(isinstance(x, int) and self.moving[x] for x in values)

    def rest(self, outputs: Sequence[Any]) -> list[_Operation]:
        """The operations that depend on variables, and those before them that only repeat a number
        or depend on nothing."""
        found = []
        wanted = {x for x in outputs if isinstance(x, int)}
        for operation in reversed(self.operations):
            moves = self.moves(operation.outputs)
            trivial = not any(isinstance(x, int) for x in operation.inputs)
            repeats = operation.equation.primitive.name == "broadcast_in_dim"
            if moves or ((trivial or repeats) and not wanted.isdisjoint(operation.outputs)):
                found.append(operation)
                wanted.update(x for x in operation.inputs if isinstance(x, int))
        return found[::-1]

    def inline(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        env: dict[Any, Any] = {}
        for variable, value in zip(jaxpr.constvars, consts, strict=True):
            env[variable] = self.new(False)
            self.consts[env[variable]] = value
        env.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> Any:
            return atom if isinstance(atom, core.Literal) else env[atom]

        for equation in jaxpr.eqns:
            inputs = tuple(read(x) for x in equation.invars)
            inner = equation.params.get("jaxpr")
            if equation.primitive.name in _CALLS and isinstance(inner, core.ClosedJaxpr):
                outputs = self.inline(inner.jaxpr, inner.consts, inputs)
            else:
                moving = self.moves(inputs)
                outputs = [self.new(moving) for _ in equation.outvars]
                self.operations.append(_Operation(equation, inputs, tuple(outputs)))
            env.update(zip(equation.outvars, outputs, strict=True))
        return [read(x) for x in jaxpr.outvars]


def _value(values: dict[int, Any], x: Any) -> Any:
    return x.val if isinstance(x, core.Literal) else values[x]


def _evaluate(operations: Sequence[_Operation], values: dict[int, Any]) -> None:
    for equation, inputs, outputs in operations:
        made = bind_equation(equation, [_value(values, x) for x in inputs])
        values.update(zip(outputs, made, strict=True))
