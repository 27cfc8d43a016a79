"""Kinetic models of receptors, driven by pulses of transmitter."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from .._custom_types import Key, Parameter
from .._field import integer, param
from .._model import Clock
from ..solver import phi1
from ._base import AbstractRelease
from ._exponential import Exponential
from ._release import once


class TwoStateState(eqx.Module):
    """State of [`brainfn.synapse.TwoState`][]: the open fraction `r`, and for how many ms
    transmitter is still present, `left`."""

    r: Float[Array, " n_pre"]
    left: Float[Array, " n_pre"]


class TwoState(AbstractRelease[TwoStateState]):
    r"""Receptors that open and close with transmitter: AMPA, GABA~A~, NMDA.

    $$\frac{dr}{dt} = \alpha\,[T]\,(1 - r) - \beta\,r$$

    $[T]$ is a pulse that begins with each spike; a spike during a pulse prolongs it. The open
    fraction $r$ depends only on the presynaptic neuron, so it is computed once for each. What is
    sent are its increments, that is all but the decay with $\beta$, which the receptor on the
    postsynaptic side makes: so a neuron is silent except during its pulses. `receptor()` gives that
    receptor; weights are the conductance with all receptors open.

    ```python
    ampa = bf.synapse.TwoState()
    bf.Projection(
        "exc",
        "cells",
        bf.connect.FixedProbability(0.1),
        weight=0.5*nS,
        release=ampa,
        synapse=ampa.receptor(),
        output=bf.synapse.Conductance(0.0),
    )
    ```

    The update is exact: at the ends of steps $r$ is the solution of its equation, whatever the
    duration of a pulse. [`brainfn.synapse.ampa`][] and others have the values of known receptors.

    **Arguments:**

    - `alpha`: rate of opening in 1/(mM ms); `beta`: rate of closing in 1/ms.
    - `transmitter`: $[T]$ during a pulse, in mM; `duration`: of a pulse, in ms.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Destexhe, Mainen and Sejnowski (1994), "An efficient method for computing synaptic
        conductances based on a kinetic model of receptor binding", Neural Computation 6:14-18,
        doi:10.1162/neco.1994.6.1.14; default values of AMPA receptors of Destexhe, Mainen and
        Sejnowski (1998), "Kinetic models of synaptic transmission", in Koch and Segev (eds),
        Methods in Neuronal Modeling.
    """

    alpha: Parameter = param(1.1, unit="1/(mM ms)", sign="nonnegative")
    beta: Parameter = param(0.19, unit="1/ms", sign="positive")
    transmitter: Parameter = param(1.0, unit="mM", sign="nonnegative")
    duration: Parameter = param(1.0, unit="ms", sign="positive")

    def receptor(self) -> Exponential:
        """The receptor to use with it, which decays with `beta`."""
        return Exponential(1 / self.beta)

    def init(self, size: int, *, key: Key | None = None) -> TwoStateState:
        del key
        zeros = jnp.zeros(size, self.beta.dtype)
        return TwoStateState(zeros, zeros)

    def release(
        self,
        state: TwoStateState,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[TwoStateState, Float[Array, " n_pre"]]:
        del pre, key
        on, left = pulse(state.left, emitted, self.duration, clock.dt)
        opening = self.alpha * self.transmitter
        rate = opening + self.beta
        # Written so that it is exactly zero without transmitter.
        more = (opening / rate - state.r) * -jnp.expm1(-rate * on)
        more = more - state.r * jnp.expm1(-self.beta * on)
        sent = more * jnp.exp(-self.beta * (clock.dt - on))
        return TwoStateState(state.r * jnp.exp(-self.beta * clock.dt) + sent, left), sent


class GABABState(eqx.Module):
    """State of [`brainfn.synapse.GABAB`][]: activated receptors `r`, G-protein `s` in uM, and for
    how many ms transmitter is still present, `left`."""

    r: Float[Array, " n_pre"]
    s: Float[Array, " n_pre"]
    left: Float[Array, " n_pre"]


class GABAB(AbstractRelease[GABABState]):
    r"""GABA~B~ receptors: a G-protein opens potassium channels, slowly, and only after many spikes.

    $$\frac{dr}{dt} = K_1 [T] (1 - r) - K_2\,r,\qquad \frac{ds}{dt} = K_3\,r - K_4\,s,\qquad
    \text{sent: } \frac{s^n}{s^n + K_d}$$

    $[T]$ is a pulse that begins with each spike. The gate depends only on the presynaptic neuron
    and is sent in each step: `Projection(..., release=GABAB(), synapse=Instant(),
    output=Conductance(-95.0))`, where the weight is the conductance with all channels open. The
    update is exact.

    **Arguments:**

    - `binding`: $K_1$ in 1/(mM ms); `unbinding`: $K_2$ in 1/ms.
    - `activation`: $K_3$ in uM/ms; `decay`: $K_4$ in 1/ms.
    - `dissociation`: $K_d$ in uM^n^.
    - `sites`: $n$, the number of binding sites, a Python integer.
    - `transmitter`: $[T]$ during a pulse, in mM; `duration`: of a pulse, in ms.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Destexhe, Bal, McCormick and Sejnowski (1996), "Ionic mechanisms underlying synchronized
        oscillations and propagating waves in a model of ferret thalamic slices", J. Neurophysiol.
        76:2049-2070, doi:10.1152/jn.1996.76.3.2049; values of Destexhe, Mainen and Sejnowski
        (1998), "Kinetic models of synaptic transmission", in Koch and Segev (eds), Methods in
        Neuronal Modeling.
    """

    graded: ClassVar[bool] = True
    binding: Parameter = param(0.09, unit="1/(mM ms)", sign="nonnegative")
    unbinding: Parameter = param(0.0012, unit="1/ms", sign="positive")
    activation: Parameter = param(0.18, unit="uM/ms", sign="nonnegative")
    decay: Parameter = param(0.034, unit="1/ms", sign="positive")
    dissociation: Parameter = param(100.0, unit="uM^n", sign="positive")
    transmitter: Parameter = param(1.0, unit="mM", sign="nonnegative")
    duration: Parameter = param(1.0, unit="ms", sign="positive")
    sites: int = integer(4, minimum=1)

    def init(self, size: int, *, key: Key | None = None) -> GABABState:
        del key
        zeros = jnp.zeros(size, self.decay.dtype)
        return GABABState(zeros, zeros, zeros)

    def release(
        self,
        state: GABABState,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[GABABState, Float[Array, " n_pre"]]:
        del pre, key
        on, left = pulse(state.left, emitted, self.duration, clock.dt)
        opening = self.binding * self.transmitter
        rate = opening + self.unbinding
        r, s = self._evolve(state.r, state.s, opening / rate, rate, on)
        r, s = self._evolve(r, s, jnp.zeros_like(rate), self.unbinding, clock.dt - on)
        many = s**self.sites
        return GABABState(r, s, left), many / (many + self.dissociation)

    def _evolve(self, r: Any, s: Any, steady: Any, rate: Any, t: Any) -> tuple[Array, Array]:
        """After `t` ms in which `r` relaxes to `steady` with `rate`."""
        k = self.decay
        from_steady = steady * t * phi1(-k * t)
        from_rest = (r - steady) * t * jnp.exp(-k * t) * phi1((k - rate) * t)
        s = s * jnp.exp(-k * t) + self.activation * (from_steady + from_rest)
        return r + (r - steady) * jnp.expm1(-rate * t), s


def pulse(
    left: Float[Array, " n_pre"], emitted: Shaped[Array, " n_pre"], duration: Any, dt: float
) -> tuple[Float[Array, " n_pre"], Float[Array, " n_pre"]]:
    """For how many ms of this step transmitter is present, and for how many from its end on.

    Spikes happen at the end of a step.
    """
    spikes = once(emitted, left.dtype)
    # The tolerance: a pulse of whole steps leaves no remainder from rounding.
    last = left <= dt * (1 + 1e-5)
    on = jnp.where(last, left, jnp.full_like(left, dt))
    left = jnp.where(last, jnp.zeros_like(left), left - dt)
    return on, left + spikes * (duration - left)
