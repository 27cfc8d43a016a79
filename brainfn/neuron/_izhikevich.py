"""Izhikevich's neurons."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, param, size as size_field
from ..init import initial, start
from ..solver import Heun
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire
from ._reset import jump, reset


class Recovering(eqx.Module):
    """Variables of Izhikevich's neurons: `v` in mV, and the recovery `u`, in mV/ms in the form of
    2003 and in pA in that of 2007."""

    v: Float[Array, " size"]
    u: Float[Array, " size"]


class Izhikevich(AbstractIntegrateAndFire[Recovering]):
    r"""Izhikevich's simple neurons, in the form of 2003.

    $$\frac{dv}{dt} = 0.04 v^2 + 5 v + 140 - u + I, \qquad \frac{du}{dt} = a (b v - u)$$

    $$v \ge v_\mathrm{peak}:\ \text{spike},\ v \leftarrow c,\ u \leftarrow u + d$$

    The current is in mV/ms in this form: a drive in pA is taken as such, as if the capacitance were
    1 pF. The surrogate gets the distance from -50 mV, near the right branch of the nullcline beyond
    which $v$ diverges, in units of 10 mV.

    **Arguments:**

    - `size`: number of neurons.
    - `a` in 1/ms, `b` in 1/ms: rate and coupling of the recovery; `c` in mV: the reset of $v$; `d`
        in mV/ms: the jump of $u$. The defaults are those of regular spiking.
    - `v_peak`: where a spike is cut off, in mV.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`, `u_init`: initial values; -65 mV and $b\,v$ if not given.
    - `solver`: [`brainfn.solver.Heun`][] by default: the equation is nonlinear.
    - `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Izhikevich (2003), "Simple model of spiking neurons", IEEE Trans. Neural Networks
        14:1569-1572, doi:10.1109/TNN.2003.820440.
    """

    size: int = size_field()
    a: Parameter = param(0.02, unit="1/ms")
    b: Parameter = param(0.2, unit="1/ms")
    c: Parameter = param(-65.0, unit="mV")
    d: Parameter = param(8.0, unit="mV/ms")
    v_peak: Parameter = param(30.0, unit="mV")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial(-65.0)
    u_init: Initial = initial()
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "c", "v_peak")

    def initial(self, key: Key | None) -> Recovering:
        v = start(self.v_init, jnp.full_like(self.c, -65.0), self.size, key)
        return Recovering(v, start(self.u_init, self.b * v, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Recovering, drive: AbstractDrive) -> Recovering:
        # Clipped above the peak, where the spike ends: the square must not diverge within a step.
        v = jnp.minimum(y.v, self.v_peak)
        slope = (0.04 * v + 5) * v + 140 - y.u + drive(t, y.v)
        return Recovering(slope, self.a * (self.b * v - y.u))

    def margin(self, y: Recovering) -> Float[Array, " size"]:
        return y.v - self.v_peak

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v + 50) / 10

    def on_spike(self, y: Recovering, spikes: Spikes) -> Recovering:
        return Recovering(reset(y.v, spikes, self.c), jump(y.u, spikes, self.d))


class Izhikevich2007(AbstractIntegrateAndFire[Recovering]):
    r"""Izhikevich's simple neurons, in the form of 2007, with a capacitance and a current in pA.

    $$C \frac{dv}{dt} = k (v - v_r)(v - v_t) - u + I, \qquad
    \frac{du}{dt} = a \bigl(b (v - v_r) - u\bigr)$$

    $$v \ge v_\mathrm{peak}:\ \text{spike},\ v \leftarrow c,\ u \leftarrow u + d$$

    The surrogate gets the distance from $v_t$, $(v - v_t) / (v_t - v_r)$.

    **Arguments:**

    - `size`: number of neurons.
    - `capacitance`: $C$ in pF; `k` in nS/mV; `v_rest`: $v_r$ in mV; `v_threshold`: $v_t$ in mV, the
        threshold for a slow current.
    - `a` in 1/ms, `b` in nS: rate and coupling of the recovery; `c` in mV: the reset of $v$; `d` in
        pA: the jump of $u$. The defaults are those of regular spiking.
    - `v_peak`: where a spike is cut off, in mV.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`, `u_init`: initial values in mV and pA; `v_rest` and $b (v - v_r)$ if not given.
    - `solver`: [`brainfn.solver.Heun`][] by default: the equation is nonlinear.
    - `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Izhikevich (2007), "Dynamical Systems in Neuroscience", MIT Press,
        doi:10.7551/mitpress/2526.001.0001, section 8.2, with the parameters of a regular spiking
        pyramidal cell of layer 5 as defaults.
    """

    size: int = size_field()
    capacitance: Parameter = param(100.0, unit="pF", sign="positive")
    k: Parameter = param(0.7, unit="nS/mV", sign="positive")
    v_rest: Parameter = param(-60.0, unit="mV")
    v_threshold: Parameter = param(-40.0, unit="mV")
    a: Parameter = param(0.03, unit="1/ms")
    b: Parameter = param(-2.0, unit="nS")
    c: Parameter = param(-50.0, unit="mV")
    d: Parameter = param(100.0, unit="pA")
    v_peak: Parameter = param(35.0, unit="mV")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    u_init: Initial = initial()
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "c", "v_peak")
        check_below(self, "v_rest", "v_threshold")
        check_below(self, "v_threshold", "v_peak")

    def initial(self, key: Key | None) -> Recovering:
        v = start(self.v_init, self.v_rest, self.size, key)
        return Recovering(v, start(self.u_init, self.b * (v - self.v_rest), self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Recovering, drive: AbstractDrive) -> Recovering:
        v = jnp.minimum(y.v, self.v_peak)
        above = v - self.v_rest
        current = self.k * above * (v - self.v_threshold) - y.u + drive(t, y.v)
        return Recovering(current / self.capacitance, self.a * (self.b * above - y.u))

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_threshold) / (self.v_threshold - self.v_rest)

    def margin(self, y: Recovering) -> Float[Array, " size"]:
        return y.v - self.v_peak

    def on_spike(self, y: Recovering, spikes: Spikes) -> Recovering:
        return Recovering(reset(y.v, spikes, self.c), jump(y.u, spikes, self.d))
