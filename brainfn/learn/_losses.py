"""Losses of one example, time first."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Shaped

from .._custom_types import FloatArrayLike, RealScalarLike
from .._errors import nearest, time_step

_READOUTS = {
    "max": lambda x: x.max(axis=0),
    "mean": lambda x: x.mean(axis=0),
    "last": lambda x: x[-1],
    "sum": lambda x: x.sum(axis=0),
}


def readout(outputs: Shaped[Array, "time *n"], reduce: str = "max") -> Float[Array, "*n"]:
    """One number for each output of a series: scores of classes.

    **Arguments:**

    - `outputs`: membrane potentials or spikes, time first.
    - `reduce`: `"max"`, `"mean"`, `"last"` or `"sum"` over time. For spikes, `"sum"` are their
        numbers and `"mean"` the rates per step.

    **Raises:** `ValueError` for another `reduce`, or without steps.
    """
    if reduce not in _READOUTS:
        raise ValueError(
            f"`reduce` must be one of {list(_READOUTS)}, got {reduce!r}."
            f"{nearest(str(reduce), _READOUTS)}"
        )
    return _READOUTS[reduce](_series("outputs", outputs))


def cross_entropy(
    outputs: Shaped[Array, "time classes"],
    label: RealScalarLike,
    reduce: str = "max",
) -> Float[Array, ""]:
    r"""Cross entropy of a series of readouts, or of rates.

    $$L = -\ln \frac{e^{y_c}}{\sum_k e^{y_k}}$$

    with the scores $y$ of the classes and the label $c$.

    ```python
    def loss(net, batch):
        outputs = jax.vmap(net)(batch.x).output               # (batch, time, classes)
        return jax.vmap(bf.learn.cross_entropy)(outputs, batch.y).mean()
    ```

    **Arguments:**

    - `outputs`: membrane potentials of readouts, or spikes, time first.
    - `label`: $c$, from 0.
    - `reduce`: how scores are made of them, see [`brainfn.learn.readout`][]; with `"each"` the loss
        is taken in each step, and the mean of these is returned.

    **Raises:** `ValueError` naming the argument.
    """
    scores = _series("outputs", outputs) if reduce == "each" else readout(outputs, reduce)
    return -jnp.mean(jax.nn.log_softmax(scores, axis=-1)[..., _label(label)])


def accuracy(
    outputs: Shaped[Array, "time classes"],
    label: RealScalarLike,
    reduce: str = "max",
) -> Float[Array, ""]:
    """1 if the class with the highest score is that of the label, else 0.

    The arguments are those of [`brainfn.learn.cross_entropy`][]; `"each"` gives the part of the
    steps in which it is right.
    """
    scores = _series("outputs", outputs) if reduce == "each" else readout(outputs, reduce)
    right = jnp.argmax(scores, axis=-1).astype(jnp.int32) == _label(label)
    return jnp.mean(right.astype(scores.dtype))


def rate_error(
    spikes: Shaped[Array, "time classes"],
    label: RealScalarLike,
    *,
    correct: FloatArrayLike = 0.8,
    incorrect: FloatArrayLike = 0.2,
) -> Float[Array, ""]:
    r"""Squared distance of the rates of output neurons to those wanted.

    $$L = \frac1K \sum_k \left(\frac1T \sum_n s_k[n] - r_k\right)^2$$

    **Arguments:**

    - `spikes`: $s$, time first.
    - `label`: the class whose neuron is to be active.
    - `correct`, `incorrect`: the rates $r$ per step, of that neuron and of the others.

    ??? cite

        The loss and its rates are those of snnTorch's `mse_count_loss`: Eshraghian et al. (2023),
        "Training spiking neural networks using lessons from deep learning", Proc. IEEE
        111:1016-1054, doi:10.1109/JPROC.2023.3308088.
    """
    rates = readout(spikes, "mean")
    wanted = jnp.where(jnp.arange(rates.size, dtype=jnp.int32) == _label(label), correct, incorrect)
    return jnp.mean((rates - wanted.astype(rates.dtype)) ** 2)


def first_spike_times(spikes: Shaped[Array, "time *n"], dt: float = 1.0) -> Float[Array, "*n"]:
    r"""The times of the first spikes, and the duration for neurons without one.

    $$t = \Delta t \sum_{n=0}^{T-1} \prod_{m=0}^{n} (1 - s[m])$$

    For spikes of 0 and 1 this is the beginning of the step of the first spike. The derivative is
    that of the formula: a spike earlier than the first would move it, and so would the absence of
    the first. Surrogates carry it on to the membrane.

    **Arguments:**

    - `spikes`: $s$, time first.
    - `dt`: $\Delta t$ in ms.

    **Returns:** $t$ in ms.
    """
    none_yet = jnp.cumprod(1 - _series("spikes", spikes), axis=0)
    return time_step(dt) * none_yet.sum(axis=0)


def first_spike_loss(
    spikes: Shaped[Array, "time classes"],
    label: RealScalarLike,
    *,
    tau: FloatArrayLike,
    dt: float = 1.0,
) -> Float[Array, ""]:
    r"""Cross entropy of first-spike times: the neuron of the label is to spike first.

    $$L = \ln \sum_k e^{-(t_k - t_c) / \tau}$$

    **Arguments:**

    - `spikes`: time first; see [`brainfn.learn.first_spike_times`][] for $t$ and its derivative.
    - `label`: $c$.
    - `tau`: $\tau$ in ms, the difference of times that counts.
    - `dt`: step size in ms.

    ??? cite

        Göltz et al. (2021), "Fast and energy-efficient neuromorphic deep learning with first-spike
        times", Nat. Mach. Intell. 3:823-835, doi:10.1038/s42256-021-00388-x.
    """
    times = first_spike_times(spikes, dt)
    return -jax.nn.log_softmax(-times / jnp.asarray(tau, times.dtype))[_label(label)]


def van_rossum(
    spikes: Shaped[Array, "time *n"],
    target: Shaped[ArrayLike, "..."],
    *,
    tau: FloatArrayLike,
    dt: float = 1.0,
) -> Float[Array, ""]:
    r"""The squared van Rossum distance between spike trains, mean over neurons.

    $$D^2 = \frac2\tau \int_0^\infty (f - g)^2\,dt, \qquad
    f(t) = \sum_{t_k \le t} e^{-(t - t_k) / \tau}$$

    The integral is exact for spikes at the beginning of steps, also beyond the last: 1 for one
    spike against none, and $2 - 2 e^{-|\Delta| / \tau}$ for two that are $\Delta$ apart. It is
    [`brainfn.measure.van_rossum_distance`][], squared, as a function with a derivative.

    **Arguments:**

    - `spikes`, `target`: the trains, time first.
    - `tau`: $\tau$ in ms.
    - `dt`: step size in ms.

    **Raises:** `ValueError` if the shapes differ.

    ??? cite

        van Rossum (2001), "A novel spike distance", Neural Comput. 13:751-763,
        doi:10.1162/089976601300014321; as a loss with surrogates: Zenke and Ganguli (2018),
        "SuperSpike", Neural Comput. 30:1514-1541, doi:10.1162/neco_a_01086.
    """
    difference = _difference(spikes, target)
    decay = jnp.exp(-time_step(dt) / jnp.asarray(tau, difference.dtype))

    def step(f: Any, d: Any) -> Any:
        f = decay * f + d
        return f, f

    last, f = jax.lax.scan(step, jnp.zeros_like(difference[0]), difference)
    within = (1 - decay**2) * jnp.sum(f**2, axis=0)
    return jnp.mean(within + decay**2 * last**2)


def mean_squared_error(
    outputs: Shaped[Array, "time *n"],
    target: Shaped[ArrayLike, "..."],
    mask: Shaped[ArrayLike, "..."] | None = None,
) -> Float[Array, ""]:
    """Mean squared error of traces.

    **Arguments:**

    - `outputs`, `target`: traces, time first.
    - `mask`: weights of the steps, bools or numbers, of which one is not zero; by default all
        alike.

    **Raises:** `ValueError` if the shapes differ.
    """
    square = _difference(outputs, target) ** 2
    each = square.reshape(square.shape[0], -1).mean(axis=1)
    if mask is None:
        return each.mean()
    if jnp.shape(mask) != each.shape:
        raise ValueError(f"`mask` must have shape {each.shape}, got {jnp.shape(mask)}.")
    weight = jnp.asarray(mask, each.dtype)
    return jnp.sum(weight * each) / jnp.sum(weight)


def lower_bound(
    counts: Shaped[Array, "*n"], bound: FloatArrayLike, *, steps: int = 1
) -> Float[Array, ""]:
    r"""A penalty for neurons that are less active than a bound.

    $$L = \frac1N \sum_i \max\left(0,\ \theta - \frac{n_i}{T}\right)^2$$

    **Arguments:**

    - `counts`: $n_i$, numbers of spikes, such as the `totals` of a [`brainfn.nn.Response`][], of
        one example or of several.
    - `bound`: $\theta$ in spikes per step, or in spikes if `steps` is left out.
    - `steps`: $T$, the number of steps.

    It acts through the spikes' surrogates; neurons that are never near their threshold need
    [`brainfn.learn.SilencePenalty`][].

    ??? cite

        Both bounds: Zenke and Vogels (2021), "The remarkable robustness of surrogate gradient
        learning for instilling complex function in spiking neural networks", Neural Comput.
        33:899-925, doi:10.1162/neco_a_01367.
    """
    rates = _floats(counts) / steps
    return jnp.mean(jnp.maximum(jnp.asarray(bound, rates.dtype) - rates, 0) ** 2)


def upper_bound(
    counts: Shaped[Array, "*n"], bound: FloatArrayLike, *, steps: int = 1, each: bool = True
) -> Float[Array, ""]:
    r"""A penalty for neurons, or populations, that are more active than a bound.

    $$L = \frac1N \sum_i \max\left(0,\ \frac{n_i}{T} - \theta\right)^2
    \qquad \text{or} \qquad
    L = \max\left(0,\ \frac1N \sum_i \frac{n_i}{T} - \theta\right)^2$$

    **Arguments:** those of [`brainfn.learn.lower_bound`][], and

    - `each`: whether each neuron is held to the bound, or their mean.
    """
    rates = _floats(counts) / steps
    rates = rates if each else rates.mean()
    return jnp.mean(jnp.maximum(rates - jnp.asarray(bound, rates.dtype), 0) ** 2)


def _floats(x: Any) -> Array:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.result_type(float))


def _series(name: str, x: Any) -> Array:
    x = _floats(x)
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(f"`{name}` must have time as first axis, with steps, got {x.shape}.")
    return x


def _difference(a: Any, b: Any) -> Array:
    a = _series("outputs", a)
    if jnp.shape(b) != a.shape:
        raise ValueError(
            f"`target` must have the shape of the outputs, {a.shape}, got {jnp.shape(b)}."
        )
    return a - jnp.asarray(b, a.dtype)


def _label(label: Any) -> Any:
    if not jnp.issubdtype(jnp.result_type(label), jnp.integer) or jnp.ndim(label) != 0:
        raise ValueError(
            f"`label` must be the number of a class, got {label!r:.60}. These losses are of one "
            "example: use jax.vmap for batches."
        )
    return jnp.asarray(label, jnp.int32)
