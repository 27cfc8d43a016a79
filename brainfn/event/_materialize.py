"""Telling XLA where a value is to be stored, and in which order buffers are used."""

from typing import Any, TypeVar

import jax.tree_util as jtu

from ._prim import Native, define, explicitly_sharded, is_zero, zero_cotangent, zero_tangent

T = TypeVar("T")


def materialize(values: T, *, after: Any = ()) -> T:
    """`values` unchanged, stored in memory once, not before `after` has been computed.

    XLA on CPU fuses an elementwise computation into each kernel that reads its result: a membrane
    update that feeds spikes, reset and refractory counter would be computed three times over
    (`docs/benchmarks.md`). A custom call that does nothing to its aliased operands ends the fusion;
    `lax.optimization_barrier` is removed too early to do so. With `after`, everything that reads
    the result runs after everything that `after` was computed from. So a variable that is first
    read and then advanced can be overwritten in place; without knowing the order, XLA would copy
    it.

    Identity in value and derivative, on every platform.

    **Arguments:**

    - `values`: a pytree of arrays.
    - `after`: a pytree of arrays to wait for.

    **Returns:** `values`.
    """
    leaves, structure = jtu.tree_flatten(values)
    if not leaves or any(map(explicitly_sharded, leaves)):
        return values
    waited = jtu.tree_leaves(after)
    return jtu.tree_unflatten(structure, _materialize(*leaves, *waited, n=len(leaves)))


def _jvp(primals, tangents, *, n):
    out = [
        zero_tangent(x) if is_zero(dx) else dx
        for x, dx in zip(primals[:n], tangents[:n], strict=True)
    ]
    return _materialize(*primals, n=n), out


def _transpose(cotangents, *operands, n):
    values = [
        zero_cotangent(x) if is_zero(ct) else ct
        for x, ct in zip(operands[:n], cotangents, strict=True)
    ]
    return values + [None] * (len(operands) - n)


def _batch(operands, dims, *, n):
    return _materialize(*operands, n=n), list(dims[:n])


def _native(*avals, n) -> Native:
    del avals
    return Native("brainfn_materialize", {}, {i: i for i in range(n)})


_materialize = define(
    "materialize",
    reference=lambda *operands, n: list(operands[:n]),
    outputs=lambda *avals, n: [(x.shape, x.dtype) for x in avals[:n]],
    native=_native,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    splits=True,
)
