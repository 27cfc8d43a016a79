"""NIR to brainfn."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from ..neuron import IF, LIF, LeakyIntegrator
from ..nn import Chain, Delays, Graph, Layer
from ..surrogate import AbstractSurrogate, FastSigmoid
from ..synapse import Exponential
from ._nir_loops import Edge, late_edges
from ._nodes import Accumulator, Flatten, Pool2d, Scale, Threshold


def read_graph(
    nir: Any, graph: Any, dt: float, soft_reset: bool, surrogate: AbstractSurrogate | None
) -> Any:
    if not isinstance(graph, nir.NIRGraph):
        raise TypeError(f"`graph` must be a nir.NIRGraph, got {type(graph).__name__}.")
    reader = _Reader(nir, dt, soft_reset, FastSigmoid(25.0) if surrogate is None else surrogate)
    nodes, edges, start, end = _flat(nir, graph, "")
    layers, edges = reader.layers(nodes, edges)
    has_memory = {name: isinstance(layer, Layer) for name, layer in layers.items()}
    late = late_edges(start, edges, has_memory | {start: False, end: False})
    inner = {name: layer for name, layer in layers.items() if name not in (start, end)}
    now = [(a, b) for a, b in edges if (a, b) not in late]
    into = [a for a, b in now if b == end]
    in_order = _in_order(start, end, now)
    if not late and in_order is not None and len(in_order) == len(inner):
        return Chain(*(inner[name] for name in in_order))
    names = {start: "input"} | {name: name for name in inner}
    if len(into) != 1:
        inner["sum"], into = eqx.nn.Identity(), ["sum"]
        now = [(a, "sum" if b == end else b) for a, b in now]
        names["sum"] = "sum"
    kept = [(names[a], b) for a, b in now if b != end]
    return Graph(inner, kept, recurrent=sorted(late), output=into[0])


def _flat(nir: Any, graph: Any, prefix: str) -> tuple[dict[str, Any], list[Edge], str, str]:
    """Nodes and edges of a graph and of those in it, and the names of its input and output."""
    nodes: dict[str, Any] = {}
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    edges: list[Edge] = []
    starts, ends = [], []
    for name, node in graph.nodes.items():
        own = prefix + name
        first[name] = last[name] = own
        if isinstance(node, nir.NIRGraph):
            inside, between, first[name], last[name] = _flat(nir, node, own + ".")
            nodes |= inside
            edges += between
            continue
        nodes[own] = node
        if isinstance(node, nir.Input):
            starts.append(own)
        if isinstance(node, nir.Output):
            ends.append(own)
    if len(starts) != 1 or len(ends) != 1:
        raise ValueError(
            f"graph {prefix or 'of NIR'!r} must have one input and one output, got {starts} and "
            f"{ends}."
        )
    edges += [(last[a], first[b]) for a, b in graph.edges]
    through = [
        name
        for name, node in nodes.items()
        if type(node).__name__ in ("Input", "Output", "Identity") and name not in starts + ends
    ]
    for name in through:
        before = [a for a, b in edges if b == name]
        after = [b for a, b in edges if a == name]
        edges = [e for e in edges if name not in e] + [(a, b) for a in before for b in after]
        del nodes[name]
    return nodes, list(dict.fromkeys(edges)), starts[0], ends[0]


class _Reader:
    def __init__(self, nir: Any, dt: float, soft_reset: bool, surrogate: AbstractSurrogate) -> None:
        self.nir, self.dt, self.soft_reset, self.surrogate = nir, dt, soft_reset, surrogate
        self.neurons = (nir.LIF, nir.IF, nir.LI, nir.CubaLIF, nir.CubaLI)

    def layers(self, nodes: dict[str, Any], edges: list[Edge]) -> tuple[dict[str, Any], list[Edge]]:
        """A layer for each node, and the edges that are left: weights are parts of layers."""
        layers: dict[str, Any] = {}
        for name, node in nodes.items():
            if not isinstance(node, self.neurons):
                continue
            before = [a for a, b in edges if b == name]
            after = [b for a, b in edges if a == name]

            def linear(at: str, of: str = name, edges: list[Edge] = edges) -> bool:
                only = [b for a, b in edges if a == at] == [of]
                return isinstance(nodes[at], self.nir.Linear | self.nir.Affine) and only

            loops = [a for a in before if a in after and linear(a)]
            loops = [a for a in loops if isinstance(nodes[a], self.nir.Linear)]
            loops = [a for a in loops if [x for x, y in edges if y == a] == [name]]
            ahead = [a for a in before if a not in loops]
            if not (len(ahead) == 1 and linear(ahead[0]) and len(loops) <= 1):
                layers |= self.alone(name, node, edges)
                continue
            joined = (nodes[ahead[0]], nodes[loops[0]] if loops else None)
            layers[name] = self.joined(node, *joined)
            gone = {ahead[0], *loops}
            sources = [(a, name) for a, b in edges if b == ahead[0]]
            edges[:] = [e for e in edges if not gone & set(e)] + sources
            for key in gone:
                layers[key] = None
        for name, node in nodes.items():
            if name not in layers:
                layers[name] = self.other(name, node)
        order = [name for name in nodes if layers.get(name) is not None or name in _ends(nodes)]
        order += [name for name in layers if name not in nodes]
        return {name: layers[name] for name in order}, edges

    def alone(self, name: str, node: Any, edges: list[Edge]) -> dict[str, Any]:
        """Neurons without weights of their own, behind a node for the weights of their synapses."""
        population, synapse, jump = self.population(node)
        made: dict[str, Any] = {name: Layer(None, population, synapse=synapse)}
        if not np.allclose(jump, 1.0, rtol=1e-12, atol=0):
            scale = f"{name}.w_in"
            edges[:] = [(a, scale if b == name else b) for a, b in edges] + [(scale, name)]
            made[scale] = Scale(_array(jump).reshape(np.shape(node.v_leak)))
        return made

    def joined(self, node: Any, ahead: Any, loop: Any) -> Layer:
        population, synapse, jump = self.population(node)
        weight = _matrix(ahead) * jump
        bias = ahead.bias * jump if isinstance(ahead, self.nir.Affine) else None
        recurrent = None if loop is None else _matrix(loop) * jump
        return Layer(
            weight.shape[0],
            population,
            weight=weight,
            recurrent=recurrent,
            bias=bias,
            synapse=synapse,
        )

    def population(self, node: Any) -> tuple[Any, Any, np.ndarray | float]:
        """Neurons, their receptor, and what a spike of weight 1 brings to it."""
        nir, size = self.nir, int(np.prod(np.shape(node.r)))

        def of(value: Any) -> np.ndarray:
            return np.broadcast_to(np.asarray(value, np.float64), np.shape(node.r)).ravel() * 1

        synapse, jump = None, 1.0
        if isinstance(node, nir.CubaLIF | nir.CubaLI):
            synapse = Exponential(1000 * of(node.tau_syn))
            jump = of(node.w_in) * (self.dt / 1000) / of(node.tau_syn)
        spiking: dict[str, Any] = {}
        if isinstance(node, nir.LIF | nir.IF | nir.CubaLIF):
            spiking = {
                "v_threshold": of(node.v_threshold),
                "v_reset": of(node.v_reset),
                "refractory": 0.0,
                "soft_reset": self.soft_reset,
                "surrogate": self.surrogate,
            }
        if isinstance(node, nir.IF):
            return IF(size, capacitance=1000 / of(node.r), **spiking), synapse, jump
        tau = 1000 * of(node.tau_mem if synapse is not None else node.tau)
        kind = LIF if spiking else LeakyIntegrator
        neurons = kind(
            size, tau=tau, capacitance=tau / of(node.r), v_rest=of(node.v_leak), **spiking
        )
        return neurons, synapse, jump

    def other(self, name: str, node: Any) -> Any:
        nir = self.nir
        if isinstance(node, nir.Input | nir.Output):
            return None
        if isinstance(node, nir.Linear | nir.Affine):
            weight = _array(_matrix(node).T)
            out, into = weight.shape
            bias = isinstance(node, nir.Affine)
            made = eqx.nn.Linear(into, out, use_bias=bias, key=jr.key(0))
            made = eqx.tree_at(lambda m: m.weight, made, weight)
            return eqx.tree_at(lambda m: m.bias, made, _array(node.bias)) if bias else made
        if isinstance(node, nir.Conv1d | nir.Conv2d):
            return _convolution(node, 1 if isinstance(node, nir.Conv1d) else 2)
        if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
            kernel, stride, padding = map(_pair, (node.kernel_size, node.stride, node.padding))
            return Pool2d(kernel, stride, padding, isinstance(node, nir.AvgPool2d))
        if isinstance(node, nir.Flatten):
            return Flatten(int(node.start_dim), int(node.end_dim))
        if isinstance(node, nir.Scale):
            return Scale(_array(node.scale))
        if isinstance(node, nir.Threshold):
            return Threshold(_array(node.threshold), self.surrogate)
        if isinstance(node, nir.I):
            return Accumulator(_array(node.r) / 1000)
        if isinstance(node, nir.Delay):
            delay = 1000 * np.asarray(node.delay, np.float64)
            if delay.ndim != 1:
                raise ValueError(f"delays of node {name!r} must be a vector, got {delay.shape}.")
            longest = max(float(delay.max(initial=0.0)), self.dt)
            return Delays(delay.size, delay, max_delay=longest)
        raise TypeError(f"brainfn has no layer for node {name!r} of NIR: {type(node).__name__}.")


def _ends(nodes: dict[str, Any]) -> set[str]:
    return {name for name, node in nodes.items() if type(node).__name__ in ("Input", "Output")}


def _in_order(start: str, end: str, edges: list[Edge]) -> list[str] | None:
    """The nodes between the ends, if one follows the other."""
    after: dict[str, list[str]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    node, path = start, []
    while len(after.get(node, [])) == 1:
        (node,) = after[node]
        if node == end:
            return path
        path.append(node)
    return None


def _matrix(node: Any) -> np.ndarray:
    weight = np.asarray(node.weight)
    if weight.ndim != 2:
        raise ValueError(f"weights of NIR must be a matrix, got shape {weight.shape}.")
    return weight.T


def _array(x: Any) -> Any:
    return jnp.asarray(np.asarray(x), jnp.result_type(float))


def _pair(x: Any) -> tuple[int, int]:
    a, b = (int(n) for n in np.broadcast_to(np.asarray(x), (2,)))
    return a, b


def _convolution(node: Any, n: int) -> Any:
    weight = _array(node.weight)
    out, into, *kernel = weight.shape

    def each(x: Any) -> Any:
        if isinstance(x, str):
            return x.upper()
        return tuple(int(k) for k in np.broadcast_to(np.asarray(x), (n,)))

    groups = int(node.groups)
    made = (eqx.nn.Conv1d if n == 1 else eqx.nn.Conv2d)(
        into * groups,
        out,
        tuple(kernel),
        stride=each(node.stride),
        padding=each(node.padding),
        dilation=each(node.dilation),
        groups=groups,
        key=jr.key(0),
    )
    bias = _array(node.bias).reshape(out, *[1] * n)
    return eqx.tree_at(lambda m: (m.weight, m.bias), made, (weight, bias))
