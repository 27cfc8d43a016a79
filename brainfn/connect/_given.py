"""Connections that are given: a list of pairs, or a mask."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Int32, Shaped

from .._custom_types import Key
from .._errors import from_host, is_concrete
from ._check import INT32_MAX, check_synapses
from ._rule import AbstractRule, Structure, check_sizes


class FromPairs(AbstractRule):
    """Given pairs of neurons are connected: neuron `pre[k]` to neuron `post[k]`.

    Weights and delays that are given one for each synapse are in the order of the pairs:

    ```python
    rule = bf.connect.FromPairs(pre=[2, 0, 0], post=[1, 3, 0])
    W = bf.connect.csr(rule, 3, 4, weight=np.array([0.2, 0.7, 0.1]))  # W[2, 1] is 0.2
    ```

    What is built, `W.data` or the weights of a network, is sorted by source and then by target, as
    with all rules: `rule.arrange(np.arange(n))` says which pair each synapse comes from.

    **Arguments:**

    - `pre`, `post`: indices of the presynaptic and postsynaptic neuron of each synapse, two arrays
        or lists of equal length, in any order. A pair that occurs more than once is connected more
        than once; a neuron is connected to itself where the pairs say so.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for indices that are negative or not whole
    numbers, for different lengths, and, when the sizes of the populations are known, for indices
    beyond these.
    """

    pre: Int32[Array, " nnz"]
    post: Int32[Array, " nnz"]
    order: Int32[Array, " nnz"] | None

    def __init__(self, pre: Any, post: Any):
        first, second = _as_indices("pre", pre), _as_indices("post", post)
        if first.size != second.size:
            raise ValueError(
                f"`pre` and `post` must have equal length, one entry for each synapse, got "
                f"{first.size} and {second.size}."
            )
        check_synapses("FromPairs()", first.size)
        width = second.max(initial=0).astype(np.int64) + 1
        place = first * width + second
        ascending = bool(np.all(place[1:] >= place[:-1]))
        order = None if ascending else np.argsort(place, kind="stable")
        self.pre, self.post = (from_host(x.astype(np.int32)) for x in (first, second))
        self.order = None if order is None else from_host(order.astype(np.int32))

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        del key, diagonal
        n_pre, n_post, _ = check_sizes(n_pre, n_post, None)
        pre, post = _known("pre", self.pre), _known("post", self.post)
        for name, index, size in (("pre", pre, n_pre), ("post", post, n_post)):
            if index.size and index.max() >= size:
                raise ValueError(
                    f"`{name}` must lie in [0, {size}), the neurons of the population, got values "
                    f"from {index.min()} to {index.max()}."
                )
        indptr = np.zeros(n_pre + 1, np.int32)
        np.cumsum(np.bincount(pre, minlength=n_pre), out=indptr[1:])
        return self.arrange(self.post), from_host(indptr)

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_pre, n_post, diagonal
        return self.pre.shape[0]

    def arrange(self, values: Shaped[Array | np.ndarray, " nnz"]) -> Shaped[Array, " nnz"]:
        """Values in the order of the pairs, sorted by source and then by target."""
        if self.order is None:
            return from_host(values) if isinstance(values, np.ndarray) else values
        if is_concrete(values):
            return from_host(np.asarray(values)[np.asarray(self.order)])
        return values[self.order]


class FromMask(AbstractRule):
    """Neuron `i` connects to neuron `j` where a mask is true.

    $$i \\to j \\iff \\mathrm{mask}_{ij}$$

    Weights and delays that are given one for each synapse are sorted by source and then by target,
    the order of `weights[mask]`. To keep the numbers of a matrix as weights, see
    [`brainfn.event.CSR`][]`.fromdense`.

    **Arguments:**

    - `mask`: an array of bool of shape `(n_pre, n_post)`, or a sparse matrix of SciPy, whose stored
        elements count that are not zero.

    **Raises:**

    `TypeError` for an array that is not of bool or is traced; `ValueError` for one that has not two
    dimensions, or another shape than the populations.
    """

    indices: Int32[Array, " nnz"]
    indptr: Int32[Array, " n_pre_plus_one"]
    n_post: int = eqx.field(static=True)

    def __init__(self, mask: Any):
        rows, columns, (n_pre, self.n_post) = _true_elements(mask)
        check_synapses("FromMask()", columns.size)
        indptr = np.zeros(n_pre + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=n_pre), out=indptr[1:])
        self.indices, self.indptr = from_host(columns.astype(np.int32)), from_host(indptr)

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        del key, diagonal
        n_pre, n_post, _ = check_sizes(n_pre, n_post, None)
        shape = self.indptr.shape[0] - 1, self.n_post
        if shape != (n_pre, n_post):
            transposed = shape == (n_post, n_pre)
            raise ValueError(
                f"`mask` must have shape (n_pre, n_post) = ({n_pre}, {n_post}), got {shape}."
                + " Try `mask.T`." * transposed
            )
        return self.indices, self.indptr

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        del n_pre, n_post, diagonal
        return self.indices.shape[0]


def _as_indices(name: str, value: Any) -> np.ndarray:
    """Indices of neurons as int64 on the host."""
    try:
        host = _known(name, value)
    except ValueError:
        raise TypeError(f"`{name}` must be a list of indices, got {value!r:.100}.") from None
    if host.ndim != 1:
        raise ValueError(
            f"`{name}` must be a list of indices, one for each synapse, got shape {host.shape}."
        )
    if host.size and host.dtype.kind not in "iu":
        what = "For a mask try FromMask." if host.dtype == bool else "Try `.astype(int)`."
        raise TypeError(f"`{name}` must hold whole numbers, got dtype {host.dtype}. {what}")
    if host.size and not (host.min() >= 0 and host.max() < INT32_MAX):
        raise ValueError(
            f"`{name}` must lie in [0, {INT32_MAX}), got values from {host.min()} to {host.max()}."
        )
    return host.astype(np.int64)


def _known(name: str, value: Any) -> np.ndarray:
    if not is_concrete(value):
        raise TypeError(
            f"`{name}` is traced by JAX, but its values decide where synapses are. Try to build "
            "the connections outside of `jit`."
        )
    return np.asarray(value)


def _true_elements(mask: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Rows and columns of what is true, in ascending order, and the shape."""
    if not isinstance(mask, np.ndarray | jax.Array | list | tuple):
        import scipy.sparse  # slow, and needed by few

        if scipy.sparse.issparse(mask) and len(mask.shape) == 2:
            sparse: Any = scipy.sparse.coo_array(mask.tocsr() != 0)
            order = np.lexsort((sparse.col, sparse.row))
            return sparse.row[order], sparse.col[order], sparse.shape
        raise TypeError(
            "`mask` must be an array of bool or a sparse matrix of SciPy, got "
            f"{type(mask).__name__}: {mask!r:.100}."
        )
    host = _known("mask", mask)
    if host.ndim != 2:
        raise ValueError(f"`mask` must have two dimensions, got shape {host.shape}.")
    if host.dtype != bool:
        raise TypeError(
            f"`mask` must hold bool, got dtype {host.dtype}. Try `matrix != 0`, or "
            "bf.event.CSR.fromdense(matrix), whose weights are the numbers of the matrix."
        )
    rows, columns = np.nonzero(host)
    return rows, columns, host.shape
