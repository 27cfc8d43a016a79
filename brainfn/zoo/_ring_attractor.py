"""The head-direction system as a ring attractor, by Zhang."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Key, Parameter
from .._errors import count
from .._field import astype, float_dtype, param, size as size_field
from .._model import Clock
from .._population import AbstractPopulation
from ..driver import simulate
from ..event import Circulant, materialize
from ..init import initial, start
from ..input import TimeSeries
from ..network import Network, Projection
from ..neuron import as_drives
from ..rate import Rates
from ..solver import phi1
from ..synapse import Current, Instant
from ..units import Hz, ms, second
from ._entry import Entry, Outcome, Variant
from ._pictures import presented, titled

_SIZE, _TAU, _GAIN, _POWER, _SLOPE, _SHIFT = 100, 10 * ms, 6.34 * Hz, 0.8, 10.0, 0.5
# The tuning curve: its sharpness, lowest and highest rate; what is added for the weights to exist.
_SHARPNESS, _LOW, _HIGH, _REGULAR = 8.0, 1 * Hz, 40 * Hz, 1e-3
_DEGREE = np.pi / 180
# Angular velocities of the sweep, and the largest of the movement that is integrated.
_VELOCITIES = tuple(range(-720, 721, 120))
_FASTEST, _SAMPLE = 360.0, 5 * ms


class HeadDirection(AbstractPopulation[Rates, Any, Float[Array, " size"]]):
    r"""Rate units of a ring on which activity is moved.

    $$\tau\,\frac{dx}{dt} = -x + I_\mathrm{ring} + \tau\,\omega\,I_\mathrm{turn},\qquad
    \text{emitted: } r = a\,\ln^\beta\bigl(1 + e^{b (x + c)}\bigr)$$

    It has three ports: `"ring"`, `"turn"`, and `"velocity"` for $\omega$ in rad/ms. The update is
    exact for inputs that are constant during a step.

    **Arguments:**

    - `size`: number of units.
    - `tau`: time constant in ms.
    - `gain`: $a$ in 1/ms; `power`: $\beta$; `slope`: $b$; `shift`: $c$.
    - `x_init`: initial value: a number, an array or an initializer; 0 by default.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Zhang (1996), see [`brainfn.zoo.ring_attractor`][].
    """

    size: int = size_field()
    tau: Parameter = param(_TAU, unit="ms", sign="positive")
    gain: Parameter = param(_GAIN, unit="1/ms", sign="positive")
    power: Parameter = param(_POWER, unit="", sign="positive")
    slope: Parameter = param(_SLOPE, unit="", sign="positive")
    shift: Parameter = param(_SHIFT, unit="")
    x_init: Any = initial(0.0)

    def ports(self) -> dict[str, int]:
        return {"ring": self.size, "turn": self.size, "velocity": self.size}

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), float_dtype(self))

    def init(self, *, key: Key | None = None) -> Rates:
        return Rates(start(self.x_init, jnp.zeros_like(self.tau), self.size, key))

    def rate(self, x: Any) -> Any:
        """The rate in 1/ms."""
        return self.gain * jax.nn.softplus(self.slope * (x + self.shift)) ** self.power

    def step(
        self, state: Rates, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Rates, Float[Array, " size"]]:
        del key
        x = state.x
        drives: Any = as_drives(inputs, self.ports(), x)
        ring, turn, velocity = (drives[port](0.0, x) for port in self.ports())
        change = (ring - x) / self.tau + velocity * turn
        x = materialize(x + clock.dt * phi1(-clock.dt / self.tau) * change)
        return Rates(x), self.rate(x)


def ring_attractor(
    velocity: FloatArrayLike = 0.0,
    *,
    direction: float = 0.0,
    size: int = _SIZE,
    interval: float | None = None,
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""Cells that prefer directions of the head: a bump of activity that stays where it is without
    input, and that a velocity moves.

    $$\tau\,\frac{dx(\theta)}{dt} = -x + \int \bigl(W(\theta - \theta') +
    \tau\,\omega\,W'(\theta - \theta')\bigr)\,r(\theta')\,d\theta',\qquad
    r = a\,\ln^\beta\bigl(1 + e^{b (x + c)}\bigr)$$

    The weights $W$ are those by which the tuning curve $A + B e^{K \cos\theta}$ maintains itself;
    their derivative shifts it, at exactly the velocity $\omega$. All connections are matrices of
    [`brainfn.event.Circulant`][].

    **Arguments:**

    - `velocity`: $\omega$ in rad/ms: a number, or a series with a leading axis of time.
    - `direction`: where the bump is at the beginning, in rad.
    - `size`: number of cells.
    - `interval`: sampling interval of a series in ms; one step if not given.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network, with the population `"cells"` whose output is the rate in 1/ms, and
    its `inputs` for [`brainfn.simulate`][].

    **Raises:** `TypeError` or `ValueError` naming the argument.

    ??? cite

        Zhang (1996), "Representation of spatial orientation by the intrinsic dynamics of the
        head-direction cell ensemble: a theory", J. Neurosci. 16:2112-2126,
        doi:10.1523/JNEUROSCI.16-06-02112.1996, with its values: $\tau$ = 10 ms, $a$ = 6.34 Hz,
        $\beta$ = 0.8, $b$ = 10, $c$ = 0.5, tuning from 1 to 40 Hz with $K$ = 8.
        The deconvolution that gives the weights is regularised by 1e-3 of the largest power, our
        choice, so that the bump is a little lower and wider than the tuning curve.
    """
    size = count("size", size, minimum=8)
    dtype = jnp.result_type(float) if dtype is None else dtype
    symmetric, turning = ring_weights(size)
    cells = HeadDirection(size, x_init=_start(size, direction))
    parts: dict[str, Any] = {"synapse": Instant(), "output": Current()}
    projections = [
        Projection("cells", "cells", Circulant(jnp.asarray(w)), port=port, name=port, **parts)
        for port, w in (("ring", symmetric), ("turn", turning))
    ]
    network = astype(Network({"cells": cells}, projections), dtype)
    omega = jnp.asarray(velocity, dtype)
    given = omega if omega.ndim == 0 else TimeSeries(omega, interval=interval)
    return network, {"cells.velocity": given}


