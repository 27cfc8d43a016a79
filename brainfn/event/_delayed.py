"""Connectivity with a delay for each synapse, into a ring buffer."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from .._errors import from_host
from ._bilinear import COLS, contract
from ._check import as_array, concrete, whole_number
from ._csr import CSR
from ._matrix import Layout, as_need, as_spikes, term
from ._ring import as_step

_LONGEST = np.iinfo(np.uint16).max


class Delayed(eqx.Module):
    r"""A sparse matrix with a delay in whole steps for each stored element.

    It acts on a ring buffer of shape `(length, n_post)` whose slot $m \bmod L$ holds the input that
    arrives in step $m$, numbered like the rows of [`brainfn.Delay`][]: a spike of step $n$ through
    a synapse with delay $d$ is added to slot $(n + d) \bmod L$ and acts in step $n + d$. So
    $1 \le d \le L - 1$. Within a step, first take the arriving input
    ([`brainfn.event.arrivals`][]), then add the new spikes ([`brainfn.event.delayed_matvec`][]).
    """

    matrix: CSR
    delays: Int[Array, " nnz"]
    longest: int = eqx.field(static=True)

    def __init__(self, matrix: CSR, delays: Any, *, longest: int | None = None):
        """**Arguments:**

        - `matrix`: the weights, a [`brainfn.event.CSR`][] `(n_pre, n_post)`; for another format
          `matrix.tocsr()`.
        - `delays`: whole numbers of steps from 1 to 65535, `(nnz,)` in the order of
          `matrix.indices`, or one for all. They are stored in one or two bytes each.
        - `longest`: the longest delay that a ring buffer must hold; by default the largest of
          `delays`. Needed where `delays` is traced.

        Raises `ValueError` or `TypeError` where these do not fit together; values are checked when
        they are concrete.
        """
        if not isinstance(matrix, CSR):
            raise TypeError(
                f"Delayed: matrix must be a CSR, got {type(matrix).__name__}; try matrix.tocsr()."
            )
        delays = as_array("delays", delays, "Delayed")
        longest = None if longest is None else whole_number("longest", longest, 1, "Delayed")
        if not jnp.issubdtype(delays.dtype, jnp.integer):
            raise TypeError(
                f"Delayed: delays must be integers (steps), got dtype {delays.dtype}; divide by dt "
                "and round."
            )
        if delays.shape not in ((), (matrix.nnz,)):
            raise ValueError(
                f"Delayed: delays must be one number or have shape ({matrix.nnz},), got "
                f"{delays.shape}."
            )
        if concrete(delays):
            host = np.asarray(delays)
            low, high = (int(host.min()), int(host.max())) if host.size else (1, 1)
            most = _LONGEST if longest is None else longest
            if low < 1 or high > most:
                raise ValueError(
                    f"Delayed: delays must lie in [1, {most}] steps, got values from {low} to "
                    f"{high}; a spike acts in the next step at the earliest."
                )
            longest = high if longest is None else longest
        if longest is None:
            raise ValueError("Delayed: longest is needed where delays are traced.")
        if not 1 <= longest <= _LONGEST:
            raise ValueError(
                f"Delayed: longest must lie in [1, {_LONGEST}] steps, got {longest}; use a larger "
                "dt."
            )
        kind = np.uint8 if longest <= np.iinfo(np.uint8).max else np.uint16
        self.matrix = matrix
        if concrete(delays):
            # On the host: no program is compiled for just this number of synapses.
            narrow = np.broadcast_to(np.asarray(delays).astype(kind), (matrix.nnz,))
            self.delays = from_host(narrow, copy=True)
        else:
            # A delay that the ring buffer can't hold would write outside of it.
            held = jnp.clip(delays, 1, longest).astype(kind)
            self.delays = jnp.broadcast_to(held, (matrix.nnz,))
        self.longest = int(longest)

    @property
    def shape(self) -> tuple[int, int]:
        """`(n_pre, n_post)`."""
        return self.matrix.shape

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the weights."""
        return self.matrix.dtype

    @property
    def vector_dtype(self) -> np.dtype:
        """Dtype of the ring buffer and of spikes: float32 for half-precision weights."""
        return self.matrix.vector_dtype

    def ring(self) -> Float[Array, "length n_post"]:
        """The smallest ring buffer for these delays, empty: `longest + 1` slots."""
        return jnp.zeros((self.longest + 1, self.shape[1]), self.vector_dtype)

    def check(self) -> None:
        """Raises for concrete delays that are too long for the ring buffer, as `eqx.tree_at` may
        introduce them."""
        if concrete(self.delays) and self.delays.size:
            host = np.asarray(self.delays)
            if host.min() < 1 or host.max() > self.longest:
                raise ValueError(
                    f"Delayed: delays must lie in [1, {self.longest}] steps, got values from "
                    f"{host.min()} to {host.max()}. Rebuild the matrix with these delays."
                )

    def layout(self, ring_shape: tuple[int, ...], now: Any, what: str) -> Layout:
        """The layout of a block that adds to a ring buffer of this shape at step `now`."""
        length, width = ring_shape
        if length <= self.longest:
            raise ValueError(
                f"{what}: the ring buffer has {length} slots, but delays of up to {self.longest} "
                f"steps need {self.longest + 1}."
            )
        if length * width >= 2**31:
            raise ValueError(
                f"{what}: a ring buffer of shape {ring_shape} has 2**31 elements or more; use "
                "several."
            )
        structure = (self.matrix.indices, self.matrix.indptr, self.delays, as_step(now, what))
        return Layout(self.matrix.data, self.shape, "delayed", structure, (length, width))


