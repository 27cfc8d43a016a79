"""Connections with their weights and delays, from matrices and tables."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Int32, Shaped

from .._custom_types import Key
from .._errors import describe, from_host, nearest
from .._field import as_parameter
from ._check import check_synapses
from ._given import FromPairs
from ._rule import AbstractRule, Structure, check_sizes


class FromScipy(AbstractRule):
    """The stored elements of a sparse matrix of SciPy are synapses, its numbers their weights.

    ```python
    rule = bf.connect.FromScipy(scipy.sparse.random(100, 200, density=0.1))
    bf.Projection("exc", "inh", rule, ...)  # without `weight`, or with another one
    ```

    Elements that are stored as zero are synapses, too; elements of a pair that is stored several
    times are added up, as SciPy does.

    **Arguments:**

    - `matrix`: a sparse matrix or array of SciPy, of shape `(n_pre, n_post)`, in nS or pA.

    **Raises:** `TypeError` for anything else; `ValueError` for numbers that are not finite, or for
    another shape than the populations.
    """

    data: Float[Array, " nnz"]
    indices: Int32[Array, " nnz"]
    indptr: Int32[Array, " n_pre_plus_one"]
    n_post: int = eqx.field(static=True)

    def __init__(self, matrix: Any):
        import scipy.sparse  # slow, and needed by few

        if not scipy.sparse.issparse(matrix) or len(matrix.shape) != 2:
            raise TypeError(
                f"`matrix` must be a sparse matrix of SciPy, got {type(matrix).__name__}. Try "
                "scipy.sparse.csr_array(matrix), or bf.event.CSR.fromdense(matrix) as `connect`."
            )
        if matrix.dtype.kind not in "iufb":
            raise TypeError(f"`matrix` must hold real numbers, got dtype {matrix.dtype}.")
        check_synapses("FromScipy()", matrix.nnz, copies=2, weight=matrix.dtype.itemsize)
        rows: Any = scipy.sparse.csr_array(matrix, copy=True)
        rows.sum_duplicates()
        data = rows.data if rows.dtype.kind in "fiu" else rows.data.astype(np.int32)
        if not np.all(np.isfinite(data)):
            raise ValueError(f"`matrix` must be finite, got {describe(data)}.")
        self.data = as_parameter(data)
        self.indices, self.indptr = (
            from_host(x.astype(np.int32)) for x in (rows.indices, rows.indptr)
        )
        self.n_post = int(rows.shape[1])

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        del key, diagonal
        n_pre, n_post, _ = check_sizes(n_pre, n_post, None)
        shape = self.indptr.shape[0] - 1, self.n_post
        if shape != (n_pre, n_post):
            transposed = shape == (n_post, n_pre)
            raise ValueError(
                f"`matrix` must have shape (n_pre, n_post) = ({n_pre}, {n_post}), got {shape}."
                + " Try `matrix.T`." * transposed
            )
        return self.indices, self.indptr

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_pre, n_post, diagonal
        return self.indices.shape[0]

    def weights(self) -> Float[Array, " nnz"]:
        return self.data


class FromTable(AbstractRule):
    """A table of synapses: one row for each, with its source and target, and where there are such
    columns its weight and its delay.

    ```python
    table = {"source": [0, 2, 2], "target": [1, 0, 1], "weight": [0.5, 1.0, 2.0]}
    bf.Projection("exc", "exc", bf.connect.FromTable(table), ...)
    bf.Projection("exc", "exc", bf.connect.FromTable("synapses.csv", delay=None), ...)
    ```

    Delays are rounded to whole steps. A `weight` or `delay` of the projection takes precedence; if
    it has one entry for each synapse, in the order of the table.

    **Arguments:**

    - `table`: a dictionary of columns, a data frame of pandas or polars, a structured array of
        NumPy, or the path of a CSV file with a line of names.
    - `source`, `target`: names of the columns with the neurons.
    - `weight`, `delay`: names of the columns with weights in nS or pA, and delays in ms; a column
        that is missing, or `None`, is not used.
    - `pre_ids`, `post_ids`: the names by which the table calls the neurons of the populations, in
        their order, where these are not 0, 1, 2, ...

    **Raises:** `ValueError` or `TypeError`, naming the argument, for columns that are missing, not
    finite or of different lengths, and for neurons that are not in the populations.
    """

    pairs: FromPairs
    weight: Float[Array, " nnz"] | None
    delay: Float[Array, " nnz"] | None

    def __init__(
        self,
        table: Any,
        *,
        source: str = "source",
        target: str = "target",
        weight: str | None = "weight",
        delay: str | None = "delay",
        pre_ids: Any = None,
        post_ids: Any = None,
    ):
        columns = _columns(table)
        ends = []
        for argument, name, ids in (("source", source, pre_ids), ("target", target, post_ids)):
            if name not in columns:
                raise ValueError(
                    f"`{argument}`: the table has no column {name!r}, only {list(columns)}."
                    + nearest(str(name), list(columns))
                )
            ends.append(_numbered(argument, columns[name], ids))
        self.pairs = FromPairs(*ends)
        n = self.pairs.pre.shape[0]
        self.weight, self.delay = (
            _numbers(argument, name, columns, n, default)
            for argument, name, default in (
                ("weight", weight, "weight"),
                ("delay", delay, "delay"),
            )
        )

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        return self.pairs.build(n_pre, n_post, key=key, diagonal=diagonal)

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        return self.pairs.expected(n_pre, n_post, diagonal=diagonal)

    def arrange(self, values: Shaped[Array | np.ndarray, " nnz"]) -> Shaped[Array, " nnz"]:
        return self.pairs.arrange(values)

    def weights(self) -> Float[Array, " nnz"] | None:
        return None if self.weight is None else self.arrange(self.weight)

    def delays(self) -> Float[Array, " nnz"] | None:
        return None if self.delay is None else self.arrange(self.delay)


def _columns(table: Any) -> dict[str, np.ndarray]:
    if isinstance(table, str | Path):
        with open(table, newline="") as file:
            rows = csv.reader(file)
            names = next(rows, [])
            values = list(zip(*rows, strict=True)) or [()] * len(names)
        return {name.strip(): _parsed(x) for name, x in zip(names, values, strict=True)}
    if isinstance(table, Mapping):
        return {name: np.asarray(x) for name, x in table.items()}
    if isinstance(table, np.ndarray) and table.dtype.names:
        return {name: table[name] for name in table.dtype.names}
    names = getattr(table, "columns", None)  # a data frame
    if names is not None:
        return {name: np.asarray(table[name]) for name in names}
    raise TypeError(
        "`table` must be a dictionary of columns, a data frame, a structured array or the path of "
        f"a CSV file, got {type(table).__name__}: {table!r:.100}."
    )


def _parsed(texts: tuple[str, ...]) -> np.ndarray:
    """Whole numbers, numbers, or texts."""
    for kind in (np.int64, np.float64):
        try:
            return np.asarray(texts, object).astype(kind)
        except ValueError:
            continue
    return np.asarray([text.strip() for text in texts])


def _numbered(argument: str, names: np.ndarray, ids: Any) -> np.ndarray:
    """The numbers of neurons from their names."""
    if ids is None:
        return names
    known = np.asarray(ids)
    order = np.argsort(known, kind="stable")
    ranked = known[order]
    if np.any(ranked[1:] == ranked[:-1]):
        raise ValueError(f"`{_IDS[argument]}` must be different, but some are equal.")
    at = np.minimum(np.searchsorted(ranked, names), max(known.size - 1, 0))
    strange = ranked[at] != names if known.size else np.ones(names.shape, bool)
    if np.any(strange):
        raise ValueError(
            f"`{argument}`: {int(np.sum(strange))} rows name neurons that are not in "
            f"`{_IDS[argument]}`, such as {names[strange][0]!r}."
        )
    return order[at]


_IDS = {"source": "pre_ids", "target": "post_ids"}


def _numbers(
    argument: str, name: str | None, columns: Mapping[str, np.ndarray], n: int, default: str
) -> Any:
    if name is None or (name == default and name not in columns):
        return None
    if name not in columns:
        raise ValueError(
            f"`{argument}`: the table has no column {name!r}, only {list(columns)}."
            + nearest(name, list(columns))
        )
    column = columns[name]
    if column.shape != (n,):
        raise ValueError(
            f"`{argument}`: column {name!r} must have {n} entries, got {column.shape}."
        )
    if column.dtype.kind not in "iuf":
        raise TypeError(f"`{argument}`: column {name!r} must hold numbers, got {column.dtype}.")
    if not np.all(np.isfinite(column)):
        raise ValueError(f"`{argument}`: column {name!r} must be finite, got {describe(column)}.")
    if argument == "delay" and np.any(column < 0):
        raise ValueError(
            f"`delay`: column {name!r} must not be negative (in ms), got {describe(column)}."
        )
    return as_parameter(column)
