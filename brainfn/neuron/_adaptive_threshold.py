"""Linear neurons whose threshold rises at each spike."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, param, size as size_field
from ..init import initial, start
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire
from ._reset import jump, reset


class Raised(eqx.Module):
    """Variables of neurons with a moving threshold, in mV: `v`, and the `rise` of the threshold
    above its resting value."""

    v: Float[Array, " size"]
    rise: Float[Array, " size"]


class ALIF(AbstractIntegrateAndFire[Raised]):
    r"""Leaky integrate-and-fire neurons with an adaptive threshold.

    $$\frac{dv}{dt} = \frac{v_\mathrm{rest} - v}{\tau} + \frac{I(t, v)}{C}, \qquad
    \tau_a \frac{da}{dt} = -a$$

    $$v \ge v_\mathrm{threshold} + a:\ \text{spike},\ v \leftarrow v_\mathrm{reset},\
    a \leftarrow a + b$$

    The state has $a$ as `rise`.

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: membrane time constant in ms; `capacitance`: $C$ in pF.
    - `v_rest`, `v_threshold`, `v_reset` in mV; the threshold is that of a neuron at rest.
    - `b`: by which a spike raises the threshold, in mV; `tau_a`: its time constant in ms.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`, `rise_init`: initial values in mV; `v_rest` and 0 if not given.
    - `soft_reset`: whether a spike lowers $v$ by the present threshold, less `v_reset`, instead of
        setting it: $v \leftarrow v - (v_\mathrm{threshold} + a - v_\mathrm{reset})$.
    - `solver`, `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Bellec, Salaj, Subramoney, Legenstein and Maass (2018), "Long short-term memory and
        learning-to-learn in networks of spiking neurons", NeurIPS 31, arXiv:1803.09574: neurons of
        a long short-term memory of spikes, with resets by subtraction. Membrane values are those of
        [`brainfn.neuron.LIF`][]; the jump, which that paper gives per step, is 1 mV.
    """

    size: int = size_field()
    tau: Parameter = param(20.0, unit="ms", sign="positive")
    capacitance: Parameter = param(200.0, unit="pF", sign="positive")
    v_rest: Parameter = param(-60.0, unit="mV")
    v_threshold: Parameter = param(-50.0, unit="mV")
    v_reset: Parameter = param(-60.0, unit="mV")
    b: Parameter = param(1.0, unit="mV")
    tau_a: Parameter = param(200.0, unit="ms", sign="positive")
    refractory: Parameter = param(5.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    rise_init: Initial = initial(0.0)
    soft_reset: bool = flag(False)
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_reset", "v_threshold")

    def initial(self, key: Key | None) -> Raised:
        v = start(self.v_init, self.v_rest, self.size, key)
        return Raised(v, start(self.rise_init, jnp.zeros_like(self.v_rest), self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Raised, drive: AbstractDrive) -> Raised:
        leak = (self.v_rest - y.v) * (1 / self.tau)
        slope = leak + drive(t, y.v) * (1 / self.capacitance)
        return Raised(slope, y.rise * (-1 / self.tau_a))

    def leak_rate(self) -> Float[Array, " *size"]:
        return 1 / self.tau

    def slowest_rate(self) -> FloatArrayLike:
        return jnp.minimum(1 / self.tau, 1 / self.tau_a)

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_threshold - state.rise) / (self.v_threshold - self.v_reset)

    def on_spike(self, y: Raised, spikes: Spikes) -> Raised:
        if self.soft_reset:
            v = jump(y.v, spikes, self.v_reset - self.v_threshold - y.rise)
        else:
            v = reset(y.v, spikes, self.v_reset)
        return Raised(v, jump(y.rise, spikes, self.b))


class Twice(eqx.Module):
    """Variables of [`brainfn.neuron.MAT2`][], in mV: `v`, and the two parts of the rise of its
    threshold, `fast` and `slow`."""

    v: Float[Array, " size"]
    fast: Float[Array, " size"]
    slow: Float[Array, " size"]


class MAT2(AbstractIntegrateAndFire[Twice]):
    r"""Neurons with a multi-timescale adaptive threshold and no reset.

    $$\frac{dv}{dt} = \frac{v_\mathrm{rest} - v}{\tau} + \frac{I(t, v)}{C}, \qquad
    \tau_k \frac{d\theta_k}{dt} = -\theta_k$$

    $$v \ge v_\mathrm{threshold} + \theta_1 + \theta_2:\ \text{spike},\
    \theta_k \leftarrow \theta_k + \alpha_k$$

    A spike changes only the threshold: $v$ is not reset, and evolves in the refractory period,
    which only prevents spikes. A surrogate derivative is zero there.

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: membrane time constant in ms; `capacitance`: $C$ in pF; `v_rest` in mV.
    - `v_threshold`: the resting threshold in mV.
    - `jump_fast`, `jump_slow`: $\alpha_k$ in mV; `tau_fast`, `tau_slow`: $\tau_k$ in ms.
    - `refractory`: the period without spikes in ms, a whole number of steps.
    - `v_init`: initial membrane potential in mV; `v_rest` if not given.
    - `solver`, `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][]; the unit of distance
        is `v_threshold - v_rest`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Kobayashi, Tsubo and Shinomoto (2009), "Made-to-order spiking neuron model equipped with a
        multi-timescale adaptive threshold", Front. Comput. Neurosci. 3:9,
        doi:10.3389/neuro.10.009.2009, with its values for a regular spiking cell as defaults.
    """

    size: int = size_field()
    tau: Parameter = param(5.0, unit="ms", sign="positive")
    capacitance: Parameter = param(100.0, unit="pF", sign="positive")
    v_rest: Parameter = param(-70.0, unit="mV")
    v_threshold: Parameter = param(-51.0, unit="mV")
    jump_fast: Parameter = param(37.0, unit="mV")
    jump_slow: Parameter = param(2.0, unit="mV")
    tau_fast: Parameter = param(10.0, unit="ms", sign="positive")
    tau_slow: Parameter = param(200.0, unit="ms", sign="positive")
    refractory: Parameter = param(2.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_rest", "v_threshold")

    def initial(self, key: Key | None) -> Twice:
        v = start(self.v_init, self.v_rest, self.size, key)
        return Twice(v, jnp.zeros_like(v), jnp.zeros_like(v))

    def vector_field(self, t: FloatScalarLike, y: Twice, drive: AbstractDrive) -> Twice:
        leak = (self.v_rest - y.v) * (1 / self.tau)
        slope = leak + drive(t, y.v) * (1 / self.capacitance)
        return Twice(slope, y.fast * (-1 / self.tau_fast), y.slow * (-1 / self.tau_slow))

    def leak_rate(self) -> Float[Array, " *size"]:
        return 1 / self.tau

    @property
    def clamped(self) -> bool:
        return False

    def distance(self, state: Any) -> Float[Array, " size"]:
        above = state.v - self.v_threshold - state.fast - state.slow
        return above / (self.v_threshold - self.v_rest)

    def on_spike(self, y: Twice, spikes: Spikes) -> Twice:
        fast = jump(y.fast, spikes, self.jump_fast)
        return Twice(y.v, fast, jump(y.slow, spikes, self.jump_slow))