def tuning(angle: Any) -> np.ndarray:
    """The rate in 1/ms of a cell whose preferred direction is `angle` away, in rad."""
    return _LOW + (_HIGH - _LOW) * np.exp(_SHARPNESS * (np.cos(angle) - 1))


def _start(size: int, direction: float = 0.0) -> np.ndarray:
    """The input at which cells have the rates of the tuning curve."""
    r = tuning(angles(size) - direction)
    return np.log(np.expm1((r / _GAIN) ** (1 / _POWER))) / _SLOPE - _SHIFT


def angles(size: int) -> np.ndarray:
    """The preferred directions in rad."""
    return 2 * np.pi * np.arange(size) / size


def ring_weights(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The weights by which the tuning curve maintains itself, and their derivative, in ms: what a
    cell sends to those 0, 1, ... places further."""
    x, r = np.fft.rfft(_start(size)), np.fft.rfft(tuning(angles(size)))
    w = x * np.conj(r) / (_REGULAR * np.max(np.abs(r)) ** 2 + np.abs(r) ** 2)
    # A bump moves towards larger angles if cells there get more: minus the derivative.
    return np.fft.irfft(w, size), np.fft.irfft(-1j * np.arange(w.size) * w, size)


class Turns(NamedTuple):
    """Experiments on a ring.

    - `still`: rates without velocity, shape `(time, size)`, in 1/ms.
    - `moved`: rates while the head turns to and fro; `heading`: its direction in rad.
    - `velocities`: of a sweep in degrees per second, and `speeds`, of the bump.
    - `ts`: times of the rates in ms.
    """

    still: np.ndarray
    moved: np.ndarray
    heading: np.ndarray
    velocities: np.ndarray
    speeds: np.ndarray
    ts: np.ndarray


def decode(rates: np.ndarray) -> np.ndarray:
    """The direction of the population vector in rad, unwrapped in time: axis -2."""
    vector = rates @ np.exp(1j * angles(rates.shape[-1]))
    return np.unwrap(np.angle(vector), axis=-1)


def turning(duration: float) -> np.ndarray:
    """A velocity in rad/ms that changes smoothly, to the left and to the right, after a second of
    rest."""
    t = (np.arange(round(duration / _SAMPLE)) + 0.5) * _SAMPLE - 1 * second
    shape = 0.6 * np.sin(2 * np.pi * t / (2.3 * second)) + 0.4 * np.sin(2 * np.pi * t / second)
    return np.where(t > 0, shape * _FASTEST * _DEGREE / second, 0.0)


def run_ring(duration: float, dt: float, size: int = _SIZE) -> Turns:
    """A bump at rest, one that is moved to and fro, and a sweep of velocities, in one `vmap`."""
    sweep = np.array(_VELOCITIES) * _DEGREE / second
    path = turning(duration)
    series = np.stack([np.zeros_like(path), path, *(np.full_like(path, v) for v in sweep)])
    network, _ = ring_attractor(size=size, direction=np.pi)
    every = max(1, round(_SAMPLE / dt))

    def run(velocity: Any) -> Any:
        given = {"cells.velocity": TimeSeries(velocity, interval=_SAMPLE)}
        return simulate(network, inputs=given, duration=duration, dt=dt, every=every).outputs

    series_of = jnp.asarray(series, jnp.result_type(float))
    rates = np.asarray(jax.jit(jax.vmap(run))(series_of)["cells"])
    ts = every * dt * np.arange(1, rates.shape[1] + 1)
    # After the bump has found its shape.
    later = ts > 0.2 * duration
    angle = decode(rates[2:, later])
    speeds = (angle[:, -1] - angle[:, 0]) / (ts[later][-1] - ts[later][0]) / _DEGREE * second
    return Turns(
        rates[0], rates[1], np.pi + np.cumsum(path) * _SAMPLE, np.array(_VELOCITIES), speeds, ts
    )


def half_width(rates: np.ndarray) -> float:
    """The full width in degrees where a bump is half as high as its peak above its lowest rate, by
    linear interpolation."""
    r = np.roll(rates, rates.size // 2 - int(np.argmax(rates)))
    half, top = (r.max() + r.min()) / 2, int(np.argmax(r))
    right = np.interp(-half, -r[top:], np.arange(r.size - top))
    left = np.interp(-half, -r[: top + 1][::-1], np.arange(top + 1))
    return float((left + right) * 360 / r.size)


def _figures(turns: Turns) -> dict[str, float]:
    at_rest, ts = decode(turns.still), turns.ts
    settled = turns.still[-1]
    gain, offset = np.polyfit(turns.velocities, turns.speeds, 1)
    straight = gain * turns.velocities + offset
    heading = np.interp(ts, _SAMPLE * np.arange(1, turns.heading.size + 1), turns.heading)
    error = decode(turns.moved) - heading
    error -= 2 * np.pi * np.round(error[0] / (2 * np.pi))
    return {
        "drift": float((at_rest[-1] - at_rest[0]) / (ts[-1] - ts[0]) / _DEGREE * second),
        "peak": float(settled.max() / Hz),
        "width": half_width(settled),
        "gain": float(gain),
        "bend": float(np.max(np.abs(turns.speeds - straight)) / np.max(np.abs(turns.speeds))),
        "error": float(np.max(np.abs(error)) / _DEGREE),
    }


@presented
def _picture(turns: Turns) -> Any:
    """The bump while the head turns, its shape, and its speed."""
    from ..plot import colour, grey, ink, open_frame

    f = _figures(turns)
    figure, grid = titled(
        "Head direction: a ring attractor",
        f"{turns.still.shape[1]} cells   ·   drift {abs(f['drift']):.0e} degrees/s   ·   velocity "
        f"gain {f['gain']:.3f}   ·   direction kept within {f['error']:.1f} degrees",
        [2.0, 1.0],
        [1.0, 1.0],
    )
    ax = figure.add_subplot(grid[:, 0])
    extent = (0.0, turns.ts[-1] / second, 0.0, 360.0)
    image = ax.imshow(
        turns.moved.T / Hz, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=0
    )
    ts = np.arange(1, turns.heading.size + 1) * _SAMPLE / second
    degrees = turns.heading / _DEGREE % 360
    jumps = np.append(np.abs(np.diff(degrees)) > 180, False)
    ax.plot(ts, np.where(jumps, np.nan, degrees), color="#FFFFFF", linewidth=1.5, linestyle="--")
    ax.set(xlabel="time (s)", ylabel="preferred direction (degrees)", xlim=extent[:2])
    ax.set_yticks([0, 90, 180, 270, 360])
    figure.colorbar(image, ax=ax, pad=0.02, fraction=0.05, label="rate (Hz)")
    ax.set_title("dashed: direction of the head", fontsize=14, color=grey(ax), loc="left")
    size, settled = turns.still.shape[1], turns.still[-1]
    bump, speed = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    degrees = angles(size) / _DEGREE - 180
    shade = colour("exc", 0, bump)
    bump.plot(degrees, tuning(degrees * _DEGREE) / Hz, color=ink(bump), ls="--", label="designed")
    bump.plot(degrees, settled / Hz, color=shade, linewidth=2.4, label="maintained")
    bump.set(xlabel="direction (degrees)", ylabel="rate (Hz)", xticks=[-180, -90, 0, 90, 180])
    bump.legend(frameon=False, loc="upper right", fontsize=12)
    speed.plot(turns.velocities, turns.velocities, color=grey(speed), linestyle="--")
    speed.plot(turns.velocities, turns.speeds, "o", color=shade)
    speed.set(xlabel="velocity of the head (degrees/s)", ylabel="of the bump (degrees/s)")
    speed.set_xticks([-600, -300, 0, 300, 600])
    for panel in (bump, speed):
        open_frame(panel)
    return figure


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del variant, key
    size = round(_SIZE * scale)
    if size < 20:
        raise ValueError(f"`scale` must be at least 0.2 (20 cells), got {scale}.")
    if duration < 2 * second:
        raise ValueError(f"`duration` must be at least 2000 ms, got {duration}.")
    turns = run_ring(duration, dt, size)
    number = 2 + len(_VELOCITIES)
    return Outcome(
        _figures(turns),
        turns._asdict(),
        f"{number} runs of {size} cells",
        number * duration,
        lambda: _picture(turns),
    )


RING_ATTRACTOR = Entry(
    name="ring_attractor",
    title="head-direction cells whose bump of activity integrates angular velocity",
    source="Zhang (1996), doi:10.1523/JNEUROSCI.16-06-02112.1996",
    size="100 rate units in a ring, connected by two circulant matrices; 15 runs in one vmap",
    expected="without input the bump stays where it is and keeps its shape; with a velocity it "
    "moves at exactly this velocity",
    variants={
        "zhang": Variant(
            "Head direction",
            "Zhang (1996): tuning from 1 to 40 Hz with K = 8, weights by regularised deconvolution",
            reference={"theory": {"": {"drift": 0.0, "gain": 1.0}}},
        )
    },
    experiment=_experiment,
    python="bf.zoo.ring_attractor(velocity)",
    rows={
        "drift": ("drift without input (degrees/s)", "{:.2g}"),
        "peak": ("highest rate (Hz)", "{:.1f}"),
        "width": ("width at half height (degrees)", "{:.1f}"),
        "gain": ("speed of the bump / velocity", "{:.4f}"),
        "bend": ("departure from a line", "{:.1e}"),
        "error": ("largest error of the integrated direction (degrees)", "{:.2f}"),
    },
    duration=6000.0,
    dt=0.1,
    multiples={"the sampling interval": _SAMPLE},
)
