"""The current into the neurons of a group: injected and synaptic."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import from_host
from ..neuron import AbstractDrive
from ..synapse import AbstractOutput, AbstractReceptor


class Where(eqx.Module):
    """The neurons of a group that a layer of receptors reaches.

    - `start`, `stop`: a range of the group, if they are contiguous; all of it if `whole`.
    - `index`: otherwise their positions.
    """

    index: Any
    start: int = eqx.field(static=True)
    stop: int = eqx.field(static=True)
    whole: bool = eqx.field(static=True)

    def take(self, x: Array) -> Array:
        """The entries of these neurons."""
        if self.whole or x.ndim == 0:
            return x
        return x[self.start : self.stop] if self.index is None else x[self.index]

    def spread(self, x: Array, size: int) -> Array:
        """`x` for these neurons, zero for the others of the group."""
        if self.whole:
            return x
        zeros = jnp.zeros(size, x.dtype)
        if self.index is None:
            return zeros.at[self.start : self.stop].set(x)
        return zeros.at[self.index].set(x, unique_indices=True, indices_are_sorted=True)


def where(positions: np.ndarray, size: int) -> Where:
    """The `Where` of some positions in a group of `size`."""
    n = positions.shape[0]
    start = int(positions[0]) if n else 0
    together = bool(np.array_equal(positions, np.arange(start, start + n)))
    return Where(
        None if together else from_host(positions.astype(np.int32)),
        start,
        start + n,
        together and n == size,
    )


class Term(eqx.Module):
    """A receptor and its output on a group: the neurons they reach, and their position in their
    layer."""

    synapse: AbstractReceptor
    output: AbstractOutput
    where: Where
    layer: int = eqx.field(static=True)
    start: int = eqx.field(static=True)
    size: int = eqx.field(static=True)
    total: int = eqx.field(static=True)


class NetworkDrive(AbstractDrive):
    """The current from an injected drive and from synapses, at any time within a step."""

    injected: AbstractDrive
    terms: tuple[tuple[Term, Any], ...]  # with the state of the receptor

    def __call__(self, t: Any, v: Float[Array, " size"]) -> Float[Array, " *size"]:
        current = self.injected(t, v)
        for term, state in self.terms:
            if not term.output.jumps:
                current = current + _current(term, term.synapse.value(state, t), v)
        return current

    def held(self, rate: Any, dt: float) -> "HeldDrive":
        values = []
        for term, state in self.terms:
            if term.output.jumps:
                continue
            here = term.where.take(rate) if eqx.is_array(rate) else rate
            values.append((term, term.synapse.held(state, here, dt)))
        return HeldDrive(self.injected.held(rate, dt), tuple(values))

    def jump(self, v: Float[Array, " size"]) -> Float[Array, " size"] | None:
        total = None
        for term, state in self.terms:
            if term.output.jumps:
                by = _current(term, term.synapse.value(state, 0.0), v)
                total = by if total is None else total + by
        return total


class HeldDrive(AbstractDrive):
    """The current with the synaptic variables held constant."""

    injected: AbstractDrive
    terms: tuple[tuple[Term, Any], ...]

    def __call__(self, t: Any, v: Float[Array, " size"]) -> Float[Array, " *size"]:
        current = self.injected(t, v)
        for term, g in self.terms:
            current = current + _current(term, g, v)
        return current

    def held(self, rate: Any, dt: float) -> "HeldDrive":
        del rate, dt
        return self


def _current(term: Term, g: Any, v: Any) -> Any:
    current = term.output(g, term.where.take(v))
    return term.where.spread(jnp.asarray(current, v.dtype), v.shape[0])
