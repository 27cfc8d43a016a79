"""Sparse matrices as Lineax operators, for its iterative solvers."""

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float

from ._csr import CSR
from ._matrix import AbstractMatrix
from ._reference import row_ids


class LinearOperator(lx.AbstractLinearOperator):
    r"""A sparse matrix $W$ as a linear operator of [Lineax](https://docs.kidger.site/lineax).

    $$ x \mapsto W x $$

    `lx.CG`, `lx.GMRES` and `lx.BiCGStab` then solve $W x = b$ with the kernels of `brainfn.event`,
    and differentiate the solution with respect to $b$ and the stored weights. For example, the
    potential along a chain of leaky compartments, each coupled to its neighbours:

    ```python
    import jax
    import jax.numpy as jnp
    import lineax as lx
    import brainfn as bf

    n, coupling = 100, 2.0
    i = jnp.arange(n)
    rows = jnp.concatenate([i, i[1:], i[:-1]])
    columns = jnp.concatenate([i, i[:-1], i[1:]])
    current = jnp.zeros(n).at[0].set(1.0)

    def potential(leak):
        data = jnp.concatenate([leak + 2 * coupling, jnp.full(2 * (n - 1), -coupling)])
        matrix = bf.event.CSR.fromcoo(data, rows, columns, shape=(n, n))
        operator = bf.event.LinearOperator(matrix, lx.positive_semidefinite_tag)
        return lx.linear_solve(operator, current, lx.CG(rtol=1e-6, atol=1e-6)).value

    v = potential(jnp.ones(n))
    slope = jax.grad(lambda leak: potential(leak)[10])(jnp.ones(n))
    ```

    The transposed operator shares the matrix: nothing is sorted.
    """

    matrix: AbstractMatrix
    tags: frozenset[object] = eqx.field(static=True)
    transposed: bool = eqx.field(static=True)

    def __init__(self, matrix: AbstractMatrix, tags: Any = (), *, transposed: bool = False):
        """**Arguments:**

        - `matrix`: any matrix of `brainfn.event`, `(n_rows, n_cols)`.
        - `tags`: known properties of the operator: one Lineax tag or several, such as
          `lx.positive_semidefinite_tag`. They are not checked.
        - `transposed`: whether the operator is $x \\mapsto W^\\top x$.

        Raises `TypeError` if `matrix` is not a matrix, `ValueError` for tags that need a square
        matrix.
        """
        if not isinstance(matrix, AbstractMatrix):
            raise TypeError(
                f"LinearOperator: matrix must be a matrix of brainfn.event, got "
                f"{type(matrix).__name__}. Try brainfn.event.CSR.fromdense."
            )
        if isinstance(tags, str):
            raise TypeError(
                f"LinearOperator: tags must be tags of Lineax, got {tags!r}. Try "
                "lineax.symmetric_tag."
            )
        self.matrix = matrix
        self.tags = frozenset(tags if isinstance(tags, Iterable) else [tags])
        self.transposed = bool(transposed)

    def mv(self, vector: Float[Array, "..."]) -> Float[Array, "..."]:
        """The product with a vector."""
        return vector @ self.matrix if self.transposed else self.matrix @ vector

    def as_matrix(self) -> Float[Array, "..."]:
        """The dense matrix."""
        dense = self.matrix.todense()
        return dense.T if self.transposed else dense

    def transpose(self) -> "LinearOperator":
        """The transposed operator, without sorting."""
        if lx.is_symmetric(self):
            return self
        tags = lx.transpose_tags(self.tags)
        return LinearOperator(self.matrix, tags, transposed=not self.transposed)

    def in_structure(self) -> jax.ShapeDtypeStruct:
        """Shape and dtype of the vectors that it takes."""
        side = 0 if self.transposed else 1
        return jax.ShapeDtypeStruct((self.matrix.shape[side],), self.matrix.dtype)

    def out_structure(self) -> jax.ShapeDtypeStruct:
        """Shape and dtype of the vectors that it gives."""
        side = 1 if self.transposed else 0
        return jax.ShapeDtypeStruct((self.matrix.shape[side],), self.matrix.dtype)


def _off_diagonal(operator: LinearOperator, offset: int) -> Array:
    """The elements `(i, i + offset)`, in O(nnz)."""
    csr = operator.matrix.tocsr()
    assert isinstance(csr, CSR)
    offset = -offset if operator.transposed else offset
    rows, cols = row_ids(csr.indptr, csr.indices.shape[0]), csr.indices
    n = max(0, min(csr.shape[0] + min(offset, 0), csr.shape[1] - max(offset, 0)))
    on = cols - rows == offset
    return jnp.zeros(n, csr.dtype).at[jnp.minimum(rows, cols)].add(jnp.where(on, csr.data, 0))


@lx.linearise.register(LinearOperator)
@lx.conj.register(LinearOperator)
def _(operator):
    return operator


@lx.materialise.register(LinearOperator)
def _(operator):
    if lx.is_diagonal(operator):
        return lx.DiagonalLinearOperator(lx.diagonal(operator))
    if lx.is_tridiagonal(operator):
        return lx.TridiagonalLinearOperator(*lx.tridiagonal(operator))
    return operator  # stays sparse


@lx.diagonal.register(LinearOperator)
def _(operator):
    return _off_diagonal(operator, 0)


@lx.tridiagonal.register(LinearOperator)
def _(operator):
    return (
        _off_diagonal(operator, 0),
        _off_diagonal(operator, -1),
        _off_diagonal(operator, 1),
    )


@lx.is_symmetric.register(LinearOperator)
def _(operator):
    # Weights are real, so a definite matrix is symmetric.
    return not operator.tags.isdisjoint(
        {
            lx.symmetric_tag,
            lx.diagonal_tag,
            lx.positive_semidefinite_tag,
            lx.negative_semidefinite_tag,
        }
    )


@lx.is_diagonal.register(LinearOperator)
def _(operator):
    return lx.diagonal_tag in operator.tags or operator.matrix.shape == (1, 1)


def _has_tag(query, *tags) -> None:
    query.register(LinearOperator)(lambda operator: not operator.tags.isdisjoint(tags))


_has_tag(lx.is_tridiagonal, lx.tridiagonal_tag, lx.diagonal_tag)
_has_tag(lx.has_unit_diagonal, lx.unit_diagonal_tag)
_has_tag(lx.is_lower_triangular, lx.lower_triangular_tag)
_has_tag(lx.is_upper_triangular, lx.upper_triangular_tag)
_has_tag(lx.is_positive_semidefinite, lx.positive_semidefinite_tag)
_has_tag(lx.is_negative_semidefinite, lx.negative_semidefinite_tag)
