"""A layer of neurons: weights, a receptor, and a population."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
from jaxtyping import Array, Float

from .._custom_types import Key
from .._errors import is_concrete, nearest
from .._model import AbstractModel, Clock
from .._population import AbstractPopulation
from ..event import AbstractMatrix
from ..init import AbstractInitializer, Normal, as_initializer
from ..kernel import Stage, split
from ..network import Term, advance_group
from ..synapse import AbstractOutput, AbstractReceptor, Current, Instant


class LayerState(eqx.Module):
    """The state of a layer: that of its population and of its receptor, and with recurrent weights
    its outputs in the step before."""

    population: Any
    receptor: Any
    previous: Array | None


class Layer(AbstractModel[LayerState, Any, Array]):
    r"""Neurons that are driven by inputs through weights.

    $$a_n = x_n W + s_{n-1} R + b, \qquad s_n = \text{population}(\text{output}(\text{synapse}(a_n),
    v))$$

    In each step the inputs $x$, times the weights, arrive at the receptor of each neuron, whose
    output drives the population. Any population of [`brainfn.neuron`][] and
    [`brainfn.rate`][] can be used, with any receptor and output of [`brainfn.synapse`][].

    **Arguments:**

    - `n_in`: number of inputs, or `None`: then there are no weights, and inputs, one for each
        neuron and of any shape, arrive as they are. The output has the shape of the input.
    - `population`: the neurons.
    - `weight`: an array of shape `(n_in, size)`, a matrix of [`brainfn.event`][], or an initializer
        of [`brainfn.init`][], a number meaning all alike. By default normally distributed with
        mean 0 and standard deviation $1/\sqrt{n_\mathrm{in}}$.
    - `recurrent`: weights from the outputs of the layer, one step later, to its neurons; as
        `weight`, of shape `(size, size)`. `None`, the default, for none.
    - `bias`: arrives in each step: an array of shape `(size,)`, a number, or `None` for none.
    - `synapse`: a receptor, by default [`brainfn.synapse.Instant`][]: an input acts in its step.
    - `output`: what the receptor does to the membrane, by default [`brainfn.synapse.Current`][].
    - `key`: a JAX random key, if weights are drawn.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ```python
    layer = bf.nn.Layer(784, bf.nn.lif(256), synapse=bf.synapse.Exponential(5.0), key=key)
    ```
    """

    population: AbstractPopulation
    weight: Array | AbstractMatrix | None
    recurrent: Array | AbstractMatrix | None
    bias: Array | None
    synapse: AbstractReceptor
    output: AbstractOutput
    port: str = eqx.field(static=True)
    n_in: int | None = eqx.field(static=True)

    def __init__(
        self,
        n_in: Any,
        population: Any,
        *,
        weight: Any = None,
        recurrent: Any = None,
        bias: Any = None,
        synapse: Any = None,
        output: Any = None,
        port: Any = None,
        key: Key | None = None,
    ) -> None:
        if not isinstance(population, AbstractPopulation):
            raise TypeError(
                "`population` must be a population such as brainfn.nn.lif(100), got "
                f"{type(population).__name__}."
            )
        ports = population.ports()
        if not ports:
            raise ValueError(
                f"`population` {type(population).__name__} is a source: nothing can drive it."
            )
        self.port = next(iter(ports)) if port is None else port
        if self.port not in ports:
            raise ValueError(
                f"`port` must be one of {list(ports)}, got {port!r}.{nearest(str(port), ports)}"
            )
        size = ports[self.port]
        if n_in is not None and (isinstance(n_in, bool) or not isinstance(n_in, int) or n_in < 1):
            raise ValueError(f"`n_in` must be a positive integer or None, got {n_in!r}.")
        if n_in is None and weight is not None:
            raise ValueError("`weight` needs `n_in`, the number of inputs.")
        for name, part, kind in (
            ("synapse", synapse, AbstractReceptor),
            ("output", output, AbstractOutput),
        ):
            if part is not None and not isinstance(part, kind):
                raise TypeError(
                    f"`{name}` must be one of brainfn.synapse ({kind.__name__}), got "
                    f"{type(part).__name__}."
                )
        self.population, self.n_in = population, n_in
        keys = (None, None) if key is None else jr.split(key)
        dtype = jnp.result_type(float)
        self.weight = None
        if n_in is not None:
            weight = Normal(0.0, n_in**-0.5) if weight is None else weight
            self.weight = weights("weight", weight, (n_in, size), keys[0], dtype)
        self.recurrent = None
        if recurrent is not None:
            emitted = population.emits().shape
            if emitted != (size,):
                raise ValueError(
                    f"`recurrent`: {type(population).__name__} emits {emitted}, not one signal for "
                    f"each of the {size} entries that can be driven."
                )
            self.recurrent = weights("recurrent", recurrent, (size, size), keys[1], dtype)
        self.bias = None
        if bias is not None:
            given = _numbers("bias", bias, dtype)
            if given.shape not in ((), (size,)):
                raise ValueError(f"`bias` must have shape () or ({size},), got {given.shape}.")
            self.bias = jnp.broadcast_to(given, (size,)) * 1
        self.synapse = Instant() if synapse is None else synapse
        self.output = Current() if output is None else output
        if self.output.jumps and not population.jumps:
            raise ValueError(
                f"`output` {type(self.output).__name__} lets the membrane potential jump, which "
                f"{type(population).__name__} does not support."
            )

    @property
    def size(self) -> int:
        """The number of outputs."""
        return self.population.emits().shape[0]

    def init(self, *, key: Key | None = None) -> LayerState:
        n = self.population.ports()[self.port]
        previous = None
        if self.recurrent is not None:
            said = self.population.emits()
            previous = jnp.zeros(said.shape, said.dtype)
        return LayerState(self.population.init(key=key), self.synapse.init(n), previous)

    def prepare(self, dt: float) -> "Layer":
        return eqx.tree_at(lambda m: m.population, self, self.population.prepare(dt))

    def step(
        self, state: LayerState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[LayerState, Array]:
        shape = jnp.shape(inputs)
        arriving = self.arriving(jnp.ravel(inputs) if self.weight is None else inputs)
        if self.recurrent is not None:
            assert state.previous is not None
            arriving = arriving + product(state.previous, self.recurrent)
        population, receptor, out = self.local(
            state.population, state.receptor, arriving, clock, key
        )
        state = LayerState(population, receptor, None if self.recurrent is None else out)
        return state, out.reshape(shape) if self.weight is None else out

    def arriving(self, inputs: Float[Array, "*time n_in"]) -> Float[Array, "*time size"]:
        """What arrives at the neurons from inputs, of one or of several steps."""
        self.check_inputs(jnp.shape(inputs)[-1] if jnp.ndim(inputs) else 0)
        if self.weight is None:
            return jnp.asarray(inputs, jnp.result_type(float))
        return product(inputs, self.weight)

    def check_inputs(self, n: int) -> None:
        """Raise if a step does not have `n` inputs."""
        wanted = self.population.ports()[self.port] if self.n_in is None else self.n_in
        if n != wanted:
            raise ValueError(f"`inputs` of a layer must be {wanted} in each step, got {n}.")

    def local(
        self, population: Any, receptor: Any, arriving: Array, clock: Clock, key: Key | None
    ) -> tuple[Any, Any, Array]:
        """What the neurons make of what arrives: new states and outputs."""
        if self.bias is not None:
            arriving = arriving + self.bias
        receptor = self.synapse.arrive(receptor, arriving)
        n = self.population.ports()[self.port]
        term = Term(self.synapse, self.output, 0, 0, 0, n, n)
        terms = {port: (term,) if port == self.port else () for port in self.population.ports()}
        constants = self.population, terms, {0: self.synapse}
        (population, after), out = advance_group(
            constants, (None, clock, key, {}), (population, {0: receptor})
        )
        return population, after[0], out

    def stage(self, name: str, state: LayerState, dt: float) -> tuple[Stage, Any]:
        """The layer as an elementwise function with weights, and the structure of its variables.

        **Raises:** `ValueError` if its neurons draw random numbers, depend on time or on each
        other, or if weights are not arrays.
        """
        if not self.population.elementwise:
            raise ValueError("its neurons may depend on each other")
        if isinstance(self.recurrent, AbstractMatrix):
            raise ValueError("its recurrent weights are sparse")
        variables, structure = jtu.tree_flatten((state.population, state.receptor))
        own = eqx.tree_at(lambda m: (m.weight, m.recurrent), self, (None, None), is_leaf=_is_none)
        parameters, static = eqx.partition(own, eqx.is_array)
        leaves, tree = jtu.tree_flatten(parameters)

        def function(given: Any, changing: Any) -> list[Array]:
            layer = eqx.combine(jtu.tree_unflatten(tree, given), static)
            current, *values, step = changing
            population, receptor = jtu.tree_unflatten(structure, values)
            *new, out = layer.local(population, receptor, current, Clock(step, dt), None)
            return [*jtu.tree_leaves(tuple(new)), out]

        n = self.population.ports()[self.port]
        current = jax.ShapeDtypeStruct((n,), self.synapse.accumulator(state.receptor).dtype)
        step = jax.ShapeDtypeStruct((), jnp.int32)
        constants, rest = split(function, leaves, [current, *variables, step])
        rest = rest.without(len(variables) + 1)  # raises if the neurons depend on time
        if not jnp.issubdtype(self.population.emits().dtype, jnp.floating):
            raise ValueError("its outputs are not numbers")
        return Stage(
            name,
            rest,
            self.weight if isinstance(self.weight, jax.Array) else None,
            self.recurrent if isinstance(self.recurrent, jax.Array) else None,
            state.previous,
            constants,
            variables,
        ), structure


def _is_none(x: Any) -> bool:
    return x is None


def product(inputs: Any, weight: Any) -> Array:
    if isinstance(weight, AbstractMatrix):
        return inputs @ weight
    return jnp.asarray(inputs, weight.dtype) @ weight


def _numbers(name: str, given: Any, dtype: Any) -> Array:
    """A copy of some numbers, which must be finite."""
    if not eqx.is_array_like(given):
        raise TypeError(f"`{name}` must be numbers, got {type(given).__name__}.")
    array = jnp.array(given, dtype)
    if is_concrete(array) and not bool(jnp.isfinite(array).all()):
        raise ValueError(f"`{name}` must be finite.")
    return array


def weights(name: str, given: Any, shape: tuple[int, int], key: Key | None, dtype: Any) -> Any:
    if isinstance(given, AbstractMatrix):
        if given.shape != shape:
            raise ValueError(f"`{name}` must have shape {shape}, got {given.shape}.")
        return given
    number = eqx.is_array_like(given) and jnp.ndim(given) == 0
    if isinstance(given, AbstractInitializer) or number:
        if isinstance(given, AbstractInitializer) and key is None:
            raise ValueError(f"`key` is needed to draw `{name}`. Try key=jax.random.key(0).")
        if number:
            given = _numbers(name, given, dtype)
        return as_initializer(given)(shape, dtype, key=key)
    if not eqx.is_array_like(given):
        raise TypeError(
            f"`{name}` must be an array, a matrix of brainfn.event or an initializer of "
            f"brainfn.init, got {type(given).__name__}."
        )
    array = _numbers(name, given, dtype)
    if array.shape != shape:
        raise ValueError(
            f"`{name}` must have shape {shape} (inputs, neurons), got {array.shape}."
            + (f" Try {name}.T." if array.shape == shape[::-1] else "")
        )
    return array
