"""Reservoirs of spiking neurons."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from .._custom_types import Key
from .._errors import count, nearest
from .._field import replace
from .._model import AbstractModel, Clock
from .._population import AbstractPopulation
from ..event import AbstractMatrix
from ..init import Normal
from ..network import Term, advance_group
from ..synapse import AbstractOutput, AbstractReceptor, Current, Exponential, Instant
from ._layer import product, weights


class LiquidStateState(eqx.Module):
    """The state of a spiking reservoir: that of its neurons, of the receptor of its recurrent
    synapses, of the filter of its outputs, and its signals in the step before."""

    population: Any
    receptor: Any
    trace: Any
    previous: Array


class LiquidState(AbstractModel[LiquidStateState, Any, Array]):
    r"""A reservoir of spiking neurons with fixed weights, whose output is their filtered spikes.

    $$I_n = u_n W_\mathrm{in} + b + \text{synapse}(s_{n-1} R), \qquad
    s_n = \text{population}(I_n), \qquad r_n = \text{trace}(s_n)$$

    Inputs act at once, in their step; recurrent spikes through a synapse, event-driven. A linear
    readout of $r$ is what learns: [`brainfn.learn.ridge`][], [`brainfn.learn.RLS`][], or, with its
    output fed back as input, [`brainfn.learn.Force`][].

    ```python
    connections = bf.connect.csr(
        bf.connect.FixedProbability(0.1), 500, 500, weight=bf.init.Normal(0.0, 0.1), key=k1
    )
    liquid = bf.nn.LiquidState(
        3, bf.nn.lif(500), recurrent=connections, synapse=bf.synapse.Exponential(5.0), key=k2
    )
    states = bf.nn.Chain(liquid)(inputs).output               # (time, 500)
    ```

    **Arguments:**

    - `n_in`: number of inputs.
    - `population`: the neurons; any population of [`brainfn.neuron`][] or [`brainfn.rate`][].
    - `weight`, `recurrent`: weights from the inputs and from the neurons: arrays, matrices of
        [`brainfn.event`][] (stored or just-in-time), initializers of [`brainfn.init`][] or numbers.
        By default inputs have normally distributed weights with standard deviation
        $1/\sqrt{n_\mathrm{in}}$.
    - `bias`: a constant current: a number or one for each neuron.
    - `synapse`, `output`: receptor of the recurrent spikes, and what it does to the membrane; by
        default [`brainfn.synapse.Instant`][] and [`brainfn.synapse.Current`][].
    - `trace`: the filter of the spikes of each neuron, a receptor; by default `Exponential(20)`.
        `Instant()` leaves signals as they are, as for rates.
    - `port`: of the population, the first by default.
    - `key`: a JAX random key, if weights are drawn.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Maass, Natschlaeger and Markram (2002), "Real-time computing without stable states: a new
        framework for neural computation based on perturbations", Neural Comput. 14:2531-2560,
        doi:10.1162/089976602760407955.
    """

    n_in: int = eqx.field(static=True)
    population: AbstractPopulation
    weight: Array | AbstractMatrix
    recurrent: Array | AbstractMatrix
    bias: Array
    synapse: AbstractReceptor
    output: AbstractOutput
    trace: AbstractReceptor
    port: str = eqx.field(static=True)

    def __init__(
        self,
        n_in: Any,
        population: Any,
        *,
        recurrent: Any,
        weight: Any = None,
        bias: Any = 0.0,
        synapse: AbstractReceptor | None = None,
        output: AbstractOutput | None = None,
        trace: AbstractReceptor | None = None,
        port: str | None = None,
        key: Key | None = None,
    ) -> None:
        if not isinstance(population, AbstractPopulation) or not population.ports():
            raise TypeError(
                "`population` must be neurons such as brainfn.nn.lif(100), got "
                f"{type(population).__name__}."
            )
        self.n_in, self.population = count("n_in", n_in, minimum=1), population
        ports = population.ports()
        self.port = next(iter(ports)) if port is None else port
        if self.port not in ports:
            raise ValueError(
                f"`port` must be one of {list(ports)}, got {port!r}.{nearest(str(port), ports)}"
            )
        size, dtype = ports[self.port], jnp.result_type(float)
        keys = (None, None) if key is None else jr.split(key)
        weight = Normal(0.0, n_in**-0.5) if weight is None else weight
        self.weight = weights("weight", weight, (n_in, size), keys[0], dtype)
        self.recurrent = weights("recurrent", recurrent, (self.size, size), keys[1], dtype)
        self.bias = jnp.broadcast_to(jnp.asarray(bias, dtype), (size,)) * 1
        self.synapse = Instant() if synapse is None else synapse
        self.output = Current() if output is None else output
        self.trace = Exponential(20.0) if trace is None else trace
        if self.output.jumps and not population.jumps:
            raise ValueError(
                f"`output` {type(self.output).__name__} lets the membrane potential jump, which "
                f"{type(population).__name__} does not support."
            )

    @property
    def size(self) -> int:
        """The number of outputs."""
        return self.population.emits().shape[0]

    def init(self, *, key: Key | None = None) -> LiquidStateState:
        said = self.population.emits()
        return LiquidStateState(
            self.population.init(key=key),
            self.synapse.init(self.population.ports()[self.port]),
            self.trace.init(self.size),
            jnp.zeros(said.shape, said.dtype),
        )

    def prepare(self, dt: float) -> "LiquidState":
        return replace(self, population=self.population.prepare(dt))

    def step(
        self, state: LiquidStateState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[LiquidStateState, Float[Array, " size"]]:
        if jnp.shape(inputs) != (self.n_in,):
            raise ValueError(
                f"`inputs` of a reservoir must have shape ({self.n_in},) in each step, got "
                f"{jnp.shape(inputs)}."
            )
        n = self.population.ports()[self.port]
        receptor = self.synapse.arrive(state.receptor, product(state.previous, self.recurrent))
        terms: dict[str, tuple[Term, ...]] = dict.fromkeys(self.population.ports(), ())
        terms[self.port] = (Term(self.synapse, self.output, 0, 0, 0, n, n),)
        current = product(inputs, self.weight) + self.bias
        (population, after), out = advance_group(
            (self.population, terms, {0: self.synapse}),
            (current if len(terms) == 1 else {self.port: current}, clock, key, {}),
            (state.population, {0: receptor}),
        )
        arrived = jnp.asarray(out, self.bias.dtype)
        trace = self.trace.arrive(self.trace.advance(state.trace, clock.dt), arrived)
        return LiquidStateState(population, after[0], trace, out), self.trace.value(trace, 0.0)
