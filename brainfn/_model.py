"""The one protocol: a model holds parameters, a state holds what changes from step to step."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._custom_types import Key


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
        """Time at the beginning of the step in ms, in the default float dtype."""
        return self.step.astype(jnp.result_type(float)) * self.dt


class AbstractModel(eqx.Module):
    """Anything that can be stepped through time: neurons, synapses, networks and what users write.

    A model is an immutable pytree of parameters. `init` makes its state, `step` maps a state to the
    next one. Models are written for one network and one example: batches, seeds and parameter
    sweeps are `jax.vmap`.
    """

    @abc.abstractmethod
    def init(self, *, key: Key | None = None) -> Any:
        """The state at the beginning of a simulation.

        **Arguments:**

        - `key`: a JAX random key; needed only if the initial state is drawn at random.

        **Returns:**

        A pytree of arrays, usually a named `eqx.Module`.
        """

    @abc.abstractmethod
    def step(
        self, state: Any, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Any, Any]:
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

    def prepare(self, dt: float) -> "AbstractModel":
        """A model with the same states and steps, with whatever depends on `dt` and the parameters
        alone computed once. [`brainfn.simulate`][] calls it before its loop.

        **Arguments:**

        - `dt`: step size in ms.
        """
        del dt
        return self

    def arrange_inputs(self, inputs: Any) -> Any:
        """`inputs` in the form in which `step` reads them fastest; `step` takes both forms.
        Inputs that do not change are arranged once, before the loop."""
        return inputs

    def named_states(self, state: Any) -> dict[str, Any]:
        """Parts of `state` under the names a user knows them by, for reports and error messages."""
        return {type(self).__name__: state}
