"""Layers one after the other, over time."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
from jax import lax
from jaxtyping import Array

from .._custom_types import Key
from .._model import AbstractModel, Clock
from ..kernel import Stage, Unsupported, in_layers, report
from ..neuron import PreparedNeuron
from ._layer import Layer, LayerState
from ._packed import Packed
from ._timed import AbstractTimed, Response


class Chain(AbstractTimed[tuple[Any, ...]]):
    """Layers one after the other.

    ```python
    net = bf.nn.Chain(
        bf.nn.Layer(784, bf.nn.lif(256), synapse=bf.synapse.Exponential(5.0), key=k1),
        bf.nn.Layer(256, bf.nn.integrator(10), synapse=bf.synapse.Exponential(5.0), key=k2),
    )
    response = net(images)            # (time, 784), one example
    logits = jax.vmap(lambda x: net(x).output.max(axis=0))(batch)
    ```

    Within a step each layer gets the output of the one before, with no delay. A layer is

    - a model with a state and a `step`, such as [`brainfn.nn.Layer`][];
    - a model with a way of its own over all steps ([`brainfn.nn.AbstractTimed`][]), such as another
      chain;
    - anything else that can be called, such as `equinox.nn.Conv2d`, `equinox.nn.Linear`,
      `equinox.nn.Dropout` or `jax.nn.relu`: it is applied in each step to one example. Equinox
      modules are called with `key=`, the same in all steps, so that dropout takes away the same
      units throughout.

    Calling a chain runs all steps **layer by layer**: one large product instead of many small ones.
    Neighbouring layers with array weights, dense recurrent ones included, run as one operator on
    CPU, if their neurons are elementwise (`brainfn.kernel.reports()` says so): an example goes
    through all of them while its numbers are in cache, products skip silent inputs, and gradients
    need no memory for the steps in between. `step` makes one step, so
    [`brainfn.simulate`][] runs a chain step by step, with the same results up to rounding.

    **Arguments:**

    - `layers`: as above.

    **Raises:** `TypeError` for what can't be a layer, `ValueError` if sizes of neighbours differ.
    """

    layers: tuple[Any, ...]

    def __init__(self, *layers: Any) -> None:
        if len(layers) == 1 and isinstance(layers[0], list | tuple):
            layers = tuple(layers[0])
        if not layers:
            raise ValueError("`layers`: a chain needs at least one layer.")
        for i, layer in enumerate(layers):
            check_layer(f"layers[{i}]", layer)
            before = layers[i - 1] if i else None
            if isinstance(layer, Layer) and isinstance(before, Layer):
                wanted = layer.population.ports()[layer.port] if layer.n_in is None else layer.n_in
                if wanted != before.size:
                    raise ValueError(
                        f"`layers[{i}]` takes {wanted} inputs, but `layers[{i - 1}]` has "
                        f"{before.size} outputs."
                    )
        self.layers = tuple(layers)

    def __getitem__(self, i: int) -> Any:
        return self.layers[i]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def init(self, *, key: Key | None = None) -> tuple[Any, ...]:
        return tuple(begun(layer, k) for layer, k in zip(self.layers, self._keys(key), strict=True))

    def prepare(self, dt: float) -> "Chain":
        return Chain(*(prepared(x, dt) for x in self.layers))

    def step(
        self, state: tuple[Any, ...], inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[tuple[Any, ...], Array]:
        """One step of all layers, from the first to the last."""
        states = []
        for layer, own, k in zip(self.layers, state, self._keys(key), strict=True):
            own, inputs = one_step(layer, own, inputs, clock, k)
            states.append(own)
        return tuple(states), inputs

    def over_time(
        self, state: tuple[Any, ...], inputs: Any, dt: float, *, key: Key | None
    ) -> Response:
        if len(state) != len(self.layers):
            raise ValueError(
                f"`state` must be that of {len(self.layers)} layers, got {len(state)}."
            )
        return in_order(self.layers, state, inputs, dt, self._keys(key))

    def _keys(self, key: Key | None) -> Sequence[Any]:
        n = len(self.layers)
        return [None] * n if key is None else list(jr.split(key, n))


class _Waiting(NamedTuple):
    """A layer that runs together with its neighbours; `structure` is that of its variables."""

    stage: Stage
    structure: Any


def in_order(
    layers: Sequence[Any], state: Sequence[Any], inputs: Any, dt: float, keys: Sequence[Any]
) -> Response:
    """All steps of layers that are prepared, one layer after the other."""
    x, states, totals = inputs, [], []
    group: list[_Waiting] = []
    for layer, own, k in zip(layers, state, keys, strict=True):
        waiting = _waiting(layer, own, dt)
        if waiting is not None and (not group or isinstance(layer.weight, jax.Array)):
            x = _entered(layer, x) if not group else x
            group.append(waiting)
            continue
        x = _flushed(group, x, states, totals)
        if waiting is not None:
            x = _entered(layer, x)
            group.append(waiting)
            continue
        end, total = None, None
        if isinstance(layer, AbstractTimed):
            x, end, total = layer.over_time(own, x, dt, key=k)
        elif isinstance(layer, AbstractModel):
            end, x = stepped(layer, own, unpacked(x), dt, k)
            total = x.sum(axis=0)
        else:
            x = jax.vmap(lambda one, layer=layer, k=k: _applied(layer, one, k))(unpacked(x))
        states.append(end)
        totals.append(total)
    x = _flushed(group, x, states, totals)
    return Response(unpacked(x), tuple(states), tuple(totals))


def one_step(layer: Any, state: Any, inputs: Any, clock: Clock, key: Any) -> tuple[Any, Any]:
    """One step of whatever can be a layer: its next state, `None` if it has none, and output."""
    if isinstance(layer, AbstractModel):
        return layer.step(state, inputs, clock, key=key)
    return None, _applied(layer, inputs, key)


def begun(layer: Any, key: Any) -> Any:
    """The initial state of whatever can be a layer."""
    return layer.init(key=key) if isinstance(layer, AbstractModel) else None


def prepared(layer: Any, dt: float) -> Any:
    """Whatever can be a layer, prepared for steps of `dt`."""
    return layer.prepare(dt) if isinstance(layer, AbstractModel) else layer


def check_layer(name: str, layer: Any) -> None:
    """Raise if this can't be a layer."""
    if not (isinstance(layer, AbstractModel) or callable(layer)):
        raise TypeError(f"`{name}` must be a model or a function, got {type(layer).__name__}.")


