"""Plasticity: weights change where neurons spike."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from ._bilinear import WEIGHTS, contract
from ._check import as_array, concrete
from ._csr import CSC, CSR, ColumnIndex
from ._dense import Dense
from ._fixed import FixedFanin, FixedFanout, OneToOne
from ._matrix import AbstractMatrix, Layout, as_spikes, term
from ._update_prim import Elements, cuda_kernel, kernel, make, spec_of

_Number = float | int | Shaped[Array | np.ndarray, "..."]
_Pair = tuple[Shaped[Array | np.ndarray, "..."], Shaped[Array | np.ndarray, "..."]]


def on_pre(
    matrix: AbstractMatrix,
    spikes: Shaped[Array | np.ndarray, " n_pre"],
    change: _Number = 0.0,
    *,
    factor: _Number | None = None,
    lower: _Number | None = None,
    upper: _Number | None = None,
    toward: _Number | None = None,
    power: _Number | None = None,
    newer: _Pair | None = None,
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
    - `toward`, `power`: $r$ and $p$, one number each: the change is $s_i a_j |r - W_{ij}|^p$, as
      where weights approach a bound softly. Needs `change`, excludes `factor`.
    - `newer`: two arrays $(u, z)$ of shapes `(n_post,)` and `(n_pre,)`: of the synapses of neurons
      that spike, only those with $u_j > z_i$ change. For rules of nearest neighbours, where $u$ and
      $z$ are traces.

    **Returns:** a matrix of the same class with the new weights. Raises `ValueError` or `TypeError`
    for shapes or dtypes that do not fit.
    """
    check_matrix(matrix, "on_pre")
    layout = by_pre(matrix)
    return _apply(
        "on_pre", matrix, layout, spikes, change, factor, (lower, upper), toward, power, newer
    )


