"""Phase coding: the binary digits of a value in the phases of a cycle."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from .._errors import count
from ._encode_check import as_values, in_range


def encode_phase(
    values: FloatArrayLike, n_steps: int, *, bits: int = 8
) -> Float[Array, "time ..."]:
    r"""Weighted phase coding: in a cycle of $K$ steps a spike in phase $k$ stands for
    $2^{-(k+1)}$.

    $$x \approx \sum_{k=0}^{K-1} s_k\,2^{-(k+1)}, \qquad s_k = \lfloor 2^{k+1} x \rfloor \bmod 2$$

    The spikes of a cycle are the binary digits of $x$, of which those beyond $2^{-K}$ are cut off
    ($x = 1$ is the largest number of $K$ digits); the cycle is repeated.

    **Arguments:**

    - `values`: $x$ from 0 to 1, any shape.
    - `n_steps`: number of steps.
    - `bits`: $K$, at most 16.

    **Returns:** spikes as 0 and 1 in the dtype of `values`, shape `(n_steps, ...)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Kim, Kim, Huh, Lee and Choi (2018), "Deep neural networks with weighted spikes",
        Neurocomputing 311:373-386, doi:10.1016/j.neucom.2018.05.087.
    """
    x = in_range("values", values)
    n_steps, bits = count("n_steps", n_steps), _bits(bits)
    most = 2**bits - 1
    whole = jnp.clip(
        jnp.floor(x.astype(jnp.float32 if x.dtype.itemsize < 4 else x.dtype) * 2**bits), 0, most
    )
    phase = np.arange(n_steps) % bits
    shift = jnp.asarray(bits - 1 - phase, jnp.int32).reshape(-1, *(1,) * x.ndim)
    digits = jnp.broadcast_to(whole.astype(jnp.int32)[None], (n_steps, *x.shape))
    return ((digits >> jnp.broadcast_to(shift, digits.shape)) & 1).astype(x.dtype)


def decode_phase(spikes: FloatArrayLike, *, bits: int = 8) -> Float[Array, "..."]:
    """The mean value of the whole cycles of a phase code, see [`brainfn.input.encode_phase`][];
    differentiable with respect to the spikes.

    **Arguments:**

    - `spikes`: shape `(time, ...)`, at least one cycle.
    - `bits`: steps of a cycle.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """
    s, bits = as_values("spikes", spikes), _bits(bits)
    cycles = s.shape[0] // bits if s.ndim else 0
    if cycles == 0:
        raise ValueError(
            f"`spikes` must have a leading time axis of at least {bits} steps, got shape {s.shape}."
        )
    weights = jnp.asarray(np.tile(2.0 ** -np.arange(1, bits + 1), cycles) / cycles, s.dtype)
    return jnp.tensordot(weights, s[: cycles * bits], axes=1)


def _bits(bits: int) -> int:
    bits = count("bits", bits, minimum=1)
    if bits > 16:
        raise ValueError(f"`bits` must be at most 16, got {bits}.")
    return bits
