"""Many sparse blocks between the segments of many vectors, in one call."""

from collections.abc import Sequence

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, Shaped

from ._bilinear import COLS, contract
from ._check import as_array, whole_number
from ._delayed import Delayed
from ._matrix import AbstractMatrix, as_need, as_spikes, term


class Block(eqx.Module):
    """A sparse matrix and its place: from a segment of one spike vector to a segment of one
    accumulator."""

    matrix: AbstractMatrix | Delayed
    source: int = eqx.field(static=True)
    row_offset: int = eqx.field(static=True)
    target: int = eqx.field(static=True)
    column_offset: int = eqx.field(static=True)

    def __init__(
        self,
        matrix: AbstractMatrix | Delayed,
        source: int = 0,
        row_offset: int = 0,
        target: int = 0,
        column_offset: int = 0,
    ):
        """**Arguments:**

        - `matrix`: sparse matrix `(n_rows, n_cols)`, or one with delays.
        - `source`: which spike vector it reads.
        - `row_offset`: position of the matrix' first row in that vector.
        - `target`: which accumulator it adds to.
        - `column_offset`: position of the matrix' first column in that accumulator.
        """
        for name, value in (
            ("source", source),
            ("row_offset", row_offset),
            ("target", target),
            ("column_offset", column_offset),
        ):
            whole_number(name, value, 0, "Block")
        if not isinstance(matrix, AbstractMatrix | Delayed):
            raise TypeError(
                f"Block: matrix must be a matrix of brainfn.event, got {type(matrix).__name__}. "
                "Try brainfn.event.Dense or CSR.fromdense."
            )
        if isinstance(matrix, Delayed):
            matrix.check()
        self.matrix = matrix
        self.source = int(source)
        self.row_offset = int(row_offset)
        self.target = int(target)
        self.column_offset = int(column_offset)


def block_matvec(
    accumulators: Sequence[Float[Array, "..."]],
    spikes: Sequence[Shaped[Array, "..."]],
    blocks: Sequence[Block],
    needs: Sequence[Bool[Array, "..."] | None] | None = None,
    now: int | Int[Array, ""] | None = None,
) -> tuple[Float[Array, "..."], ...]:
    r"""Adds the products of many sparse blocks to accumulators, in one call and in place where they
    are not used again.

    $$ y^{(t)}_{o_c + j} \mathrel{+}= \sum_i s^{(s)}_{o_r + i} W_{ij} \quad \text{for every block}
    $$

    **Arguments:**

    - `accumulators`: vectors $y^{(t)}$ of the weights' dtype (float32 for half-precision weights),
      and ring buffers `(length, width)`, to which [`brainfn.event.Delayed`][] matrices add;
      `column_offset` then counts within `width`.
    - `spikes`: vectors $s^{(s)}$, bool or of the weights' dtype; only nonzero elements cost
      anything.
    - `blocks`: the matrices with their places.
    - `needs`: for each spike vector a bool mask of the neurons whose spike derivative is not zero
      (a surrogate with compact support), or None; see [`brainfn.event.matvec`][].
    - `now`: the present step, needed where a block has delays.

    **Returns:** the accumulators after the addition, in the same order.

    Raises `ValueError` where a block does not fit into its vectors, `TypeError` where dtypes
    differ.
    """
    for name, value in (("accumulators", accumulators), ("spikes", spikes), ("blocks", blocks)):
        if not isinstance(value, list | tuple):
            raise TypeError(
                f"block_matvec: {name} must be a list or tuple, got {type(value).__name__}; put a "
                "single one in brackets."
            )
    for i, b in enumerate(blocks):
        if not isinstance(b, Block):
            raise TypeError(
                f"block_matvec: blocks[{i}] must be a brainfn.event.Block, got {type(b).__name__}."
            )
    ys, xs = (
        tuple(as_array(f"{name}[{i}]", x, "block_matvec") for i, x in enumerate(arrays))
        for name, arrays in (("accumulators", accumulators), ("spikes", spikes))
    )
    for name, arrays, most in (("accumulators", ys, 2), ("spikes", xs, 1)):
        for i, x in enumerate(arrays):
            if not 1 <= x.ndim <= most:
                raise ValueError(
                    f"block_matvec: {name}[{i}] must be a vector, got shape {x.shape}; batch by "
                    f"jax.vmap."
                )
    if needs is None:
        needs = [None] * len(xs)
    if len(needs) != len(xs):
        raise ValueError(
            f"block_matvec: needs must have one entry for each of {len(xs)} spike vectors, got "
            f"{len(needs)}."
        )
    masks = [
        None if n is None else as_need(n, x.shape[0], "block_matvec")
        for n, x in zip(needs, xs, strict=True)
    ]
    terms = []
    for i, b in enumerate(blocks):
        where = f"block_matvec: blocks[{i}]"
        if b.source >= len(xs) or b.target >= len(ys):
            raise ValueError(
                f"{where} joins spikes[{b.source}] to accumulators[{b.target}], but there are "
                f"{len(xs)} spike vectors and "
                f"{len(ys)} accumulators."
            )
        x, y = xs[b.source], ys[b.target]
        if isinstance(b.matrix, Delayed) != (y.ndim == 2):
            must = (
                "must be a ring buffer (length, width) for a matrix with delays"
                if y.ndim == 1
                else "must be a vector for a matrix without delays; batch by jax.vmap"
            )
            raise ValueError(f"{where}: accumulators[{b.target}] {must}, got shape {y.shape}.")
        if (
            b.row_offset + b.matrix.shape[0] > x.shape[0]
            or b.column_offset + b.matrix.shape[1] > y.shape[-1]
        ):
            raise ValueError(
                f"{where} of shape {b.matrix.shape} at ({b.row_offset}, {b.column_offset}) does "
                f"not fit between "
                f"{x.shape[0]} spikes and an accumulator of {y.shape[-1]}."
            )
        if y.dtype != b.matrix.vector_dtype:
            raise TypeError(f"{where} has dtype {b.matrix.dtype}, its accumulator {y.dtype}.")
        x = as_spikes(x, b.matrix.vector_dtype, where)
        matrix = b.matrix
        if isinstance(matrix, Delayed):
            if now is None:
                raise ValueError(f"{where} has delays: now, the present step, is needed.")
            matrix = matrix.layout(y.shape, now, where)
        terms.append(
            term(matrix, x, (), b.row_offset, b.target, (), b.column_offset, masks[b.source])
        )
    if not terms:
        return ys
    return tuple(contract(COLS, (), ys, [()] * len(ys), terms))
