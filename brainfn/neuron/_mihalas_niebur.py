"""The generalised leaky integrate-and-fire neurons of Mihalas and Niebur."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, param, size as size_field
from ..init import initial, start
from ..solver import ExponentialMidpoint
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire
from ._reset import reset


class Induced(eqx.Module):
    """Variables of [`brainfn.neuron.MihalasNiebur`][]: `v` and `threshold` in mV, and the currents
    `fast` and `slow` that spikes induce, in pA."""

    v: Float[Array, " size"]
    threshold: Float[Array, " size"]
    fast: Float[Array, " size"]
    slow: Float[Array, " size"]


class MihalasNiebur(AbstractIntegrateAndFire[Induced]):
    r"""Generalised leaky integrate-and-fire neurons: linear between spikes, and with an adaptive
    threshold and currents induced by spikes capable of twenty kinds of behaviour.

    $$\frac{dv}{dt} = \frac{v_\mathrm{rest} - v}{\tau} + \frac{I(t, v) + I_1 + I_2}{C}, \qquad
    \tau_k \frac{dI_k}{dt} = -I_k$$

    $$\frac{d\theta}{dt} = a (v - v_\mathrm{rest}) - b (\theta - \theta_\infty)$$

    $$v \ge \theta:\ \text{spike},\ v \leftarrow v_\mathrm{reset},\
    \theta \leftarrow \max(\theta_\mathrm{reset}, \theta),\ I_k \leftarrow R_k I_k + A_k$$

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: membrane time constant in ms; `capacitance`: $C$ in pF.
    - `v_rest`, `v_reset` in mV.
    - `a`, `b` in 1/ms: coupling of the threshold to $v$, and its decay.
    - `threshold`: $\theta_\infty$ in mV, where it rests; `threshold_reset`: $\theta_\mathrm{reset}$
        in mV, its least value after a spike.
    - `tau_fast`, `tau_slow`: $\tau_1$ and $\tau_2$ in ms.
    - `keep_fast`, `keep_slow`: $R_1$ and $R_2$, the parts of the currents that a spike leaves.
    - `jump_fast`, `jump_slow`: $A_1$ and $A_2$ in pA.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`, `threshold_init`: initial values in mV; `v_rest` and `threshold` if not given.
    - `solver`: [`brainfn.solver.ExponentialMidpoint`][] by default: the variables act on each
        other.
    - `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][]; the unit of distance is
        `threshold - v_rest`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Mihalas and Niebur (2009), "A generalized linear integrate-and-fire neural model produces
        diverse spiking behaviors", Neural Comput. 21:704-718, doi:10.1162/neco.2008.12-07-680, with
        its values (table 1) as defaults: those of an adapting neuron, and 200 pF. Checked against
        Detorakis (2017), "[Re] A generalized linear integrate-and-fire neural model produces
        diverse spiking behaviors", ReScience 3, which takes them from the same table.
    """

    size: int = size_field()
    tau: Parameter = param(20.0, unit="ms", sign="positive")
    capacitance: Parameter = param(200.0, unit="pF", sign="positive")
    v_rest: Parameter = param(-70.0, unit="mV")
    v_reset: Parameter = param(-70.0, unit="mV")
    a: Parameter = param(0.005, unit="1/ms")
    b: Parameter = param(0.01, unit="1/ms", sign="nonnegative")
    threshold: Parameter = param(-50.0, unit="mV")
    threshold_reset: Parameter = param(-60.0, unit="mV")
    tau_fast: Parameter = param(5.0, unit="ms", sign="positive")
    tau_slow: Parameter = param(50.0, unit="ms", sign="positive")
    keep_fast: Parameter = param(0.0, unit="")
    keep_slow: Parameter = param(1.0, unit="")
    jump_fast: Parameter = param(0.0, unit="pA")
    jump_slow: Parameter = param(0.0, unit="pA")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    threshold_init: Initial = initial()
    solver: dfx.AbstractSolver = solver(ExponentialMidpoint)
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_rest", "threshold")
        check_below(self, "v_reset", "threshold_reset")

    def initial(self, key: Key | None) -> Induced:
        v = start(self.v_init, self.v_rest, self.size, key)
        threshold = start(self.threshold_init, self.threshold, self.size, key)
        return Induced(v, threshold, jnp.zeros_like(v), jnp.zeros_like(v))

    def vector_field(self, t: FloatScalarLike, y: Induced, drive: AbstractDrive) -> Induced:
        current = drive(t, y.v) + y.fast + y.slow
        return Induced(
            (self.v_rest - y.v) / self.tau + current / self.capacitance,
            self.a * (y.v - self.v_rest) - self.b * (y.threshold - self.threshold),
            -y.fast / self.tau_fast,
            -y.slow / self.tau_slow,
        )

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - state.threshold) / (self.threshold - self.v_rest)

    def on_spike(self, y: Induced, spikes: Spikes) -> Induced:
        return Induced(
            reset(y.v, spikes, self.v_reset),
            reset(y.threshold, spikes, jnp.maximum(self.threshold_reset, y.threshold)),
            reset(y.fast, spikes, self.keep_fast * y.fast + self.jump_fast),
            reset(y.slow, spikes, self.keep_slow * y.slow + self.jump_slow),
        )
