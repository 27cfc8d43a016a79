"""Functions with an adjoint of their own, computed in another way than JAX would."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu

from ._derived import filled, mapped, shapes_of
from ._prim import define, full_cotangent, is_undefined, is_zero, zero_tangent


class Call(NamedTuple):
    """A call of a function that is to be replaced.

    - `flat`: what is computed, as a function of arrays.
    - `avals`: shapes and dtypes of these arrays.
    - `arguments`: `arguments(arrays)` are the arguments of the function with these leaves (or with
      anything else in their place).
    - `results`: `results(leaves)`: its outputs, with something for each output that is a float.
    - `axes`: for each `jax.vmap` of the call, the axis of each argument, or `None`.
    - `moving`: for an adjoint, the arguments whose cotangents are wanted.
    """

    flat: Callable[..., list[Any]]
    avals: Sequence[Any]
    arguments: Callable[[Sequence[Any]], Any]
    results: Callable[[Sequence[Any]], Any]
    axes: tuple[tuple[int | None, ...], ...]
    moving: tuple[int, ...] = ()


def with_adjoint(
    function: Callable[..., Any],
    *,
    rewrite: Callable[[Call], Callable[..., Any] | None],
    rewrite_adjoint: Callable[[Call], Callable[..., Any] | None],
) -> Callable[..., Any]:
    """A function whose value and adjoint can be computed in another way on CPU.

    Everything is as if it were `function` (derivatives of any order in any combination of modes,
    batching), but the residuals of reverse mode are the arguments alone, and the adjoint is one
    operator.

    **Arguments:**

    - `function`: a function of pytrees of arrays (and of other leaves, which are hashable and
        static). Define it at the top level of a module.
    - `rewrite`: `rewrite(call)` gives a function of the arrays of the call that takes the place of
        `call.flat`, or `None`.
    - `rewrite_adjoint`: the same for the adjoint, a function of the arrays and of the cotangents of
        those outputs that are floats, which returns the cotangents of the arguments
        `call.moving`.

    **Returns:** the function.
    """

    @functools.lru_cache(maxsize=256)
    def output(static: Any, axes: Any, shapes: Any, default: Any) -> tuple[Any, list[Any]]:
        del default
        plain = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes]
        structure, others, where = static
        unmapped = [
            _without(x, [in_axes[i] for in_axes in reversed(axes)]) for i, x in enumerate(plain)
        ]
        made = jax.eval_shape(
            lambda xs: function(*jtu.tree_unflatten(structure, filled(xs, others, where))),
            unmapped,
        )
        leaves = jax.eval_shape(lambda *xs: mapped(function, xs, static, axes), *plain)
        return jtu.tree_structure(made), [(x.shape, x.dtype) for x in leaves]

    def outputs(*avals: Any, static: Any, axes: Any) -> list[Any]:
        return output(static, axes, *shapes_of(avals))[1]

    def floats(avals: Sequence[Any], static: Any, axes: Any) -> list[int]:
        made = outputs(*avals, static=static, axes=axes)
        return [i for i, (_, dtype) in enumerate(made) if jnp.issubdtype(dtype, jnp.inexact)]

    def part(primals: Any, static: Any, axes: Any, moving: Any) -> Callable[..., list[Any]]:
        """The outputs that are floats as a function of the moving arguments."""
        wanted = floats(primals, static, axes)

        def some(*xs: Any) -> list[Any]:
            operands = list(primals)
            for i, x in zip(moving, xs, strict=True):
                operands[i] = x
            out = mapped(function, operands, static, axes)
            return [out[i] for i in wanted]

        return some

    def reference(*operands: Any, static: Any, axes: Any) -> list[Any]:
        return mapped(function, operands, static, axes)

    def jvp(primals: Any, tangents: Any, *, static: Any, axes: Any) -> Any:
        moving = tuple(i for i, t in enumerate(tangents) if not is_zero(t))
        out = operator(*primals, static=static, axes=axes)
        some = [tangents[i] for i in moving]
        made = iter(tangent(*primals, *some, static=static, axes=axes, moving=moving))
        wanted = floats(primals, static, axes)
        return out, [next(made) if i in wanted else zero_tangent(x) for i, x in enumerate(out)]

    def slope(*operands: Any, static: Any, axes: Any, moving: Any) -> list[Any]:
        n = len(operands) - len(moving)
        primals, some = operands[:n], operands[n:]
        at = tuple(primals[i] for i in moving)
        return jax.jvp(part(primals, static, axes, moving), at, tuple(some))[1]

    def slope_outputs(*avals: Any, static: Any, axes: Any, moving: Any) -> list[Any]:
        avals = avals[: len(avals) - len(moving)]
        made = outputs(*avals, static=static, axes=axes)
        return [made[i] for i in floats(avals, static, axes)]

    def transpose(cts: Any, *operands: Any, static: Any, axes: Any, moving: Any) -> list[Any]:
        n = len(operands) - len(moving)
        undefined = [is_undefined(x) for x in operands[n:]]
        asked = tuple(i for i, yes in zip(moving, undefined, strict=True) if yes)
        full = [full_cotangent(ct) for ct in cts]
        made = iter(adjoint(*operands[:n], *full, static=static, axes=axes, moving=asked))
        return [None] * n + [next(made) if yes else None for yes in undefined]

    def pulled(*operands: Any, static: Any, axes: Any, moving: Any) -> list[Any]:
        n = len(static[2]) - static[2].count(False)
        primals, cts = operands[:n], operands[n:]
        at = tuple(primals[i] for i in moving)
        return list(jax.vjp(part(primals, static, axes, moving), *at)[1](list(cts)))

    def pulled_outputs(*avals: Any, static: Any, axes: Any, moving: Any) -> list[Any]:
        del static, axes
        return [(avals[i].shape, avals[i].dtype) for i in moving]

    def batch(operands: Any, dims: Any, *, static: Any, axes: Any) -> Any:
        out = operator(*operands, static=static, axes=(*axes, tuple(dims)))
        return out, [0] * len(out)

    def call(flat: Any, avals: Any, static: Any, axes: Any, moving: Any) -> Call:
        structure, others, where = static
        n = sum(where)
        tree, shapes = output(static, axes, *shapes_of(avals[:n]))

        def arguments(arrays: Sequence[Any]) -> Any:
            return jtu.tree_unflatten(structure, filled(arrays, others, where))

        def results(leaves: Sequence[Any]) -> Any:
            given = iter(leaves)
            wanted = floats(avals[:n], static, axes)
            filled = [next(given) if i in wanted else None for i in range(len(shapes))]
            return jtu.tree_unflatten(tree, filled)

        return Call(flat, avals, arguments, results, axes, moving)

    def better(*avals: Any, static: Any, axes: Any) -> Any:
        flat = functools.partial(reference, static=static, axes=axes)
        return rewrite(call(flat, avals, static, axes, ()))

    def better_adjoint(*avals: Any, static: Any, axes: Any, moving: Any) -> Any:
        flat = functools.partial(pulled, static=static, axes=axes, moving=moving)
        return rewrite_adjoint(call(flat, avals, static, axes, moving))

    name = function.__name__.strip("_<>")
    operator = define(
        name, reference=reference, outputs=outputs, jvp=jvp, batch=batch, rewrite=better
    )
    tangent = define(
        f"{name}_tangent",
        reference=slope,
        outputs=slope_outputs,
        jvp=_jvp_of(slope),
        transpose=transpose,
        batch=_batch_of(slope),
    )
    adjoint = define(
        f"{name}_adjoint",
        reference=pulled,
        outputs=pulled_outputs,
        jvp=_jvp_of(pulled),
        batch=_batch_of(pulled),
        rewrite=better_adjoint,
    )

    @functools.wraps(function)
    def public(*arguments: Any) -> Any:
        leaves, structure = jtu.tree_flatten(arguments)
        where = tuple(eqx.is_array(x) for x in leaves)
        others = tuple(None if array else x for array, x in zip(where, leaves, strict=True))
        arrays = [jnp.asarray(x) for x, array in zip(leaves, where, strict=True) if array]
        static = structure, others, where
        out = operator(*arrays, static=static, axes=())
        return jtu.tree_unflatten(output(static, (), *shapes_of(arrays))[0], out)

    return public


def _jvp_of(reference: Callable[..., list[Any]]) -> Callable[..., Any]:
    """The derivative of an operator by that of its reference."""

    def jvp(primals: Any, tangents: Any, **params: Any) -> Any:
        moving = [i for i, t in enumerate(tangents) if not is_zero(t)]

        def function(*xs: Any) -> list[Any]:
            operands = list(primals)
            for i, x in zip(moving, xs, strict=True):
                operands[i] = x
            return reference(*operands, **params)

        at = tuple(primals[i] for i in moving)
        return jax.jvp(function, at, tuple(tangents[i] for i in moving))

    return jvp


def _batch_of(reference: Callable[..., list[Any]]) -> Callable[..., Any]:
    """`vmap` of an operator by that of its reference."""

    def batch(operands: Any, dims: Any, **params: Any) -> Any:
        out = jax.vmap(functools.partial(reference, **params), in_axes=tuple(dims))(*operands)
        return out, [0] * len(out)

    return batch


def _without(x: Any, axes: Sequence[int | None]) -> Any:
    """A shape without the axes that `vmap` added, the last one first."""
    shape = list(x.shape)
    for axis in axes:
        if axis is not None:
            shape.pop(axis)
    return jax.ShapeDtypeStruct(tuple(shape), x.dtype)
