"""FORCE learning of a sine and of the Lorenz attractor: experiments and their pictures."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._custom_types import Key
from ..driver import simulate
from ..learn import Force
from ._entry import Entry, Figures, Outcome, Variant
from ._force_networks import nicola_clopath, sussillo_abbott
from ._pictures import presented, titled

# Neurons that are drawn, and the time without targets before learning begins, in ms.
_DRAWN, _BEFORE = 40, 500.0
_FREQUENCY = 0.005
# A unit of time of the Lorenz equations is half a second: a turn takes 370 ms.
_UNIT = 500.0
# The coordinates of the Lorenz system less these, divided by those, are the targets.
_CENTRE, _SPREAD = np.array([0.0, 0.0, 24.0]), np.array([20.0, 25.0, 25.0])


class Learned(NamedTuple):
    """A network that learned: the targets and its outputs while learning, `(time, n_out)`, its
    outputs afterwards, its signals in the last part of these, and steps in ms."""

    net: Force
    targets: np.ndarray
    learning: np.ndarray
    free: np.ndarray
    signals: np.ndarray
    dt: float
    model_time: float


def sine(ts: Any, frequency: float = _FREQUENCY) -> np.ndarray:
    """A sine of amplitude 1, shape `(time, 1)`; the frequency in 1/ms, 5 Hz by default."""
    return np.sin(2 * np.pi * frequency * np.asarray(ts))[:, None]


def lorenz(duration: float, dt: float, *, unit: float = _UNIT) -> np.ndarray:
    r"""The Lorenz system with $\sigma$ = 10, $\rho$ = 28, $\beta$ = 8/3, scaled to magnitude 1.

    **Arguments:**

    - `duration`, `dt`: in ms; `unit`: how many ms its unit of time is.

    **Returns:** shape `(duration / dt, 3)`, on the attractor from the beginning.
    """
    steps, before = round(duration / dt), 40.0
    h = min(dt / unit, 0.005)
    ts = np.arange(steps) * (dt / unit)
    s, found = np.array([1.0, 2.0, 20.0]), []
    for _ in range(int((before + ts[-1]) / h) + 2):
        found.append(s)
        a = _slope(s)
        b = _slope(s + h / 2 * a)
        c = _slope(s + h / 2 * b)
        s = s + h / 6 * (a + 2 * b + 2 * c + _slope(s + h * c))
    path, at = np.array(found), np.arange(len(found)) * h - before
    return np.stack([np.interp(ts, at, x) for x in path.T], axis=1)


def _slope(s: np.ndarray) -> np.ndarray:
    x, y, z = s
    return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])


def run_force(net: Force, targets: np.ndarray, dt: float, key: Key, *, free: float) -> Learned:
    """Half a second without targets, learning as long as there are targets, then `free` ms on its
    own. Outputs are kept once per ms."""
    dtype = jnp.result_type(float)
    each = max(1, round(1.0 / dt))
    settled = simulate(net, duration=_BEFORE, dt=dt, key=key, record=None)
    learned = simulate(
        net,
        inputs=jnp.asarray(np.repeat(targets, each, axis=0), dtype),
        state=settled.state,
        duration=targets.shape[0] * each * dt,
        dt=dt,
        key=key,
        every=each,
    )
    options: dict[str, Any] = {"dt": dt, "key": key}
    after = simulate(net, state=learned.state, duration=free, every=each, **options)
    shown = simulate(net, state=after.state, duration=1000.0, record=_signals, **options)
    return Learned(
        net,
        targets,
        np.asarray(learned.outputs),
        np.asarray(after.outputs),
        np.asarray(shown.outputs),
        dt,
        _BEFORE + targets.shape[0] + free + 1000.0,
    )


def _signals(state: Any, output: Any) -> Any:
    del output
    return state.reservoir.previous[:_DRAWN]


def sine_figures(learned: Learned) -> Figures:
    """Error while learning; and of the free run, whose phase may drift, frequency, amplitude and
    the correlation of each period with a sine at the best lag."""
    error = learned.learning - learned.targets
    z = learned.free[:, 0]
    period = round(1 / _FREQUENCY)
    lags = np.exp(2j * np.pi * _FREQUENCY * np.arange(period))
    cycles = z[: z.size // period * period].reshape(-1, period)
    cycles = cycles - cycles.mean(axis=1, keepdims=True)
    # The correlation with a sine at the best lag is the amplitude of the first harmonic.
    power = np.maximum((cycles**2).sum(axis=1) * period / 2, 1e-30)
    return {
        "rms": float(np.sqrt(np.mean(error[-error.shape[0] // 2 :] ** 2))),
        "frequency": 1000 * frequency_of(z),
        "amplitude": float(np.sqrt(2) * z.std()),
        "correlation": float(np.min(np.abs(cycles @ lags) / np.sqrt(power))),
    }


def frequency_of(z: np.ndarray) -> float:
    """The frequency in 1/ms of the largest peak of the spectrum, interpolated."""
    wide = 16 * z.size
    spectrum = np.abs(np.fft.rfft((z - z.mean()) * np.hanning(z.size), n=wide))
    return float(np.fft.rfftfreq(wide)[np.argmax(spectrum)])


def maxima(z: np.ndarray) -> np.ndarray:
    """The maxima of the third coordinate of the Lorenz system, one in each turn, from samples once
    per ms. They are read from a parabola fitted to the samples around them: spikes are noisy."""
    half = round(0.12 * _UNIT)
    window = np.arange(-half, half + 1)
    fit = np.linalg.pinv(np.stack([window**0, window, window**2, window**3, window**4], axis=1))
    smooth = np.convolve(z, fit[0][::-1], "same")
    found = []
    for i in range(2 * half, z.size - 2 * half):
        if smooth[i] == smooth[i - 2 * half : i + 2 * half + 1].max():
            found.append(smooth[i])
    return np.asarray(found)


def map_distance(points: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """How far each pair of successive maxima lies from the nearest of the true ones."""
    apart = points[:, None] - curve[None]
    return np.sqrt((apart**2).sum(axis=-1)).min(axis=1)


def pairs(z: np.ndarray) -> np.ndarray:
    """Successive maxima, shape `(turns, 2)`: the return map."""
    top = maxima(z)
    return np.stack([top[:-1], top[1:]], axis=1)


def lorenz_figures(learned: Learned, curve: np.ndarray) -> Figures:
    """Error while learning; time in the right wing and number of changes of the wing; and the
    distance of the return map from the true one, relative to the spread of the latter."""
    error = learned.learning - learned.targets
    x = learned.free[:, 0]
    # A wing is left when the other one is entered in earnest.
    side = np.sign(x[np.abs(x) > 0.15])
    found = pairs(learned.free[:, 2])
    apart = map_distance(found, curve) if len(found) else np.array([np.inf])
    return {
        "rms": float(np.sqrt(np.mean(error[-error.shape[0] // 2 :] ** 2))),
        "right": float(np.mean(x > 0)),
        "changes": float(np.sum(side[1:] != side[:-1])),
        "map": float(np.median(apart) / np.ptp(curve)),
    }


def _network(variant: str, n: int, n_out: int, key: Key) -> Force:
    if variant != "rate":
        return nicola_clopath(variant, n, n_out, key=key)
    if n_out == 1:
        return sussillo_abbott(n, n_out, key=key)
    return sussillo_abbott(n, n_out, gain=1.2, feedback=2.0, key=key)


def _prepared(variant: str, scale: float, n_out: int, dt: float, key: Key) -> tuple[Force, float]:
    n = round(1000 * scale)
    if n < 50:
        raise ValueError(f"`scale` must be at least 0.05 (50 neurons), got {scale}.")
    # The rate units have no spikes to resolve.
    return _network(variant, n, n_out, key), 1.0 if variant == "rate" else dt


def _sine(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    build, run = jr.split(key)
    net, dt = _prepared(variant, scale, 1, dt, build)
    learned = run_force(net, sine(np.arange(round(duration))), dt, run, free=5000.0)
    figures = sine_figures(learned)
    return _outcome(learned, figures, lambda: _sine_picture(learned, figures, variant))


def _lorenz(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    build, run = jr.split(key)
    net, dt = _prepared(variant, scale, 3, dt, build)
    path = (lorenz(max(duration, 120e3), 1.0) - _CENTRE) / _SPREAD
    curve = pairs(path[:, 2])
    learned = run_force(net, path[: round(duration)], dt, run, free=20000.0)
    figures = lorenz_figures(learned, curve)
    return _outcome(learned, figures, lambda: _lorenz_picture(learned, figures, curve, variant))


def _outcome(learned: Learned, figures: Figures, picture: Any) -> Outcome:
    arrays = {"targets": learned.targets, "learning": learned.learning, "free": learned.free}
    n = learned.net.readout.n_features
    return Outcome(figures, arrays, f"{n} neurons", learned.model_time, picture)


@presented
def _sine_picture(learned: Learned, figures: Figures, variant: str) -> Any:
    from ..plot import open_frame

    figure, grid = titled(
        f"FORCE: a sine of 5 Hz, {FORCE_SINE.variants[variant].title}",
        f"{learned.net.readout.n_features} neurons   ·   error while learning "
        f"{figures['rms']:.3f}   ·   afterwards {figures['frequency']:.2f} Hz, amplitude "
        f"{figures['amplitude']:.2f}",
        [1.0, 1.0],
        [1.0, 1.0, 1.2],
    )
    first = figure.add_subplot(grid[0, :])
    _outputs(first, learned, 0, 1500)
    first.set_title("output (colour) and target (grey), while learning from 0 s on, and after")
    for place, span in enumerate((slice(0, 1000), slice(-1000, None))):
        below = figure.add_subplot(grid[1, place])
        z = learned.free[span, 0]
        ts = np.arange(learned.free.shape[0])[span] / 1000
        below.plot(ts, z, linewidth=1.6)
        below.set(xlabel="time after learning (s)", ylabel="output", ylim=(-1.5, 1.5))
        open_frame(below)
    _neurons(figure.add_subplot(grid[2, :]), learned)
    return figure


@presented
def _lorenz_picture(learned: Learned, figures: Figures, curve: np.ndarray, variant: str) -> Any:
    from ..plot import grey, open_frame

    figure, grid = titled(
        f"FORCE: the Lorenz attractor, {FORCE_LORENZ.variants[variant].title}",
        f"{learned.net.readout.n_features} neurons   ·   error while learning "
        f"{figures['rms']:.3f}   ·   return map {100 * figures['map']:.1f} % off",
        [1.0, 1.0, 1.0],
        [1.2, 0.8, 0.8],
    )
    for place, (path, title) in enumerate(
        ((learned.targets, "target"), (learned.free, "network on its own"))
    ):
        ax = figure.add_subplot(grid[0, place])
        shade = grey(ax) if place == 0 else "C0"
        ax.plot(path[-20000:, 0], path[-20000:, 2], color=shade, linewidth=0.8)
        ax.set(xlabel="x / 20", ylabel="(z - 24) / 25", title=title)
        ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
        ax.locator_params(nbins=5)
        open_frame(ax)
    ax = figure.add_subplot(grid[0, 2])
    ax.plot(*curve.T, ".", color=grey(ax), markersize=4, label="Lorenz")
    ax.plot(*pairs(learned.free[:, 2]).T, "o", markersize=5, color="C0", label="network")
    ax.set(xlabel="maximum of z", ylabel="next maximum", title="return map")
    ax.legend(frameon=False)
    open_frame(ax)
    middle = figure.add_subplot(grid[1, :])
    _outputs(middle, learned, 0, 6000)
    middle.set_title("x: output (colour) and target (grey), while learning, and after")
    _neurons(figure.add_subplot(grid[2, :]), learned)
    return figure


def _outputs(ax: Any, learned: Learned, which: int, span: int) -> None:
    """The beginning and the end of learning, and what comes after."""
    from ..plot import grey, open_frame

    half = span // 2
    end, at = learned.targets.shape[0], 0
    ticks, labels = [], []
    for part, begin in ((learned.learning, 0), (learned.learning, end - half), (learned.free, 0)):
        ts = at + np.arange(min(half, part.shape[0] - begin))
        if part is learned.learning:
            targets = learned.targets[begin : begin + ts.size, which]
            ax.plot(ts, targets, color=grey(ax), linewidth=4.0, alpha=0.5)
        ax.plot(ts, part[begin : begin + ts.size, which], color="C0", linewidth=1.4)
        ticks.append(at)
        labels.append(f"{begin / 1000:.1f} s" if part is learned.learning else "after")
        at += half + half // 12
    ax.set_xticks(ticks, labels)
    ax.set(ylabel="output", ylim=(-1.6, 1.6))
    open_frame(ax)


def _neurons(ax: Any, learned: Learned) -> None:
    """Spikes or rates of some neurons in the last second."""
    from ..plot import open_frame

    signals = learned.signals
    if signals.dtype == bool:
        step, unit = np.nonzero(signals)
        ax.plot(step * learned.dt, unit, "|", markersize=5, color="C0")
        ax.set(ylabel="neuron", ylim=(-1, signals.shape[1]))
    else:
        ts = np.arange(signals.shape[0]) * learned.dt
        ax.plot(ts, signals[:, :6] + 2.2 * np.arange(6), color="C0", linewidth=1.2)
        ax.set(ylabel="rates")
        ax.set_yticks([])
    ax.set(xlabel="time (ms)", xlim=(0, 1000))
    open_frame(ax)


_NICOLA = "Nicola and Clopath (2017), doi:10.1038/s41467-017-01827-3"
_SUSSILLO = "Sussillo and Abbott (2009), doi:10.1016/j.neuron.2009.07.018"

FORCE_SINE = Entry(
    name="force_sine",
    title="a random network that learns to generate a sine of 5 Hz (FORCE)",
    source=f"{_NICOLA}; {_SUSSILLO}",
    size="1000 neurons, 10 % connected at random (scale: number of neurons)",
    expected="the output follows the target within a second of learning, and afterwards goes on at "
    "5 Hz with amplitude 1; its phase drifts",
    variants={
        "lif": Variant("leaky integrate-and-fire neurons", _NICOLA),
        "izhikevich": Variant("Izhikevich neurons", _NICOLA),
        "rate": Variant("rates", _SUSSILLO),
    },
    experiment=_sine,
    python='bf.zoo.nicola_clopath("lif", key=key)',
    rows={
        "rms": ("error while learning (rms)", "{:.4f}"),
        "frequency": ("frequency afterwards (Hz)", "{:.3f}"),
        "amplitude": ("amplitude afterwards", "{:.3f}"),
        "correlation": ("lowest correlation of a period", "{:.4f}"),
    },
    duration=5000.0,
    dt=0.05,
)

FORCE_LORENZ = Entry(
    name="force_lorenz",
    title="a random network that learns the Lorenz attractor (FORCE)",
    source=f"{_NICOLA}; {_SUSSILLO}",
    size="1000 neurons, 10 % connected at random (scale: number of neurons)",
    expected="on its own it visits both wings, and successive maxima of z lie on the cusp of the "
    "Lorenz map; the trajectory itself is chaotic and can't be compared",
    variants={
        "rate": Variant("rates", f"{_SUSSILLO}, with g = 1.2 and a feedback twice as strong"),
        "lif": Variant("leaky integrate-and-fire neurons", _NICOLA),
    },
    experiment=_lorenz,
    python="bf.zoo.sussillo_abbott(1000, 3, gain=1.2, feedback=2.0, key=key)",
    rows={
        "rms": ("error while learning (rms)", "{:.4f}"),
        "right": ("time in the right wing", "{:.2f}"),
        "changes": ("changes of the wing in 20 s", "{:.0f}"),
        "map": ("return map off by, of its spread", "{:.3f}"),
    },
    duration=20000.0,
    dt=0.05,
)
