"""Operators made by `define`: calls, and rules for differentiation and batching."""

import functools as ft
import inspect
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import is_concrete
from . import _prim
from ._check import as_array
from ._compile import Source, compiled_target
from ._native import enabled
from ._numba import function_id


class Recipe(NamedTuple):
    """The checked arguments of `define`; array arguments by position."""

    name: str
    reference: Callable
    arrays: tuple[str, ...]
    static: dict[str, Any]
    linear: tuple[int, ...]
    transpose: dict[int, Callable]
    batch: str | Callable
    aliases: dict[int, int]
    accumulate: dict[int, int]
    cpp: Source | None
    cuda: Source | None
    numba: Callable | None
    supports: Callable | None


class Operator:
    """An operator made by [`brainfn.event.define`][]: a function of arrays and static keywords."""

    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        self.name = self.__name__ = recipe.name
        self.__doc__ = recipe.reference.__doc__
        self.reference = recipe.reference
        self._outputs = ft.lru_cache(maxsize=1024)(self._eval_outputs)
        has_cpu = recipe.cpp is not None or recipe.numba is not None
        self._bind = _prim.define(
            recipe.name,
            reference=self._reference,
            outputs=lambda *avals, **static: self._shapes(avals, static)[0],
            native=self._cpu if has_cpu else None,
            cuda=self._cuda if recipe.cuda is not None else None,
            jvp=self._jvp,
            transpose=self._transpose,
            batch=self._batch,
        )

    def __repr__(self) -> str:
        return f"<operator {self.name}({', '.join([*self._recipe.arrays, *self._recipe.static])})>"

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Calls the operator; raises `TypeError` for arguments that its reference does not have."""
        arrays, static = self._arguments(arguments, keywords)
        single = self._shapes(arrays, static)[1]
        outputs = self._bind(*arrays, **static)
        return outputs[0] if single else tuple(outputs)

    def check(self, *arguments: Any, rtol: float | None = None, **keywords: Any) -> None:
        r"""Compares kernel, reference and rules on an example.

        The kernel is compared with the reference; linearity with $f(2x + z) = 2f(x) + f(z)$; each
        transpose with the dot-product test
        $\langle c, f(z) \rangle = \langle f^\top(c), z \rangle$; `vmap` with a loop. The kernel
        must leave its arguments as they are.

        **Arguments:**

        - `arguments`, `keywords`: as in a call of the operator.
        - `rtol`: relative tolerance, of the largest element; by default the square root of the
          dtype's precision.

        Raises `ValueError` saying what differs, where and by how much.
        """
        from ._operator_check import check

        arrays, static = self._arguments(arguments, keywords)
        check(self, self._recipe, arrays, static, rtol)

    def _arguments(self, arguments, keywords) -> tuple[list[jax.Array], dict[str, Any]]:
        names, static = self._recipe.arrays, dict(self._recipe.static)
        given = dict(zip(names, arguments, strict=False))
        expected = f"expected the arrays {', '.join(names)}" + (
            f" and the keywords {', '.join(static)}" if static else ""
        )
        if len(arguments) > len(names):
            raise TypeError(f"{self.name}: got {len(arguments)} positional arguments, {expected}.")
        for key, value in keywords.items():
            if key in given:
                raise TypeError(f"{self.name}: got the argument {key!r} twice.")
            if key in names:
                given[key] = value
            elif key in static:
                if not isinstance(value, Hashable) or not is_concrete(value):
                    raise TypeError(
                        f"{self.name}: {key!r} is static and must be hashable, got "
                        f"{type(value).__name__}. Try a number or a tuple, or make it an array "
                        "argument."
                    )
                static[key] = value
            else:
                raise TypeError(f"{self.name}: got an argument {key!r}, {expected}.")
        missing = [n for n in names if n not in given]
        missing += [k for k, v in static.items() if v is inspect.Parameter.empty]
        if missing:
            raise TypeError(f"{self.name}: got no {', '.join(missing)}, {expected}.")
        # Without weak types, so that kernel and reference agree on dtypes.
        arrays = [as_array(n, given[n], self.name) for n in names]
        return [jax.lax.convert_element_type(x, x.dtype) for x in arrays], static

    def _reference(self, *arrays, **static) -> list[jax.Array]:
        strong = [jax.lax.convert_element_type(x, x.dtype) for x in arrays]
        out = self._recipe.reference(*strong, **static)
        return list(out) if isinstance(out, (tuple, list)) else [out]

    def _shapes(self, arrays, static) -> tuple[list[tuple[tuple[int, ...], Any]], bool]:
        """Shape and dtype of each output, and whether it is a single array instead of a tuple."""
        key = tuple((tuple(x.shape), np.dtype(x.dtype)) for x in arrays)
        return self._outputs(key, tuple(sorted(static.items())), jnp.result_type(float))

    def _eval_outputs(self, key, static, precision):
        del precision  # part of the key: the reference may depend on jax_enable_x64
        recipe = self._recipe
        args = [jax.ShapeDtypeStruct(*x) for x in key]
        out = jax.eval_shape(ft.partial(recipe.reference, **dict(static)), *args)
        single = not isinstance(out, (tuple, list))
        outputs = [out] if single else list(out)
        for x in outputs:
            if not isinstance(x, jax.ShapeDtypeStruct):
                raise TypeError(
                    f"{self.name}: the reference must return an array or a tuple of arrays, got "
                    f"{type(x).__name__}."
                )
        shapes = [(tuple(x.shape), np.dtype(x.dtype)) for x in outputs]
        for i, o in recipe.aliases.items():
            if not 0 <= o < len(shapes) or shapes[o] != key[i]:
                what = f"{shapes[o][1]} {shapes[o][0]}" if 0 <= o < len(shapes) else "none"
                raise ValueError(
                    f"{self.name}: {recipe.arrays[i]!r} of {key[i][1]} {key[i][0]} can't be stored "
                    f"in output {o}, which is {what}."
                )
        return shapes, single

    def _inexact(self, arrays, static) -> list[int]:
        """Positions of the floating-point outputs: only these have derivatives."""
        shapes = self._shapes(arrays, static)[0]
        return [o for o, (_, dtype) in enumerate(shapes) if jnp.issubdtype(dtype, jnp.inexact)]

    def _jvp(self, primals, tangents, **static):
        recipe = self._recipe
        outputs = self._bind(*primals, **static)
        inexact = self._inexact(primals, static)
        total: list = [None] * len(outputs)
        for i, o in recipe.accumulate.items():
            total[o] = None if _prim.is_zero(tangents[i]) else tangents[i]
        moving = [i for i, t in enumerate(tangents) if not _prim.is_zero(t)]
        for i in (i for i in recipe.linear if i in moving):
            operands = list(primals)
            operands[i] = tangents[i]
            for j, o in recipe.accumulate.items():
                operands[j] = jnp.zeros_like(primals[j]) if total[o] is None else total[o]
            terms = self._bind(*operands, **static)
            for o in inexact:
                added = o in recipe.accumulate.values() or total[o] is None
                total[o] = terms[o] if added else total[o] + terms[o]
        rest = [i for i in moving if i not in (*recipe.linear, *recipe.accumulate)]
        if rest:

            def of_rest(*some):
                out = self._reference(*_replaced(primals, rest, some), **static)
                return [out[o] for o in inexact]

            terms = jax.jvp(of_rest, [primals[i] for i in rest], [tangents[i] for i in rest])[1]
            for o, term in zip(inexact, terms, strict=True):
                total[o] = term if total[o] is None else total[o] + term
        return outputs, [
            _prim.zero_tangent(y) if t is None else t for y, t in zip(outputs, total, strict=True)
        ]

    def _transpose(self, cotangents, *operands, **static):
        recipe = self._recipe
        asked = [i for i, x in enumerate(operands) if _prim.is_undefined(x)]
        out: list = [None] * len(operands)
        for i in asked:
            out[i] = _prim.zero_cotangent(operands[i])
        known = [x.aval if _prim.is_undefined(x) else x for x in operands]
        inexact = self._inexact(known, static)
        if all(_prim.is_zero(cotangents[o]) for o in inexact):
            return out
        cts = [_prim.full_cotangent(cotangents[o]) for o in inexact]
        variables = [i for i in asked if i not in recipe.accumulate]
        if len(variables) > 1 or any(i not in recipe.linear for i in variables):
            raise TypeError(
                f"{self.name}: can't be transposed in {_names(recipe, variables)} together: it is "
                f"declared linear in each of ({_names(recipe, recipe.linear)})."
            )
        for i, o in recipe.accumulate.items():
            if i in asked:
                out[i] = cotangents[o]
        for i in variables:
            if i in recipe.transpose:
                out[i] = self._named_transpose(i, known, cts, static)
            else:
                out[i] = self._reference_transpose(i, known, cts, inexact, static)
        return out

    def _named_transpose(self, i, operands, cts, static):
        like = operands[i]
        shown = [
            x if isinstance(x, jax.Array) else jax.ShapeDtypeStruct(x.shape, x.dtype)
            for x in operands
        ]
        ct = cts[0] if len(cts) == 1 else tuple(cts)
        value = self._recipe.transpose[i](ct, *shown, **static)
        if jnp.shape(value) != like.shape or jnp.asarray(value).dtype != like.dtype:
            raise ValueError(
                f"{self.name}: the transpose rule of {self._recipe.arrays[i]!r} must return "
                f"{like.dtype} {like.shape}, got {jnp.asarray(value).dtype} {jnp.shape(value)}."
            )
        return value

    def _reference_transpose(self, i, operands, cts, inexact, static):
        # Linear together with the accumulators, so those are variables too.
        variables = [i, *self._recipe.accumulate]

        def of_variables(*some):
            out = self._reference(*_replaced(operands, variables, some), **static)
            return [out[o] for o in inexact]

        like = [jax.typeof(x) if isinstance(x, jax.Array) else x for x in operands]
        like = [like[j] for j in variables]
        try:
            return jax.linear_transpose(of_variables, *like)(cts)[0]
        except Exception as e:
            name = self._recipe.arrays[i]
            raise TypeError(
                f"{self.name}: JAX can't transpose the reference in {name!r} ({e}). Write it with "
                f"operations that are linear in {name!r}, or give define a rule, transpose="
                f"{{{name!r}: ...}}."
            ) from e

    def _batch(self, operands, dims, **static):
        rule = self._recipe.batch
        if rule == "loop":
            return _prim.loop_over_batch(self._bind, operands, dims, **static)
        if rule == "reference":
            mapped = jax.vmap(ft.partial(self._reference, **static), in_axes=tuple(dims))
            out = mapped(*operands)
            return out, [0] * len(out)
        assert callable(rule)
        size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)
        moved = [
            x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(operands, dims, strict=True)
        ]
        out, batched = rule(size, [d is not None for d in dims], *moved, **static)
        if not isinstance(out, (tuple, list)):
            out, batched = [out], [batched]
        some = [
            x if d is None else jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
            for x, d in zip(moved, dims, strict=True)
        ]
        expected = [
            ((size, *shape) if b else shape, dtype)
            for (shape, dtype), b in zip(self._shapes(some, static)[0], batched, strict=True)
        ]
        got = [(x.shape, np.dtype(x.dtype)) for x in out]
        if got != expected:
            raise ValueError(f"{self.name}: the batch rule must return {expected}, got {got}.")
        return list(out), [0 if b else None for b in batched]

    def _cpu(self, *avals, **static) -> _prim.Native | None:
        recipe = self._recipe
        if recipe.numba is None:
            return self._compiled(recipe.cpp, avals, static)
        if not self._usable(avals, static):
            return None
        outputs = [jax.ShapeDtypeStruct(*x) for x in self._shapes(avals, static)[0]]
        number = function_id(recipe.numba, self.name, avals, outputs, static)
        if number is None:
            return None
        aliases = np.full(len(outputs), -1, np.int64)
        for i, o in recipe.aliases.items():
            aliases[o] = i
        attributes = {"id": np.int64(number), "aliases": aliases}
        return _prim.Native("brainfn_call", attributes, recipe.aliases)

    def _cuda(self, *avals, **static) -> _prim.Native | None:
        return self._compiled(self._recipe.cuda, avals, static)

    def _compiled(self, source, avals, static) -> _prim.Native | None:
        if not self._usable(avals, static):
            return None
        attributes = {k: self._attribute(k, v) for k, v in static.items()}
        target = compiled_target(source)
        return None if target is None else _prim.Native(target, attributes, self._recipe.aliases)

    def _usable(self, avals, static) -> bool:
        supports = self._recipe.supports
        return enabled() and (supports is None or bool(supports(*avals, **static)))

    def _attribute(self, name: str, value: Any) -> Any:
        """A static argument as an attribute of the FFI: bool, int64_t, double, string, spans."""
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        for kind, dtype in ((np.bool_, np.bool_), (np.integer, np.int64), (np.floating, float)):
            if np.issubdtype(array.dtype, kind):
                return array.astype(dtype)[()] if array.ndim < 2 else array.astype(dtype)
        raise TypeError(
            f"{self.name}: {name!r} is passed to a native kernel and must be a bool, number, str "
            f"or tuple of numbers, got {value!r}."
        )


def _replaced(operands, positions, values) -> list:
    out = list(operands)
    for i, x in zip(positions, values, strict=True):
        out[i] = x
    return out


def _names(recipe: Recipe, positions) -> str:
    return ", ".join(repr(recipe.arrays[i]) for i in positions)
