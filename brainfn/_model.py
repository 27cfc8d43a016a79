"""The protocol of models: a model holds parameters, a state holds the variables that change."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._custom_types import Key
from ._field import AbstractPart

State = TypeVar("State")
Inputs = TypeVar("Inputs")
Output = TypeVar("Output")


class Clock(eqx.Module):
    """The time of a simulation: an integer step and a fixed step size.

    $t_n = n\\,\\Delta t$ is computed from the step index on each access, so that rounding errors
    never accumulate; delays and refractory periods count steps.

    **Arguments:**

    - `step`: index of the next step, an int32 scalar.
    - `dt`: step size in ms, a Python float (static: changing it recompiles).
    """

    step: Int[Array, ""]
    dt: float = eqx.field(static=True)

    @property
    def t(self) -> Float[Array, ""]:
        """Time at the beginning of the step in ms, in the default float dtype. In float32 it is
        known to 7 digits: compare steps, not times, to select a single step of a long
        simulation."""
        return self.step.astype(jnp.result_type(float)) * self.dt


class AbstractModel(AbstractPart, Generic[State, Inputs, Output]):
    """Anything that can be stepped through time: neurons, sources, networks and user-defined
    models.

    A model is an immutable pytree of parameters. `init` makes its state, `step` maps a state to the
    next one. Models are written for one network and one example: use `jax.vmap` for batches, seeds
    and parameter sweeps.

    A driver such as [`brainfn.simulate`][] calls `prepare(dt)` first, and then only methods of the
    returned model: this is how `dt` reaches `init`.
    """

    @abc.abstractmethod
    def init(self, *, key: Key | None = None) -> State:
        """The initial state of a simulation.

        **Arguments:**

        - `key`: a JAX random key; needed only if the initial state is drawn at random.

        **Returns:**

        A pytree of arrays, usually a named `eqx.Module`.
        """

    @abc.abstractmethod
    def step(
        self, state: State, inputs: Inputs, clock: Clock, *, key: Key | None = None
    ) -> tuple[State, Output]:
        """Advance the state from `clock.t` to `clock.t + clock.dt`.

        **Arguments:**

        - `state`: the state from `init` or the previous step.
        - `inputs`: the input during this step; each model documents its own.
        - `clock`: the step index and step size.
        - `key`: a JAX random key for this step, already different in each step; needed only by
          stochastic models.

        **Returns:**

        The next state, with the same structure, shapes and dtypes; and the output of this step:
        values of interest that the next step does not need.
        """

    def prepare(self, dt: float) -> "AbstractModel[State, Inputs, Output]":
        """A model with the same states and steps, with everything that depends only on `dt` and the
        parameters precomputed. Pure and cheap; it may be called inside `jax.jit`.

        **Arguments:**

        - `dt`: step size in ms.
        """
        del dt
        return self

    def arrange_inputs(self, inputs: Inputs) -> Inputs:
        """`inputs` of one step in the form in which `step` reads them fastest; `step` takes both
        forms. Inputs that do not change are arranged once, before the loop."""
        return inputs

    def input_size(self, name: str | None) -> int | None:
        """The number of neurons driven by the input called `name`, or by one without a name; `None`
        if unknown. Inputs with their own state (noise) need it.

        **Raises:** `ValueError` for an unknown name.
        """
        del name
        return None
