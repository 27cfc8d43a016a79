"""Reservoirs on standard tasks: Fashion-MNIST, NARMA10, Mackey-Glass, and memory capacity."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._custom_types import Key
from .._field import replace
from ..connect import AbstractRule, FixedProbability, JustInTime
from ..data import fashion_mnist
from ..learn import NormalEquations, memory_capacity, ridge
from ..nn import Chain, EchoState
from ._entry import Entry, Outcome, Variant
from ._pictures import presented, titled

SIZES = (500, 1000, 2000)
_DENSE = 4000
_PENALTIES = (0.01, 0.1, 1.0)
_SKIP, _TRAIN, _TEST = 200, 3000, 1000


def image_reservoir(
    size: int, *, probability: float = 0.1, just_in_time: bool = False, key: Key
) -> EchoState:
    """The reservoir that reads images row by row, 28 inputs in each of 28 steps.

    A leak of 0.6; a tenth of the inputs with uniform weights in (-0.3, 0.3); recurrent weights with
    a standard deviation of $1.3 / \\sqrt{Np}$, that is a spectral radius of about 1.3.

    **Arguments:**

    - `size`: number of units, $N$.
    - `probability`: that two units are connected, $p$.
    - `just_in_time`: whether connections are generated in each step and not stored.
    - `key`: a JAX random key.

    ??? cite

        The task of Wang, Zhang, Li, Chen, Zhao and Wu (2024), "A differentiable brain simulator
        bridging brain simulation and brain-inspired computing", ICLR,
        https://openreview.net/forum?id=AU2gS9ut61.
    """
    rule: AbstractRule = FixedProbability(probability)
    reservoir = EchoState(
        28,
        size,
        connectivity=JustInTime(rule) if just_in_time else rule,
        input_connectivity=FixedProbability(0.1),
        spectral_radius=1.3,
        exact=False,
        input_scale=0.3,
        leak=0.6,
        key=key,
    )
    if just_in_time or size > _DENSE:
        return reservoir
    # All states are nonzero: up to some size the dense product is faster than the sparse one.
    dense = reservoir.recurrent.todense()  # type: ignore[union-attr]
    return replace(reservoir, recurrent=dense)


@eqx.filter_jit
def last_states(reservoir: EchoState, images: Any) -> Any:
    """The states of a reservoir after the last row of each image, shape `(images, size)`."""
    net = Chain(reservoir)
    return jax.vmap(lambda rows: net(rows).state[0])(images)


def classify(
    reservoir: EchoState, train: tuple[Any, Any], test: tuple[Any, Any], *, batch: int = 500
) -> float:
    """The fraction of test images that a ridge readout of the last states tells right.

    **Arguments:**

    - `train`, `test`: images in [0, 1], shape `(n, 28, 28)`, and labels. A tenth of the training
        images chooses the regularisation, and is then learned too.
    """
    classes = int(np.max(train[1])) + 1
    equations = NormalEquations(reservoir.size, classes)
    held = max(batch, len(train[0]) // 10 // batch * batch)

    def states(images: Any) -> np.ndarray:
        parts = range(0, len(images), batch)
        dtype = jnp.result_type(float)
        return np.concatenate(
            [last_states(reservoir, jnp.asarray(images[i : i + batch], dtype)) for i in parts]
        )

    def right(readout: Any, x: np.ndarray, labels: Any) -> float:
        return float(np.mean(np.argmax(np.asarray(readout(x)), axis=1) == labels))

    for i in range(held, len(train[0]), 2000):
        labels = train[1][i : i + 2000]
        equations = equations.add(states(train[0][i : i + 2000]), np.eye(classes)[labels])
    last, labels = states(train[0][:held]), train[1][:held]
    scores = [right(readout, last, labels) for readout in equations.solve(_PENALTIES)]
    equations = equations.add(last, np.eye(classes)[labels])
    best = equations.solve(_PENALTIES[int(np.argmax(scores))])
    return right(best, states(test[0]), test[1])


def narma10(u: np.ndarray) -> np.ndarray:
    r"""The nonlinear moving average of order 10,
    $y_{n+1} = 0.3 y_n + 0.05 y_n \sum_{i=0}^{9} y_{n-i} + 1.5 u_{n-9} u_n + 0.1$, of inputs in
    (0, 0.5): Atiya and Parlos (2000), doi:10.1109/72.846741."""
    y = np.zeros(u.size)
    for n in range(9, u.size - 1):
        y[n + 1] = 0.3 * y[n] + 0.05 * y[n] * y[n - 9 : n + 1].sum() + 1.5 * u[n - 9] * u[n] + 0.1
    return y


def mackey_glass(steps: int, *, tau: float = 17.0, h: float = 0.1) -> np.ndarray:
    r"""The series of Mackey and Glass (1977), doi:10.1126/science.267326,
    $\dot x = 0.2\, x_\tau / (1 + x_\tau^{10}) - 0.1\, x$, once per unit of time, from 1.2 and after
    500 units; by Runge-Kutta of order 4 with the delayed value interpolated."""
    each, lag = round(1 / h), round(tau / h)
    x = np.full(lag + 1 + (steps + 500) * each, 1.2)

    def slope(v: float, delayed: float) -> float:
        return 0.2 * delayed / (1 + delayed**10) - 0.1 * v

    for i in range(lag, x.size - 1):
        begin, end, v = x[i - lag], x[i - lag + 1], x[i]
        middle = (begin + end) / 2
        a = slope(v, begin)
        b = slope(v + h / 2 * a, middle)
        c = slope(v + h / 2 * b, middle)
        x[i + 1] = v + h / 6 * (a + 2 * b + 2 * c + slope(v + h * c, end))
    return x[lag + 1 + 500 * each :: each][:steps]


def predict(
    reservoir: EchoState, inputs: Any, targets: Any, *, skip: int, train: int, penalty: float
) -> tuple[float, np.ndarray]:
    """Learn a series by ridge regression on `train` steps after the first `skip`.

    **Returns:** the normalised root mean square error in the steps after that, and the predictions
    for them.
    """
    inputs = jnp.asarray(inputs, jnp.result_type(float)).reshape(-1, 1)
    x = np.asarray(Chain(reservoir)(inputs).output)
    y = np.asarray(targets, np.float64).reshape(-1, 1)
    end = skip + train
    readout = ridge(x[skip:end], y[skip:end], penalty)
    found = np.asarray(readout(x[end:]), np.float64)
    return float(np.sqrt(np.mean((found - y[end:]) ** 2) / np.var(y[end:]))), found[:, 0]


def _fashion(scale: float, key: Key) -> Outcome:
    train, test = fashion_mnist()
    number = round(10_000 * scale)
    if number < 2000:
        raise ValueError(f"`scale` must be at least 0.2 (2000 training images), got {scale}.")
    some = train.x[:number], train.y[:number]
    scores = {
        size: classify(image_reservoir(size, key=jr.fold_in(key, size)), some, (test.x, test.y))
        for size in SIZES
    }
    return Outcome(
        {f"accuracy_{size}": score for size, score in scores.items()},
        {"sizes": np.array(SIZES), "accuracy": np.array(list(scores.values()))},
        f"{number} training and {len(test.x)} test images",
        28.0 * len(SIZES) * (number + len(test.x)),
        lambda: _curve(scores, number),
    )


def _series(variant: str, scale: float, key: Key) -> Outcome:
    size, total = max(2, round(200 * scale)), _SKIP + _TRAIN + _TEST
    key, inputs = jr.split(key)
    if variant == "narma10":
        options: dict[str, Any] = {"input_scale": 1.0, "bias": 0.2, "spectral_radius": 0.9}
        u = 0.5 * np.asarray(jr.uniform(inputs, (total,)), np.float64)
        y = narma10(u)
    else:
        x = mackey_glass(total + 1)
        u, y = x[:-1], x[1:]
        options = {"leak": 0.5, "spectral_radius": 1.1}
    reservoir = EchoState(1, size, key=key, **options)
    error, found = predict(reservoir, u, y, skip=_SKIP, train=_TRAIN, penalty=1e-6)
    return Outcome(
        {"nrmse": error},
        {"inputs": u, "targets": y, "predictions": found},
        f"{size} units, {_TRAIN} steps of training",
        float(total),
        lambda: _prediction(y[-_TEST:], found, error, variant),
    )


def _memory(scale: float, key: Key) -> Outcome:
    size = max(2, round(100 * scale))
    key, inputs = jr.split(key)
    u = 2 * np.asarray(jr.uniform(inputs, (100 * size, 1))) - 1
    curves = {}
    for amplitude in (0.01, 0.1, 1.0):
        reservoir = EchoState(1, size, input_scale=amplitude, spectral_radius=0.95, key=key)
        x = Chain(reservoir)(jnp.asarray(u)).output
        curves[amplitude] = memory_capacity(x, u, 2 * size, skip=200)
    figures = {f"capacity_{a:g}": float(m.sum()) for a, m in curves.items()}
    arrays = {f"memory_{a:g}": m for a, m in curves.items()}
    return Outcome(
        figures, arrays, f"{size} units", 3.0 * u.size, lambda: _forgetting(curves, size)
    )


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del duration, dt  # reservoirs are maps: steps of no duration
    if variant == "fashion-mnist":
        return _fashion(scale, key)
    return _memory(scale, key) if variant == "memory" else _series(variant, scale, key)


@presented
def _curve(scores: dict[int, float], number: int) -> Any:
    from ..plot import grey, open_frame

    title = f"ridge readout of the last state, {number} training images"
    figure, grid = titled("Reservoirs read Fashion-MNIST row by row", title, [1.0], [1.0])
    ax = figure.add_subplot(grid[0, 0])
    ax.semilogx(list(scores), [100 * x for x in scores.values()], "o-", linewidth=2, markersize=9)
    for size, score in scores.items():
        ax.annotate(
            f"{100 * score:.1f} %", (size, 100 * score), (0, 12), textcoords="offset points"
        )
    ax.axhline(100 * max(scores.values()), color=grey(ax), linewidth=0.8, linestyle=":")
    ax.set_xticks(list(scores), [str(size) for size in scores])
    ax.minorticks_off()
    ax.set(xlabel="units of the reservoir", ylabel="test images told right (%)")
    open_frame(ax)
    return figure


@presented
def _prediction(targets: np.ndarray, found: np.ndarray, error: float, variant: str) -> Any:
    from ..plot import grey, open_frame

    title = f"normalised error {error:.3g} in steps that were not learned"
    figure, grid = titled(RESERVOIR.variants[variant].title, title, [1.0], [2.0, 1.0])
    top = figure.add_subplot(grid[0, 0])
    top.plot(targets[:200], color=grey(top), linewidth=5, alpha=0.5, label="target")
    top.plot(found[:200], linewidth=1.6, label="reservoir")
    top.legend(frameon=False, loc="upper right")
    top.set(ylabel="series", xlim=(0, 200))
    below = figure.add_subplot(grid[1, 0], sharex=top)
    below.plot((found - targets)[:200], linewidth=1.4)
    below.set(xlabel="step", ylabel="error")
    for panel in (top, below):
        open_frame(panel)
    return figure


@presented
def _forgetting(curves: dict[float, np.ndarray], size: int) -> Any:
    from ..plot import grey, open_frame

    title = f"{size} units of spectral radius 0.95, random inputs"
    figure, grid = titled("What a reservoir remembers", title, [1.0], [1.0])
    ax = figure.add_subplot(grid[0, 0])
    for amplitude, m in curves.items():
        label = f"input scale {amplitude:g}: capacity {m.sum():.1f}"
        ax.plot(np.arange(1, m.size + 1), m, linewidth=2, label=label)
    ax.axvline(size, color=grey(ax), linewidth=1, linestyle=":")
    ax.set(xlabel="delay (steps)", ylabel="squared correlation with the input then", ylim=(0, 1.05))
    ax.legend(frameon=False)
    open_frame(ax)
    return figure


RESERVOIR = Entry(
    name="reservoir",
    title="echo state networks on standard tasks",
    source="Jaeger (2001), GMD Reports 148 and 152; Wang et al. (2024), "
    "https://openreview.net/forum?id=AU2gS9ut61",
    size="500, 1000 and 2000 units (fashion-mnist), 200 (series), 100 (memory)",
    expected="more units tell more images right: 82, 84 and 85 % with 10 000 training images; "
    "memory decreases with the amplitude of the input, and is below the number of units",
    variants={
        "fashion-mnist": Variant("Fashion-MNIST row by row", "Wang et al. (2024)"),
        "narma10": Variant("NARMA10", "Atiya and Parlos (2000), doi:10.1109/72.846741"),
        "mackey-glass": Variant(
            "Mackey-Glass series, one step ahead",
            "Mackey and Glass (1977), doi:10.1126/science.267326",
        ),
        "memory": Variant("Memory capacity", "Jaeger (2001), GMD Report 152"),
    },
    experiment=_experiment,
    python="bf.nn.EchoState(1, 200, spectral_radius=0.9, key=key)",
    rows={
        **{f"accuracy_{size}": (f"test accuracy, {size} units", "{:.4f}") for size in SIZES},
        "nrmse": ("normalised error (rms)", "{:.4g}"),
        **{
            f"capacity_{a}": (f"memory capacity, input scale {a}", "{:.1f}")
            for a in ("0.01", "0.1", "1")
        },
    },
    duration=28.0,
    dt=1.0,
)
