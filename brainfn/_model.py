"""The one protocol: a model holds parameters, a state holds what changes from step to step."""

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
    """Where a simulation stands: an integer step and a fixed step size.

    $t_n = n\\,\\Delta t$ is computed from the step index each time it is asked for, so that it
    never accumulates rounding errors; delays and refractory periods count steps.

    **Arguments:**

    - `step`: index of the step that is about to be made, an int32 scalar.
    - `dt`: step size in ms, a Python float (static: changing it compiles anew).
    """

    step: Int[Array, ""]
    dt: float = eqx.field(static=True)

    @property
    def t(self) -> Float[Array, ""]:
        """Time at the beginning of the step in ms, in the default float dtype. In float32 it is
        known to 7 digits: compare steps, not times, where a long simulation must hit one step."""
        return self.step.astype(jnp.result_type(float)) * self.dt


class AbstractModel(AbstractPart, Generic[State, Inputs, Output]):
    """Anything that can be stepped through time: neurons, sources, networks and what users write.

    A model is an immutable pytree of parameters. `init` makes its state, `step` maps a state to the
    next one. Models are written for one network and one example: batches, seeds and parameter
    sweeps are `jax.vmap`.

    A driver such as [`brainfn.simulate`][] calls `prepare(dt)` first, and then only methods of what
    it returned: this is how `dt` reaches `init`.
    """

    @abc.abstractmethod
    def init(self, *, key: Key | None = None) -> State:
        """The state at the beginning of a simulation.

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

        - `state`: what `init` or the previous step returned.
        - `inputs`: what the model is driven with during this step; each model documents its own.
        - `clock`: the step index and step size.
        - `key`: a JAX random key for this step, already different in each step; needed by
            stochastic models only.

        **Returns:**

        The next state, of the same structure, shapes and dtypes; and the output of this step, which
        holds whatever is of interest but is not needed by the next step.
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
        """How many neurons are driven by the input called `name`, or by one without a name;
        `None` if that is not known. Inputs with a state of their own (noise) need it.

        **Raises:** `ValueError` for a name that the model does not know.
        """
        del name
        return None
