"""From a network to one that is ready for steps of a fixed size."""

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu

from ..delay import Delay
from ..event import CSR, Block, Delayed
from ._delays import delay_steps
from ._merge import merge, with_arrays
from ._projection import Receptor
from ._stepper import Due, NetworkStepper, float_dtype
from ._weights import count_synapses

if TYPE_CHECKING:
    from ._network import Network


def make_stepper(network: "Network", dt: float) -> NetworkStepper:
    """Merge parameters, count delays in steps, and give each matrix its place."""
    layout = network.layout
    network = _with_arrays(network)
    populations = {name: model.prepare(dt) for name, model in network.populations.items()}
    groups = tuple(
        merge([populations[name] for name in group.names], group.sizes) for group in layout.groups
    )
    layers = []
    for layer in layout.layers:
        sizes = layout.groups[layer.group].sizes
        # Populations without this receptor take the parameters of another; their state stays 0.
        other = next(network.receptors[r] for r in layer.receptors if r is not None)
        other = jtu.tree_map(lambda x: x[0] if jnp.ndim(x) else x, other)
        parts = [other if r is None else network.receptors[r] for r in layer.receptors]
        layers.append(
            Receptor(
                merge([part.synapse for part in parts], sizes),
                merge([part.output for part in parts], sizes),
            )
        )
    due: list[Due] = []
    shared: dict[tuple[int, int], int] = {}
    longest = [0] * len(groups)
    slots = [0] * len(layers)
    placed = []
    for name in layout.projections:
        pathway = network.pathways[name]
        group, offset, _ = layout.place(pathway.pre)
        steps, delays = delay_steps(name, pathway, dt)
        most = steps
        if pathway.synaptic:
            steps = 1
        longest[group] = max(longest[group], steps)
        if delays is not None and not pathway.synaptic:
            source, row_offset = len(due), 0
            due.append(Due(delays, group, steps, offset))
        else:
            if (group, steps) not in shared:
                shared[group, steps] = len(due)
                due.append(Due(None, group, steps, 0))
            source, row_offset = shared[group, steps], offset
        runs = layout.runs(pathway.post)
        start = 0
        for matrix, (names, _, column_offset, _) in zip(pathway.weighted(), runs, strict=True):
            target = layout.layer_of(names[0], pathway.receptor)
            if pathway.synaptic:
                assert isinstance(matrix, CSR) and delays is not None
                stop = start + count_synapses(matrix)
                matrix = Delayed(matrix, delays[start:stop], longest=most)
                start, slots[target] = stop, max(slots[target], most + 1)
            placed.append((matrix, source, row_offset, target, column_offset))
    # Ring buffers stand behind the vectors of all layers.
    order = [i for i, n in enumerate(slots) if n]
    blocks = [
        Block(m, s, r, len(layers) + order.index(t) if isinstance(m, Delayed) else t, c)
        for m, s, r, t, c in placed
    ]
    lines = tuple(
        Delay(steps, layout.groups[g].size, groups[g].spike_dtype) if steps else None
        for g, steps in enumerate(longest)
    )
    return NetworkStepper(
        network=network,
        groups=groups,
        layers=tuple(layers),
        blocks=tuple(blocks),
        due=tuple(due),
        lines=lines,
        rings=tuple(slots),
        layout=layout,
    )


def _with_arrays(network: "Network") -> "Network":
    """`network` without parameters that are Python or NumPy numbers."""
    populations = {name: with_arrays(model) for name, model in network.populations.items()}
    receptors = tuple(
        Receptor(with_arrays(r.synapse), with_arrays(r.output)) for r in network.receptors
    )
    pathways = {}
    for name, pathway in network.pathways.items():
        dtype = float_dtype(receptors[pathway.receptor].synapse)
        weight = jtu.tree_map(
            lambda x, dtype=dtype: x if isinstance(x, jax.Array) else jnp.asarray(x, dtype),
            pathway.weight,
        )
        pathways[name] = eqx.tree_at(lambda p: p.weight, pathway, weight)
    return eqx.tree_at(
        lambda n: (n.populations, n.receptors, n.pathways),
        network,
        (populations, receptors, pathways),
    )
