"""Products as functions."""

import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from ._check import as_array
from ._matrix import AbstractMatrix, left_product


def matvec(
    x: Shaped[Array | np.ndarray, "..."],
    matrix: AbstractMatrix,
    *,
    need: Bool[Array | np.ndarray, "..."] | None = None,
) -> Float[Array, "..."]:
    r"""Product of spikes and a sparse matrix, $y_j = \sum_i x_i W_{ij}$; the same as `x @ matrix`.

    Its derivatives are event-driven too. The weight gradient $x_i \bar y_j$ touches only rows with
    $x_i \neq 0$, and inside a `lax.scan` it is carried in place. The spike gradient
    $\bar x_i = \sum_j W_{ij} \bar y_j$ touches only rows where `need` is true.

    **Arguments:**

    - `x`: `(n_rows,)`, bool, or of the dtype of the weights (its values multiply); rows with
      $x_i = 0$ cost nothing.
    - `matrix`: sparse matrix `(n_rows, n_cols)`.
    - `need`: bool `(n_rows,)`, where the derivative with respect to `x` is needed; it is zero
      elsewhere. Exact if `x` is computed by a function whose derivative is zero elsewhere: with a
      surrogate of compact `support`, `need` is `abs(v) < support`. By default everywhere.

    **Returns:** `(n_cols,)`. Raises `ValueError` or `TypeError` for shapes or dtypes that do not
    fit.
    """
    x = _first(x, "matvec")
    if x.ndim != 1:
        raise ValueError(
            f"matvec: x must be a vector (n_rows,), got {x.shape}; use matmat for a batch."
        )
    return left_product(x, matrix, need)


def matmat(x: Shaped[Array | np.ndarray, "..."], matrix: AbstractMatrix) -> Float[Array, "..."]:
    r"""Product of a batch of spikes and a sparse matrix, $Y_{bj} = \sum_i X_{bi} W_{ij}$.

    The same as `x @ matrix`.

    **Arguments:**

    - `x`: `(batch, n_rows)`, bool, or of the dtype of the weights.
    - `matrix`: sparse matrix `(n_rows, n_cols)`.

    **Returns:** `(batch, n_cols)`. Raises `ValueError` or `TypeError` for shapes or dtypes that do
    not fit.
    """
    x = _first(x, "matmat")
    if x.ndim != 2:
        raise ValueError(f"matmat: x must have shape (batch, n_rows), got {x.shape}; use matvec.")
    return left_product(x, matrix)


def _first(x, what: str) -> Array:
    if isinstance(x, AbstractMatrix):
        raise TypeError(f"{what}: x must be an array, got a {type(x).__name__}; x comes first.")
    return as_array("x", x, what)