def delayed_matvec(
    ring: Float[Array, "length n_post"],
    spikes: Shaped[Array | np.ndarray, " n_pre"],
    matrix: Delayed,
    now: int | Int[Array, ""],
    *,
    need: Bool[Array | np.ndarray, "..."] | None = None,
) -> Float[Array, "length n_post"]:
    r"""Adds spikes to a ring buffer, each synapse with its own delay, in place where it can.

    $$ R_{(n + d_{ij}) \bmod L,\, j} \mathrel{+}= s_i W_{ij} $$

    Its derivatives with respect to the ring buffer, the spikes and the weights are exact and
    event-driven, like those of [`brainfn.event.matvec`][].

    **Arguments:**

    - `ring`: ring buffer `(length, n_post)` of more than `matrix.longest` slots.
    - `spikes`: `(n_pre,)`, bool or of the dtype of the ring buffer.
    - `matrix`: weights and delays.
    - `now`: the present step $n$.
    - `need`: bool `(n_pre,)`, where the derivative with respect to `spikes` is needed.

    **Returns:** the ring buffer. Raises `ValueError` or `TypeError` for shapes or dtypes that do
    not fit.
    """
    what = "delayed_matvec"
    if not isinstance(matrix, Delayed):
        raise TypeError(
            f"{what}: matrix must be a brainfn.event.Delayed, got {type(matrix).__name__}."
        )
    matrix.check()
    ring, x = as_array("ring", ring, what), as_array("spikes", spikes, what)
    if ring.ndim != 2 or ring.shape[1] != matrix.shape[1]:
        raise ValueError(
            f"{what}: ring must have shape (length, {matrix.shape[1]}), got {ring.shape}."
        )
    if ring.dtype != matrix.vector_dtype:
        raise TypeError(
            f"{what}: ring has dtype {ring.dtype}, expected {matrix.vector_dtype}; try "
            "matrix.ring()."
        )
    if x.shape != (matrix.shape[0],):
        raise ValueError(f"{what}: spikes must have shape ({matrix.shape[0]},), got {x.shape}.")
    x = as_spikes(x, matrix.vector_dtype, what)
    mask = None if need is None else as_need(need, x.shape[0], what)
    t = term(matrix.layout(ring.shape, now, what), x, (), 0, 0, (), 0, mask)
    return contract(COLS, (), [ring], [()], [t])[0]
