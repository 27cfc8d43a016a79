"""Plasticity of three factors: weights that follow eligibility traces, without touching them."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._csr import ColumnIndex
from ._matrix import AbstractMatrix
from ._update import as_bounds, as_number, as_signal, by_post, by_pre, check_matrix, clip
from ._update_prim import Elements, kernel, make, spec_of


class Eligibility(eqx.Module):
    r"""Eligibility traces of the synapses of a matrix, for [`brainfn.event.accrue`][].

    `trace` and `seen` have the shape of the weights. A weight is $w + e\,(G - g)$: the weight $w$,
    the trace $e$ and `seen` $g$ are as the synapse was left when it was last touched, and $G$ is a
    number for all synapses.
    """

    trace: Float[Array, "*weights"]
    seen: Float[Array, "*weights"]


def eligibility(matrix: AbstractMatrix) -> Eligibility:
    """Traces of zero for a matrix that stores a weight for each synapse."""
    check_matrix(matrix, "eligibility")
    zeros = jnp.zeros(matrix.weight_shape or (), matrix.vector_dtype)
    return Eligibility(zeros, zeros)


def accrue(
    matrix: AbstractMatrix,
    eligible: Eligibility,
    active: Any,
    change: Any = 0.0,
    *,
    post: bool = False,
    columns: ColumnIndex | None = None,
    integral: Any,
    restart: Any = None,
    keep: Any = 1.0,
    lower: Any = None,
    upper: Any = None,
) -> tuple[AbstractMatrix, Eligibility]:
    r"""Brings weights of active neurons up to date, and changes their eligibility traces.

    $$ W_{ij} \leftarrow \operatorname{clip}(W_{ij} + e_{ij} (G - g_{ij})),\qquad
       g_{ij} \leftarrow G',\qquad e_{ij} \leftarrow k\,e_{ij} + s_i a_j
       \qquad \text{where } s_i \neq 0 $$

    **Arguments:**

    - `matrix`, `eligible`: the weights, and their traces from `eligibility`.
    - `active`: $s$, `(n_pre,)`, or `(n_post,)` if `post`; bool or numbers.
    - `change`: $a$, one number, or one for each neuron on the other side.
    - `post`: whether `active` are postsynaptic neurons; `columns` as for
      [`brainfn.event.on_post`][].
    - `integral`, `restart`, `keep`: $G$, $G'$ (by default $G$) and $k$.
    - `lower`, `upper`: bounds of the weights, one number each.

    **Returns:** the matrix and the traces.
    """
    what = "accrue"
    check_matrix(matrix, what)
    layout = by_post(matrix, columns) if post else by_pre(matrix)
    dtype = matrix.vector_dtype
    n_rows, n_cols = layout.shape
    rows = [as_signal(what, active, n_rows, dtype)]
    cols = [as_number("change", change, dtype, n_cols, what)]
    cols += as_bounds(what, lower, upper, dtype)
    restart = integral if restart is None else restart
    for name, value in (("integral", integral), ("restart", restart), ("keep", keep)):
        cols.append(as_number(name, value, dtype, None, what))
    weights = [layout.data, eligible.trace, eligible.seen]
    spec = spec_of(layout, len(rows), len(cols), len(weights))
    data, trace, seen = _accrue(*rows, *cols, *weights, *layout.structure, spec=spec)
    return eqx.tree_at(lambda m: m.data, matrix, data), Eligibility(trace, seen)


def current(
    matrix: AbstractMatrix, eligible: Eligibility, integral: Any, lower: Any, upper: Any
) -> AbstractMatrix:
    """All weights up to date."""
    data = matrix.data.astype(eligible.trace.dtype)
    moved = data + eligible.trace * (integral - eligible.seen)
    return eqx.tree_at(lambda m: m.data, matrix, clip(moved, lower, upper).astype(matrix.dtype))


def _rule(at: Elements, rows: Sequence, cols: Sequence, weights: Sequence) -> list[jax.Array]:
    (x,), (w, e, g) = at.rows(rows), weights
    change, lower, upper, integral, restart, keep = at.columns(cols)
    on = x != 0
    moved = clip(w + e * (integral - g), lower, upper)
    e_on = keep * e + x * change
    # The derivative with respect to a silent neuron's signal is that of the trace alone.
    new = jnp.where(on, moved, w), jnp.where(on, e_on, e + x * change), jnp.where(on, restart, g)
    return [jnp.broadcast_to(y, w.shape) for y in new]


# On a GPU it runs as XLA's own code, over all synapses.
_accrue = make("event_accrue", _rule, kernel("brainfn_update_eligibility"))
