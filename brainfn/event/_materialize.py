"""Keeping XLA from computing a value anew in each kernel that reads it."""

from jaxtyping import Array, Shaped

from ._prim import Native, define, is_zero, zero_cotangent, zero_tangent


def materialize(x: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """`x` itself, stored in memory once.

    XLA on CPU fuses an elementwise computation into each kernel that reads its result: a membrane
    update that feeds spikes, reset and refractory counter is computed three times over (2x in the
    step of 4000 LIF neurons, see `docs/benchmarks.md`). An aliased custom call, which does nothing,
    ends the fusion; `lax.optimization_barrier` is removed too early to do so. Identity in value and
    derivative, on every platform.

    **Arguments:**

    - `x`: any array.
    """
    (y,) = _materialize(x)
    return y


def _jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return _materialize(x), [zero_tangent(x) if is_zero(dx) else dx]


def _transpose(cotangents, x):
    (ct,) = cotangents
    return [zero_cotangent(x) if is_zero(ct) else ct]


def _batch(operands, dims):
    return _materialize(*operands), list(dims)


def _native(x) -> Native:
    del x
    return Native("brainfn_materialize", {}, {0: 0})


_materialize = define(
    "materialize",
    reference=lambda x: [x],
    outputs=lambda x: [(x.shape, x.dtype)],
    native=_native,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
)
