"""Generalised integrate-and-fire neurons with escape noise."""

import math
from collections.abc import Sequence
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import (
    AbstractPart,
    check_fields,
    check_parameter,
    fields,
    flag,
    option,
    param,
    size as size_field,
)
from ..init import initial, start
from ..solver import Independent
from ..surrogate import AbstractSurrogate, LogHazard
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire
from ._reset import jump, reset


class SpikeTriggered(AbstractPart):
    """A variable that jumps at each spike of its neuron and decays exponentially.

    **Arguments:**

    - `jump`: in pA for a current, in mV for a shift of the threshold.
    - `tau`: time constant of the decay in ms.
    """

    jump: Parameter = param(unit="pA or mV", positional=True)
    tau: Parameter = param(unit="ms", sign="positive", positional=True)


class Escaping(eqx.Module):
    """Variables of [`brainfn.neuron.GIF`][]: `v` in mV; in `currents.values` and `shifts.values`
    the spike-triggered currents in pA and shifts of the threshold in mV."""

    v: Float[Array, " size"]
    currents: Independent
    shifts: Independent


def _parts(default: tuple[tuple[float, float], ...]) -> Any:
    return option(
        cls=tuple,
        convert=lambda x: tuple(x) if isinstance(x, Sequence) and not isinstance(x, str) else x,
        factory=lambda: tuple(SpikeTriggered(*values) for values in default),
        hint="Try [brainfn.neuron.SpikeTriggered(50.0, 20.0)].",
    )


class GIF(AbstractIntegrateAndFire[Escaping]):
    r"""Generalised integrate-and-fire neurons, which spike at random, the sooner the closer they
    are to a threshold that moves with their own spikes.

    $$C \frac{dv}{dt} = -g_L (v - E_L) - \sum_k \eta_k + I(t, v), \qquad
    \tau_k \frac{d\eta_k}{dt} = -\eta_k, \qquad \tau_j \frac{d\gamma_j}{dt} = -\gamma_j$$

    $$\lambda = \lambda_0 \exp\frac{v - v_\mathrm{threshold} - \sum_j \gamma_j}{\Delta_V}$$

    A neuron that is not refractory spikes in a step with probability $1 - e^{-\lambda\,\Delta t}$,
    with $\lambda$ at its end; then $v \leftarrow v_\mathrm{reset}$, and $\eta_k$ and $\gamma_j$
    jump. `step` needs a `key`.

    **Derivatives.** The surrogate is a function of $x = \log(\lambda\,\Delta t)$, the logarithm of
    the expected number of spikes in the step. [`brainfn.surrogate.LogHazard`][], the default, is
    the derivative of the probability of a spike.

    **Arguments:**

    - `size`: number of neurons.
    - `capacitance`: $C$ in pF; `g_leak`: $g_L$ in nS; `v_rest`: $E_L$ in mV.
    - `v_threshold`: in mV, where the hazard of a neuron at rest is `rate`.
    - `rate`: $\lambda_0$ in 1/ms; `width`: $\Delta_V$ in mV.
    - `currents`: $\eta_k$, a list of [`brainfn.neuron.SpikeTriggered`][] with jumps in pA; positive
        ones hyperpolarise.
    - `shifts`: $\gamma_j$, a list of the same with jumps in mV; positive ones raise the threshold.
    - `v_reset`: in mV. `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`: initial membrane potential in mV; `v_rest` if not given.
    - `solver`, `detach_reset`: as for [`brainfn.neuron.LIF`][].
    - `surrogate`: see above; `None` for bool spikes.

    **Raises:** `ValueError` or `TypeError` naming the argument; `ValueError` in `step` without a
    key.

    ??? cite

        Mensi, Naud, Pozzorini, Avermann, Petersen and Gerstner (2012), "Parameter extraction and
        classification of three cortical neuron types reveals two distinct adaptation mechanisms",
        J. Neurophysiol. 107:1756-1775, doi:10.1152/jn.00408.2011; Pozzorini, Mensi, Hagens, Naud,
        Koch and Gerstner (2015), "Automated high-throughput characterization of single neurons by
        means of simplified spiking models", PLoS Comput. Biol. 11:e1004275,
        doi:10.1371/journal.pcbi.1004275. The default values are those of the first, for an
        excitatory cell of layer 5, as NEST's example `gif_population` has them.
    """

    size: int = size_field()
    capacitance: Parameter = param(83.1, unit="pF", sign="positive")
    g_leak: Parameter = param(3.7, unit="nS", sign="positive")
    v_rest: Parameter = param(-67.0, unit="mV")
    v_threshold: Parameter = param(-39.6, unit="mV")
    rate: Parameter = param(0.001, unit="1/ms", sign="positive")
    width: Parameter = param(1.4, unit="mV", sign="positive")
    currents: tuple[SpikeTriggered, ...] = _parts(((56.7, 57.8), (-6.9, 218.2)))
    shifts: tuple[SpikeTriggered, ...] = _parts(((11.7, 53.8), (1.8, 640.0)))
    v_reset: Parameter = param(-36.7, unit="mV")
    refractory: Parameter = param(4.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate(LogHazard())
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_fields(self)
        for name in ("currents", "shifts"):
            for i, part in enumerate(getattr(self, name)):
                if not isinstance(part, SpikeTriggered):
                    raise TypeError(
                        f"`{name}[{i}]` must be a brainfn.neuron.SpikeTriggered, got "
                        f"{type(part).__name__}."
                    )
                for field, value in fields(part):
                    declared = field.metadata["param"]
                    check_parameter(f"{name}[{i}].{field.name}", value, declared, self.size)

    def initial(self, key: Key | None) -> Escaping:
        v = start(self.v_init, self.v_rest, self.size, key)
        currents, shifts = (
            Independent(tuple(jnp.zeros_like(v) for _ in parts))
            for parts in (self.currents, self.shifts)
        )
        return Escaping(v, currents, shifts)

    def vector_field(self, t: FloatScalarLike, y: Escaping, drive: AbstractDrive) -> Escaping:
        current = drive(t, y.v) - self.g_leak * (y.v - self.v_rest)
        for eta in y.currents.values:
            current = current - eta
        slope = current / self.capacitance
        return Escaping(slope, _decay(self.currents, y.currents), _decay(self.shifts, y.shifts))

    def leak_rate(self) -> Float[Array, " *size"]:
        return self.g_leak / self.capacitance

    @property
    def support(self) -> FloatArrayLike:
        return math.inf

    def distance(self, state: Any) -> Float[Array, " size"]:
        above = state.v - self.v_threshold
        for gamma in state.shifts.values:
            above = above - gamma
        return above / self.width

    def log_hazard(self, y: Escaping) -> Float[Array, " size"]:
        return self.distance(y) + jnp.log(self.rate)

    def on_spike(self, y: Escaping, spikes: Spikes) -> Escaping:
        currents, shifts = (
            Independent(
                tuple(jump(x, spikes, part.jump) for part, x in zip(parts, xs.values, strict=True))
            )
            for parts, xs in ((self.currents, y.currents), (self.shifts, y.shifts))
        )
        return Escaping(reset(y.v, spikes, self.v_reset), currents, shifts)


def _decay(parts: tuple[SpikeTriggered, ...], xs: Independent) -> Independent:
    return Independent(tuple(-x / part.tau for part, x in zip(parts, xs.values, strict=True)))
