"""Build the parts of a network: connections, delays, and where everything is stored."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .. import connect
from .._custom_types import Key
from .._errors import nearest
from .._field import float_dtype
from .._population import AbstractPopulation
from ..delay import Axonal
from ..event import CSR, AbstractMatrix, with_columns
from ..synapse import AbstractRelease
from ._delays import build_delays, is_rounded
from ._layout import (
    Layout,
    group_populations,
    share_receptors,
    share_releases,
    stack,
    stack_senders,
)
from ._pathway import Pathway, Receptor
from ._projection import Projection

# Folded into the key of a projection to draw delays; connections and weights split that key.
_DELAYS = 2


def build(
    populations: Mapping[str, Any],
    projections: Mapping[str, Projection],
    merge: bool,
    key: Key | None,
) -> tuple[tuple[Receptor, ...], tuple[AbstractRelease, ...], dict[str, Pathway], Layout]:
    """The parts of a network, and where they are stored."""
    for name, projection in projections.items():
        _check(name, projection, populations)
    groups = group_populations(populations, merge)
    receptors, receptor_of, targets = share_receptors(projections)
    releases, release_of, sources = share_releases(projections)
    reached = [
        [(name, port, populations[name].ports()[port]) for name, port in target]
        for target in targets
    ]
    layers = stack(groups, receptors, reached, merge)
    senders = stack_senders(groups, releases, sources, merge)
    layout = Layout(groups, layers, senders, tuple(populations), tuple(projections))
    pathways = {
        name: _pathway(
            name,
            projection,
            populations,
            layout,
            receptor_of[name],
            release_of[name],
            None if key is None else jr.fold_in(key, i),
        )
        for i, (name, projection) in enumerate(projections.items())
    }
    return tuple(receptors), tuple(releases), pathways, layout


def name_projections(
    projections: Sequence[Projection] | Mapping[str, Projection],
) -> dict[str, Projection]:
    """Projections by name: the given one, or `pre`, or `pre->post`."""
    if isinstance(projections, Mapping):
        items = list(projections.items())
    else:
        if isinstance(projections, Projection) or not isinstance(projections, Sequence):
            raise TypeError(
                "`projections` must be a list or a dictionary of projections, got "
                f"{type(projections).__name__}. Put a single one in brackets."
            )
        items = [(None, projection) for projection in projections]
    for i, (given, projection) in enumerate(items):
        if not isinstance(given, str | None):
            raise TypeError(f"`projections` must have strings as keys, got {given!r}.")
        if not isinstance(projection, Projection):
            raise TypeError(
                f"`projections[{i}]` must be a brainfn.Projection, got {type(projection).__name__}."
            )
    sources = [projection.pre for _, projection in items]
    leaving = {name: sources.count(name) for name in set(sources)}
    named: dict[str, Projection] = {}
    for given, projection in items:
        name = given or projection.name
        if name is None:
            name = projection.pre
            if leaving[projection.pre] > 1:
                name = f"{projection.pre}->{','.join(projection.post)}"
        if name in named:
            raise ValueError(
                f"`projections` has two called {name!r}; distinguish them by `name=`, e.g. "
                f"name={name + ' slow'!r}."
            )
        named[name] = projection
    return named


def check_populations(populations: Any) -> None:
    """Raise unless `populations` is a dictionary of populations by name."""
    if not isinstance(populations, Mapping) or not populations:
        what = "{}" if isinstance(populations, Mapping) else type(populations).__name__
        raise TypeError(
            f"`populations` must be a dictionary of at least one population by name, got {what}."
        )
    for name, model in populations.items():
        if not isinstance(name, str):
            raise TypeError(f"`populations` must have strings as keys, got {name!r}.")
        if not isinstance(model, AbstractPopulation):
            hint = " Make an instance of the class." if isinstance(model, type) else ""
            raise TypeError(
                f"`populations[{name!r}]` must be a population (a neuron, a source, a rate), got "
                f"{type(model).__name__}. Try brainfn.neuron.LIF(100).{hint}"
            )
        emitted = model.emits()
        if emitted.shape != (model.size,):
            raise ValueError(
                f"`populations[{name!r}]` must emit one number for each of its {model.size} units, "
                f"but its `emits` has shape {emitted.shape}."
            )


def _check(name: str, projection: Projection, populations: Mapping[str, Any]) -> None:
    named = [("pre", projection.pre), *(("post", post) for post in projection.post)]
    if projection.modulator is not None:
        named.append(("modulator", projection.modulator))
    for argument, population in named:
        if population not in populations:
            raise ValueError(
                f"`{argument}` of projection {name!r}: there is no population "
                f"{population!r}, only {list(populations)}.{nearest(population, populations)}"
            )
    port = projection.port or ""
    for population in projection.post:
        ports = populations[population].ports()
        if not ports:
            raise ValueError(
                f"`post` of projection {name!r}: {population!r} is a source and takes no input."
            )
        if port not in ports:
            given = "none was given" if projection.port is None else f"got {projection.port!r}"
            raise ValueError(
                f"`port` of projection {name!r} must be one of {list(ports)} of population "
                f"{population!r}, {given}.{nearest(port, ports) if port else ''}"
            )
    if projection.output.jumps:
        _check_jumps(name, projection, populations)
    n_pre = populations[projection.pre].size
    n_post = sum(populations[post].ports()[port] for post in projection.post)
    if isinstance(projection.connect, AbstractMatrix):
        matrix = projection.connect
        if matrix.shape != (n_pre, n_post):
            raise ValueError(
                f"`connect` of projection {name!r} must have shape (n_pre, n_post) = "
                f"({n_pre}, {n_post}), got {matrix.shape}."
            )
        dtype = np.dtype(float_dtype(projection.synapse))
        if matrix.vector_dtype != (np.float32 if dtype.itemsize < 4 else dtype):
            raise TypeError(
                f"`connect` of projection {name!r} has weights of dtype {matrix.dtype}, but its "
                f"synapse is {dtype}. Convert the weights to {dtype}, or the synapse to "
                f"{matrix.vector_dtype}: bf.astype(synapse, {matrix.vector_dtype})."
            )
    for argument in ("synapse", "output", "release"):
        n = n_pre if argument == "release" else n_post
        several = len(projection.post) > 1 and argument != "release"
        for path, leaf in jtu.tree_leaves_with_path(getattr(projection, argument)):
            if not eqx.is_array(leaf) or leaf.ndim == 0:
                continue
            if leaf.ndim == 1 and (leaf.shape != (n,) or several):
                expected = ", since it has several targets. Use one projection for each."
                field = jtu.keystr(path[:1]).strip(".")
                raise ValueError(
                    f"`{argument}` of projection {name!r} has `{field}` of "
                    f"shape {leaf.shape}; expected a scalar"
                    + (expected if several else f" or ({n},).")
                )


def _check_jumps(name: str, projection: Projection, populations: Mapping[str, Any]) -> None:
    output = type(projection.output).__name__
    if projection.synapse.memory:
        raise ValueError(
            f"`synapse` of projection {name!r} must be brainfn.synapse.Instant() with the output "
            f"{output}, whose jumps last for one step, got {type(projection.synapse).__name__}."
        )
    for post in projection.post:
        if not populations[post].jumps:
            raise ValueError(
                f"`output` {output} of projection {name!r} lets membrane potentials jump, which "
                f"population {post!r} ({type(populations[post]).__name__}) does not support. Try "
                "brainfn.synapse.Current() with a receptor of a short time constant."
            )


def _pathway(
    name: str,
    projection: Projection,
    populations: Mapping[str, Any],
    layout: Layout,
    receptor: int,
    release: int,
    key: Key | None,
) -> Pathway:
    port = projection.port or ""
    n_pre = populations[projection.pre].size
    sizes = [populations[post].ports()[port] for post in projection.post]
    matrix = _connect(name, projection, n_pre, sizes, key)
    if projection.plasticity is not None and matrix.weight_shape is None:
        raise ValueError(
            f"`plasticity` of projection {name!r} needs a weight for each synapse, but "
            f"{type(matrix).__name__} does not store them. Try format='csr' or 'dense'."
        )
    k = None if key is None else jr.fold_in(key, _DELAYS)
    rule = projection.connect if isinstance(projection.connect, connect.AbstractRule) else None
    delay, delays, synaptic = build_delays(name, projection.delay, n_pre, matrix, rule, k)
    if synaptic and projection.plasticity is not None:
        raise ValueError(
            f"`plasticity` of projection {name!r} can't be combined with delays for each synapse: "
            "a rule has to see signals as they arrive. Give one delay, or "
            "bf.delay.Axonal(array)."
        )
    matrices, columns = _place(layout, receptor, port, projection.post, sizes, matrix, synaptic)
    return Pathway(
        weight=matrices[0].weight,
        matrices=tuple(m.with_weight(None) for m in matrices),
        delays=delays,
        plasticity=projection.plasticity,
        delay=delay,
        synaptic=synaptic,
        drawn=is_rounded(projection.delay, rule),
        columns=tuple(columns),
        pre=projection.pre,
        post=projection.post,
        receptor=receptor,
        release=release,
        modulator=projection.modulator,
        port=port,
    )


def _connect(
    name: str, projection: Projection, n_pre: int, sizes: list[int], key: Key | None
) -> AbstractMatrix:
    if isinstance(projection.connect, AbstractMatrix):
        return projection.connect
    diagonal = None
    if projection.pre in projection.post:
        diagonal = sum(sizes[: projection.post.index(projection.pre)])
    try:
        return connect.matrix(
            projection.connect,
            n_pre,
            sum(sizes),
            weight=projection.weight,
            key=key,
            diagonal=diagonal,
            dtype=float_dtype(projection.synapse),
            format=_format(projection),
        )
    except (TypeError, ValueError, MemoryError) as error:
        error.add_note(f"(in projection {name!r})")
        raise


def _format(projection: Projection) -> str | None:
    """The format, where the default has to store what changes or differs between synapses."""
    rule = projection.connect
    if projection.format is not None or not isinstance(rule, connect.AllToAll):
        return projection.format
    shared = projection.delay is None or isinstance(projection.delay, float | Axonal)
    return None if shared and projection.plasticity is None else "csr"


def _place(
    layout: Layout,
    receptor: int,
    port: str,
    post: Sequence[str],
    sizes: Sequence[int],
    matrix: AbstractMatrix,
    synaptic: bool,
) -> tuple[list[AbstractMatrix], list[int]]:
    """The matrix with its columns in the order of the synaptic layer: unchanged if the targets are
    contiguous there, otherwise with renumbered columns. Weights stay in place."""
    layer = layout.layers[layout.layer_of(receptor, post[0], port)]
    offsets = [layer.offsets[name, port] for name in post]
    ends = np.cumsum(sizes)
    starts = ends - np.asarray(sizes)
    if synaptic and matrix.weight_shape is not None:
        matrix = matrix.tocsr()
    if all(int(s) == o - offsets[0] for s, o in zip(starts, offsets, strict=True)):
        return [matrix], [offsets[0]]
    bounds = [(int(s), int(e)) for s, e in zip(starts, ends, strict=True)]
    if matrix.weight_shape is None:
        return matrix.split_columns(bounds), offsets
    rows = matrix.tocsr()
    assert isinstance(rows, CSR)
    moved = np.concatenate(
        [np.arange(o, o + n, dtype=np.int32) for o, n in zip(offsets, sizes, strict=True)]
    )
    return [with_columns(rows, moved, layer.size)], [0]
