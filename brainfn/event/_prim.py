"""The only file of brainfn that touches JAX internals: it turns functions into primitives.

`define` makes a `jax.extend.core.Primitive` from a pure-JAX reference, which is the lowering on
every platform, and optionally a native handler for CPU and rules for differentiation and batching.
"""

import functools as ft
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from ._native import handler_available

try:
    # Transpose rules that see the running cotangent of each operand, so that a gradient is carried
    # in place through a `lax.scan` instead of being added as a full-size array in every step.
    from jax._src.interpreters.ad import GradAccum, NullAccum, RefAccum, fancy_transposes
except ImportError:
    fancy_transposes = None

is_undefined = ad.is_undefined_primal
add_cotangents = ad.add_tangents


def bind_equation(equation: Any, values: Sequence) -> Sequence:
    """The outputs of an equation of a jaxpr for other operands."""
    primitive = equation.primitive
    made = primitive.get_bind_params(equation.params)
    functions, params = ((), made) if isinstance(made, dict) else made
    out = primitive.bind(*functions, *values, **params)
    return out if primitive.multiple_results else [out]


class Native(NamedTuple):
    """What a native handler needs for one call: the target, its attributes, and operands that
    become outputs."""

    target: str
    attributes: dict[str, Any]
    aliases: dict[int, int]


def is_zero(x) -> bool:
    """Whether a tangent or cotangent is known to be zero (symbolically, or because the primal is
    not a float)."""
    return type(x) is ad.Zero or getattr(x, "dtype", None) == jax.dtypes.float0


def zero_cotangent(undefined) -> ad.Zero:
    """A symbolic zero cotangent for an operand that is being transposed."""
    return ad.Zero(undefined.aval.to_tangent_aval())


def _running(x):
    """The cotangent that an operand has accumulated so far, a symbolic zero where it has none."""
    if isinstance(x, NullAccum):
        return None
    if isinstance(x, RefAccum):
        return x.inst().ref[...]
    return x.val


def _register_accumulating(primitive: Primitive, transpose: Callable) -> None:
    def from_zero(cotangents, *operands, **params):
        running = [zero_cotangent(x) if is_undefined(x) else None for x in operands]
        return transpose(cotangents, operands, running, **params)

    def in_place(cotangents, *operands, **params):
        linear = [isinstance(x, GradAccum) for x in operands]
        running = [_running(x) if is_l else None for x, is_l in zip(operands, linear, strict=True)]
        undefined = [
            ad.UndefinedPrimal(x.aval) if is_l else x
            for x, is_l in zip(operands, linear, strict=True)
        ]
        for x, old, new in zip(
            operands, running, transpose(cotangents, undefined, running, **params), strict=True
        ):
            if old is None or new is old:
                continue
            if isinstance(x, RefAccum):
                x.ref[...] = new
            else:
                x.val = new

    ad.primitive_transposes[primitive] = from_zero
    if fancy_transposes is not None:
        fancy_transposes[primitive] = in_place


def full_cotangent(cotangent) -> jax.Array:
    """A cotangent as an array, even if it is a symbolic zero."""
    return ad.instantiate_zeros(cotangent)


def zero_tangent(primal) -> ad.Zero:
    """A symbolic zero tangent of `primal`."""
    return ad.Zero(jax.typeof(primal).to_tangent_aval())


def vary_alike(operands: Sequence) -> list:
    """Give all operands the same varying manual axes, as `jax.shard_map` requires of the operands
    of a primitive."""
    varying = [_varying_axes(jax.typeof(x)) for x in operands]
    union = frozenset().union(*varying)
    out = []
    for x, has in zip(operands, varying, strict=True):
        missing = tuple(sorted(union - has))
        out.append(jax.lax.pcast(x, missing, to="varying") if missing else x)
    return out


def explicitly_sharded(x) -> bool:
    """Whether the type of an array says that it is sharded (along explicit axes of a mesh)."""
    return any(axis is not None for axis in jax.typeof(x).sharding.spec)


