"""Built projections: connections, sources and targets."""

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from ..event import AbstractMatrix
from ..plasticity import AbstractPlasticity
from ..synapse import AbstractOutput, AbstractReceptor, AbstractRelease


class Receptor(eqx.Module):
    """A receptor and its output, shared by projections that hold the same objects."""

    synapse: AbstractReceptor
    output: AbstractOutput


class Pathway(eqx.Module):
    """A built projection.

    - `weight`: the weights: one leaf, or the distribution of a just-in-time matrix.
    - `matrices`: the structure without the weights. One matrix; several, a range of columns each,
        only for just-in-time and all-to-all matrices whose targets are not contiguous.
    - `columns`: the offset of each matrix in the synaptic layer.
    - `delays`: in ms, one for each presynaptic neuron, or one for each synapse if `synaptic`;
      `None` if all have the same, `delay`.
    """

    weight: Any
    matrices: tuple[AbstractMatrix, ...]
    delays: Float[Array, " n_pre_or_nnz"] | None
    plasticity: AbstractPlasticity | None
    delay: float | None = eqx.field(static=True)
    synaptic: bool = eqx.field(static=True)
    drawn: bool = eqx.field(static=True)  # `delays` are to be rounded
    columns: tuple[int, ...] = eqx.field(static=True)
    pre: str = eqx.field(static=True)
    post: tuple[str, ...] = eqx.field(static=True)
    receptor: int = eqx.field(static=True)
    release: int = eqx.field(static=True)
    modulator: str | None = eqx.field(static=True)
    port: str = eqx.field(static=True)

    def weighted(self, weight: Any = None) -> tuple[AbstractMatrix, ...]:
        """The matrices with the weights of the projection, or with others."""
        weight = self.weight if weight is None else weight
        return tuple(matrix.with_weight(weight) for matrix in self.matrices)


class ProjectionView(NamedTuple):
    """A projection of a network, as `network.projections[name]` shows it.

    Its fields are the leaves and nodes of the network itself, so `eqx.tree_at(lambda net:
    net.projections["exc"].weight, net, 5.0)` works.

    - `weight`: a scalar, or one entry for each synapse (in the shape of the format); for a
      just-in-time matrix, a scalar or the distribution, whose parameters are leaves: `weight.low`.
    - `synapse`, `output`, `release`: shared by projections that were given the same objects;
      changing one changes all of those that `network.summary()` lists together.
    - `plasticity`: the rule by which weights change, or `None`.
    - `matrices`: the structure of the connections (usually one matrix).
    - `pre`, `post`: names of populations; `delay` in ms, `None` for one step.
    """

    weight: Any
    synapse: AbstractReceptor
    output: AbstractOutput
    release: AbstractRelease
    plasticity: AbstractPlasticity | None
    matrices: tuple[AbstractMatrix, ...]
    pre: str
    post: tuple[str, ...]
    delay: Any

    @property
    def synapses(self) -> int:
        """Number of synapses; the expected number for just-in-time connections with a
        probability."""
        return sum(matrix.synapses for matrix in self.matrices)
