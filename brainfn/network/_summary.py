"""What a network consists of and what was merged, as text."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.tree_util as jtu

from ._weights import count_synapses

if TYPE_CHECKING:
    from ._network import Network


def summary(network: "Network") -> str:
    """A table of populations and projections: sizes, synapses, memory, and what was merged."""
    layout = network.layout
    lines = ["populations"]
    for name in layout.populations:
        model = network.populations[name]
        group, _, size = layout.place(name)
        lines.append(f"  {name:<16} {type(model).__name__:<12} {size:>10,} neurons   group {group}")
    lines.append("projections")
    total = 0
    for name in layout.projections:
        pathway = network.pathways[name]
        synapses = sum(count_synapses(matrix) for matrix in pathway.matrices)
        about = "about " if pathway.shape is None else ""
        size = sum(_bytes(matrix) for matrix in (*pathway.matrices, pathway.weight))
        total += size
        delay = "1 step" if pathway.delay is None else f"{pathway.delay:g} ms"
        if pathway.delays is not None:
            delay = f"<= {delay}"
        synapse = type(network.receptors[pathway.receptor].synapse).__name__
        lines.append(
            f"  {name:<16} {pathway.pre} -> {','.join(pathway.post)}: {about}{synapses:,} "
            f"synapses, {synapse}, delay {delay}, {_megabytes(size)}"
        )
    kept = sum(layout.groups[layer.group].size for layer in layout.layers)
    apart = sum(
        sum(network.populations[post].size for post in pathway.post)
        for pathway in network.pathways.values()
    )
    lines.append("merged")
    lines.append(
        f"  {len(network.populations)} populations in {len(layout.groups)} group(s); "
        f"{len(network.pathways)} projections in {len(layout.layers)} synaptic layer(s)"
    )
    lines.append(
        f"  synaptic variables: {kept:,}, where one for each projection and target would be "
        f"{apart:,}"
    )
    for i, receptor in enumerate(network.receptors):
        members = [name for name, p in network.pathways.items() if p.receptor == i]
        if len(members) > 1:
            kind = type(receptor.synapse).__name__
            lines.append(f"  one {kind} synapse is shared by {', '.join(members)}")
    lines.append(f"connectivity: {_megabytes(total)}")
    return "\n".join(lines)


def _bytes(tree: Any) -> int:
    return sum(x.nbytes for x in jtu.tree_leaves(tree) if eqx.is_array(x))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f} MB"
