"""Currents that change smoothly: ramps, sines, chirps."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._errors import describe, is_concrete
from .._field import check_fields, flag, param
from .._model import Clock
from ..solver import phi1
from ._base import AbstractInput
from ._window import check_window, moment, windowed


class Ramp(AbstractInput[None]):
    r"""A current that changes linearly from `start` to `stop`; zero outside.

    $$I(t) = a + (b - a)\,\frac{t - t_\mathrm{start}}{t_\mathrm{stop} - t_\mathrm{start}}$$

    As with all waves, the value of a step is that at its beginning. To hold the last value, add a
    [`brainfn.input.Step`][].

    **Arguments:**

    - `first`, `last`: $a$ and $b$ in pA, one number or one for each neuron.
    - `start`, `stop`: in ms, whole numbers of steps.

    **Raises:** `ValueError` or `TypeError` naming the argument; when a simulation starts, for times
    that are not whole numbers of steps.
    """

    first: Parameter = param(unit="pA", positional=True)
    last: Parameter = param(unit="pA", positional=True)
    start: float = moment(0.0)
    stop: float = eqx.field(static=True, kw_only=True)

    def __check_init__(self):
        check_window(self.start, self.stop, finite=True)

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(
        self, state: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[None, Float[Array, "..."]]:
        del state, key
        length = float(self.stop - self.start)

        def wave(t: Any, first: Any, last: Any) -> Any:
            return first + (last - first) * (t / length)

        return None, windowed(clock, self.start, self.stop, wave, (self.first, self.last))


class Sine(AbstractInput[None]):
    r"""A sine from `start` to `stop`; zero outside.

    $$I(t) = a \sin\left(2\pi f\,(t - t_\mathrm{start}) + \phi\right)$$

    The phase is computed in float64 from the number of steps, so it does not drift in long
    simulations. The value of a step is that at its beginning.

    **Arguments:**

    - `amplitude`: $a$ in pA; `frequency`: $f$ in 1/ms (`8*Hz`); `phase`: $\phi$ in radians. Each is
        one number or one for each neuron.
    - `start`, `stop`: in ms, whole numbers of steps; `stop` is infinite by default.

    **Raises:** `ValueError` or `TypeError` naming the argument; when a simulation starts, for times
    that are not whole numbers of steps.
    """

    amplitude: Parameter = param(unit="pA", positional=True)
    frequency: Parameter = param(unit="1/ms", positional=True)
    phase: Parameter = param(0.0, unit="rad")
    start: float = moment(0.0)
    stop: float = moment(math.inf)

    def __check_init__(self):
        check_window(self.start, self.stop)

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(
        self, state: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[None, Float[Array, "..."]]:
        del state, key

        def wave(t: Any, amplitude: Any, frequency: Any, phase: Any) -> Any:
            return amplitude * jnp.sin(2 * math.pi * frequency * t + phase)

        parameters = (self.amplitude, self.frequency, self.phase)
        return None, windowed(clock, self.start, self.stop, wave, parameters)


class Chirp(AbstractInput[None]):
    r"""A sine whose frequency changes from `first` to `last` (a ZAP current, for impedances); zero
    outside of `start` to `stop`.

    $$I(t) = a \sin\left(2\pi \int_0^s f(s')\,ds' + \phi\right), \qquad
    s = t - t_\mathrm{start},\quad T = t_\mathrm{stop} - t_\mathrm{start}$$

    with $f(s) = f_0 + (f_1 - f_0)\,s/T$, or $f(s) = f_0\,(f_1/f_0)^{s/T}$ if it is `logarithmic`.

    **Arguments:**

    - `amplitude`: $a$ in pA; `first`, `last`: $f_0$ and $f_1$ in 1/ms, not negative (positive if
        `logarithmic`); `phase`: $\phi$ in radians. Each is one number or one for each neuron.
    - `start`, `stop`: in ms, whole numbers of steps.
    - `logarithmic`: whether each octave takes the same time.

    **Raises:** `ValueError` or `TypeError` naming the argument; when a simulation starts, for times
    that are not whole numbers of steps.

    ??? cite

        Gimbarzevsky, Miura and Puil (1984), "Impedance profiles of peripheral and central neurons",
        Can. J. Physiol. Pharmacol. 62:460-462, doi:10.1139/y84-074; Puil, Gimbarzevsky and Miura
        (1986), J. Neurophysiol. 55:995-1016, doi:10.1152/jn.1986.55.5.995.
    """

    amplitude: Parameter = param(unit="pA", positional=True)
    first: Parameter = param(unit="1/ms", sign="nonnegative", positional=True)
    last: Parameter = param(unit="1/ms", sign="nonnegative", positional=True)
    phase: Parameter = param(0.0, unit="rad")
    start: float = moment(0.0)
    stop: float = eqx.field(static=True, kw_only=True)
    logarithmic: bool = flag(False)

    def __check_init__(self):
        check_window(self.start, self.stop, finite=True)
        check_fields(self)
        if self.logarithmic:
            for name, value in (("first", self.first), ("last", self.last)):
                if is_concrete(value) and not np.all(np.asarray(value) > 0):
                    raise ValueError(
                        f"`{name}` must be positive if `logarithmic`, got "
                        f"{describe(np.asarray(value))}."
                    )

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(
        self, state: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[None, Float[Array, "..."]]:
        del state, key
        length = float(self.stop - self.start)

        def wave(t: Any, amplitude: Any, first: Any, last: Any, phase: Any) -> Any:
            if self.logarithmic:
                cycles = first * t * phi1(jnp.log(last / first) * (t / length))
            else:
                cycles = t * (first + (last - first) * (t / (2 * length)))
            return amplitude * jnp.sin(2 * math.pi * cycles + phase)

        parameters = (self.amplitude, self.first, self.last, self.phase)
        return None, windowed(clock, self.start, self.stop, wave, parameters)
