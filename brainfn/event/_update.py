"""Plasticity: weights change where neurons spike."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from ._bilinear import (
    COLS,
    ROWS,
    STRUCTURE,
    WEIGHTS,
    BlockSpec,
    Spec,
    contract,
    for_cuda,
    native_call,
)
from ._check import as_array, concrete
from ._csr import CSC, CSR, ColumnIndex
from ._dense import Dense
from ._fixed import FixedFanin, FixedFanout, OneToOne
from ._matrix import AbstractMatrix, Layout, as_spikes, term
from ._prim import Native, define, is_zero, loop_over_batch
from ._reference import coordinates, sum_dtype

_Number = float | int | Shaped[Array | np.ndarray, "..."]


def on_pre(
    matrix: AbstractMatrix,
    spikes: Shaped[Array | np.ndarray, " n_pre"],
    change: _Number = 0.0,
    *,
    factor: _Number | None = None,
    lower: _Number | None = None,
    upper: _Number | None = None,
) -> AbstractMatrix:
    r"""Changes the weights of the synapses of presynaptic neurons that spike, and no others.

    $$ W_{ij} \leftarrow \operatorname{clip}\bigl(W_{ij} + s_i (a_j + b_j W_{ij}),\;
       w_{\min},\; w_{\max}\bigr) \quad \text{where } s_i \neq 0 $$

    In place where nothing else uses the old weights, as inside a `lax.scan`. Differentiable in
    everything; the derivative with respect to $s_i$ of a silent neuron is that of the unclipped
    rule. Without `factor` and bounds, the cost of the derivatives is also proportional to the
    number of spikes.

    **Arguments:**

    - `matrix`: a matrix that stores a weight for each synapse: [`brainfn.event.CSR`][],
      [`brainfn.event.CSC`][], [`brainfn.event.FixedFanout`][], [`brainfn.event.FixedFanin`][],
      [`brainfn.event.OneToOne`][] or [`brainfn.event.Dense`][].
    - `spikes`: $s$, `(n_pre,)`, bool or numbers.
    - `change`: $a$, one number or `(n_post,)`, for instance a postsynaptic trace times a rate.
    - `factor`: $b$, one number or `(n_post,)`; with $a = \eta w_{\max}$ and $b = -\eta$ the weight
      approaches its bound softly. By default 0.
    - `lower`, `upper`: bounds, one number each; only weights that are touched are clipped. By
      default none.

    **Returns:** a matrix of the same class with the new weights. Raises `ValueError` or `TypeError`
    for shapes or dtypes that do not fit.
    """
    _check_matrix(matrix, "on_pre")
    layout = Layout(matrix.data, matrix.shape, matrix.kind, matrix.structure, matrix.extra)
    return _apply("on_pre", matrix, layout, spikes, change, factor, lower, upper)


def on_post(
    matrix: AbstractMatrix,
    spikes: Shaped[Array | np.ndarray, " n_post"],
    change: _Number = 0.0,
    *,
    columns: ColumnIndex | None = None,
    factor: _Number | None = None,
    lower: _Number | None = None,
    upper: _Number | None = None,
) -> AbstractMatrix:
    r"""Changes the weights of the synapses onto postsynaptic neurons that spike, and no others.

    $$ W_{ij} \leftarrow \operatorname{clip}\bigl(W_{ij} + s_j (a_i + b_i W_{ij}),\;
       w_{\min},\; w_{\max}\bigr) \quad \text{where } s_j \neq 0 $$

    Otherwise as [`brainfn.event.on_pre`][].

    **Arguments:**

    - `matrix`: as for `on_pre`.
    - `spikes`: $s$, `(n_post,)`, bool or numbers.
    - `change`: $a$, one number or `(n_pre,)`, for instance a presynaptic trace times a rate.
    - `columns`: `matrix.column_index()`, made once, outside of the loop; needed for `CSR` and
      `FixedFanout`, whose weights are stored by rows.
    - `factor`: $b$, one number or `(n_pre,)`. By default 0.
    - `lower`, `upper`: bounds, one number each. By default none.

    **Returns:** a matrix of the same class with the new weights. Raises `ValueError` or `TypeError`
    for shapes or dtypes that do not fit.
    """
    _check_matrix(matrix, "on_post")
    layout = _by_post(matrix, columns)
    return _apply("on_post", matrix, layout, spikes, change, factor, lower, upper)


def _check_matrix(matrix, what: str) -> None:
    if not isinstance(matrix, CSR | CSC | Dense | FixedFanin | FixedFanout | OneToOne):
        raise TypeError(
            f"{what}: matrix must store its weights (CSR, CSC, Dense, FixedFanin, FixedFanout, "
            f"OneToOne), got {type(matrix).__name__}; try matrix.tocsr()."
        )
    if matrix.data.ndim == 0:
        raise ValueError(
            f"{what}: matrix.data is one number for all synapses; give each its own weight."
        )


def _by_post(matrix: AbstractMatrix, columns: ColumnIndex | None) -> Layout:
    """The weights by postsynaptic neuron, in the order in which they are stored."""
    shape = (matrix.shape[1], matrix.shape[0])
    if isinstance(matrix, Dense):
        return Layout(matrix.data, shape, "dense", (), (1,))
    back = matrix if isinstance(matrix, OneToOne) else matrix.by_columns
    if back is not None:
        return Layout(matrix.data, shape, back.kind, back.structure, back.extra)
    if columns is None:
        raise ValueError(
            f"on_post: columns is needed for a {type(matrix).__name__}; make it once, outside "
            "the loop, with matrix.column_index()."
        )
    if not isinstance(columns, ColumnIndex):
        raise TypeError(
            f"on_post: columns must be the result of matrix.column_index(), got "
            f"{type(columns).__name__}."
        )
    if columns.order.size != matrix.data.size or columns.indptr.shape[0] != shape[0] + 1:
        raise ValueError(
            f"on_post: columns has {columns.order.size} elements in {columns.indptr.shape[0] - 1} "
            f"columns, but matrix has {matrix.data.size} in {shape[0]}."
        )
    if columns.n_rows != shape[1]:
        raise ValueError(
            f"on_post: columns is of a matrix with {columns.n_rows} rows, but matrix has "
            f"{shape[1]}."
        )
    structure = (columns.rows, columns.indptr, columns.order)
    return Layout(matrix.data, shape, "permuted", structure)


def _apply(what, matrix, layout: Layout, spikes, change, factor, lower, upper):
    dtype = matrix.vector_dtype
    n_rows, n_cols = layout.shape
    x = as_array("spikes", spikes, what)
    if x.shape != (n_rows,):
        raise ValueError(f"{what}: spikes must have shape ({n_rows},), got {x.shape}.")
    x = as_spikes(x, dtype, what)
    change = _number("change", change, dtype, n_cols, what)
    if factor is None and lower is None and upper is None:
        change = jnp.broadcast_to(change, (n_cols,))
        t = term(layout, x, (), 0, change, (), 0)._replace(arrays=(x, change, 0))
        data = contract(WEIGHTS, (), [layout.data], [()], [t])
        return eqx.tree_at(lambda m: m.data, matrix, data[0])
    factor = _number("factor", 0.0 if factor is None else factor, dtype, n_cols, what)
    lower = _number(
        "lower", float(jnp.finfo(dtype).min) if lower is None else lower, dtype, None, what
    )
    upper = _number(
        "upper", float(jnp.finfo(dtype).max) if upper is None else upper, dtype, None, what
    )
    if concrete(lower) and concrete(upper) and not np.asarray(lower) <= np.asarray(upper):
        raise ValueError(f"{what}: lower must not exceed upper, got {lower} and {upper}.")
    block = BlockSpec(
        layout.kind,
        layout.shape,
        (0, 0, 0),
        0,
        0,
        tuple(range(len(layout.structure))),
        extra=layout.extra,
    )
    spec = Spec((), (((),), ((),) * 4, ((),), ()), (block,))
    data = _operator(x, change, factor, lower, upper, layout.data, *layout.structure, spec=spec)
    return eqx.tree_at(lambda m: m.data, matrix, data[0])


def _number(name: str, value: Any, dtype, n: int | None, what: str) -> jax.Array:
    value = as_array(name, value, what, dtype if isinstance(value, int | float) else None)
    if value.shape != () and (n is None or value.shape != (n,)):
        shapes = "()" if n is None else f"() or ({n},)"
        raise ValueError(f"{what}: {name} must have shape {shapes}, got {value.shape}.")
    if concrete(value) and np.any(np.isnan(np.asarray(value, np.float64))):
        raise ValueError(f"{what}: {name} must be a number, got NaN.")
    return as_spikes(value, dtype, f"{what}: {name}").astype(dtype)


def _reference(*operands, spec):
    (x,), numbers, (data,), _, structure = spec.split(operands)
    (x_mask,), masks, (mask,), _ = spec.masks
    (block,) = spec.blocks

    one: Callable[..., jax.Array] = functools.partial(_one, block, structure)
    for d in reversed(range(len(spec.batch))):
        axes = [0 if m[d] else None for m in (x_mask, *masks, mask)]
        one = jax.vmap(one, axes, axis_size=spec.batch[d])
    return [one(*[x, *numbers, data])]


def _one(block, structure, x, change, factor, lower, upper, data):
    dtype = sum_dtype(data)
    x, w = x.astype(dtype), data.astype(dtype)
    if block.kind == "dense":
        w = w.T if block.extra == (1,) else w
        x, change, factor = x[:, None], change.reshape(1, -1), factor.reshape(1, -1)
    else:
        rows, cols = coordinates(block, structure)
        order = structure[2] if block.kind == "permuted" else jnp.arange(rows.shape[0])
        x, w = x[rows], w.reshape(-1)[order]
        change, factor = (v[cols] if v.ndim else v for v in (change, factor))
    moved = w + x * (change + factor * w)
    clipped = jnp.where(moved < lower, lower, jnp.where(moved > upper, upper, moved))
    out = jnp.where(x != 0, clipped, moved)
    if block.kind != "dense":
        out = jnp.zeros_like(out).at[order].set(out, unique_indices=True)
    elif block.extra == (1,):
        out = out.T
    return out.reshape(data.shape).astype(data.dtype)


def _jvp(primals, tangents, *, spec):
    out = _operator(*primals, spec=spec)
    active = [i for i, t in enumerate(tangents) if not is_zero(t)]

    def of_active(*values):
        operands = list(primals)
        for i, value in zip(active, values, strict=True):
            operands[i] = value
        return _reference(*operands, spec=spec)

    _, tangent = jax.jvp(
        of_active, tuple(primals[i] for i in active), tuple(tangents[i] for i in active)
    )
    return out, tangent


def _batch(operands, dims, *, spec):
    groups, dim_groups = spec.split(operands), spec.split(dims)
    if any(d is not None for d in dim_groups[STRUCTURE]):
        return loop_over_batch(_operator, operands, dims, spec=spec)
    size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)
    batched = [[d is not None for d in group] for group in dim_groups[:STRUCTURE]]
    # Column arrays are batched as a whole: they are small. The weights have every dimension.
    batched[COLS] = [any(batched[COLS])] * len(batched[COLS])
    batched[WEIGHTS] = [True]
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
    return _operator(*new, spec=Spec((size, *spec.batch), masks, spec.blocks)), [0]


def _outputs(*avals, spec):
    (data,) = spec.split(avals)[WEIGHTS]
    return [(data.shape, data.dtype)]


def _native(*avals, spec) -> Native | None:
    groups = spec.split(avals)
    if any(a.dtype != groups[COLS][0].dtype for a in groups[ROWS] if a.dtype != np.bool_):
        return None
    call = native_call(WEIGHTS, *avals, spec=spec)
    return None if call is None else call._replace(target="brainfn_update")


def _cuda(*avals, spec) -> Native | None:
    call = _native(*avals, spec=spec)
    return None if call is None else for_cuda(call)


_operator = define(
    "event_update",
    reference=_reference,
    outputs=_outputs,
    native=_native,
    cuda=_cuda,
    jvp=_jvp,
    batch=_batch,
)
