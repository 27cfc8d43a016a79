"""brainfn to NIR."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..event import AbstractMatrix
from ..neuron import IF, LIF, LeakyIntegrator
from ..nn import Chain, Delays, Graph, Layer
from ..synapse import Current, Exponential, Instant
from ._nir_loops import Edge, late_edges
from ._nodes import Accumulator, Flatten, Pool2d, Scale, Threshold

Shape = tuple[int, ...]


class _Part(NamedTuple):
    """Nodes for a layer: those one after the other, and perhaps one in a loop at the last."""

    path: list[tuple[str, Any]]
    loop: tuple[str, Any] | None = None


class _Written(NamedTuple):
    """The nodes that a layer begins with, the one with its outputs, and their shape."""

    first: list[str]
    last: str
    shape: Shape


def write_graph(nir: Any, net: Any, input_shape: Any, dt: float, soft_reset: bool) -> Any:
    shape = tuple(int(n) for n in np.atleast_1d(input_shape))
    writer = _Writer(nir, dt, soft_reset)
    start = writer.add("input", nir.Input(input_type={"input": np.array(shape)}))
    written = writer.layer("", net, [start], shape)
    end = writer.add("output", nir.Output(output_type={"output": np.array(written.shape)}))
    writer.edges.append((written.last, end))
    has_memory = {name: name in writer.neurons for name in writer.nodes}
    if late_edges(start, writer.edges, has_memory) != set(writer.late):
        raise ValueError("NIR can't say which of the edges in a loop act one step later.")
    return nir.NIRGraph(nodes=writer.nodes, edges=writer.edges, metadata={})


class _Writer:
    def __init__(self, nir: Any, dt: float, soft_reset: bool) -> None:
        self.nir, self.dt, self.soft_reset = nir, dt, soft_reset
        self.nodes: dict[str, Any] = {}
        self.edges: list[Edge] = []
        self.late: list[Edge] = []
        self.neurons: set[str] = set()

    def add(self, name: str, node: Any) -> str:
        unique, i = name, 1
        while unique in self.nodes:
            unique, i = f"{name}_{i}", i + 1
        self.nodes[unique] = node
        return unique

    def layer(self, name: str, layer: Any, sources: list[str], shape: Shape) -> _Written:
        """Write a layer that gets the sum of what `sources` bring."""
        if isinstance(layer, Graph):
            return self.graph(name, layer, sources, shape)
        if isinstance(layer, Chain):
            whole: list[_Written] = []
            for i, inner in enumerate(layer):
                own = f"{name}_{i}" if name else f"{i}"
                whole.append(self.layer(own, inner, sources, shape))
                sources, shape = [whole[-1].last], whole[-1].shape
            return whole[-1]._replace(first=whole[0].first)
        after, names = _shape_after(layer, shape, self.dt), []
        part = self.part(name, layer, shape, after)
        for suffix, node in part.path:
            names.append(self.add((name + suffix) or "layer", node))
            self.edges += [(source, names[-1]) for source in sources]
            sources = [names[-1]]
        if isinstance(layer, Layer):
            self.neurons.add(names[-1])
        if part.loop is not None:
            suffix, node = part.loop
            back = self.add(name + suffix, node)
            self.edges += [(names[-1], back), (back, names[-1])]
            self.late.append((names[-1], back))
        return _Written(names[:1], names[-1], after)

    def graph(self, name: str, graph: Graph, sources: list[str], shape: Shape) -> _Written:
        if len(sources) > 1:
            raise ValueError(f"`net`: graph {name!r} gets several inputs. Put a layer before it.")
        written = {"input": _Written([], sources[0], shape)}
        blocks = {node: block for block in graph.blocks for node in block}
        for node in blocks:
            into = [written[a] for a, b in graph.edges if b == node]
            late = [(graph.nodes[a].size,) for a, b in graph.recurrent if b == node]
            own = f"{name}_{node}" if name else node
            known = [x.shape for x in into] + late
            written[node] = self.layer(own, graph.nodes[node], [x.last for x in into], known[0])
        for a, b in graph.recurrent:
            if blocks[a] != blocks[b]:
                raise ValueError(
                    f"`net`: the recurrent edge {(a, b)} closes no loop. Write it as an edge "
                    f"through brainfn.nn.Delays({graph.nodes[a].size}, {self.dt})."
                )
            late = [(written[a].last, first) for first in written[b].first]
            self.edges += late
            self.late += late
        first = [x for a, b in graph.edges if a == "input" for x in written[b].first]
        _, last, shape = written[graph.output]
        return _Written(first, last, shape)

    def part(self, name: str, layer: Any, shape: Shape, after: Shape) -> _Part:
        """The nodes of a layer that is neither a chain nor a graph."""
        nir = self.nir
        if isinstance(layer, Layer):
            return self.neurons_of(name, layer, after)
        if isinstance(layer, Delays):
            return _Part([("", nir.Delay(delay=np.asarray(layer.delay, np.float64) / 1000))])
        if isinstance(layer, Accumulator):
            return _Part([("", nir.I(r=1000 * np.asarray(layer.gain)))])
        if isinstance(layer, Scale):
            return _Part([("", nir.Scale(scale=np.asarray(layer.scale)))])
        if isinstance(layer, Threshold):
            return _Part([("", nir.Threshold(threshold=np.asarray(layer.threshold)))])
        if isinstance(layer, eqx.nn.Linear):
            return _Part([("", _linear(nir, layer.weight, layer.bias))])
        if isinstance(layer, eqx.nn.Conv):
            return _Part([("", _convolution(nir, layer, shape, after))])
        if isinstance(layer, Pool2d):
            kind = nir.AvgPool2d if layer.mean else nir.SumPool2d
            return _Part(
                [("", _pool(kind, layer.kernel, layer.stride, layer.padding, shape, after))]
            )
        if isinstance(layer, eqx.nn.AvgPool2d):
            padding = _alike("AvgPool2d", layer.padding)
            node = _pool(nir.AvgPool2d, layer.kernel_size, layer.stride, padding, shape, after)
            if layer.use_ceil:
                raise ValueError("NIR can't say `use_ceil` of equinox.nn.AvgPool2d.")
            return _Part([("", node)])
        if isinstance(layer, Flatten) or layer in (jnp.ravel, np.ravel):
            first, last = (layer.first, layer.last) if isinstance(layer, Flatten) else (0, -1)
            node = nir.Flatten({"input": np.array(shape)}, start_dim=first, end_dim=last)
            return _Part([("", node)])
        raise TypeError(f"NIR has no node for layer {name!r}: {type(layer).__name__}.")

    def neurons_of(self, name: str, layer: Layer, shape: Shape) -> _Part:
        nir, neurons, dt = self.nir, layer.population, self.dt

        def refuse(what: str) -> ValueError:
            return ValueError(f"NIR can't say {what} of layer {name!r}.")

        if not isinstance(neurons, LIF | IF | LeakyIntegrator):
            raise TypeError(f"NIR has no neurons for layer {name!r}: {type(neurons).__name__}.")
        if not isinstance(layer.output, Current):
            raise refuse(f"the {type(layer.output).__name__}")
        if neurons.v_init is not None:
            raise refuse("the initial values")
        synapse = layer.synapse
        plain = isinstance(synapse, Instant) and bool(np.all(np.asarray(synapse.scale) == 1))
        if not plain and not (isinstance(synapse, Exponential) and synapse.g_init is None):
            raise refuse(f"the synapse {type(synapse).__name__}")
        if not plain and isinstance(neurons, IF):
            raise refuse("an exponential synapse at a neuron without leak")

        def of(value: Any) -> np.ndarray:
            return np.broadcast_to(np.asarray(value), (neurons.size,)).reshape(shape) * 1

        if isinstance(neurons, IF):
            known = {"r": 1000 / of(neurons.capacitance)}
        else:
            r = of(neurons.tau) / of(neurons.capacitance)
            known = {"r": r, "v_leak": of(neurons.v_rest)}
            known["tau" if plain else "tau_mem"] = of(neurons.tau) / 1000
        if isinstance(synapse, Exponential):
            known |= {"tau_syn": of(synapse.tau) / 1000, "w_in": of(synapse.tau) / dt}
        if not isinstance(neurons, LeakyIntegrator):
            if np.any(np.asarray(neurons.refractory) != 0):
                raise refuse("the refractory period")
            if neurons.soft_reset and not self.soft_reset:
                raise refuse("the soft reset (to write it as a reset, try soft_reset=True)")
            known |= {"v_threshold": of(neurons.v_threshold), "v_reset": of(neurons.v_reset)}
        kinds = {LIF: nir.LIF, IF: nir.IF, LeakyIntegrator: nir.LI}
        currents = {LIF: nir.CubaLIF, LeakyIntegrator: nir.CubaLI}
        node = (kinds if plain else currents)[type(neurons)](**known)
        path, loop = [("", node)], None
        if layer.weight is not None:
            path.insert(0, ("_in", _linear(nir, _dense(layer.weight).T, layer.bias)))
        elif layer.bias is not None:
            raise refuse("a bias without weights")
        if layer.recurrent is not None:
            loop = ("_back", _linear(nir, _dense(layer.recurrent).T, None))
        return _Part(path, loop)


def _dense(weight: Any) -> np.ndarray:
    return np.asarray(weight.todense() if isinstance(weight, AbstractMatrix) else weight)


def _linear(nir: Any, weight: Any, bias: Any) -> Any:
    weight = np.asarray(weight) * 1
    return (
        nir.Linear(weight=weight)
        if bias is None
        else nir.Affine(weight=weight, bias=np.asarray(bias))
    )


def _convolution(nir: Any, layer: Any, shape: Shape, after: Shape) -> Any:
    n = layer.num_spatial_dims
    if n not in (1, 2) or layer.padding_mode.upper() != "ZEROS":
        raise ValueError("NIR has convolutions in one and two dimensions, padded with zeros.")
    weight = np.asarray(layer.weight)
    bias = np.zeros(weight.shape[0]) if layer.bias is None else np.asarray(layer.bias).ravel()
    padding = layer.padding
    padding = padding.lower() if isinstance(padding, str) else _alike("convolutions", padding)
    steps = [layer.stride, padding, layer.dilation]
    if n == 1:
        steps = [x if isinstance(x, str) else x[0] for x in steps]
    node = (nir.Conv1d if n == 1 else nir.Conv2d)(
        shape[1] if n == 1 else shape[1:], weight, *steps, layer.groups, bias
    )
    if tuple(node.input_type["input"]) != shape or tuple(node.output_type["output"]) != after:
        raise ValueError("nir gets the shapes of convolutions wrong whose kernels are not square.")
    return node


def _alike(what: str, padding: Any) -> tuple[int, ...]:
    if any(low != high for low, high in padding):
        raise ValueError(f"NIR can't say a different padding at both ends, as {what} have it.")
    return tuple(low for low, _ in padding)


def _pool(kind: Any, kernel: Any, stride: Any, padding: Any, shape: Shape, after: Shape) -> Any:
    node = kind(kernel_size=np.array(kernel), stride=np.array(stride), padding=np.array(padding))
    node.input_type = {"input": np.array(shape)}
    node.output_type = {"output": np.array(after)}
    return node


def _shape_after(layer: Any, shape: Shape, dt: float) -> Shape:
    one = jax.ShapeDtypeStruct((1, *shape), jnp.result_type(float))
    return jax.eval_shape(lambda x: Chain(layer)(x, dt=dt).output, one).shape[1:]
