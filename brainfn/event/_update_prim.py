"""Operators that change stored elements of active rows, in place, by an elementwise rule."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._bilinear import (
    COLS,
    ROWS,
    STRUCTURE,
    WEIGHTS,
    BlockSpec,
    Spec,
    for_cuda,
    native_call,
)
from ._matrix import Layout
from ._prim import Native, define, is_zero, loop_over_batch
from ._reference import coordinates, sum_dtype


class Elements(NamedTuple):
    """Where the stored elements are, in the order in which a rule gets them."""

    row: jax.Array | None  # None: a dense matrix, (rows, columns)
    column: jax.Array | None

    def rows(self, arrays: Sequence) -> list:
        """For each element the entry of arrays over rows."""
        return [x[:, None] if self.row is None else x[self.row] for x in arrays]

    def columns(self, arrays: Sequence) -> list:
        """For each element the entry of arrays over columns, or the one number for all."""
        if self.column is None:
            return [x.reshape(1, -1) for x in arrays]
        return [x[self.column] if x.ndim else x for x in arrays]


# (elements, arrays over rows, arrays over columns, arrays of weights) -> the new weights
Rule = Callable[[Elements, Sequence, Sequence, Sequence], list]


def spec_of(layout: Layout, rows: int, cols: int, weights: int) -> Spec:
    """The static description of a call with so many arrays of each role, without a batch."""
    block = BlockSpec(
        layout.kind,
        layout.shape,
        (0, 0, 0),
        0,
        0,
        tuple(range(len(layout.structure))),
        extra=layout.extra,
    )
    return Spec((), (((),) * rows, ((),) * cols, ((),) * weights, ()), (block,))


def kernel(target: str) -> Callable[..., Native | None]:
    """How the native handler `target` is called."""

    def native(*avals, spec) -> Native | None:
        groups = spec.split(avals)
        if any(a.dtype != groups[COLS][0].dtype for a in groups[ROWS] if a.dtype != np.bool_):
            return None
        call = native_call(WEIGHTS, *avals, spec=spec)
        return None if call is None else call._replace(target=target)

    return native


def cuda_kernel(target: str) -> Callable[..., Native | None]:
    """The same for a GPU."""

    def native(*avals, spec) -> Native | None:
        call = kernel(target)(*avals, spec=spec)
        return None if call is None else for_cuda(call)

    return native


def make(
    name: str,
    rule: Rule,
    native: Callable[..., Native | None],
    cuda: Callable[..., Native | None] | None = None,
) -> Callable[..., list]:
    """A primitive for a rule. The first array over rows says which rows are active; the kernels
    compute the same as the rule for these."""

    def reference(*operands, spec):
        rows, cols, weights, _, structure = spec.split(operands)
        (block,) = spec.blocks
        counts = len(rows), len(rows) + len(cols)

        def one(*arrays):
            return _one(
                rule,
                block,
                structure,
                arrays[: counts[0]],
                arrays[counts[0] : counts[1]],
                arrays[counts[1] :],
            )

        for d in reversed(range(len(spec.batch))):
            axes = [0 if m[d] else None for group in spec.masks[:STRUCTURE] for m in group]
            one = jax.vmap(one, axes, axis_size=spec.batch[d])
        return one(*rows, *cols, *weights)

    def jvp(primals, tangents, *, spec):
        out = operator(*primals, spec=spec)
        active = [i for i, t in enumerate(tangents) if not is_zero(t)]

        def of_active(*values):
            operands = list(primals)
            for i, value in zip(active, values, strict=True):
                operands[i] = value
            return reference(*operands, spec=spec)

        _, tangent = jax.jvp(
            of_active, tuple(primals[i] for i in active), tuple(tangents[i] for i in active)
        )
        return out, tangent

    operator = define(
        name,
        reference=reference,
        outputs=_outputs,
        native=native,
        cuda=cuda,
        jvp=jvp,
        batch=lambda *args, **kwargs: _batch(operator, *args, **kwargs),
    )
    return operator


def _one(rule: Rule, block, structure, rows, cols, weights) -> list:
    dtypes = [w.dtype for w in weights]
    dtype = sum_dtype(weights[0])
    rows, cols, old = ([x.astype(dtype) for x in group] for group in (rows, cols, weights))
    transposed = block.kind == "dense" and block.extra == (1,)
    shape = old[0].shape
    order = None
    if block.kind == "dense":
        at = Elements(None, None)
        old = [w.T if transposed else w for w in old]
    else:
        at = Elements(*coordinates(block, structure))
        order = structure[2] if block.kind == "permuted" else None
        old = [w.reshape(-1) for w in old]
        old = old if order is None else [w[order] for w in old]
    new = rule(at, rows, cols, old)
    if order is not None:
        new = [jnp.zeros_like(w).at[order].set(w, unique_indices=True) for w in new]
    new = [w.T if transposed else w for w in new]
    return [w.reshape(shape).astype(d) for w, d in zip(new, dtypes, strict=True)]


def _batch(operator, operands, dims, *, spec):
    groups, dim_groups = spec.split(operands), spec.split(dims)
    if any(d is not None for d in dim_groups[STRUCTURE]):
        return loop_over_batch(operator, operands, dims, spec=spec)
    size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)
    # Arrays over rows and columns are batched as a whole: they are small. Weights have every
    # dimension.
    batched = [[any(d is not None for d in g)] * len(g) for g in dim_groups[:STRUCTURE]]
    batched[WEIGHTS] = [True] * len(groups[WEIGHTS])
    new = []
    for r, group in enumerate(groups):
        for i, x in enumerate(group):
            d = dim_groups[r][i]
            if d is not None:
                x = jnp.moveaxis(x, d, 0)
            elif r != STRUCTURE and batched[r][i]:
                x = jnp.broadcast_to(x[None], (size, *x.shape))
            new.append(x)
    masks = tuple(
        tuple((has, *mask) for has, mask in zip(group, old, strict=True))
        for group, old in zip(batched, spec.masks, strict=True)
    )
    outputs = operator(*new, spec=Spec((size, *spec.batch), masks, spec.blocks))
    return outputs, [0] * len(outputs)


def _outputs(*avals, spec):
    return [(a.shape, a.dtype) for a in spec.split(avals)[WEIGHTS]]
