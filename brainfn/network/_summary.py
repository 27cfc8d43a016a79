"""A text summary of a network and of what was merged."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.tree_util as jtu

from ..kernel import loop_name, reports
from ..synapse import AbstractRelease
from ._layout import Layout
from ._pathway import Pathway, Receptor


def summary(
    populations: Mapping[str, Any],
    receptors: Sequence[Receptor],
    releases: Sequence[AbstractRelease],
    pathways: Mapping[str, Pathway],
    layout: Layout,
) -> str:
    """A table of populations and projections: sizes, synapses, memory, what was merged, and how the
    groups run: a report goes by the names of populations, so it may be that of another network with
    the same names."""
    lines = ["populations"]
    for name in layout.populations:
        model = populations[name]
        group, _, size = layout.places[name]
        lines.append(f"  {name:<16} {type(model).__name__:<12} {size:>10,} neurons   group {group}")
    lines.append("projections")
    total = 0
    for name in layout.projections:
        pathway = pathways[name]
        synapses = sum(matrix.synapses for matrix in pathway.matrices)
        about = "about " if pathway.matrices[0].kind == "jit" else ""
        size = sum(_bytes(matrix) for matrix in (*pathway.matrices, pathway.weight))
        size += _bytes(pathway.delays)
        total += size
        delay = "1 step" if pathway.delay is None else f"{pathway.delay:g} ms"
        if pathway.delays is not None:
            delay = f"<= {delay}"
        parts = [type(receptors[pathway.receptor].synapse).__name__]
        release = releases[pathway.release]
        if type(release).__name__ != "Spikes":
            parts.insert(0, type(release).__name__)
        if pathway.plasticity is not None:
            parts.append(type(pathway.plasticity).__name__)
        lines.append(
            f"  {name:<16} {pathway.pre} -> {','.join(pathway.post)}: {about}{synapses:,} "
            f"synapses, {', '.join(parts)}, delay {delay}, {_megabytes(size)}"
        )
    kept = sum(layer.size for layer in layout.layers)
    apart = sum(
        sum(populations[post].ports()[pathway.port] for post in pathway.post)
        for pathway in pathways.values()
    )
    lines.append("merged")
    lines.append(
        f"  {len(populations)} populations in {len(layout.groups)} group(s); "
        f"{len(pathways)} projections in {len(layout.layers)} synaptic layer(s)"
    )
    lines.append(
        f"  synaptic variables: {kept:,}, where one for each projection and target would be "
        f"{apart:,}"
    )
    for i, receptor in enumerate(receptors):
        members = [name for name in layout.projections if pathways[name].receptor == i]
        if len(members) > 1:
            kind = type(receptor.synapse).__name__
            lines.append(f"  one {kind} synapse is shared by {', '.join(members)}")
    lines.append("kernels, as last compiled on CPU")
    how = reports()
    for group in layout.groups:
        name = ", ".join(group.names)
        lines.append(f"  {name}: {how.get(name, 'not yet run')}")
    whole = loop_name(layout.populations)
    lines.append(f"  the loop over steps: {how.get(whole, 'not yet run, or a scan')}")
    lines.append(f"connectivity: {_megabytes(total)}")
    return "\n".join(lines)


def _bytes(tree: Any) -> int:
    return sum(x.nbytes for x in jtu.tree_leaves(tree) if eqx.is_array(x))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f} MB"
