"""The base class of sparse matrices: products with vectors and batches of vectors."""

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from ._bilinear import COLS, ROWS, BlockSpec, Mask, Term, contract
from ._check import as_array
from ._reference import sum_dtype

M = TypeVar("M")


class AbstractMatrix(eqx.Module):
    """A sparse matrix `(n_rows, n_cols)` whose products skip silent rows."""

    data: eqx.AbstractVar[Float[Array, "..."]]
    shape: eqx.AbstractVar[tuple[int, int]]

    # Makes NumPy arrays on the left of `@` defer to this class.
    __array_ufunc__ = None

    @property
    @abc.abstractmethod
    def kind(self) -> str:
        """Name of the structure, as the kernels know it."""

    @property
    @abc.abstractmethod
    def structure(self) -> tuple[Array, ...]:
        """The index arrays of the structure, as the kernels take them."""

    @property
    def extra(self) -> tuple[int, ...]:
        """Static integers that the kernels need in addition to the structure."""
        return ()

    @abc.abstractmethod
    def todense(self) -> Float[Array, "n_rows n_cols"]:
        """The dense matrix."""

    @abc.abstractmethod
    def tocsr(self) -> "AbstractMatrix":
        """The same matrix as a `CSR`."""

    @property
    @abc.abstractmethod
    def T(self) -> "AbstractMatrix":
        """The transposed matrix."""

    @property
    def by_columns(self) -> "AbstractMatrix | None":
        """The transposed matrix with the same weights, if `W @ x` is computed through it: with
        weights stored by columns this is event-driven in `x`."""
        return None

    @property
    def weight(self) -> Any:
        """The weights: an array; for a just-in-time matrix, their distribution."""
        return self.data

    @property
    @abc.abstractmethod
    def weight_shape(self) -> tuple[int, ...] | None:
        """Shape of an array with one weight for each synapse; `None` for a matrix that can't store
        one for each (just-in-time, all-to-all)."""

    @property
    def synapses(self) -> int:
        """Number of synapses; the expected number if each exists with a probability."""
        return math.prod(self.weight_shape or ())

    def with_weight(self, weight: Any) -> Any:
        """The same synapses with other weights.

        **Arguments:**

        - `weight`: one number, or an array of shape `weight_shape`; for a just-in-time matrix, its
          law with other parameters; `None` for a structure without weights.

        Raises `TypeError` or `ValueError` if it does not fit.
        """
        if weight is not None:
            if isinstance(weight, eqx.Module) or not eqx.is_array_like(weight):
                raise TypeError(
                    "`weight` must be numbers; a law (an initializer) can only be given when the "
                    f"connections are made, got {type(weight).__name__}."
                )
            shape = jnp.shape(weight)
            if shape not in ((), self.weight_shape):
                raise ValueError(
                    f"`weight` must have shape () or {self.weight_shape}, one number for each "
                    f"synapse, got {shape}."
                )
            weight = jnp.asarray(weight)
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return unchecked(type(self), **{**fields, "data": weight})

    def checked(self) -> "AbstractMatrix":
        """This matrix as its constructor makes it of the same fields.

        `eqx.tree_at` goes past constructors; kernels trust indices and row pointers. A network
        calls this when it is prepared for a run; call it yourself after changing the structure of a
        matrix that you multiply with. Concrete values that do not fit raise `ValueError` or
        `TypeError`; traced ones that are out of range make all weights NaN.
        """
        return self

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list["AbstractMatrix"]:
        """The columns of each of some ranges `(start, stop)`, as separate matrices."""
        if list(bounds) == [(0, self.shape[1])]:
            return [self]
        rows = self.tocsr()
        return rows.split_columns(bounds)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the weights."""
        return np.dtype(self.data.dtype)

    @property
    def vector_dtype(self) -> np.dtype:
        """Dtype of the products: that of the weights, float32 for half-precision weights."""
        return sum_dtype(self.data)

    def __rmatmul__(self, x: Shaped[Array | np.ndarray, "..."]) -> Float[Array, "..."]:
        """`x @ W` for `x` of shape `(n_rows,)` or `(batch, n_rows)`."""
        return left_product(x, self)

    def __matmul__(self, x: Shaped[Array | np.ndarray, "..."]) -> Float[Array, "..."]:
        """`W @ x` for `x` of shape `(n_cols,)` or `(n_cols, batch)`."""
        x = as_operand(x, self, 1, columns=True)
        x = x.T if x.ndim == 2 else x
        y = jnp.zeros((*x.shape[:-1], self.shape[0]), self.vector_dtype)
        by_columns = self.by_columns
        if by_columns is None:
            y = product(ROWS, y, x.astype(y.dtype), self)
        else:
            y = product(COLS, x, y, by_columns)
        return y.T if y.ndim == 2 else y


class Layout(NamedTuple):
    """Weights and their layout, in the form the kernels take: what a block needs of a matrix."""

    data: jax.Array
    shape: tuple[int, int]
    kind: str
    structure: tuple[jax.Array, ...]
    extra: tuple[int, ...] = ()


def unchecked(cls: type[M], **fields: Any) -> M:
    """An instance of a matrix class with these fields: no validation, which would look at all
    indices again."""
    out = object.__new__(cls)
    for name, value in fields.items():
        object.__setattr__(out, name, value)
    return out


def left_product(x, matrix: AbstractMatrix, need=None) -> jax.Array:
    """`x @ W`; see `matvec` for `need`."""
    if not isinstance(matrix, AbstractMatrix):
        raise TypeError(
            f"x @ W: the matrix must be a matrix of brainfn.event, got {type(matrix).__name__}. "
            "Try brainfn.event.Dense or CSR.fromdense; for a Delayed matrix delayed_matvec."
        )
    x = as_operand(x, matrix, 0)
    y = jnp.zeros((*x.shape[:-1], matrix.shape[1]), matrix.vector_dtype)
    need = None if need is None else as_need(need, matrix.shape[0], "matvec")
    return product(COLS, x, y, matrix, need)


def as_operand(x, matrix: AbstractMatrix, side: int, columns: bool = False) -> jax.Array:
    """Checks the vector or batch of vectors of a product; integers become floats, bool stays."""
    what = "W @ x" if columns else "x @ W"
    if isinstance(x, AbstractMatrix):
        raise TypeError(
            f"{what}: x must be a vector or a batch of vectors, got a {type(x).__name__}; for the "
            "product of two matrices try x.todense()."
        )
    x = as_array("x", x, what)
    if x.ndim not in (1, 2):
        raise ValueError(f"{what}: x must have one or two dimensions, got shape {x.shape}.")
    n = x.shape[0] if columns else x.shape[-1]
    if n != matrix.shape[side]:
        raise ValueError(
            f"{what}: W has shape {matrix.shape}, so x must have "
            f"{'first' if columns else 'last'} dimension {matrix.shape[side]}, got shape {x.shape}."
        )
    return as_spikes(x, matrix.vector_dtype, what)


def as_spikes(x: jax.Array, dtype, what: str) -> jax.Array:
    """Bool and arrays of the products' dtype as they are, integers and, for float32, half-precision
    numbers converted; anything else raises."""
    if x.dtype == np.bool_ or x.dtype == dtype:
        return x
    if jnp.issubdtype(x.dtype, jnp.integer):
        return x.astype(dtype)
    if dtype == np.float32 and x.dtype in (jnp.float16, jnp.bfloat16):
        return x.astype(dtype)
    raise TypeError(
        f"{what}: x has dtype {x.dtype} but the weights have {dtype}; use x.astype({dtype}) or "
        f"bool."
    )


def as_need(need, n: int, what: str) -> jax.Array:
    """Checks the mask of rows whose derivative is needed."""
    need = as_array("need", need, what)
    if need.dtype != np.bool_ or need.shape != (n,):
        raise ValueError(
            f"{what}: need must be a bool vector of shape ({n},), got {need.dtype} {need.shape}."
        )
    return need


def term(
    matrix: AbstractMatrix | Layout,
    row,
    row_mask: Mask,
    row_offset: int,
    col,
    col_mask: Mask,
    col_offset: int,
    need: jax.Array | None = None,
) -> Term:
    """A block of a call: `row` and `col` are arrays, or the position of an accumulator."""
    spec = BlockSpec(
        matrix.kind, matrix.shape, (0, 0, 0), row_offset, col_offset, (), extra=matrix.extra
    )
    masks = (row_mask, col_mask, (False,) * len(row_mask))
    need_tangent = () if need is None else (need, masks[2])
    return Term(spec, (row, col, matrix.data), masks, matrix.structure, (), need_tangent)


def product(
    role: int, rows: jax.Array, cols: jax.Array, matrix: AbstractMatrix, need=None
) -> jax.Array:
    """One block between whole vectors, or batches of them; the accumulator is `cols` or `rows`."""
    batch = rows.shape[:-1]
    mask = (True,) * len(batch)
    # Position 0: the accumulator.
    accumulator = cols if role == COLS else rows
    arrays = (rows, 0) if role == COLS else (0, cols)
    t = term(matrix, arrays[0], mask, 0, arrays[1], mask, 0, need)
    return contract(role, batch, [accumulator], [mask], [t])[0]
