"""The state of a network, with its populations under their names."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from .._errors import nearest
from ..delay import DelayState
from ._layout import Layout


class NetworkState(eqx.Module):
    r"""What a network carries from step to step.

    `state["exc"]` is the state of a population, e.g. `state["exc"].v`.

    - `groups`: for each kind of population one state, all its populations one after the other.
    - `layers`: for each layer of synapses the state, one entry for each neuron of its group.
    - `spikes`: for each group the spikes that are under way, a delay line; `None` where no
        projection leaves the group.
    - `rings`: for each layer with delays for each synapse what is yet to arrive, a ring buffer
        `(slots, neurons)` whose slot $m \bmod$ `slots` holds what arrives in step $m$; `None` for
        the others.
    """

    groups: tuple[Any, ...]
    layers: tuple[Any, ...]
    spikes: tuple[DelayState | None, ...]
    rings: tuple[Float[Array, "_ ..."] | None, ...]
    layout: Layout = eqx.field(static=True)

    def __getitem__(self, name: str) -> Any:
        """The state of the population `name`."""
        try:
            group, offset, size = self.layout.place(name)
        except KeyError:
            known = [place[0] for place in self.layout.places]
            raise KeyError(
                f"there is no population {name!r} in this network, only {known}."
                f"{nearest(name, known)}"
            ) from None
        return take(self.groups[group], self.layout.groups[group].size, offset, size)


def take(tree: Any, total: int, offset: int, size: int) -> Any:
    """The entries of one population of each array that has one entry for each neuron."""

    def cut(x: Any) -> Any:
        if not eqx.is_array(x) or x.ndim == 0 or x.shape[0] != total or size == total:
            return x
        return x[offset : offset + size]

    return jax.tree.map(cut, tree)