def _waiting(layer: Any, state: Any, dt: float) -> _Waiting | None:
    """A layer as part of one operator; `None` if it has to be stepped."""
    if not isinstance(layer, Layer):
        return None
    name = f"{_kind(layer.population)}({layer.size})"
    try:
        return _Waiting(*layer.stage(name, state, dt))
    except (Unsupported, ValueError) as reason:
        report(f"layers of {name}", f"step by step: {reason}")
        return None


def _entered(layer: Layer, x: Any) -> Any:
    """The inputs of the first of some layers, as the operator takes them."""
    if isinstance(x, Packed):
        if isinstance(layer.weight, jax.Array):
            layer.check_inputs(x.size)
            return x.bits
        x = x.unpack()
    if isinstance(layer.weight, jax.Array):
        layer.check_inputs(x.shape[-1])
        return x if x.dtype == bool else x.astype(layer.weight.dtype)
    if layer.weight is None:
        return x
    return layer.arriving(x)


def _flushed(group: list[_Waiting], x: Any, states: list[Any], totals: list[Any]) -> Any:
    """The outputs of the layers that wait, which then don't."""
    if not group:
        return x
    first = group[0].stage
    shape = x.shape if first.weight is None and len(group) == 1 else None
    if first.weight is None:
        x = x.reshape(x.shape[0], -1)
    x, ends = in_layers([stage for stage, _ in group], x)
    for (_, structure), end in zip(group, ends, strict=True):
        population, receptor = jtu.tree_unflatten(structure, end.variables)
        states.append(LayerState(population, receptor, end.previous))
        totals.append(end.totals)
    group.clear()
    return x if shape is None else x.reshape(shape)


def unpacked(x: Any) -> Any:
    return x.unpack() if isinstance(x, Packed) else x


def stepped(
    layer: AbstractModel[Any, Any, Any], state: Any, x: Array, dt: float, key: Any
) -> tuple[Any, Array]:
    def one(state: Any, row: Any) -> Any:
        step, x = row
        k = None if key is None else jr.fold_in(key, step)
        return layer.step(state, x, Clock(step, dt), key=k)

    return lax.scan(one, state, (jnp.arange(x.shape[0], dtype=jnp.int32), x))


def _applied(layer: Any, x: Array, key: Any) -> Any:
    function: Any = layer
    # Equinox's layers take a key, which most of them ignore.
    if isinstance(layer, eqx.Module) and "key" in inspect.signature(function).parameters:
        return function(x, key=key)
    return function(x)


def _kind(population: Any) -> str:
    known = population.model if isinstance(population, PreparedNeuron) else population
    return type(known).__name__