def on_post(
    matrix: AbstractMatrix,
    spikes: Shaped[Array | np.ndarray, " n_post"],
    change: _Number = 0.0,
    *,
    columns: ColumnIndex | None = None,
    factor: _Number | None = None,
    lower: _Number | None = None,
    upper: _Number | None = None,
    toward: _Number | None = None,
    power: _Number | None = None,
    newer: _Pair | None = None,
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
    - `toward`, `power`, `newer`: as for `on_pre`, with $u_i > z_j$, shapes `(n_pre,)` and
      `(n_post,)`.

    **Returns:** a matrix of the same class with the new weights. Raises `ValueError` or `TypeError`
    for shapes or dtypes that do not fit.
    """
    check_matrix(matrix, "on_post")
    layout = by_post(matrix, columns)
    return _apply(
        "on_post", matrix, layout, spikes, change, factor, (lower, upper), toward, power, newer
    )


def check_matrix(matrix, what: str) -> None:
    if not isinstance(matrix, CSR | CSC | Dense | FixedFanin | FixedFanout | OneToOne):
        raise TypeError(
            f"{what}: matrix must store its weights (CSR, CSC, Dense, FixedFanin, FixedFanout, "
            f"OneToOne), got {type(matrix).__name__}; try matrix.tocsr()."
        )
    if matrix.data.ndim == 0:
        raise ValueError(
            f"{what}: matrix.data is one number for all synapses; give each its own weight."
        )


def by_pre(matrix: AbstractMatrix) -> Layout:
    return Layout(matrix.data, matrix.shape, matrix.kind, matrix.structure, matrix.extra)


def by_post(matrix: AbstractMatrix, columns: ColumnIndex | None) -> Layout:
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


def _apply(what, matrix, layout: Layout, spikes, change, factor, bounds, toward, power, newer):
    dtype = matrix.vector_dtype
    n_rows, n_cols = layout.shape
    x = as_signal(what, spikes, n_rows, dtype)
    change = as_number("change", change, dtype, n_cols, what)
    lower, upper = bounds
    powers = toward is not None or power is not None or newer is not None
    if factor is None and lower is None and upper is None and not powers:
        change = jnp.broadcast_to(change, (n_cols,))
        t = term(layout, x, (), 0, change, (), 0)._replace(arrays=(x, change, 0))
        data = contract(WEIGHTS, (), [layout.data], [()], [t])
        return eqx.tree_at(lambda m: m.data, matrix, data[0])
    bounds = as_bounds(what, lower, upper, dtype)
    if powers:
        if factor is not None:
            raise ValueError(f"{what}: factor can't be combined with toward, power or newer.")
        if (toward is None) != (power is None):
            raise ValueError(f"{what}: toward and power belong together; give both or neither.")
        rows, cols = [x], [change, *bounds]
        for name, value in (("toward", toward), ("power", power)):
            cols.append(as_number(name, 0.0 if value is None else value, dtype, None, what))
        if newer is not None:
            for into, value, n in ((cols, newer[0], n_cols), (rows, newer[1], n_rows)):
                stamps = as_number("newer", value, dtype, n, what)
                into.append(jnp.broadcast_to(stamps, (n,)))
        operator = _power
    else:
        factor = as_number("factor", 0.0 if factor is None else factor, dtype, n_cols, what)
        rows, cols, operator = [x], [change, factor, *bounds], _linear
    spec = spec_of(layout, len(rows), len(cols), 1)
    data = operator(*rows, *cols, layout.data, *layout.structure, spec=spec)
    return eqx.tree_at(lambda m: m.data, matrix, data[0])


def as_signal(what: str, spikes: Any, n: int, dtype) -> jax.Array:
    x = as_array("spikes", spikes, what)
    if x.shape != (n,):
        raise ValueError(f"{what}: spikes must have shape ({n},), got {x.shape}.")
    return as_spikes(x, dtype, what)


def as_bounds(what: str, lower: Any, upper: Any, dtype) -> tuple[jax.Array, jax.Array]:
    most = float(jnp.finfo(dtype).max)
    low = as_number("lower", -most if lower is None else lower, dtype, None, what)
    high = as_number("upper", most if upper is None else upper, dtype, None, what)
    if concrete(low) and concrete(high) and not np.asarray(low) <= np.asarray(high):
        raise ValueError(f"{what}: lower must not exceed upper, got {low} and {high}.")
    return low, high


def as_number(name: str, value: Any, dtype, n: int | None, what: str) -> jax.Array:
    value = as_array(name, value, what, dtype if isinstance(value, int | float) else None)
    if value.shape != () and (n is None or value.shape != (n,)):
        shapes = "()" if n is None else f"() or ({n},)"
        raise ValueError(f"{what}: {name} must have shape {shapes}, got {value.shape}.")
    if concrete(value) and np.any(np.isnan(np.asarray(value, np.float64))):
        raise ValueError(f"{what}: {name} must be a number, got NaN.")
    return as_spikes(value, dtype, f"{what}: {name}").astype(dtype)


def clip(w: jax.Array, lower: Any, upper: Any) -> jax.Array:
    return jnp.where(w < lower, lower, jnp.where(w > upper, upper, w))


def _linear_rule(at: Elements, rows: Sequence, cols: Sequence, weights: Sequence) -> list:
    (x,), (w,) = at.rows(rows), weights
    change, factor, lower, upper = at.columns(cols)
    moved = w + x * (change + factor * w)
    return [jnp.where(x != 0, clip(moved, lower, upper), moved)]


def _power_rule(at: Elements, rows: Sequence, cols: Sequence, weights: Sequence) -> list:
    x, *since = at.rows(rows)
    change, lower, upper, toward, power, *newer = at.columns(cols)
    (w,) = weights
    if since:
        x = jnp.where(newer[0] > since[0], x, jnp.zeros_like(x))
    moved = w + x * change * _raised(jnp.abs(toward - w), power)
    return [jnp.where(x != 0, clip(moved, lower, upper), moved)]


def _raised(distance: jax.Array, power: Any) -> jax.Array:
    """`distance**power`, with finite derivatives at a distance of zero too."""
    there = distance > 0
    some = jnp.where(there, distance, jnp.ones_like(distance)) ** power
    none = jnp.where(power == 0, jnp.ones_like(power), jnp.zeros_like(power))
    return jnp.where(there, some, none)


# On a GPU, powers and limits run as XLA's own code, over all weights.
_linear = make(
    "event_update", _linear_rule, kernel("brainfn_update"), cuda_kernel("brainfn_update")
)
_power = make("event_update_power", _power_rule, kernel("brainfn_update_power"))
