"""Spikes as bits."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped, UInt8

from ..kernel import Stage, in_layers, split


class Packed(eqx.Module):
    """Spikes as bits, a 32nd of the memory of numbers: the input of a [`brainfn.nn.Chain`][].

    Made by [`brainfn.nn.pack`][]. The last axis, that of the neurons, is packed; all others can be
    sliced and mapped over like those of an array.

    - `bits`: uint8 of shape `(..., ceil(size / 8))`, the first neuron in the highest bit, as
      `numpy.packbits` and [`brainfn.record.Spikes`][] store them.
    - `size`: the number of neurons.
    """

    bits: UInt8[Array, "*batch bytes"]
    size: int = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the unpacked spikes."""
        return (*self.bits.shape[:-1], self.size)

    def __getitem__(self, index: Any) -> "Packed":
        """Part of the leading axes, such as some steps or examples.

        **Raises:** `IndexError` for an index of the packed axis.
        """
        bits = self.bits[index]
        if bits.ndim == 0 or bits.shape[-1] != self.bits.shape[-1]:
            raise IndexError("the neurons of packed spikes can't be indexed: unpack them first.")
        return Packed(bits, self.size)

    def unpack(self, dtype: Any = None) -> Shaped[Array, "*batch size"]:
        """0 and 1 as numbers of `dtype`, by default the default float."""
        dtype = jnp.result_type(float) if dtype is None else dtype
        return jnp.unpackbits(self.bits, axis=-1, count=self.size).astype(dtype)

    def __matmul__(self, weight: Float[Array, "size n_post"]) -> Float[Array, "*batch n_post"]:
        """The product with a matrix, whose rows of silent neurons are not read, neither forward nor
        for the gradient.

        **Raises:** `ValueError` if the shapes do not fit.
        """
        if jnp.ndim(weight) != 2 or jnp.shape(weight)[0] != self.size:
            raise ValueError(
                f"packed spikes of {self.size} neurons need a matrix with as many rows, got shape "
                f"{jnp.shape(weight)}."
            )
        return _product(self.bits, weight)


def pack(spikes: Any) -> Packed:
    """Spikes, bools or 0 and 1, as bits of the last axis.

    **Raises:** `ValueError` without an axis. What is not zero becomes a spike.
    """
    spikes = jnp.asarray(spikes)
    if spikes.ndim == 0:
        raise ValueError("`spikes` must have an axis of neurons, got a single number.")
    return Packed(jnp.packbits(spikes.astype(bool), axis=-1), spikes.shape[-1])


@eqx.filter_jit
def _product(bits: Array, weight: Array) -> Array:
    n = weight.shape[1]
    current = jnp.zeros(n, weight.dtype)
    constants, rest = split(lambda _, changing: changing, [], [current])
    stage = Stage(f"product({n})", rest, weight, None, None, constants, [])
    # Each index of the axes before the last two is an example of its own.
    rows = (
        bits.reshape(-1, *bits.shape[-2:]) if bits.ndim > 2 else bits.reshape(1, -1, bits.shape[-1])
    )
    out = jax.vmap(lambda x: in_layers([stage], x)[0])(rows)
    return out.reshape(*bits.shape[:-1], n)
