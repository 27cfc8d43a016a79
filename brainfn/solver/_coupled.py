"""Exponentials of many small matrices at once."""

import functools
import operator

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# Up to a row sum of 2^-3 the series is used, of ten terms: what is left out is below 1e-16. It is
# doubled up to 14 times, so up to a row sum of 2^11, of a step times the fastest rate.
_DOUBLINGS = 14
_TERMS = 10


def phi1_times(
    matrix: Float[Array, "n n *size"], vector: Float[Array, "n *size"]
) -> Float[Array, "n *size"]:
    r"""$\varphi_1(A)\,b = \int_0^1 e^{sA}\,b\,\mathrm{d}s$ for a small matrix $A$ at each point.

    The series of a fraction $A / 2^k$, doubled $k$ times: with $E = e^A - 1$ and
    $w = \varphi_1(A)\,b$ of one step, two steps have $2E + E^2$ and $2w + E\,w$, which keeps all
    digits of a slow process beside a fast one.

    **Arguments:**

    - `matrix`: $A$, without eigenvalues of large positive real part. If the sum of a row is beyond
        2^11, the matrix is scaled down to that.
    - `vector`: $b$.
    """
    n, dtype = matrix.shape[0], matrix.dtype
    row = lax.stop_gradient(jnp.abs(matrix).sum(1).max(0))
    # The power of two that brings each matrix to the range of the series.
    halvings = jnp.ceil(jnp.log2(jnp.maximum(8 * row, jnp.ones_like(row))))
    doublings = jnp.minimum(halvings, jnp.asarray(_DOUBLINGS, dtype))
    small = matrix * jnp.exp2(-halvings)[None, None]
    unit = jnp.broadcast_to(jnp.eye(n, dtype=dtype).reshape(n, n, *[1] * row.ndim), small.shape)
    phi = unit
    for k in range(_TERMS, 1, -1):
        phi = unit + _product(small, phi) / k
    grown, moved = _product(small, phi), product(phi, vector * jnp.exp2(-doublings)[None])

    def double(carry: tuple[Array, Array], k: Array) -> tuple[tuple[Array, Array], None]:
        grown, moved = carry
        again = k < doublings
        moved = jnp.where(again[None], 2 * moved + product(grown, moved), moved)
        return (
            jnp.where(again[None, None], 2 * grown + _product(grown, grown), grown),
            moved,
        ), None

    counts = jnp.arange(_DOUBLINGS).astype(dtype)
    (_, moved), _ = lax.scan(double, (grown, moved), counts)
    return moved


def _product(
    a: Float[Array, "n n *size"], b: Float[Array, "n n *size"]
) -> Float[Array, "n n *size"]:
    # Written out: XLA does not vectorise a sum over an axis of two or three.
    terms = [a[:, k, None] * b[None, k] for k in range(len(a))]
    return functools.reduce(operator.add, terms)


def product(a: Float[Array, "n n *size"], b: Float[Array, "n *size"]) -> Float[Array, "n *size"]:
    """A matrix times a vector at each point."""
    return functools.reduce(operator.add, [a[:, k] * b[None, k] for k in range(len(a))])
