"""Products as functions."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from ._matrix import AbstractMatrix


def matvec(x: Shaped[Array | np.ndarray, "..."], matrix: AbstractMatrix) -> Float[Array, "..."]:
    r"""Product of spikes and a sparse matrix, $y_j = \sum_i x_i W_{ij}$; the same as `x @ matrix`.

    **Arguments:**

    - `x`: `(n_rows,)`, bool, or of the dtype of the weights (its values multiply); rows with $x_i =
      0$ cost nothing.
    - `matrix`: sparse matrix `(n_rows, n_cols)`.

    **Returns:** `(n_cols,)`. Raises `ValueError` or `TypeError` for shapes or dtypes that do not
    fit.
    """
    if jnp.ndim(x) != 1:
        raise ValueError(
            f"matvec: x must be a vector (n_rows,), got shape {jnp.shape(x)}; use matmat for a "
            f"batch."
        )
    return x @ matrix


def matmat(x: Shaped[Array | np.ndarray, "..."], matrix: AbstractMatrix) -> Float[Array, "..."]:
    r"""Product of a batch of spikes and a sparse matrix, $Y_{bj} = \sum_i X_{bi} W_{ij}$; the same
    as `x @ matrix`.

    **Arguments:**

    - `x`: `(batch, n_rows)`, bool, or of the dtype of the weights.
    - `matrix`: sparse matrix `(n_rows, n_cols)`.

    **Returns:** `(batch, n_cols)`. Raises `ValueError` or `TypeError` for shapes or dtypes that do
    not fit.
    """
    if jnp.ndim(x) != 2:
        raise ValueError(
            f"matmat: x must have shape (batch, n_rows), got {jnp.shape(x)}; use matvec for a "
            f"vector."
        )
    return x @ matrix
