"""One step of a network, on merged arrays: exchange, then local."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from .. import random
from .._custom_types import Key
from .._field import replace
from .._model import AbstractModel, Clock
from .._named import Emitted
from ..event import AbstractMatrix, block_matvec, materialize
from ..kernel import staged
from ..plasticity import AbstractPlasticity
from ..synapse import Activity
from ._exchange import Exchange, Route
from ._inputs import Arranged, arrange
from ._layout import Layout
from ._local import Local, Sender, group_key
from ._state import NetworkState

# Folded into the key of a population or projection to derive those of its parts.
_RECEPTOR, _PLASTICITY = 0x524543, 0x504C41


# Operators that change weights.
UPDATES = ("event_update", "event_update_power")


def learn(
    constants: Any,
    traces: Any,
    weight: Any,
    pre: Activity,
    post: Activity,
    modulator: Any,
    clock: Clock,
    key: Any,
) -> tuple[Any, Any]:
    """Traces and weights of a projection after a step."""
    rule, matrix = constants
    narrow = matrix.with_weight(weight)
    traces, after = rule.step(traces, narrow, pre, post, modulator, clock, key=key)
    return traces, after.weight


_learned = staged(learn, lambda constants, *_: constants, UPDATES)


class NetworkStepper(AbstractModel[NetworkState, Any, Emitted]):
    """A network prepared for steps of a fixed size, with merged parameters.

    Made by [`brainfn.Network.prepare`][]. It has the same states, inputs and outputs. Its step has
    two halves: `exchange` is all communication between neurons (delay lines, one product), `local`
    needs only a neuron's own state and arrivals.
    """

    local: Local
    exchange: Exchange
    senders: tuple[Sender, ...]
    plasticity: dict[str, AbstractPlasticity]
    layout: Layout = eqx.field(static=True)
    # For each projection: targets, receptor and port; presynaptic population and modulator.
    pathways: tuple[tuple[str, tuple[str, ...], int, str], ...] = eqx.field(static=True)
    sources: tuple[tuple[str, str, str | None], ...] = eqx.field(static=True)

    def init(self, *, key: Key | None = None) -> NetworkState:
        layout, local = self.layout, self.local
        k = None if key is None else key
        groups = tuple(
            model.init(key=None if k is None else group_key(k, group, model))
            for group, model in zip(layout.groups, local.populations, strict=True)
        )
        # The name of the first projection with a receptor: it stays when others come.
        labels: dict[int, str] = {}
        for name, _, receptor, _ in self.pathways:
            labels.setdefault(receptor, name)
        layers = []
        for layer, receptor in zip(layout.layers, local.layers, strict=True):
            own = None
            if k is not None:
                names = tuple(f"{s.name}/{s.port}/{labels[s.part]}" for s in layer.segments)
                sizes = tuple(s.size for s in layer.segments)
                own = random.fold_in(random.streams(k, names, sizes), _RECEPTOR)
            layers.append(receptor.synapse.init(layer.size, key=own))
        both = [
            sender.init(groups, local.populations, line, k)
            for sender, line in zip(self.senders, self.exchange.lines, strict=True)
        ]
        rings = []
        for receptor, state, slots in zip(local.layers, layers, self.exchange.rings, strict=True):
            like = receptor.synapse.accumulator(state)
            dtype = jnp.float32 if like.dtype.itemsize < 4 else like.dtype
            rings.append(jnp.zeros((slots, *like.shape), dtype) if slots else None)
        weights, traces = {}, {}
        for route in self.exchange.routes:
            if route.name is None:
                continue
            matrix = route.matrix
            assert isinstance(matrix, AbstractMatrix) and matrix.weight_shape is not None
            weights[route.name] = jnp.broadcast_to(matrix.weight, matrix.weight_shape)
            own = None if k is None else jr.fold_in(random.named(k, route.name), _PLASTICITY)
            traces[route.name] = self.plasticity[route.name].init(
                matrix.with_weight(weights[route.name]), key=own
            )
        return NetworkState(
            groups,
            tuple(layers),
            tuple(state for state, _ in both),
            tuple(line for _, line in both),
            tuple(rings),
            weights,
            traces,
            layout,
            self.pathways,
        )

    def arrange_inputs(self, inputs: Any) -> Any:
        if isinstance(inputs, Arranged):
            return inputs
        receptors = {name: (post, receptor, port) for name, post, receptor, port in self.pathways}
        return arrange(inputs, self.layout, self.local.populations, receptors)

    def input_size(self, name: str | None) -> int | None:
        if name is None:
            return None
        base, _, port = name.partition(".")
        if name in self.layout.populations:
            base, port = name, ""
        if base not in self.layout.populations:
            return None  # `arrange_inputs` reports the known names
        group, _, size = self.layout.places[base]
        return self.local.populations[group].ports().get(port, size) if port else size

    def step(
        self, state: NetworkState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[NetworkState, Emitted]:
        driven = self.arrange_inputs(inputs)
        local, exchange = self.local, self.exchange
        signals = exchange.read(state.lines, clock)
        state = self._due(state, signals, clock)
        synapses = [receptor.synapse for receptor in local.layers]
        vectors = [s.accumulator(x) for s, x in zip(synapses, state.layers, strict=True)]
        for layer, start, size, amount in driven.arrivals:
            # Rounded before it is added, here as in the native loop.
            added = materialize(jnp.asarray(amount, vectors[layer].dtype))
            vectors[layer] = vectors[layer].at[start : start + size].add(added)
        vectors, rings = exchange.arrive(signals, vectors, state.rings, state.weights, clock)
        layers = [
            s.with_accumulator(x, y)
            for s, x, y in zip(synapses, state.layers, vectors, strict=True)
        ]
        groups, layers, emitted = local.step(state.groups, layers, driven.values, clock, key)
        sent = [
            sender.step(x, emitted, groups, local.populations, clock, key)
            for sender, x in zip(self.senders, state.releases, strict=True)
        ]
        lines = exchange.send(state.lines, [signal for _, signal in sent], clock)
        weights, traces = self._learn(state, signals, groups, emitted, clock, key)
        new = NetworkState(
            groups,
            layers,
            tuple(x for x, _ in sent),
            lines,
            rings,
            weights,
            traces,
            self.layout,
            self.pathways,
        )
        return new, Emitted(emitted, self.layout.places)

    def _due(self, state: NetworkState, signals: Any, clock: Clock) -> NetworkState:
        """The state with the weights that the signals of this step meet up to date."""
        weights, traces = dict(state.weights), dict(state.traces)
        for route in self.exchange.routes:
            name = route.name
            if name is None or type(self.plasticity[name]).due is AbstractPlasticity.due:
                continue
            matrix = self._narrow(route, weights[name])
            arriving = signals[route.source][route.row : route.row + matrix.shape[0]]
            traces[name], after = self.plasticity[name].due(traces[name], matrix, arriving, clock)
            weights[name] = after.weight
        return replace(state, weights=weights, traces=traces)

    def _learn(
        self, state: NetworkState, signals: Any, groups: Any, emitted: Any, clock: Clock, key: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Weights and traces after the arrivals and emissions of this step."""
        if not self.plasticity:
            return state.weights, state.traces
        named = Emitted(emitted, self.layout.places)
        # The product has read the weights, which may now be changed in place.
        state = replace(state, weights=materialize(state.weights, after=emitted))
        # Only the states, by name.
        view = eqx.tree_at(lambda s: s.groups, state, groups)
        weights, traces = dict(state.weights), dict(state.traces)
        of = {name: (pre, modulator) for name, pre, modulator in self.sources}
        targets: Mapping[str, tuple[str, ...]] = {name: post for name, post, _, _ in self.pathways}
        for route in self.exchange.routes:
            name = route.name
            if name is None:
                continue
            pre, modulator = of[name]
            (post,) = targets[name]
            arrived = signals[route.source][route.row : route.row + route.matrix.shape[0]]
            own = None if key is None else jr.fold_in(random.named(key, name), _PLASTICITY)
            traces[name], weights[name] = _learned(
                f"plasticity of {name}",
                sum(group.size for group in self.layout.groups),
                (self.plasticity[name], route.matrix),
                traces[name],
                weights[name],
                Activity(arrived, view[pre]),
                Activity(named[post], view[post]),
                None if modulator is None else named[modulator],
                clock,
                own,
            )
            if weights[name].shape != state.weights[name].shape:
                raise ValueError(
                    f"the plasticity rule of projection {name!r} must keep the shape of the "
                    f"weights, {state.weights[name].shape}, got {weights[name].shape}."
                )
        return weights, traces

    def _narrow(self, route: Route, weight: Any) -> AbstractMatrix:
        assert isinstance(route.matrix, AbstractMatrix)
        return route.matrix.with_weight(weight)

    def with_totals(self) -> "NetworkStepper":
        """The stepper with outputs that have the sum of the weights onto each neuron, if they need
        it (gap junctions)."""
        wanted = [i for i, r in enumerate(self.local.layers) if r.output.uses_total]
        if not wanted:
            return self
        terms = list(self.local.terms)
        for i in wanted:
            layer = self.layout.layers[i]
            routes = [route for route in self.exchange.routes if route.target == i]
            if any(route.name is not None for route in routes):
                raise ValueError(
                    f"`output` {type(self.local.layers[i].output).__name__} needs constant "
                    "weights; leave `plasticity` out."
                )
            dtype = routes[0].matrix.vector_dtype
            total = jnp.zeros(layer.size, dtype)
            for route in routes:
                block = route.block({})
                ones = jnp.ones(block.row_offset + block.matrix.shape[0], dtype)
                alone = type(block)(block.matrix, 0, block.row_offset, 0, block.column_offset)
                (total,) = block_matvec((total,), (ones,), (alone,))
            for g, ports in enumerate(terms):
                terms[g] = {
                    port: tuple(
                        eqx.tree_at(
                            lambda t: t.output,
                            term,
                            term.output.with_total(total[term.start : term.start + term.size]),
                        )
                        if term.layer == i
                        else term
                        for term in mine
                    )
                    for port, mine in ports.items()
                }
        return eqx.tree_at(lambda s: s.local.terms, self, tuple(terms), is_leaf=lambda x: x is None)
