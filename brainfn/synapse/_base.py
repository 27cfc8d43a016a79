"""What all linear synapses have in common."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._custom_types import Key
from .._model import AbstractModel, Clock


class AbstractLinearSynapse(AbstractModel):
    """A synapse that is linear in its arriving spikes and lives on the post side.

    Because it is linear, all synapses of one kind onto one neuron share one state: a
    [`brainfn.Network`][] keeps one array for each kind of synapse and post population, whatever
    the number of projections ("align-post" in BrainPy).

    The `inputs` of its `step` are the summed weights of the spikes that arrive at the beginning of
    the step, shape `(n_post,)`; its output is the conductance (nS) or current (pA) at that moment,
    after the arrivals.
    """

    size: eqx.AbstractVar[int | None]

    @abc.abstractmethod
    def init(self, *, key: Key | None = None, size: int | None = None) -> Any:
        """The state at the beginning; `size` is needed if the synapse was made without one."""

    @abc.abstractmethod
    def accumulator(self, state: Any) -> Float[Array, "..."]:
        """The variable that arriving spikes are added to."""

    @abc.abstractmethod
    def with_accumulator(self, state: Any, value: Float[Array, "..."]) -> Any:
        """`state` with another value of that variable."""

    @abc.abstractmethod
    def conductance(self, state: Any, t: Any) -> Float[Array, "..."]:
        """The conductance or current `t` ms after the beginning of the step, if nothing arrives
        meanwhile. `t` is the Python number 0.0 for solvers that ask only there."""

    @abc.abstractmethod
    def advance(self, state: Any, dt: float) -> Any:
        """`state` after `dt` ms in which nothing arrives."""

    def step(
        self, state: Any, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Any, Float[Array, "..."]]:
        del key
        state = self.with_accumulator(state, self.accumulator(state) + inputs)
        return self.advance(state, clock.dt), self.conductance(state, 0.0)