def shard_like(x: jax.Array, like: jax.Array) -> jax.Array:
    """`x` sharded as the type of `like` says."""
    return jax.sharding.reshard(x, jax.typeof(like).sharding) if explicitly_sharded(like) else x


def _replicate(operands: Sequence) -> list:
    """Operands replicated on each device, as kernels take them and as the types of the outputs say.
    The rules of `reshard` restore the sharding of derivatives."""
    out = []
    for x in operands:
        if explicitly_sharded(x):
            x = jax.sharding.reshard(x, _sharding(jax.typeof(x), jax.typeof(x).ndim))
        out.append(x)
    return out


def vary_like(tree: Any, others: Any) -> Any:
    """`tree` with its arrays varying along all manual axes along which an array of `tree` or
    `others` varies, as `jax.shard_map` requires of the carry of a loop."""
    leaves, structure = jax.tree.flatten(tree)
    arrays = [x for x in jax.tree.leaves((tree, others)) if isinstance(x, jax.Array)]
    union = frozenset().union(*(_varying_axes(jax.typeof(x)) for x in arrays))
    if not union:
        return tree

    def widen(x):
        missing = tuple(sorted(union - _varying_axes(jax.typeof(x))))
        return jax.lax.pcast(x, missing, to="varying") if missing else x

    return structure.unflatten([widen(x) if isinstance(x, jax.Array) else x for x in leaves])


_references: dict[Primitive, Callable[..., Sequence[jax.Array]]] = {}


def reference_of(primitive: Primitive) -> Callable[..., Sequence[jax.Array]] | None:
    """The function in pure JAX that defines an operator of brainfn; `None` for other primitives."""
    return _references.get(primitive)


def define(
    name: str,
    *,
    reference: Callable[..., Sequence[jax.Array]],
    outputs: Callable[..., Sequence[tuple[tuple[int, ...], Any]]],
    native: Callable[..., Native | None] | None = None,
    jvp: Callable | None = None,
    transpose: Callable | None = None,
    accumulate: Callable | None = None,
    batch: Callable | None = None,
    cuda: Callable[..., Native | None] | None = None,
    splits: bool = False,
    rewrite: Callable[..., Callable[..., Sequence[jax.Array]] | None] | None = None,
) -> Callable[..., list]:
    """Make an operator: a JAX primitive with multiple results.

    **Arguments:**

    - `name`: name of the primitive, shown in jaxprs.
    - `reference`: `reference(*operands, **params) -> outputs` in pure JAX; lowering everywhere and
      oracle of the tests.
    - `outputs`: `outputs(*avals, **params)` gives shape and dtype of each output.
    - `native`: `native(*avals, **params)` gives the `Native` call for CPU, or None where only the
      reference applies.
    - `jvp`: `jvp(primals, tangents, **params) -> (outputs, tangents)`.
    - `transpose`: `transpose(cotangents, *operands, **params) -> cotangents of the operands`.
    - `accumulate`: a transpose that adds in place, `accumulate(cotangents, operands, running,
      **params) -> new running cotangents`; operands that are being transposed are undefined,
      `running` holds their cotangents so far (None for the other operands).
    - `batch`: `batch(operands, dims, **params) -> (outputs, dims)`; without it, `vmap` loops by
      `jax.lax.map`.
    - `cuda`: like `native`, for NVIDIA GPUs.
    - `splits`: whether XLA may split the work between devices under a plain `jit` with sharded
      arrays. It can do so with the reference only (of elementwise operators with no communication);
      operands of a native call are gathered.
    - `rewrite`: `rewrite(*avals, **params)` gives a function that takes the place of the reference
      on CPU, or None where none is better.

    Parameters are static and must be hashable.

    **Returns:** a function `operator(*operands, **params) -> list of outputs`.
    """
    primitive = Primitive(name)
    primitive.multiple_results = True
    _references[primitive] = reference

    @ft.lru_cache(maxsize=1024)
    def compiled(params):
        return jax.jit(lambda *operands: primitive.bind(*operands, **dict(params)))

    def impl(*operands, **params):
        # Without compilation this would recurse forever: the operator itself is always compiled.
        with jax.disable_jit(False):
            return compiled(_sorted(params))(*operands)

    def abstract_eval(*avals, **params):
        # Built from an operand so that the varying-axis information of shard_map survives.
        return [
            avals[0].update(
                shape=tuple(shape),
                dtype=np.dtype(dtype),
                weak_type=False,
                sharding=_sharding(avals[0], len(shape)),
            )
            for shape, dtype in outputs(*avals, **params)
        ]

    def operator(*operands, **params):
        return primitive.bind(*vary_alike(_replicate(operands)), **params)

    primitive.def_impl(impl)
    primitive.def_abstract_eval(abstract_eval)
    fallback = mlir.lower_fun(reference, multiple_results=True)
    mlir.register_lowering(primitive, fallback)
    if rewrite is not None:
        lower = _rewriting(rewrite, fallback, splits)
        mlir.register_lowering(primitive, lower, platform="cpu")
    for platform, kernel in (("cpu", native), ("cuda", cuda)):
        if kernel is not None:
            lower = _native_lowering(kernel, platform, fallback, splits)
            mlir.register_lowering(primitive, lower, platform=platform)
    if jvp is not None:
        ad.primitive_jvps[primitive] = jvp
    if transpose is not None:
        ad.primitive_transposes[primitive] = transpose
    if accumulate is not None:
        _register_accumulating(primitive, accumulate)
    batching.primitive_batchers[primitive] = (
        batch if batch is not None else ft.partial(_loop, operator)
    )
    return operator


