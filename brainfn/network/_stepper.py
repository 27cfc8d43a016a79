"""One step of a network, on merged arrays."""

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .._custom_types import Key
from .._errors import is_concrete, nearest
from .._model import AbstractModel, Clock
from ..delay import Delay
from ..event import Block, arrivals as take_arrivals
from ..input import AbstractSource
from ._fused import step_group
from ._layout import Layout
from ._merge import concatenate_states
from ._near import deliver, has_marks, mark
from ._projection import Receptor
from ._state import NetworkState

if TYPE_CHECKING:
    from ._network import Network


class Due(eqx.Module):
    """Spikes that arrive: those of a group `steps` steps ago, or of one population with a delay for
    each neuron."""

    delays: Any
    group: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    offset: int = eqx.field(static=True)


class NetworkStepper(AbstractModel):
    """A network made ready for steps of a fixed size: parameters of each kind in one piece.

    Made by [`brainfn.Network.prepare`][]. It has the same states, inputs and outputs.
    """

    network: "Network"
    groups: tuple[Any, ...]
    layers: tuple[Receptor, ...]
    blocks: tuple[Block, ...]
    due: tuple[Due, ...]
    lines: tuple[Delay | None, ...]
    rings: tuple[int, ...] = eqx.field(static=True)  # slots for each layer, 0 for no ring buffer
    layout: Layout = eqx.field(static=True)

    def init(self, *, key: Key | None = None) -> NetworkState:
        network, layout = self.network, self.layout
        keys: dict[str, Key | None] = {}
        for i, name in enumerate(layout.populations):
            keys[name] = None if key is None else jr.fold_in(key, i)
        groups = tuple(
            concatenate_states([network.populations[n].init(key=keys[n]) for n in group.names])
            for group in layout.groups
        )
        layers = []
        for layer in layout.layers:
            group = layout.groups[layer.group]
            parts: list[Any] = []
            for name, size, receptor in zip(group.names, group.sizes, layer.receptors, strict=True):
                if receptor is None:
                    parts.append(size)
                    continue
                k = keys[name]
                # Populations draw from their own keys; synapses from keys derived from those.
                k = None if k is None else jr.fold_in(k, receptor + 1)
                parts.append(network.receptors[receptor].synapse.init(key=k, size=size))
            filled = next(part for part in parts if not isinstance(part, int))
            parts = [_empty(filled, p) if isinstance(p, int) else p for p in parts]
            layers.append(concatenate_states(parts))
        spikes = tuple(None if line is None else line.init() for line in self.lines)
        rings = []
        for receptor, layer, slots in zip(self.layers, layers, self.rings, strict=True):
            like = receptor.synapse.accumulator(layer)
            rings.append(jnp.zeros((slots, *like.shape), like.dtype) if slots else None)
        return NetworkState(groups, tuple(layers), spikes, tuple(rings), layout)

    def arrange_inputs(self, inputs: Any) -> Any:
        if isinstance(inputs, Arranged):
            return inputs
        layout = self.layout
        if inputs is None:
            inputs = {}
        if isinstance(inputs, Mapping):
            known = [n for n, m in self.network.populations.items() if _takes_input(m)]
            for name in inputs:
                if name not in known:
                    raise ValueError(
                        f"`inputs`: there is no population {name!r} that takes a current, only "
                        f"{known}.{nearest(str(name), known)}"
                    )
        elif jnp.ndim(inputs) != 0:
            raise ValueError(
                "`inputs` of a network must be a number for all neurons or a dictionary from "
                f"population names to numbers or arrays, got an array of shape {inputs.shape}."
            )
        out = []
        for group, model in zip(layout.groups, self.groups, strict=True):
            if not _takes_input(model):
                out.append(None)
                continue
            dtype = float_dtype(model)
            if not isinstance(inputs, Mapping):
                out.append(_cast(inputs, dtype))
                continue
            values = [inputs.get(name) for name in group.names]
            values = [0.0 if value is None else value for value in values]
            for name, size, value in zip(group.names, group.sizes, values, strict=True):
                if jnp.shape(value) not in ((), (size,)):
                    raise ValueError(
                        f"`inputs[{name!r}]` must be a number or have one entry for each of the "
                        f"{size} neurons in each step, got shape {jnp.shape(value)}."
                    )
            if _all_equal(values):
                out.append(_cast(values[0], dtype))
            else:
                parts = [
                    jnp.broadcast_to(_cast(value, dtype), (size,))
                    for value, size in zip(values, group.sizes, strict=True)
                ]
                out.append(jnp.concatenate(parts))
        return Arranged(tuple(out))

    def step(
        self, state: NetworkState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[NetworkState, dict[str, Any]]:
        injected = self.arrange_inputs(inputs).values
        arrived, rings = self._arrive(state, clock)
        layers = list(arrived)
        groups, spikes = [], []
        for g, model in enumerate(self.groups):
            # By name, so that populations of another kind do not change the noise of this one.
            name = self.layout.groups[g].names[0].encode()
            k = None if key is None else jr.fold_in(key, zlib.crc32(name))
            mine = [i for i, layer in enumerate(self.layout.layers) if layer.group == g]
            if _takes_input(model):
                new, out, advanced = step_group(
                    model,
                    [self.layers[i] for i in mine],
                    state.groups[g],
                    [layers[i] for i in mine],
                    injected[g],
                    clock,
                    k,
                )
                for i, layer in zip(mine, advanced, strict=True):
                    layers[i] = layer
            else:
                new, out = model.step(state.groups[g], None, clock, key=k)
            groups.append(new)
            spikes.append(out)
        lines = tuple(
            None
            if line is None or buffer is None
            else line.write(buffer, mark(out, model, new), clock)
            for line, buffer, out, model, new in zip(
                self.lines, state.spikes, spikes, self.groups, groups, strict=True
            )
        )
        outputs = {}
        for name in self.layout.populations:
            g, offset, size = self.layout.place(name)
            whole = size == self.layout.groups[g].size
            outputs[name] = spikes[g] if whole else spikes[g][offset : offset + size]
        return NetworkState(tuple(groups), tuple(layers), lines, rings, self.layout), outputs

    def _arrive(self, state: NetworkState, clock: Clock) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The states of the synapses with the spikes that are due added, and the ring buffers."""
        if not self.blocks:
            return state.layers, state.rings
        arrivals = []
        for due in self.due:
            line, buffer = self.lines[due.group], state.spikes[due.group]
            assert line is not None and buffer is not None
            if due.delays is None:
                arrivals.append(line.read(buffer, clock, due.steps))
            else:
                n = due.delays.shape[0]
                own = Delay(line.steps, n, line.dtype)
                part = eqx.tree_at(
                    lambda b: b.buffer, buffer, buffer.buffer[:, due.offset : due.offset + n]
                )
                arrivals.append(own.read(part, clock, due.delays))
        marked = tuple(has_marks(self.groups[due.group]) for due in self.due)
        synapses = [receptor.synapse for receptor in self.layers]
        vectors = [s.accumulator(x) for s, x in zip(synapses, state.layers, strict=True)]
        buffers = [ring for ring in state.rings if ring is not None]
        # Spikes of the last step go through synapses with their own delays; there are none before
        # step 0.
        now = jnp.maximum(clock.step - 1, 0) if buffers else None
        sums = deliver((*vectors, *buffers), tuple(arrivals), self.blocks, marked, now)
        vectors, buffers = list(sums[: len(vectors)]), iter(sums[len(vectors) :])
        rings = []
        for i, slots in enumerate(self.rings):
            arrived, ring = take_arrivals(next(buffers), clock.step) if slots else (None, None)
            rings.append(ring)
            vectors[i] = vectors[i] if arrived is None else vectors[i] + arrived
        layers = tuple(
            s.with_accumulator(x, y)
            for s, x, y in zip(synapses, state.layers, vectors, strict=True)
        )
        return layers, tuple(rings)

    def named_states(self, state: NetworkState) -> dict[str, Any]:
        return self.network.named_states(state)


class Arranged(eqx.Module):
    """Injected currents group by group, as the step reads them."""

    values: tuple[Any, ...]


def _takes_input(model: Any) -> bool:
    return not isinstance(model, AbstractSource)


def _empty(like: Any, size: int) -> Any:
    return jtu.tree_map(lambda x: jnp.zeros((size, *x.shape[1:]), x.dtype), like)


def float_dtype(model: Any) -> Any:
    """The dtype that the parameters of a model have, and so its currents."""
    leaves = [x for x in jtu.tree_leaves(model) if eqx.is_inexact_array(x)]
    return leaves[0].dtype if leaves else jnp.result_type(float)


def _cast(value: Any, dtype: Any) -> Any:
    return jnp.asarray(value, dtype)


def _all_equal(values: Sequence[Any]) -> bool:
    if len(values) == 1:
        return True
    if not all(jnp.ndim(v) == 0 and is_concrete(v) for v in values):
        return False
    return len({float(np.asarray(v)) for v in values}) == 1
