"""The inputs of the native loop: constants, and rows of those that vary, computed before each
stretch of steps."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
from jax import lax

from .._model import Clock
from ..event import materialize
from ..input import Arrival, Constant, PoissonArrivals
from ..kernel import Unsupported
from ._native_operands import is_shape

# Rows that wait to be read, in bytes; and the fewest steps between.
_WAITING = 1 << 21
_FEWEST = 64


class Driving:
    """The inputs of a loop as arrays, of which some vary from step to step.

    - `leaves`: arrays of the input of each group, and of the amounts that arrive at receptors.
    - `moving`: which arrays vary.
    - `arrived`: for each amount the layer of receptors, first neuron and number, and the input.
    """

    def __init__(self, arguments: Any, avals: Sequence[Any], dt: float) -> None:
        self.arguments, self.dt = arguments, dt
        self.arrived: list[tuple[int, int, int, int | None]] = []
        _, start, _, series, *_ = arguments(avals)
        varying = start.step, start.inputs, jax.tree.map(lambda x: _row(x), series)
        more, structure = jtu.tree_flatten(varying)
        n = len(avals)

        def function(*arrays: Any) -> Any:
            given, (step, driving, row) = arrays[:n], structure.unflatten(arrays[n:])
            made, self._numbers = eqx.partition(self.at(given, step, driving, row)[0], is_shape)
            if not all(isinstance(x, int | float) for x in jtu.tree_leaves(self._numbers)):
                raise Unsupported("an input is a function of the potential")
            leaves, self._structure = jtu.tree_flatten(made)
            return leaves

        self._structure: Any = None
        self._numbers: Any = None
        inputs = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (*avals, *more)]
        closed, self.leaves = jax.make_jaxpr(function, return_shape=True)(*inputs)
        found = set(closed.jaxpr.invars[n:])
        for equation in closed.jaxpr.eqns:
            if any(not hasattr(x, "val") and x in found for x in equation.invars):
                found.update(equation.outvars)
        outs = closed.jaxpr.outvars
        self.moving = [not hasattr(x, "val") and x in found for x in outs]

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        """The inputs with these in place of their arrays."""
        return eqx.combine(self._structure.unflatten(leaves), self._numbers)

    def at(self, given: Sequence[Any], step: Any, driving: Any, row: Any) -> tuple[Any, Any]:
        """The inputs of a step, and their states after it."""
        model, _, _, _, fixed, key, *_ = self.arguments(given)
        key = None if key is None else jr.fold_in(key, step)
        values, driving = fixed.evaluate(row, driving, Clock(step, self.dt), key)
        driven = model.arrange_inputs(values)
        leaves = fixed.structure.flatten_up_to(values)
        of = {id(x.amount): i for i, x in enumerate(leaves) if isinstance(x, Arrival)}
        self.arrived[:] = [(layer, at, n, of.get(id(x))) for layer, at, n, x in driven.arrivals]
        return (driven.values, [x for *_, x in driven.arrivals]), driving

    def first(self, given: Sequence[Any], start: Any, series: Any) -> list[Any]:
        """The arrays in the first step."""
        row = jax.tree.map(lambda x: x[0], series)
        return _arrays(self.at(given, start.step, start.inputs, row)[0])

    def rows(
        self,
        given: Sequence[Any],
        step: Any,
        driving: Any,
        series: Any,
        n: int,
        used: Sequence[int],
    ) -> tuple[Any, list[Any]]:
        """States of inputs after `n` steps, and rows of the arrays `used` of these."""

        fixed = self.arguments(given)[4]
        if not used and all(type(leaf) in (Constant, PoissonArrivals) for leaf in fixed.leaves):
            return driving, []

        def one(carry: Any, row: Any) -> Any:
            step, driving = carry
            made, driving = self.at(given, step, driving, row)
            leaves = _arrays(made)
            # Stored as a whole, as for a kernel.
            return (step + 1, driving), materialize([leaves[i] for i in used])

        (_, driving), rows = lax.scan(one, (step, driving), series, length=n)
        return driving, rows

    def block(self, used: Sequence[int], n_steps: int) -> int:
        """The number of steps whose rows are computed together."""
        bytes_ = sum(
            int(np.prod(self.leaves[i].shape)) * self.leaves[i].dtype.itemsize for i in used
        )
        return min(n_steps, max(_FEWEST, _WAITING // bytes_)) if used else n_steps


def _arrays(tree: Any) -> list[Any]:
    return [x for x in jtu.tree_leaves(tree) if is_shape(x)]


def _row(x: Any) -> Any:
    return jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
