"""Layers of neurons over all steps, as one function with an adjoint of its own."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax import lax
from jaxtyping import Array

from ..event import Call, with_adjoint
from ._generated import check_enabled, compiled, report
from ._layers_source import (
    BACKWARD,
    FORWARD,
    SYMBOL,
    StepKernel,
    called,
    defined,
    is_wide_step,
    layers_source,
    step_kernel,
)
from ._program import Unsupported
from ._split import Rest


class Stage(NamedTuple):
    """A layer: in each step its currents are `inputs @ weight` (or the inputs themselves), plus
    the outputs of the step before times `recurrent`.

    - `name`: in reports.
    - `advance`: `advance(constants, [current, *variables]) -> [*variables, output]`, elementwise.
    - `constants`: numbers, or arrays with an entry for each neuron.
    - `variables`: at the beginning, arrays with an entry for each neuron.
    - `previous`: with `recurrent`, the outputs of the step before the first.
    """

    name: str
    advance: Rest
    weight: Array | None
    recurrent: Array | None
    previous: Array | None
    constants: list[Array]
    variables: list[Array]


class Ends(NamedTuple):
    """What a layer is after the last step, and the sums of its outputs."""

    variables: list[Array]
    previous: Array | None
    totals: Array


def _layers(stages: Sequence[Stage], inputs: Array) -> tuple[Array, list[Ends]]:
    """Layers one after the other, each over all steps.

    On CPU each example (of a `jax.vmap` over inputs and variables) goes through all layers while
    its numbers are in cache, and the adjoint makes them again: no array of the size of all steps
    is stored.

    **Arguments:**

    - `stages`: the layers.
    - `inputs`: numbers or bools of shape `(time, n_in)`, or packed spikes, uint8 of shape
        `(time, ceil(n_in / 8))`.

    **Returns:** the outputs of the last layer, shape `(time, size)`, and the
    [`brainfn.kernel.Ends`][] of each.
    """
    ends = []
    for stage in stages:
        current = inputs if stage.weight is None else _product(inputs, stage.weight)

        def one(carry: Any, row: Array, stage: Stage = stage) -> Any:
            variables, previous = carry
            if stage.recurrent is not None:
                row = row + previous @ stage.recurrent
            *variables, out = stage.advance(stage.constants, [row, *variables])
            return (variables, None if previous is None else out), out

        start = (list(stage.variables), stage.previous)
        (variables, previous), inputs = lax.scan(one, start, current)
        ends.append(Ends(variables, previous, inputs.sum(axis=0)))
    return inputs, ends


def _product(inputs: Array, weight: Array) -> Array:
    if inputs.dtype == jnp.uint8:
        inputs = jnp.unpackbits(inputs, axis=-1, count=weight.shape[0])
    return inputs.astype(weight.dtype) @ weight


def _rewrite(call: Call) -> Callable[..., Any] | None:
    return _planned(call, "", _forward)


def _rewrite_adjoint(call: Call) -> Callable[..., Any] | None:
    return _planned(call, " (adjoint)", _adjoint)


in_layers = with_adjoint(_layers, rewrite=_rewrite, rewrite_adjoint=_rewrite_adjoint)


def _planned(call: Call, kind: str, plan: Callable[..., Any]) -> Callable[..., Any] | None:
    stages, _ = call.arguments(call.avals)
    name = "layers of " + ", ".join(stage.name for stage in stages) + kind
    try:
        check_enabled()
        source, results, finish = plan(call, _About(call))
        target = compiled(source, SYMBOL)
    except Unsupported as reason:
        report(name, f"XLA: {reason}")
        return None
    report(name, "generated")

    def run(*operands: Any) -> list[Any]:
        return finish(jax.ffi.ffi_call(target, results)(*operands))

    return run


class _About:
    """What a call computes, and where its arrays are.

    - `stages`, `inputs`, `where`, `inputs_at`: shapes of the arguments, and their positions.
    - `mapped`: whether each argument has an axis of examples.
    - `sizes`: the number of neurons of each layer.
    """

    def __init__(self, call: Call) -> None:
        self.stages, self.inputs = call.arguments(call.avals)
        self.where, self.inputs_at = call.arguments(range(len(call.avals)))
        if len(call.axes) > 1:
            raise Unsupported("nested `vmap`")
        axes = call.axes[0] if call.axes else (None,) * (self.inputs_at + 1)
        if any(axis not in (None, 0) for axis in axes):
            raise Unsupported("examples along another axis than the first")
        self.mapped = [axis is not None for axis in axes]
        self.batched = bool(call.axes)
        if self.batched and not self.mapped[self.inputs_at]:
            raise Unsupported("examples that share their inputs")
        self.examples = self.inputs.shape[0] if self.batched else 1
        arrays = [x for x in jtu.tree_leaves(self.stages) if hasattr(x, "dtype")]
        floats = {np.dtype(x.dtype) for x in arrays if _floating(x)}
        if len(floats) != 1 or not floats <= {np.dtype(np.float32), np.dtype(np.float64)}:
            raise Unsupported(f"numbers of type {', '.join(sorted(map(str, floats))) or None}")
        (self.dtype,) = floats
        self.number = "double" if self.dtype == np.float64 else "float"
        self.sizes, size = [], self.one(self.inputs, self.inputs_at).shape[-1]
        for stage, at in zip(self.stages, self.where, strict=True):
            if any(self.mapped[x] for x in jtu.tree_leaves((at.weight, at.recurrent))):
                raise Unsupported("weights that differ between examples")
            if any(self.mapped[x] for x in at.constants):
                raise Unsupported("parameters that differ between examples")
            size = size if stage.weight is None else stage.weight.shape[1]
            self.sizes.append(size)
            if any(x.shape not in ((), (size,)) for x in stage.constants):
                raise Unsupported("a parameter with several numbers for each neuron")
            if any(x.shape != (size,) for x in self.variables(stage, at)):
                raise Unsupported("a variable that is not one number for each neuron")

    def one(self, x: Any, at: int) -> jax.ShapeDtypeStruct:
        """The shape of an argument for one example."""
        return jax.ShapeDtypeStruct(x.shape[1:] if self.mapped[at] else x.shape, x.dtype)

    def variables(self, stage: Any, at: Any) -> list[jax.ShapeDtypeStruct]:
        return [self.one(x, k) for x, k in zip(stage.variables, at.variables, strict=True)]

    def step(self, k: int) -> list[Any]:
        """Shapes of the constants, the current and the variables of a layer."""
        stage, at = self.stages[k], self.where[k]
        current = jax.ShapeDtypeStruct((self.sizes[k],), self.dtype)
        constants = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in stage.constants]
        return [*constants, current, *self.variables(stage, at)]

    def forward(self, k: int) -> StepKernel:
        """The kernel of a step of a layer."""
        stage, n = self.stages[k], len(self.stages[k].constants)
        variables = range(len(stage.variables))
        roles = [*[""] * n, "current", *(f"before[{v}]" for v in variables)]
        to = [*(f"after[{v}]" for v in variables), "out"]

        def function(*arrays: Any) -> list[Any]:
            return stage.advance(arrays[:n], arrays[n:])

        return step_kernel(f"forward{k}", self.sizes[k], function, self.step(k), roles, to)

    def backward(self, k: int, wanted: Sequence[int]) -> StepKernel:
        """The kernel of the adjoint of a step; `wanted` are the constants with a gradient."""
        stage, size = self.stages[k], self.sizes[k]
        n, m = len(stage.constants), len(stage.variables)
        floats = [v for v, x in enumerate(stage.variables) if _floating(x)]
        row = jax.ShapeDtypeStruct((size,), self.dtype)
        avals = [*self.step(k), row, *[row] * (len(floats) + len(wanted))]
        roles = [*[""] * n, "current", *(f"before[{v}]" for v in range(m)), "out_bar"]
        to = ["delta", *(f"bars[{f}]" for f in range(len(floats)))]
        to += [f"sums[{j}]" for j in range(len(wanted))]

        def function(*arrays: Any) -> list[Any]:
            constants, (current, *variables) = arrays[:n], arrays[n : n + m + 1]
            out_bar, bars = arrays[n + m + 1], arrays[n + m + 2 : n + m + 2 + len(floats)]
            sums = arrays[n + m + 2 + len(floats) :]

            def step(current: Any, some: Any, parameters: Any) -> Any:
                values, own = list(variables), list(constants)
                for v, x in zip(floats, some, strict=True):
                    values[v] = x
                for c, x in zip(wanted, parameters, strict=True):
                    own[c] = x
                *new, out = stage.advance(own, [current, *values])
                return [new[v] for v in floats], out

            parameters = [jnp.broadcast_to(constants[c], (size,)) for c in wanted]
            pull = jax.vjp(step, current, [variables[v] for v in floats], parameters)[1]
            delta, new, found = pull((list(bars), out_bar))
            return [delta, *new, *(a + b for a, b in zip(sums, found, strict=True))]

        return step_kernel(f"backward{k}", size, function, avals, [*roles, *to[1:]], to)

    def described(self) -> list[str]:
        """Statements that declare `all`, the layers and their arguments."""
        number, at = self.number, f"argument(frame, {self.inputs_at})"
        stored = {np.dtype(np.uint8): "bits", np.dtype(bool): "bools", self.dtype: "numbers"}
        kind = stored.get(np.dtype(self.inputs.dtype))
        if kind is None:
            raise Unsupported(f"inputs of type {self.inputs.dtype}")
        if kind != "numbers" and self.stages[0].weight is None:
            raise Unsupported("spikes without weights")
        axis = int(self.batched)
        lines = [
            f"  Layers<{number}> all;",
            f"  all.examples = {f'{at}.dims[0]' if self.batched else 1};",
            f"  all.steps = {at}.dims[{axis}];",
            f"  all.stored = Stored::{kind};",
            f"  all.inputs = {at}.data;",
            f"  all.row = {at}.dims[{axis + 1}] * {np.dtype(self.inputs.dtype).itemsize};",
            f"  all.layers.resize({len(self.stages)});",
        ]
        for k, (stage, at) in enumerate(zip(self.stages, self.where, strict=True)):
            n, layer = self.sizes[k], f"all.layers[{k}]"
            n_in = n if stage.weight is None else stage.weight.shape[0]
            lines += [f"  {layer}.n = {n};", f"  {layer}.n_in = {n_in};"]
            lines += [f"  {layer}.forward = forward{k};", f"  {layer}.call = &call_forward{k};"]
            for name in ("weight", "recurrent", "previous"):
                place = getattr(at, name)
                if place is not None:
                    lines.append(f"  bind_to({layer}.{name}, argument(frame, {place}).data);")
            if stage.previous is not None and self.mapped[at.previous]:
                lines.append(f"  {layer}.previous_stride = {n};")
            lines.append(f"  {layer}.leaves.resize({len(stage.variables)});")
            for v, (x, place) in enumerate(zip(stage.variables, at.variables, strict=True)):
                leaf, size = f"{layer}.leaves[{v}]", np.dtype(x.dtype).itemsize
                lines.append(f"  {leaf}.bytes = {size};")
                lines.append(f"  bind_to({leaf}.start, argument(frame, {place}).data);")
                lines.append(f"  {leaf}.stride = {size * n if self.mapped[place] else 0};")
        return lines

    def with_examples(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.examples, *shape) if self.batched else shape


def _floating(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def _buffers(about: _About, k: int) -> list[str]:
    return [f"argument(frame, {place})" for place in about.where[k].constants]


def _forward(call: Call, about: _About) -> tuple[str, list[Any], Callable[..., Any]]:
    del call
    kernels = [about.forward(k) for k in range(len(about.stages))]
    statements, results = [], []
    for k, kernel in enumerate(kernels):
        statements += called(kernel, _buffers(about, k))
    statements += about.described()

    def result(shape: tuple[int, ...], dtype: Any) -> str:
        results.append(jax.ShapeDtypeStruct(about.with_examples(shape), dtype))
        return f"result(frame, {len(results) - 1}).data"

    out = result((about.inputs.shape[int(about.batched)], about.sizes[-1]), about.dtype)
    statements.append(f"  bind_to(all.outputs, {out});")
    for k, stage in enumerate(about.stages):
        n, layer = about.sizes[k], f"all.layers[{k}]"
        for v, x in enumerate(stage.variables):
            statements.append(f"  bind_to({layer}.leaves[{v}].end, {result((n,), x.dtype)});")
        if stage.previous is not None:
            statements.append(f"  bind_to({layer}.last, {result((n,), about.dtype)});")
        statements.append(f"  bind_to({layer}.totals, {result((n,), about.dtype)});")
    source = layers_source(
        [line for kernel in kernels for line in defined(kernel, FORWARD)],
        statements,
        wide=about.dtype == np.float64 or any(map(is_wide_step, kernels)),
        run="run_forward",
    )
    return source, results, list


def _adjoint(call: Call, about: _About) -> tuple[str, list[Any], Callable[..., Any]]:
    count, moving = len(about.mapped), call.moving
    wanted = [[c for c, place in enumerate(at.constants) if place in moving] for at in about.where]
    layers = range(len(about.stages))
    forward = [about.forward(k) for k in layers]
    backward = [about.backward(k, wanted[k]) for k in layers]
    statements = []
    for k in layers:
        statements += called(forward[k], _buffers(about, k))
        statements += called(backward[k], _buffers(about, k))
    statements += about.described()
    out_bar, ends = call.results(range(count, len(call.avals)))
    statements.append(f"  bind_to(all.outputs_bar, argument(frame, {out_bar}).data);")
    for k, end in enumerate(ends):
        layer, floats = f"all.layers[{k}]", 0
        statements.append(f"  {layer}.backward = backward{k};")
        statements.append(f"  {layer}.back = &call_backward{k};")
        for v, place in enumerate(end.variables):
            if place is not None:
                leaf = f"{layer}.leaves[{v}]"
                statements.append(f"  {leaf}.gradient = {floats};")
                statements.append(f"  bind_to({leaf}.end_bar, argument(frame, {place}).data);")
                floats += 1
        statements.append(f"  bind_to({layer}.totals_bar, argument(frame, {end.totals}).data);")
        if end.previous is not None:
            place = f"argument(frame, {end.previous}).data"
            statements.append(f"  bind_to({layer}.last_bar, {place});")
        statements.append(f"  {layer}.wanted.resize({len(wanted[k])});")
    roles: dict[int, str] = {about.inputs_at: "all.inputs_bar"}
    for k, at in enumerate(about.where):
        layer = f"all.layers[{k}]"
        for name in ("weight", "recurrent", "previous"):
            if getattr(at, name) is not None:
                roles[getattr(at, name)] = f"{layer}.{name}_bar"
        roles.update({p: f"{layer}.leaves[{v}].start_bar" for v, p in enumerate(at.variables)})
        for j, c in enumerate(wanted[k]):
            roles[at.constants[c]] = f"{layer}.wanted[{j}].out"
            if about.stages[k].constants[c].shape == ():
                statements.append(f"  {layer}.wanted[{j}].scalar = true;")
    shared = {x for at in about.where for x in (*at.variables, at.previous) if x is not None}
    shared = {x for x in shared if about.batched and not about.mapped[x]}
    results = []
    for r, place in enumerate(moving):
        shape = tuple(call.avals[place].shape)
        if place in shared:  # summed over the examples below
            shape = (about.examples, *shape)
        results.append(jax.ShapeDtypeStruct(shape, about.dtype))
        statements.append(f"  bind_to({roles[place]}, result(frame, {r}).data);")
    source = layers_source(
        [
            *(line for kernel in forward for line in defined(kernel, FORWARD)),
            *(line for kernel in backward for line in defined(kernel, BACKWARD)),
        ],
        statements,
        wide=about.dtype == np.float64 or any(map(is_wide_step, [*forward, *backward])),
        run="run_backward",
    )

    def finish(made: Sequence[Any]) -> list[Any]:
        return [x.sum(axis=0) if p in shared else x for x, p in zip(made, moving, strict=True)]

    return source, results, finish
