"""The protocol of connection rules."""

import abc

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Int32, Int64, Integer, Shaped

from .._custom_types import Key
from .._errors import empty_on_host, from_host
from ._check import as_diagonal, as_size

Structure = tuple[Int32[Array, " nnz"], Int32[Array, " rows_plus_one"]]


class AbstractRule(eqx.Module):
    """A rule that says which neurons are connected.

    Subclass it and write `build`: everything that takes a rule ([`brainfn.connect.csr`][],
    [`brainfn.Projection`][]) then takes yours.

    ```python
    class NextNeighbour(bf.connect.AbstractRule):
        def build(self, n_pre, n_post, *, key=None, diagonal=None):
            del key, diagonal
            n = min(n_pre, n_post - 1)
            indices = jnp.arange(1, n + 1, dtype=jnp.int32)
            indptr = jnp.minimum(jnp.arange(n_pre + 1, dtype=jnp.int32), n)
            return indices, indptr
    ```
    """

    @abc.abstractmethod
    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        """The connections, as the structure of a CSR matrix of shape `(n_pre, n_post)`.

        **Arguments:**

        - `n_pre`, `n_post`: numbers of presynaptic and postsynaptic neurons; Python ints.
        - `key`: a JAX key; a rule without randomness ignores it.
        - `diagonal`: the offset `o` if presynaptic neuron `i` is the same neuron as postsynaptic
          neuron `i + o`; `None` if no neuron is in both populations, so that there are no autapses.

        **Returns:**

        `(indices, indptr)`, both int32: the targets of neuron `i` are
        `indices[indptr[i]:indptr[i + 1]]`, in ascending order.
        """

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        """How many synapses `build` will make, or their mean number; `None` if the rule does not
        say. With it more synapses than fit into memory are refused before anything is allocated.
        Arguments as of `build`."""
        del n_pre, n_post, diagonal
        return None

    def weights(self) -> Float[Array, " nnz"] | None:
        """The weights that the rule itself has, in the order of what `build` makes; `None` if it
        has none, so that they must be given."""
        return None

    def delays(self) -> Float[Array, " nnz"] | None:
        """The delays in ms that the rule itself has, in the order of what `build` makes."""
        return None

    def offsets(
        self, i: Integer[np.ndarray, " nnz"], j: Integer[np.ndarray, " nnz"]
    ) -> Float[np.ndarray, "nnz dimensions"] | None:
        """The vectors in um from sources `i` to targets `j`, for a rule that knows where neurons
        are; with them weights and delays may depend on distance."""
        del i, j
        return None

    def arrange(self, values: Shaped[Array | np.ndarray, " nnz"]) -> Shaped[Array, " nnz"]:
        """Weights or delays that a user gives, one for each synapse, in the order of what `build`
        makes: by source and then by target. As they are, unless the rule has an order of its own,
        as [`brainfn.connect.FromPairs`][] has."""
        return from_host(values) if isinstance(values, np.ndarray) else values


def check_sizes(n_pre: int, n_post: int, diagonal: int | None) -> tuple[int, int, int | None]:
    """The arguments of `build` as Python numbers; raises if one of them is invalid."""
    return as_size("n_pre", n_pre), as_size("n_post", n_post), as_diagonal(diagonal)


def self_rows(n_pre: int, n_post: int, diagonal: int | None, autapses: bool) -> tuple[int, int]:
    """The range of rows that leave out their own neuron: these have one column less to choose
    from."""
    if autapses or diagonal is None:
        return 0, 0
    start = min(max(-diagonal, 0), n_pre)
    return start, max(start, min(n_pre, n_post - diagonal))


def pairs(n_pre: int, n_post: int, diagonal: int | None, autapses: bool) -> int:
    """How many pairs of neurons there are to connect."""
    start, stop = self_rows(n_pre, n_post, diagonal, autapses)
    return n_pre * n_post - (stop - start)


def transposed(
    sources: Int32[np.ndarray, " nnz"], starts: Int32[np.ndarray, " n_post_plus_one"], n_pre: int
) -> Structure:
    """The structure by source, from the sources of each target; ascending in each row."""
    import scipy.sparse  # a tenth of a second that few rules need

    parts = (np.zeros(sources.size, np.int8), sources, starts)
    columns = scipy.sparse.csr_array(parts, shape=(starts.size - 1, n_pre)).tocsc()
    return from_host(columns.indices), from_host(columns.indptr)


def of_places(
    places: Int64[np.ndarray, " nnz"], n_pre: int, n_post: int
) -> tuple[Int32[np.ndarray, " nnz"], Int32[np.ndarray, " n_pre_plus_one"]]:
    """The structure from the numbers `source * n_post + target` of its pairs, in any order."""
    source, target = np.divmod(np.sort(places), max(n_post, 1))
    indptr = np.zeros(n_pre + 1, np.int32)
    np.cumsum(np.bincount(source, minlength=n_pre), out=indptr[1:])
    indices = empty_on_host(target.size, np.int32)
    indices[:] = target
    return indices, indptr
