"""Functions whose value is computed in one way and whose derivative in another."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu

from ._prim import define, is_zero


def with_derivative(
    fast: Callable[..., Any],
    slow: Callable[..., Any] | None = None,
    *,
    tangent: Callable[..., Any] | None = None,
    rewrite: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """A function that computes `fast`, and is differentiated as if it were `slow`.

    ```python
    clipped = with_derivative(lambda x: jnp.clip(x, 0, 1), jax.nn.sigmoid)
    ```

    `jax.custom_jvp` promises the same, but gives wrong second derivatives inside `jax.lax.scan` in
    reverse mode over reverse mode, where its rule is lost. This is a JAX primitive: wherever it is
    differentiated, `slow` replaces it, so that derivatives of any order, in any combination of
    modes, are those of `slow`.

    **Arguments:**

    - `fast`, `slow`: functions of pytrees of arrays (and of other leaves, which are hashable and
        static), with outputs of the same structure, shapes and dtypes. Where they are
        differentiated the value is that of `slow`, too. Define them at the top level of a module:
        they are part of the key of JAX's compilation cache.
    - `tangent`: instead of `slow`, a function `(arguments, tangents) -> tangent of the output`,
        both tuples in the form that `fast` takes, with `None` for tangents that are zero. The value
        stays that of `fast`; higher derivatives are those of `tangent`.
    - `rewrite`: for CPU, `rewrite(flat, avals, arguments, batch)` gives another function of the
        arrays to be used in place of `flat`, which is `fast` as a flat function of arrays, or
        `None`. `arguments(arrays)` are the arguments of `fast` with these (or with anything else in
        their place), and `batch` the sizes of the axes that `vmap` added.

    **Returns:** the function.
    """

    def reference(*operands: Any, static: Any, axes: Any) -> list[Any]:
        return mapped(fast, operands, static, axes)

    # A model calls the same function many times, and each transformation asks again.
    @functools.lru_cache(maxsize=4096)
    def output(static: Any, axes: Any, shapes: Any, default: Any) -> tuple[Any, list[Any]]:
        """Structure, and shapes and dtypes, of what `fast` makes of arrays of these shapes."""
        del default
        plain = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes]
        if axes:
            made = jax.eval_shape(lambda *xs: mapped(fast, xs, static, axes), *plain)
        else:
            structure, others, where = static
            made = jax.eval_shape(
                lambda xs: fast(*jtu.tree_unflatten(structure, filled(xs, others, where))), plain
            )
        leaves, tree = jtu.tree_flatten(made)
        return tree, [(x.shape, x.dtype) for x in leaves]

    def outputs(*avals: Any, static: Any, axes: Any) -> list[Any]:
        return output(static, axes, *shapes_of(avals))[1]

    def jvp(primals: Any, tangents: Any, *, static: Any, axes: Any) -> Any:
        # Operands without a tangent stay constants, so that nothing is computed for them.
        moving = [i for i, t in enumerate(tangents) if not is_zero(t)]
        some = tuple(tangents[i] for i in moving)
        other = slow
        if other is None:
            out = operator(*primals, static=static, axes=axes)
            return out, linear(primals, some, moving, static, axes)

        def part(*xs: Any) -> list[Any]:
            operands = list(primals)
            for i, x in zip(moving, xs, strict=True):
                operands[i] = x
            return mapped(other, operands, static, axes)

        return jax.jvp(part, tuple(primals[i] for i in moving), some)

    def linear(primals: Any, some: Any, moving: list[int], static: Any, axes: Any) -> list[Any]:
        slope = tangent
        assert slope is not None
        structure, others, where = static
        n = len(primals)

        def flat(*both: Any) -> list[Any]:
            changes: list[Any] = [None] * n
            for i, x in zip(moving, both[n:], strict=True):
                changes[i] = x
            primal = jtu.tree_unflatten(structure, filled(both[:n], others, where))
            blank = (None,) * len(others)
            change = jtu.tree_unflatten(structure, filled(changes, blank, where))
            return jtu.tree_leaves(slope(primal, change))

        mapped: Callable[..., Any] = flat
        for in_axes in axes:
            mapped = jax.vmap(mapped, in_axes=(*in_axes, *(in_axes[i] for i in moving)))
        return mapped(*primals, *some)

    def batch(operands: Any, dims: Any, *, static: Any, axes: Any) -> Any:
        out = operator(*operands, static=static, axes=(*axes, tuple(dims)))
        return out, [0] * len(out)

    def better(*avals: Any, static: Any, axes: Any) -> Any:
        assert rewrite is not None
        structure, others, where = static

        def flat(*operands: Any) -> list[Any]:
            return mapped(fast, operands, static, axes)

        def arguments(arrays: Sequence[Any]) -> Any:
            return jtu.tree_unflatten(structure, filled(arrays, others, where))

        return rewrite(flat, avals, arguments, _batch_sizes(avals, axes))

    operator = define(
        f"with_derivative_{fast.__name__.strip('_<>')}",
        reference=reference,
        outputs=outputs,
        jvp=jvp,
        batch=batch,
        splits=True,
        rewrite=None if rewrite is None else better,
    )

    def function(*arguments: Any) -> Any:
        leaves, structure = jtu.tree_flatten(arguments)
        where = tuple(eqx.is_array(x) for x in leaves)
        others = tuple(None if array else x for array, x in zip(where, leaves, strict=True))
        arrays = [jnp.asarray(x) for x, array in zip(leaves, where, strict=True) if array]
        static = structure, others, where
        out = operator(*arrays, static=static, axes=())
        return jtu.tree_unflatten(output(static, (), *shapes_of(arrays))[0], out)

    return function


def mapped(
    function: Callable[..., Any], operands: Sequence[Any], static: Any, axes: Any
) -> list[Any]:
    """The leaves of what a function of pytrees makes of arrays, mapped over the axes that `vmap`
    added."""
    structure, others, where = static

    def flat(*arrays: Any) -> list[Any]:
        leaves = filled(arrays, others, where)
        return jtu.tree_leaves(function(*jtu.tree_unflatten(structure, leaves)))

    out: Callable[..., Any] = flat
    for in_axes in axes:
        out = jax.vmap(out, in_axes=in_axes)
    return out(*operands)


def _batch_sizes(avals: Sequence[Any], axes: Any) -> tuple[int, ...]:
    """The sizes of all axes that `vmap` added."""
    shapes, found = [list(x.shape) for x in avals], []
    for in_axes in reversed(axes):
        sizes = [s.pop(a) for s, a in zip(shapes, in_axes, strict=True) if a is not None]
        found.append(sizes[0])
    return tuple(found)


def shapes_of(arrays: Sequence[Any]) -> tuple[Any, Any]:
    """All that shapes and dtypes of a function's outputs depend on."""
    return tuple((x.shape, x.dtype) for x in arrays), jnp.result_type(float)


def filled(arrays: Sequence[Any], others: Sequence[Any], where: Sequence[bool]) -> list[Any]:
    """Leaves of which some are arrays."""
    given = iter(arrays)
    return [next(given) if array else x for array, x in zip(where, others, strict=True)]
