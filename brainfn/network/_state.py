"""The state of a network, with access by name."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jaxtyping import Array, Float

from .._errors import nearest
from .._named import AbstractNamed
from ..delay import DelayState
from ._layout import Layer, Layout


class NetworkState(AbstractNamed):
    r"""The state of a network.

    `state["exc"]` is the state of a population, e.g. `state["exc"].v`; `state.replace("exc",
    other)` is a copy with another one. `state.weights["ee"]` are the weights of a projection with
    plasticity, `state.synapse("ee")` the state of its receptor in the neurons that it reaches.

    - `groups`: one state for each kind of population, with all its populations concatenated.
    - `layers`: for each layer of receptors the state, one entry for each neuron that has one.
    - `releases`: for each layer of releases the state.
    - `lines`: for each layer of releases a delay line of the signals in flight.
    - `rings`: for each layer with synaptic delays a ring buffer of future arrivals, `(slots,
      neurons)`, whose slot $m \bmod$ `slots` holds those of step $m$; `None` for the others.
    - `weights`: the weights that change, by projection.
    - `traces`: the traces of plasticity rules, by projection.
    """

    groups: tuple[Any, ...]
    layers: tuple[Any, ...]
    releases: tuple[Any, ...]
    lines: tuple[DelayState, ...]
    rings: tuple[Any, ...]
    weights: dict[str, Float[Array, "..."]]
    traces: dict[str, Any]
    layout: Layout = eqx.field(static=True)
    # Receptor and port of each projection, to find it by name.
    pathways: tuple[tuple[str, tuple[str, ...], int, str], ...] = eqx.field(static=True)

    def __getitem__(self, name: str) -> Any:
        """The state of the population `name`."""
        group, offset, size = self.layout.places[name]
        return take(self.groups[group], self.layout.groups[group].size, offset, size)

    def __contains__(self, name: object) -> bool:
        return name in self.layout.populations

    def replace(self, name: str, new: Any) -> "NetworkState":
        """A copy in which the population `name` has the state `new`.

        ```python
        cells = state["exc"]
        cells = eqx.tree_at(lambda s: s.y.v, cells, jnp.full(100, -55.0))
        state = state.replace("exc", cells)
        ```

        **Raises:** `KeyError` for an unknown name; `TypeError` or `ValueError` if `new` differs
        from `state[name]` in structure, shapes or dtypes.
        """
        old = self[name]
        if jtu.tree_structure(old) != jtu.tree_structure(new):
            raise TypeError(
                f"`new` must have the structure of state[{name!r}], {type(old).__name__}, got "
                f"{type(new).__name__}. Try eqx.tree_at on state[{name!r}]."
            )
        for (path, a), b in zip(jtu.tree_leaves_with_path(old), jtu.tree_leaves(new), strict=True):
            if jnp.shape(a) != jnp.shape(b) or a.dtype != jnp.asarray(b).dtype:
                raise ValueError(
                    f"`new{jtu.keystr(path)}` must have shape {jnp.shape(a)} and dtype {a.dtype}, "
                    f"got {jnp.shape(b)} and {jnp.asarray(b).dtype}."
                )
        g, offset, size = self.layout.places[name]
        total = self.layout.groups[g].size
        if size == total:
            whole = jax.tree.map(jnp.asarray, new)
        else:
            whole = jax.tree.map(
                lambda x, y: x.at[offset : offset + size].set(y), self.groups[g], new
            )
        groups = (*self.groups[:g], whole, *self.groups[g + 1 :])
        return eqx.tree_at(lambda s: s.groups, self, groups)

    def synapse(self, projection: str) -> Any:
        """The state of the receptor of a projection, in the neurons that it reaches, in the order
        of its targets; shared with the projections that share the receptor."""
        for name, post, receptor, port in self.pathways:
            if name == projection:
                parts = []
                for target in post:
                    i = self.layout.layer_of(receptor, target, port)
                    layer = self.layout.layers[i]
                    parts.append(_segment(self.layers[i], layer, target, port))
                if len(parts) == 1:
                    return parts[0]
                return jax.tree.map(lambda *xs: jnp.concatenate(xs), *parts)
        known = [name for name, _, _, _ in self.pathways]
        raise KeyError(
            f"there is no projection {projection!r}, only {known}.{nearest(projection, known)}"
        )

    def named(self) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for name in self.layout.populations:
            synapses = [
                _segment(state, layer, segment.name, segment.port)
                for state, layer in zip(self.layers, self.layout.layers, strict=True)
                for segment in layer.segments
                if segment.name == name
            ]
            releases = [
                take(state, sender.size, sender.offsets[name, ""], self.layout.places[name][2])
                for state, sender in zip(self.releases, self.layout.senders, strict=True)
                if (name, "") in sender.offsets
            ]
            names[name] = (self[name], synapses, releases)
        for name, weight in self.weights.items():
            names[f"weights of {name}"] = (weight, self.traces[name])
        return names


def _segment(state: Any, layer: Layer, name: str, port: str) -> Any:
    start = layer.offsets[name, port]
    (size,) = [s.size for s in layer.segments if (s.name, s.port) == (name, port)]
    return take(state, layer.size, start, size)


def take(tree: Any, total: int, offset: int, size: int) -> Any:
    """The entries of one population in each array that has one entry for each neuron."""
    if size == total:
        return tree

    def cut(x: Any) -> Any:
        return x[offset : offset + size] if eqx.is_array(x) and x.ndim else x

    return jax.tree.map(cut, tree)
