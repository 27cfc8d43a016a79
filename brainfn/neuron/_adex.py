"""Adaptive exponential integrate-and-fire neurons."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, param, size as size_field
from ..init import initial, start
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire
from ._reset import jump, reset


class Adapting(eqx.Module):
    """Variables of neurons with adaptation: `v` in mV, and the adaptation `w` in pA."""

    v: Float[Array, " size"]
    w: Float[Array, " size"]


class AdEx(AbstractIntegrateAndFire[Adapting]):
    r"""Adaptive exponential integrate-and-fire neurons.

    $$C \frac{dv}{dt} = -g_L (v - E_L) + g_L \Delta_T\, e^{(v - v_\mathrm{rheo})/\Delta_T} - w + I,
    \qquad \tau_w \frac{dw}{dt} = a (v - E_L) - w$$

    $$v \ge v_\mathrm{peak}:\ \text{spike},\ v \leftarrow v_\mathrm{reset},\ w \leftarrow w + b$$

    Beyond `v_rheobase` the potential diverges within a step or two; the surrogate therefore gets
    the distance from there, $(v - v_\mathrm{rheo}) / (v_\mathrm{rheo} - E_L)$. While $v$ is held
    after a spike, $w$ continues to evolve.

    **Arguments:**

    - `size`: number of neurons.
    - `capacitance`: $C$ in pF; `g_leak`: $g_L$ in nS; `v_rest`: $E_L$ in mV.
    - `v_rheobase`: $v_\mathrm{rheo}$ in mV; `slope`: $\Delta_T$ in mV.
    - `a` in nS, `tau_w` in ms, `b` in pA: the adaptation.
    - `v_peak`, `v_reset` in mV: where a spike is cut off, and the value that $v$ is reset to.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`, `w_init`: initial values in mV and pA; `v_rest` and 0 if not given.
    - `solver`, `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Brette and Gerstner (2005), "Adaptive exponential integrate-and-fire model as an effective
        description of neuronal activity", J. Neurophysiol. 94:3637-3642, doi:10.1152/jn.00686.2005,
        with its parameters of a regular spiking cell as defaults.
    """

    size: int = size_field()
    capacitance: Parameter = param(281.0, unit="pF", sign="positive")
    g_leak: Parameter = param(30.0, unit="nS", sign="positive")
    v_rest: Parameter = param(-70.6, unit="mV")
    v_rheobase: Parameter = param(-50.4, unit="mV")
    slope: Parameter = param(2.0, unit="mV", sign="positive")
    a: Parameter = param(4.0, unit="nS")
    b: Parameter = param(80.5, unit="pA")
    tau_w: Parameter = param(144.0, unit="ms", sign="positive")
    v_peak: Parameter = param(0.0, unit="mV")
    v_reset: Parameter = param(-70.6, unit="mV")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    w_init: Initial = initial(0.0)
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_reset", "v_peak")
        check_below(self, "v_rest", "v_rheobase")
        check_below(self, "v_rheobase", "v_peak")

    def initial(self, key: Key | None) -> Adapting:
        v = start(self.v_init, self.v_rest, self.size, key)
        return Adapting(v, start(self.w_init, jnp.zeros_like(self.v_rest), self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Adapting, drive: AbstractDrive) -> Adapting:
        # Clipped above the peak, where the spike ends: the exponential must not overflow.
        v = jnp.minimum(y.v, self.v_peak)
        upswing = self.g_leak * self.slope * jnp.exp((v - self.v_rheobase) / self.slope)
        current = drive(t, y.v) - self.g_leak * (v - self.v_rest) + upswing - y.w
        return Adapting(current / self.capacitance, (self.a * (v - self.v_rest) - y.w) / self.tau_w)

    def margin(self, y: Adapting) -> Float[Array, " size"]:
        return y.v - self.v_peak

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_rheobase) / (self.v_rheobase - self.v_rest)

    def on_spike(self, y: Adapting, spikes: Spikes) -> Adapting:
        return Adapting(reset(y.v, spikes, self.v_reset), jump(y.w, spikes, self.b))
