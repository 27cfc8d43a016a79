"""Currents that are constant in parts: a step, a train of pulses, sections."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._errors import whole_steps
from .._field import check_fields, param
from .._model import Clock
from ._base import AbstractInput
from ._window import as_time, check_window, inside, moment, steps_since


class Step(AbstractInput[None]):
    r"""A constant from `start` to `stop`, zero outside: a single pulse, or a window for another
    input.

    $$I(t) = a \quad \text{for } t_\mathrm{start} \le t < t_\mathrm{stop}$$

    ```python
    inputs = bf.input.Step(200.0, start=100.0, stop=300.0)
    inputs = bf.input.Sine(200.0, 8 * Hz) * bf.input.Step(start=100.0)
    ```

    **Arguments:**

    - `amplitude`: $a$ in pA, one number or one for each neuron; 1 by default.
    - `start`, `stop`: in ms, whole numbers of steps; `stop` is infinite by default.

    **Raises:** `ValueError` or `TypeError` naming the argument; when a simulation starts, for times
    that are not whole numbers of steps.
    """

    amplitude: Parameter = param(1.0, unit="pA", positional=True)
    start: float = moment(0.0)
    stop: float = moment(math.inf)

    def __check_init__(self):
        check_window(self.start, self.stop)

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(
        self, state: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[None, Float[Array, " *size"]]:
        del state, key
        on = inside(clock, self.start, self.stop)
        return None, jnp.where(on, self.amplitude, jnp.zeros_like(self.amplitude))


class PulseTrain(AbstractInput[None]):
    r"""Rectangular pulses, repeated regularly, from `start` to `stop`.

    $$I(t) = a \quad \text{for } (t - t_\mathrm{start}) \bmod T < w, \qquad
    t_\mathrm{start} \le t < t_\mathrm{stop}$$

    For pulses of two phases, subtract a second train with a later `start`.

    **Arguments:**

    - `amplitude`: $a$ in pA, one number or one for each neuron.
    - `width`: $w$ in ms; `period`: $T$ in ms, at least `width`. Whole numbers of steps.
    - `start`, `stop`: as for [`brainfn.input.Step`][].

    **Raises:** `ValueError` or `TypeError` naming the argument; when a simulation starts, for times
    that are not whole numbers of steps.
    """

    amplitude: Parameter = param(unit="pA", positional=True)
    width: float = eqx.field(static=True, kw_only=True)
    period: float = eqx.field(static=True, kw_only=True)
    start: float = moment(0.0)
    stop: float = moment(math.inf)

    def __check_init__(self):
        check_window(self.start, self.stop)
        width, period = as_time("width", self.width), as_time("period", self.period)
        if not (0 < width < math.inf):
            raise ValueError(f"`width` must be positive and finite (in ms), got {width}.")
        if not (width <= period < math.inf):
            raise ValueError(
                f"`period` must be finite and at least `width`, got {period} < {width} ms."
                if period < width
                else f"`period` must be finite (in ms), got {period}. For one pulse use "
                "brainfn.input.Step."
            )

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(
        self, state: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[None, Float[Array, " *size"]]:
        del state, key
        width = whole_steps("width", self.width, clock.dt, minimum=1)
        period = whole_steps("period", self.period, clock.dt, minimum=1)
        on = inside(clock, self.start, self.stop) & (
            steps_since(clock, self.start) % period < width
        )
        return None, jnp.where(on, self.amplitude, jnp.zeros_like(self.amplitude))


class Sections(AbstractInput[None]):
    r"""Values held one after the other, each for its own duration; zero before and after.

    ```python
    inputs = bf.input.Sections([0.0, 300.0, -100.0], [50.0, 200.0, 50.0])
    ```

    **Arguments:**

    - `values`: in pA, shape `(sections,)` or `(sections, size)`.
    - `durations`: of the sections in ms, whole numbers of steps; the last may be `math.inf`.
    - `start`: beginning of the first section in ms.

    **Raises:** `ValueError` or `TypeError` naming the argument; when a simulation starts, for times
    that are not whole numbers of steps.
    """

    values: Float[Array, "sections ..."] = param(unit="pA", shared=True)
    durations: tuple[float, ...] = eqx.field(static=True, kw_only=True)
    start: float = eqx.field(static=True, kw_only=True)

    def __init__(self, values: Any, durations: Sequence[float], *, start: float = 0.0):
        if isinstance(values, list | tuple):
            values = np.asarray(values)
        self.values = values
        if isinstance(durations, np.ndarray):
            durations = durations.tolist()
        if isinstance(durations, str) or not isinstance(durations, Sequence):
            raise TypeError(
                f"`durations` must be a list of times in ms, got {type(durations).__name__}."
            )
        self.durations = tuple(as_time("durations", d) for d in durations)
        self.start = as_time("start", start)

    def __check_init__(self):
        check_fields(self)
        sections = len(self.durations)
        if self.values.ndim not in (1, 2) or self.values.shape[0] != sections or not sections:
            raise ValueError(
                f"`values` must have one entry for each of the {sections} `durations`, shape "
                f"({sections},) or ({sections}, size), got shape {self.values.shape}."
            )
        if not all(0 < d < math.inf for d in self.durations[:-1]) or not self.durations[-1] > 0:
            raise ValueError(
                "`durations` must be positive and finite (in ms; the last may be infinite), got "
                f"{list(self.durations)}."
            )
        if math.isinf(self.start):
            raise ValueError(f"`start` must be finite, got {self.start} ms.")

    def init(self, size: int | None, *, key: Key | None = None) -> None:
        del size, key

    def step(
        self, state: None, clock: Clock, *, key: Key | None = None
    ) -> tuple[None, Float[Array, " *size"]]:
        del state, key
        lengths = [
            2**31 if math.isinf(d) else whole_steps("durations", d, clock.dt, minimum=1)
            for d in self.durations
        ]
        ends = np.minimum(np.cumsum(lengths), 2**31 - 1).astype(np.int32)
        since = steps_since(clock, self.start)
        now = jnp.sum((since >= ends).astype(jnp.int32))
        value = self.values[jnp.minimum(now, len(lengths) - 1)]
        on = (since >= 0) & (now < len(lengths))
        return None, jnp.where(on, value, jnp.zeros_like(value))