def _sorted(params: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(params.items(), key=lambda item: item[0]))


def _native_lowering(kernel: Callable, platform: str, fallback: Callable, splits: bool) -> Callable:
    def lower(ctx, *operands, **params):
        if splits and _partitioned(ctx.module_context.axis_context):
            return fallback(ctx, *operands, **params)
        call = kernel(*ctx.avals_in, **params)
        if call is None or not handler_available(call.target, platform):
            return fallback(ctx, *operands, **params)
        rule = jax.ffi.ffi_lowering(
            call.target, operand_output_aliases=call.aliases, has_side_effect=False
        )
        return rule(ctx, *operands, **call.attributes)

    return lower


def _rewriting(rewrite: Callable, fallback: Callable, splits: bool) -> Callable:
    def lower(ctx, *operands, **params):
        if splits and _partitioned(ctx.module_context.axis_context):
            return fallback(ctx, *operands, **params)
        better = rewrite(*ctx.avals_in, **params)
        if better is None:
            return fallback(ctx, *operands, **params)
        return mlir.lower_fun(better, multiple_results=True)(ctx, *operands)

    return lower


def _partitioned(context) -> bool:
    """Whether XLA may split arrays of the program between devices; not in `jax.shard_map`."""
    manual = getattr(context, "manual_axes", None)
    if manual is None:
        return getattr(context, "num_devices", 1) > 1
    return context.mesh.size > 1 and set(manual) != set(context.mesh.axis_names)


def loop_over_batch(
    operator: Callable, operands: Sequence, dims: Sequence, **params
) -> tuple[list, list]:
    """The batching rule that loops: `jax.lax.map` over the batched operands."""
    return _loop(operator, operands, dims, **params)


def _loop(operator, operands, dims, **params):
    moved = [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(operands, dims, strict=True)]
    mapped = [x for x, d in zip(moved, dims, strict=True) if d is not None]

    def one(some):
        some = iter(some)
        return operator(
            *[x if d is None else next(some) for x, d in zip(moved, dims, strict=True)], **params
        )

    out = jax.lax.map(one, mapped)
    return out, [0] * len(out)


def _varying_axes(aval) -> frozenset:
    kind = getattr(aval, "manual_axis_type", None)  # JAX 0.10.2; other versions say `vma`
    return frozenset(aval.vma if kind is None else kind.varying)


def _sharding(aval, ndim: int):
    sharding = aval.sharding
    return sharding.update(spec=jax.sharding.PartitionSpec(*([None] * ndim)))
