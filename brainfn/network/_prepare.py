"""Prepare a network for steps of a fixed size."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._field import float_dtype, with_arrays
from ..delay import Delay
from ..event import CSR, AbstractMatrix, Delayed, Reordered
from ..synapse import AbstractRelease
from ._delays import delay_steps, poisoned
from ._drive import Term
from ._exchange import Due, Exchange, Route
from ._layout import Layer, Layout
from ._local import Local, Sender
from ._merge import cut, kind, merge
from ._near import has_marks
from ._pathway import Pathway, Receptor
from ._stack import stack
from ._stepper import NetworkStepper


def make_stepper(
    populations: Mapping[str, Any],
    receptors: Sequence[Receptor],
    releases: Sequence[AbstractRelease],
    pathways: Mapping[str, Pathway],
    layout: Layout,
    dt: float,
) -> NetworkStepper:
    """Merge parameters, count delays in steps, and assign each matrix its place."""
    populations = {name: with_arrays(model) for name, model in populations.items()}
    receptors = [with_arrays(receptor) for receptor in receptors]
    releases = [with_arrays(release) for release in releases]
    groups = tuple(_group(populations, group, dt) for group in layout.groups)
    layers = tuple(_layer(receptors, layer) for layer in layout.layers)
    local = Local(groups, _terms(layout, layers, groups), layers, layout.groups)
    senders = tuple(_sender(releases, sender, layout) for sender in layout.senders)
    dtypes = [float_dtype(receptor.synapse) for receptor in receptors]
    exchange = _exchange(pathways, layout, groups, senders, dtypes, dt)
    stepper = NetworkStepper(
        local=local,
        exchange=exchange,
        senders=senders,
        plasticity={n: p.plasticity for n, p in pathways.items() if p.plasticity is not None},
        layout=layout,
        pathways=tuple(
            (name, pathways[name].post, pathways[name].receptor, pathways[name].port)
            for name in layout.projections
        ),
        sources=tuple(
            (name, pathways[name].pre, pathways[name].modulator) for name in layout.projections
        ),
    )
    return stepper.with_totals()


def _group(populations: Mapping[str, Any], group: Any, dt: float) -> Any:
    models = [populations[name] for name in group.names]
    for name, model, size in zip(group.names, models, group.sizes, strict=True):
        if model.size != size:
            raise ValueError(
                f"`populations[{name!r}].size` was {size} when the network was built, but is "
                f"{model.size} now. Build the network again."
            )
    if len(models) > 1:
        first = kind(models[0], group.sizes[0])
        for name, model, size in zip(group.names, models, group.sizes, strict=True):
            if first is None or kind(model, size) != first:
                raise ValueError(
                    f"`populations[{name!r}]` was of the same kind as "
                    f"`populations[{group.names[0]!r}]` when the network was built, and so is "
                    "stored with it, but now differs from it in more than the values of "
                    "parameters (a different solver, surrogate, dtype or shape?). Build the "
                    "network again."
                )
    model = merge(models, group.sizes)
    try:
        return model.prepare(dt)
    except (TypeError, ValueError) as error:
        names = ", ".join(repr(name) for name in group.names)
        raise type(error)(f"{error} (in population {names})") from None


def _layer(receptors: Sequence[Receptor], layer: Layer) -> Receptor:
    parts = [receptors[segment.part] for segment in layer.segments]
    sizes = [segment.size for segment in layer.segments]
    numbers = all(x.ndim == 0 for x in jax.tree.leaves(parts[0]) if eqx.is_array(x))
    if numbers and all(part is parts[0] for part in parts):
        return parts[0]
    return Receptor(
        merge([part.synapse for part in parts], sizes),
        merge([part.output for part in parts], sizes),
    )


def _terms(
    layout: Layout, layers: Sequence[Receptor], groups: Sequence[Any]
) -> tuple[dict[str, tuple[Term, ...]], ...]:
    """For each group and port the receptors that reach it."""
    terms: list[dict[str, list[Term]]] = [{port: [] for port in m.ports()} for m in groups]
    for i, (layer, receptor) in enumerate(zip(layout.layers, layers, strict=True)):
        start = 0
        runs: list[tuple[tuple[int, str], int, int, int]] = []  # place, first, start, size
        for segment in layer.segments:
            group, offset, _ = layout.places[segment.name]
            place, size = (group, segment.port), segment.size
            if len(layout.groups[group].names) == 1:
                offset = 0  # a port may have another size than the population
            if runs and runs[-1][0] == place and runs[-1][1] + runs[-1][3] == offset:
                _, offset, first, before = runs.pop()
                runs.append((place, offset, first, before + size))
            else:
                runs.append((place, offset, start, size))
            start += size
        for (group, port), offset, first, size in runs:
            part = cut(receptor, layer.size, first, size)
            terms[group][port].append(
                Term(part.synapse, part.output, offset, i, first, size, layer.size)
            )
    return tuple({port: tuple(mine) for port, mine in group.items()} for group in terms)


def _sender(releases: Sequence[AbstractRelease], sender: Layer, layout: Layout) -> Sender:
    names = tuple(segment.name for segment in sender.segments)
    sizes = tuple(segment.size for segment in sender.segments)
    release = merge([releases[segment.part] for segment in sender.segments], sizes)
    group = layout.group_of[names[0]]
    pieces: list[tuple[int, int]] = []
    for name in names:
        _, offset, size = layout.places[name]
        if pieces and sum(pieces[-1]) == offset:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + size)
        else:
            pieces.append((offset, size))
    whole = sum(sizes) == layout.groups[group].size
    return Sender(release, group, () if whole else tuple(pieces), names, sizes)


def _exchange(
    pathways: Mapping[str, Pathway],
    layout: Layout,
    groups: Sequence[Any],
    senders: Sequence[Sender],
    dtypes: Sequence[Any],
    dt: float,
) -> Exchange:
    due: list[Due] = []
    shared: dict[tuple[int, int], int] = {}
    longest = [1] * len(senders)
    slots = [0] * len(layout.layers)
    reached: list[list[tuple[int, str, str]]] = []
    routes: list[tuple[AbstractMatrix | Delayed, int, int, int, int, str | None]] = []
    for name in layout.projections:
        pathway = pathways[name]
        s = layout.sender_of(pathway.release, pathway.pre)
        offset = layout.senders[s].offsets[pathway.pre, ""]
        steps, delays = delay_steps(name, pathway, dt)
        most, weight = steps, pathway.weight
        if delays is not None:
            weight, delays = poisoned(weight, delays, most)
        if pathway.synaptic:
            steps = 1
        longest[s] = max(longest[s], steps)
        if delays is not None and not pathway.synaptic:
            source, row = len(due), 0
            due.append(Due(delays, s, steps, offset))
        else:
            if (s, steps) not in shared:
                shared[s, steps] = len(due)
                due.append(Due(None, s, steps, 0))
            source, row = shared[s, steps], offset
        target = layout.layer_of(pathway.receptor, pathway.post[0], pathway.port)
        for matrix, column in zip(
            _weighted(name, pathway, weight, dtypes[pathway.receptor]), pathway.columns, strict=True
        ):
            placed: AbstractMatrix | Delayed = matrix
            if pathway.synaptic:
                assert delays is not None
                own = delays[matrix.order] if isinstance(matrix, Reordered) else delays
                rows = matrix.tocsr()
                assert isinstance(rows, CSR)
                placed = Delayed(rows, own, longest=most)
                slots[target] = max(slots[target], most + 1)
            changes = name if pathway.plasticity is not None else None
            routes.append((placed, source, row, target, column, changes))
            reached.append([(target, post, pathway.port) for post in pathway.post])
    # Ring buffers come after the vectors of all layers.
    order = [i for i, n in enumerate(slots) if n]
    n_layers = len(layout.layers)
    lines = []
    for i, (sender, most) in enumerate(zip(senders, longest, strict=True)):
        size = sum(sender.sizes)
        dtype = sender.dtype(groups[sender.group])
        # Signals are sent in the precision of the weights that they are multiplied with.
        met = {matrix.vector_dtype for matrix, s, *_ in routes if due[s].sender == i}
        if jnp.issubdtype(dtype, jnp.floating) and len(met) == 1:
            (dtype,) = met
        lines.append(Delay(most, size, dtype))
    return Exchange(
        lines=tuple(lines),
        due=tuple(due),
        routes=stack(
            [
                Route(m, s, r, n_layers + order.index(t) if isinstance(m, Delayed) else t, c, name)
                for m, s, r, t, c, name in routes
            ],
            reached,
        ),
        rings=tuple(slots),
        marked=tuple(
            has_marks(groups[sender.group]) and not sender.release.graded for sender in senders
        ),
    )


def _weighted(name: str, pathway: Pathway, weight: Any, dtype: Any) -> tuple[AbstractMatrix, ...]:
    if not isinstance(weight, eqx.Module | jax.Array):
        weight = jnp.asarray(weight, dtype)  # a number that `tree_at` put in
    try:
        matrices = pathway.weighted(weight)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (weight of projection {name!r})") from None
    try:
        return tuple(matrix.checked() for matrix in matrices)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (in projection {name!r})") from None
