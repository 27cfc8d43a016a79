"""The declarative way to a network: named populations and the projections between them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu

from .. import connect
from .._custom_types import Key
from .._errors import check_key, nearest, time_step
from .._model import AbstractModel, Clock
from ..event import AbstractMatrix
from ..init import AbstractInitializer
from ..input import AbstractSource
from ..neuron import AbstractNeuron
from ._delays import build_delays
from ._layout import (
    Layout,
    group_populations,
    places_of,
    share_receptors,
    stack_layers,
)
from ._prepare import make_stepper
from ._projection import (
    Pathway,
    Projection,
    ProjectionView,
    Receptor,
)
from ._state import NetworkState, take
from ._stepper import NetworkStepper
from ._summary import summary
from ._weights import count_synapses, join_weights, split_columns, weight_shape, with_weight


class Network(AbstractModel):
    r"""Populations of neurons and the projections between them, as one model.

    In each step, in this order: the spikes that are due arrive and add their weights to the
    synapses; the synapses turn into currents; the neurons integrate from $t$ to $t + \Delta t$,
    spike where they reach the threshold, and are reset; the new spikes enter the delay lines.
    A spike emitted in step $n$ with a delay of $d \ge 1$ steps acts in step $n + d$.

    Populations of one kind are stored and stepped as one array, and projections onto the same
    neurons with equal synapses share their state, so that a step costs a handful of kernels however
    many populations there are. Every parameter stays a leaf at its place:
    `net.populations["exc"].tau`, `net.projections["exc"].weight`,
    `net.projections["exc"].synapse.tau`.

    **Arguments:**

    - `populations`: neurons ([`brainfn.neuron`][]) and sources of spikes
        ([`brainfn.input.Poisson`][]) by name.
    - `projections`: a list of [`brainfn.Projection`][], or a dictionary of them by name.
    - `key`: a JAX random key for connections and weights; projection number $i$ draws from
        `jr.fold_in(key, i)`.
    - `merge`: whether projections with equal synapses onto the same neurons share their state.

    `step` takes as `inputs` the currents in pA: `None`, a number for all neurons, or a dictionary
    from population names to numbers or arrays of shape `(size,)`. Its output is a dictionary from
    population names to spikes.

    **Raises:** `TypeError` or `ValueError` naming the argument, before anything is built: unknown
    population names, wrong models, delays that are no whole number of steps (when the step size is
    known, that is in `prepare`), too many synapses.
    """

    populations: dict[str, Any]
    pathways: dict[str, Pathway]
    receptors: tuple[Receptor, ...]
    layout: Layout = eqx.field(static=True)

    def __init__(
        self,
        populations: Mapping[str, AbstractNeuron | AbstractSource],
        projections: Sequence[Projection] | Mapping[str, Projection] = (),
        *,
        key: Key | None = None,
        merge: bool = True,
    ):
        if not isinstance(populations, Mapping) or not populations:
            raise TypeError(
                "`populations` must be a dictionary from names to neurons, with at least one, got "
                f"{populations!r}."
            )
        for name, model in populations.items():
            if not isinstance(name, str):
                raise TypeError(f"`populations` must have strings as keys, got {name!r}.")
            if not isinstance(model, AbstractNeuron | AbstractSource):
                raise TypeError(
                    f"`populations[{name!r}]` must be a neuron or a source of spikes, got "
                    f"{type(model).__name__}. Try brainfn.neuron.LIF(100)."
                )
        check_key(key)
        if not isinstance(merge, bool):
            raise TypeError(f"`merge` must be True or False, got {merge!r}.")
        named = _name_projections(projections)
        for name, projection in named.items():
            _check_populations(name, projection, populations)
        groups = group_populations(populations)
        receptors, index, targets = share_receptors(named, merge)
        layout = Layout(
            groups,
            stack_layers(groups, receptors, targets),
            places_of(groups),
            tuple(populations),
            tuple(named),
        )
        self.populations = dict(populations)
        self.receptors = receptors
        self.layout = layout
        self.pathways = {
            name: _build(
                name,
                projection,
                populations,
                layout,
                index[name],
                None if key is None else jr.fold_in(key, i),
            )
            for i, (name, projection) in enumerate(named.items())
        }

    @property
    def projections(self) -> dict[str, ProjectionView]:
        """The projections by name, as views of the network's own leaves."""
        return {
            name: ProjectionView(
                weight=p.weight,
                synapse=self.receptors[p.receptor].synapse,
                output=self.receptors[p.receptor].output,
                matrices=p.matrices,
                pre=p.pre,
                post=p.post,
                delay=p.delay if p.delays is None else p.delays,
            )
            for name, p in ((name, self.pathways[name]) for name in self.layout.projections)
        }

    def matrix(self, name: str) -> AbstractMatrix:
        """The connections of a projection with their weights, shape `(n_pre, n_post)`.

        **Arguments:**

        - `name`: the projection's name.

        **Raises:** `KeyError` for an unknown name; `ValueError` if the targets are stored apart,
        so that there are several matrices (see `net.projections[name].matrices`).
        """
        if name not in self.pathways:
            raise KeyError(
                f"there is no projection {name!r}, only {list(self.pathways)}."
                f"{nearest(name, self.pathways)}"
            )
        matrices = self.pathways[name].weighted()
        if len(matrices) > 1:
            raise ValueError(
                f"the targets of projection {name!r} are stored apart, in {len(matrices)} "
                "matrices; see net.projections[name].matrices."
            )
        return next(iter(matrices))

    def init(self, *, key: Key | None = None, dt: float | None = None) -> NetworkState:
        """The initial state.

        **Arguments:**

        - `key`: a JAX random key, needed if an initial value is drawn at random; population number
            $i$ draws from `jr.fold_in(key, i)`.
        - `dt`: step size in ms. It sets the length of the delay lines, so it is needed if a
            projection has a delay.
        """
        if dt is None:
            if any(p.delay is not None or p.delays is not None for p in self.pathways.values()):
                raise ValueError(
                    "`dt` is needed to make the delay lines of this network: "
                    "try net.init(key=key, dt=0.1)."
                )
            dt = 1.0
        return self.prepare(dt).init(key=key)

    def step(
        self, state: NetworkState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[NetworkState, dict[str, Any]]:
        return self.prepare(clock.dt).step(state, inputs, clock, key=key)

    def prepare(self, dt: float) -> NetworkStepper:
        """The network made ready for steps of `dt` ms: parameters of each kind in one piece, delays
        in steps. [`brainfn.simulate`][] does this by itself; call it for loops of your own."""
        return make_stepper(self, time_step(dt))

    def named_states(self, state: NetworkState) -> dict[str, Any]:
        named = {}
        for name in self.layout.populations:
            group, offset, size = self.layout.place(name)
            total = self.layout.groups[group].size
            synapses = [
                take(state.layers[i], total, offset, size)
                for i, layer in enumerate(self.layout.layers)
                if layer.group == group
            ]
            named[name] = (state[name], synapses)
        return named

    def summary(self) -> str:
        """A table of populations and projections: sizes, synapses, memory, and what was merged."""
        return summary(self)


# What the key of a projection is folded with to draw delays; connections and weights split it.
_DELAYS = 2


def _name_projections(
    projections: Sequence[Projection] | Mapping[str, Projection],
) -> dict[str, Projection]:
    if isinstance(projections, Mapping):
        items = list(projections.items())
    else:
        if isinstance(projections, Projection) or not isinstance(projections, Sequence):
            raise TypeError(
                "`projections` must be a list or a dictionary of Projection, got "
                f"{type(projections).__name__}. Put it into brackets."
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
    named: dict[str, Projection] = {}
    for given, projection in items:
        name = given or projection.name
        if name is None:
            name = projection.pre
            if sources.count(projection.pre) > 1:
                name = f"{projection.pre}->{','.join(projection.post)}"
        if name in named:
            raise ValueError(
                f"`projections` has two called {name!r}; tell them apart by `name=`, e.g. "
                f"name={name + ' slow'!r}."
            )
        named[name] = projection
    return named


def _check_populations(name: str, projection: Projection, populations: Mapping[str, Any]) -> None:
    for argument, names in (("pre", (projection.pre,)), ("post", projection.post)):
        for population in names:
            if population not in populations:
                raise ValueError(
                    f"`{argument}` of projection {name!r}: there is no population "
                    f"{population!r}, only {list(populations)}.{nearest(population, populations)}"
                )
    for population in projection.post:
        if isinstance(populations[population], AbstractSource):
            raise ValueError(
                f"`post` of projection {name!r}: {population!r} is a source of spikes and "
                "takes no input."
            )
    n_pre = populations[projection.pre].size
    n_post = sum(populations[post].size for post in projection.post)
    if isinstance(projection.connect, AbstractMatrix):
        matrix, dtype = projection.connect, _dtype(projection.synapse)
        if matrix.shape != (n_pre, n_post):
            raise ValueError(
                f"`connect` of projection {name!r} must have shape (n_pre, n_post) = "
                f"({n_pre}, {n_post}), got {matrix.shape}."
            )
        if matrix.vector_dtype != dtype:
            raise TypeError(
                f"`connect` of projection {name!r} has weights of dtype {matrix.dtype}, its "
                f"synapse is {dtype}. Give the synapse dtype={matrix.vector_dtype}, or make the "
                f"matrix of {dtype} weights."
            )
    sizes = {"synapse": projection.synapse, "output": projection.output}
    for argument, part in sizes.items():
        size = getattr(part, "size", None)
        if size is not None and size != n_post:
            raise ValueError(
                f"`{argument}` of projection {name!r} is for {size} neurons, but its targets are "
                f"{n_post}. Leave `size` out."
            )
        for leaf in _arrays(part):
            if leaf.shape not in ((), (n_post,)) or (leaf.ndim and len(projection.post) > 1):
                raise ValueError(
                    f"`{argument}` of projection {name!r} has a parameter of shape {leaf.shape}; "
                    "expected a scalar"
                    + (
                        f" or ({n_post},)."
                        if len(projection.post) == 1
                        else ", since it has several targets. Write a projection for each."
                    )
                )


def _arrays(tree: Any) -> list[Any]:
    return [leaf for leaf in jtu.tree_leaves(tree) if eqx.is_array(leaf)]


def _build(
    name: str,
    projection: Projection,
    populations: Mapping[str, Any],
    layout: Layout,
    receptor: int,
    key: Key | None,
) -> Pathway:
    n_pre = populations[projection.pre].size
    sizes = [populations[post].size for post in projection.post]
    n_post = sum(sizes)
    if isinstance(projection.connect, AbstractMatrix):
        matrix = projection.connect
    else:
        diagonal = None
        if projection.pre in projection.post:
            diagonal = sum(sizes[: projection.post.index(projection.pre)])
        dtype = _dtype(projection.synapse)
        make = partial(connect.csr, projection.connect)
        if isinstance(projection.connect, connect.JustInTime):
            make = projection.connect.matrix
        options = {"weight": projection.weight, "diagonal": diagonal, "dtype": dtype}
        try:
            matrix = make(n_pre, n_post, key=key, **options)
        except (TypeError, ValueError) as error:
            error.add_note(f"(in projection {name!r})")
            raise
    k = None if key is None else jr.fold_in(key, _DELAYS)
    delay, delays, synaptic = build_delays(name, projection.delay, n_pre, matrix, k)
    if synaptic:
        matrix = matrix.tocsr()
    bounds, start = [], 0
    for _, _, _, size in layout.runs(projection.post):
        bounds.append((start, start + size))
        start += size
    matrices = split_columns(name, matrix, bounds)
    shape = weight_shape(matrices[0])
    if len(matrices) > 1 and shape is not None:
        shape = (sum(count_synapses(m) for m in matrices),)
    if synaptic and len(matrices) > 1:
        # As the weights: part by part.
        parts = split_columns(name, with_weight(matrix, delays), bounds)
        delays = join_weights(parts)
    return Pathway(
        weight=join_weights(matrices),
        matrices=tuple(with_weight(m, None) for m in matrices),
        delays=delays,
        delay=delay,
        synaptic=synaptic,
        drawn=isinstance(projection.delay, AbstractInitializer),
        shape=shape,
        pre=projection.pre,
        post=projection.post,
        receptor=receptor,
    )


def _dtype(synapse: Any) -> Any:
    floats = [x.dtype for x in _arrays(synapse) if jnp.issubdtype(x.dtype, jnp.floating)]
    return floats[0] if floats else jnp.result_type(float)
