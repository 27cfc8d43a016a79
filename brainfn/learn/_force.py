"""FORCE learning: a reservoir that learns to generate a signal while it is fed back."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .._custom_types import Key
from .._field import integer, option
from .._model import AbstractModel, Clock
from ._rls import AbstractOnlineReadout


class ForceState(eqx.Module):
    """State of a network that learns by FORCE: of its reservoir, of its readout (with `weight`),
    and its output in the step before."""

    reservoir: Any
    readout: Any
    output: Float[Array, " n_out"]


class Force(AbstractModel[ForceState, Any, Array]):
    r"""A reservoir whose output is fed back, and learned while it is.

    $$r_n = \text{reservoir}(z_{n-1}), \qquad z_n = r_n \phi$$

    The inputs of a simulation are the targets. While there are some, the readout corrects $\phi$ by
    the error $z_n - y_n$ in every `every`-th step; with `inputs=None` the network runs freely. From
    the first steps on the output nearly is the target, so the network learns to be stable under the
    feedback that it will get when it generates the signal itself.

    ```python
    net = bf.learn.Force(reservoir, bf.learn.RLS(1000, 1, regularisation=1.0), every=10)
    learned = bf.simulate(net, inputs=targets, duration=5000.0, dt=1.0)     # (5000, 1)
    free = bf.simulate(net, state=learned.state, duration=2000.0, dt=1.0)
    ```

    **Arguments:**

    - `reservoir`: a model with `n_out` inputs and `n_features` outputs:
        [`brainfn.nn.LiquidState`][], [`brainfn.nn.EchoState`][], a [`brainfn.nn.Layer`][] with
        recurrent weights and neurons of [`brainfn.rate`][], or a [`brainfn.nn.Chain`][]. Its input
        weights are those of the feedback.
    - `readout`: [`brainfn.learn.RLS`][] or [`brainfn.learn.LMS`][].
    - `every`: steps between corrections.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Sussillo and Abbott (2009), "Generating coherent patterns of activity from chaotic neural
        networks", Neuron 63:544-557, doi:10.1016/j.neuron.2009.07.018; with spiking neurons: Nicola
        and Clopath (2017), "Supervised learning in spiking neural networks with FORCE training",
        Nat. Commun. 8:2208, doi:10.1038/s41467-017-01827-3.
    """

    reservoir: Any = option(
        cls=AbstractModel, hint="Try brainfn.nn.LiquidState or brainfn.nn.Layer.", positional=True
    )
    readout: Any = option(cls=AbstractOnlineReadout, hint="Try brainfn.learn.RLS.", positional=True)
    every: int = integer(1, minimum=1)

    def prepare(self, dt: float) -> "Force":
        return Force(self.reservoir.prepare(dt), self.readout, every=self.every)

    def init(self, *, key: Key | None = None) -> ForceState:
        readout = self.readout.init()
        output = jnp.zeros(self.readout.n_out, readout.weight.dtype)
        return ForceState(self.reservoir.init(key=key), readout, output)

    def step(
        self, state: ForceState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[ForceState, Float[Array, " n_out"]]:
        reservoir, features = self.reservoir.step(state.reservoir, state.output, clock, key=key)
        if features.shape != (self.readout.n_features,):
            raise ValueError(
                f"`readout` has {self.readout.n_features} features, but the reservoir has outputs "
                f"of shape {features.shape}."
            )
        readout = state.readout
        output = self.readout.predict(readout, features)
        if inputs is not None:
            if jnp.shape(inputs) != output.shape:
                raise ValueError(
                    f"`inputs` must be targets of shape {output.shape} in each step, got "
                    f"{jnp.shape(inputs)}."
                )
            error = output - jnp.asarray(inputs, output.dtype)
            readout = lax.cond(
                clock.step % self.every == 0,
                lambda old: self.readout.correct(old, features, error),
                lambda old: old,
                readout,
            )
        return ForceState(reservoir, readout, output), output
