"""The current into the neurons of a group: injected and synaptic."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..neuron import AbstractDrive
from ..synapse import AbstractOutput, AbstractReceptor


class Term(eqx.Module):
    """A receptor and its output on a range of the neurons of a group.

    - `first`: the first of these neurons.
    - `layer`, `start`, `size`, `total`: the layer of the receptor, and their range in it.
    """

    synapse: AbstractReceptor
    output: AbstractOutput
    first: int = eqx.field(static=True)
    layer: int = eqx.field(static=True)
    start: int = eqx.field(static=True)
    size: int = eqx.field(static=True)
    total: int = eqx.field(static=True)

    def take(self, x: Array) -> Array:
        """The entries of these neurons."""
        if x.ndim == 0 or x.shape[0] == self.size:
            return x
        return x[self.first : self.first + self.size]

    def spread(self, x: Array, size: int) -> Array:
        """`x` for these neurons, zero for the others of the group."""
        after = size - self.first - self.size
        if x.ndim == 0:
            x = jnp.broadcast_to(x, (self.size,))
        return lax.pad(x, jnp.zeros((), x.dtype), [(self.first, after, 0)])


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
            here = term.take(rate) if eqx.is_array(rate) else rate
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
    current = jnp.asarray(term.output(g, term.take(v)), v.dtype)
    return current if term.size == v.shape[0] else term.spread(current, v.shape[0])
