"""Handwritten digits without a teacher: the network of Diehl and Cook (2015)."""

import importlib
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from .._custom_types import FloatArrayLike, Key
from .._errors import is_concrete, whole_steps
from .._field import astype
from ..connect import OneToOne
from ..driver import run, simulate
from ..event import Dense
from ..input import Poisson, TimeSeries
from ..network import Network, Projection
from ..neuron import ALIF, LIF
from ..plasticity import Combined, Normalization, TripletSTDP
from ..record import SpikeCount, Spikes
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Conductance, Exponential
from ..units import Hz, ms, mV, nS, pF
from ._entry import Entry, Outcome, Variant, check_scale

# An image is shown, then nothing.
_SHOWN, _REST, _TICK = 350 * ms, 150 * ms, 50 * ms
_EACH = _SHOWN + _REST
_BRIGHTEST = 63.75 * Hz
# The paper has 28 x 28 pixels. Weights onto a neuron have the same sum with fewer.
_TOTAL, _PIXELS = 78.4 * nS, 784
_RELAY, _RIVALS = 10.4 * nS, 17.0 * nS
_HELD_OUT, _BATCH, _BLOCK = 500, 100, 100


class Learned(NamedTuple):
    """What a network of [`brainfn.zoo.diehl_cook`][] has learned: `weights` in nS, shape `(pixels,
    neurons)`, and by how much its thresholds rose, `rise` in mV, shape `(neurons,)`."""

    weights: Float[Array, "pixels neurons"]
    rise: Float[Array, " neurons"]


def diehl_cook(
    images: FloatArrayLike,
    *,
    neurons: int = 100,
    learned: Learned | None = None,
    key: Key,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""Neurons that inhibit each other learn to share the images that they see, without labels.

    $$\tau \dot v = v_\mathrm{rest} - v + g_e (0 - v) + g_i (E_i - v),\qquad
    v \ge -52\ \mathrm{mV} + \theta:\ \text{spike},\ \theta \leftarrow \theta + 0.05\ \mathrm{mV}$$

    Each pixel is a Poisson train of up to 63.75 Hz, for 350 ms; then comes a rest of 150 ms. All
    pixels reach all excitatory neurons ($\tau$ = 100 ms, $\tau_e$ = 1 ms, $\tau_i$ = 2 ms) through
    synapses with triplet STDP. Each of these drives an inhibitory neuron of its own, which inhibits
    all others: one wins. Its threshold rises, so that others win next time; $\theta$ decays within
    $10^7$ ms. After each image the weights onto a neuron are scaled to a sum of 78.4.

    Conductances are relative to that of the leak, which is 1 nS here. The paper has 784 pixels; for
    fewer, bounds and rates of learning are larger in proportion. Other than in its program, spikes
    from pixels have no delay, and an image with few spikes is not shown again.

    **Arguments:**

    - `images`: numbers from 0 to 1, shape `(images, pixels)`, shown one after the other.
    - `neurons`: number of excitatory neurons, and of inhibitory ones.
    - `learned`: what was learned earlier, `Learned(state.weights["seen"], state["exc"].rise)`, with
        which the network sees, but learns no more. By default it begins at random, and learns.
    - `key`: a JAX random key for the first weights.
    - `surrogate`, `dtype`: as of [`brainfn.zoo.vogels_abbott`][].

    **Returns:** the network and its `inputs` for [`brainfn.simulate`][], 500 ms for each image.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    !!! example

        ```python
        key = jax.random.key(0)
        network, inputs = bf.zoo.diehl_cook(images, key=key, surrogate=None)
        out = bf.run(network, inputs=inputs, duration=500.0 * len(images), dt=0.5, key=key,
                     record=bf.record.SpikeCount())
        ```

    ??? cite

        Diehl and Cook (2015), "Unsupervised learning of digit recognition using
        spike-timing-dependent plasticity", Front. Comput. Neurosci. 9:99,
        doi:10.3389/fncom.2015.00099, with the constants and the triplet rule of its program.
    """
    dtype = jnp.result_type(float) if dtype is None else dtype
    images = _checked(images, dtype)
    if isinstance(neurons, bool) or not isinstance(neurons, int | np.integer) or neurons < 2:
        raise ValueError(f"`neurons` must be a whole number of at least 2, got {neurons!r}.")
    pixels = images.shape[1]
    largest = _PIXELS / pixels * nS
    rule = None
    if learned is None:
        weights = 0.01 + jr.uniform(key, (pixels, neurons), dtype, 0.0, 0.3)
        learned = Learned(
            _TOTAL * weights / weights.sum(0, keepdims=True), jnp.zeros(neurons, dtype)
        )
        stdp = TripletSTDP(
            A2_plus=0.0,
            A3_plus=0.01 * largest,
            A2_minus=1e-4 * largest,
            A3_minus=0.0,
            tau_plus=20 * ms,
            tau_minus=20 * ms,
            tau_y=40 * ms,
            w_max=largest,
            nearest=True,
        )
        rule = Combined([stdp, Normalization(total=_TOTAL, interval=_EACH)])
    weights = jnp.asarray(learned.weights, dtype).reshape(pixels, neurons)
    excite = {"synapse": Exponential(1 * ms), "output": Conductance(0 * mV)}
    populations: dict[str, Any] = {
        "image": Poisson(pixels, 0.0),
        "exc": ALIF(
            neurons,
            tau=100 * ms,
            capacitance=100 * pF,
            v_rest=-65 * mV,
            v_threshold=-52 * mV,
            v_reset=-65 * mV,
            refractory=5 * ms,
            b=0.0 if rule is None else 0.05 * mV,
            tau_a=1e7 * ms,
            rise_init=learned.rise,
            surrogate=surrogate,
        ),
        "inh": LIF(
            neurons,
            tau=10 * ms,
            capacitance=10 * pF,
            v_rest=-60 * mV,
            v_threshold=-40 * mV,
            v_reset=-45 * mV,
            refractory=2 * ms,
            surrogate=surrogate,
        ),
    }
    projections = {
        "seen": Projection("image", "exc", Dense(weights), plasticity=rule, **excite),
        "relay": Projection("exc", "inh", OneToOne(), weight=_RELAY, **excite),
        "rivals": Projection(
            "inh",
            "exc",
            Dense(_RIVALS * (1 - jnp.eye(neurons, dtype=dtype))),
            synapse=Exponential(2 * ms),
            output=Conductance(-100 * mV),
        ),
    }
    shown = jnp.arange(round(_EACH / _TICK)) < round(_SHOWN / _TICK)
    rates = _BRIGHTEST * images[:, None] * shown.astype(images.dtype)[None, :, None]
    series = TimeSeries(rates.reshape(-1, pixels), interval=_TICK)
    return astype(Network(populations, projections), dtype), {"image": series}


def _checked(images: Any, dtype: Any) -> Float[Array, "images pixels"]:
    if np.ndim(images) != 2 or 0 in np.shape(images):
        raise ValueError(f"`images` must have shape (images, pixels), got {np.shape(images)}.")
    if is_concrete(images):
        host = np.asarray(images)
        if not (np.min(host) >= 0 and np.max(host) <= 1):
            raise ValueError(
                f"`images` must lie between 0 and 1, got {np.min(host)} to {np.max(host)}."
            )
    return jnp.asarray(images, dtype)


def learn(
    images: np.ndarray, neurons: int, dt: float, key: Key, progress: bool = False
) -> tuple[Learned, Int[np.ndarray, "images neurons"]]:
    """What is learned from images shown once each, and the numbers of spikes for each."""
    network, inputs = diehl_cook(images, neurons=neurons, key=key, surrogate=None)
    out = run(
        network,
        inputs=inputs,
        duration=_EACH * len(images),
        dt=dt,
        key=key,
        record=Spikes("exc"),
        progress=progress,
    )
    if out.interrupted:
        raise KeyboardInterrupt
    state, spikes = out.state.model_state, out.outputs["exc"]
    counts = np.zeros((len(images), neurons), np.int64)
    shown = np.asarray(spikes.steps) // whole_steps("dt", _EACH, dt)
    np.add.at(counts, (shown, np.asarray(spikes.neurons)), 1)
    weights = state.weights["seen"].reshape(images.shape[1], neurons)
    return Learned(weights, state["exc"].rise), counts


def respond(
    learned: Learned, images: np.ndarray, dt: float, key: Key
) -> Int[np.ndarray, "images neurons"]:
    """Numbers of spikes for each image, without learning; a hundred images in one `vmap`."""

    def one(image: Any, key: Key) -> Any:
        network, inputs = diehl_cook(
            image[None], neurons=learned.rise.size, learned=learned, key=key, surrogate=None
        )
        out = simulate(network, inputs=inputs, duration=_SHOWN, dt=dt, key=key, record=SpikeCount())
        return out.outputs["exc"]

    # The last batch is filled up, so that one program does for all.
    batch = min(_BATCH, len(images))
    filled = np.resize(images, (-(-len(images) // batch) * batch, images.shape[1]))
    many, keys = jax.jit(jax.vmap(one)), jr.split(key, len(filled))
    parts = [
        np.asarray(many(jnp.asarray(filled[i : i + batch]), keys[i : i + batch]))
        for i in range(0, len(filled), batch)
    ]
    return np.concatenate(parts)[: len(images)]


def assign(counts: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The class of each neuron: that of the highest mean response."""
    there = [counts[labels == c].mean(0) if np.any(labels == c) else 0 * counts[0] for c in
             range(classes)]  # fmt: skip
    return np.argmax(there, axis=0)


def predict(counts: np.ndarray, owners: np.ndarray, classes: int) -> np.ndarray:
    """The class whose neurons have the highest mean response to each image."""
    votes = [counts[:, owners == c].mean(1) if np.any(owners == c) else np.full(len(counts), -1.0)
             for c in range(classes)]  # fmt: skip
    return np.argmax(votes, axis=0)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 digits of 8 x 8 pixels of scikit-learn, between 0 and 1, and their labels.

    **Raises:** `ImportError` that says what to install.
    """
    try:
        sets = importlib.import_module("sklearn.datasets")
    except ImportError:
        raise ImportError(
            "diehl_cook needs the handwritten digits that come with scikit-learn. Try pip install "
            "'brainfn[data]'."
        ) from None
    found = sets.load_digits()
    return found.data / 16.0, found.target


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del variant
    neurons = round(100 * check_scale(scale, 0.1, 100, "10 neurons", "100 neurons"))
    number = int(duration // _EACH)
    if number < _BLOCK:
        raise ValueError(
            f"`duration` must be at least {_BLOCK * _EACH:g} ms, {_BLOCK} images of {_EACH:g} ms, "
            f"got {duration:g}."
        )
    images, labels = digits()
    size = round(len(images[0]) ** 0.5)
    k_order, k_learn, k_respond = jr.split(key, 3)
    order = np.asarray(jr.permutation(k_order, len(images)))
    test, rest = order[:_HELD_OUT], order[_HELD_OUT:]
    shown = np.resize(rest, number)
    learned, counts = learn(images[shown], neurons, dt, k_learn, progress=True)
    known = np.unique(shown)
    answers = respond(learned, images[np.concatenate([known, test])], dt, k_respond)
    mine, held = answers[: len(known)], answers[len(known) :]
    owners = assign(mine, labels[known], 10)
    guesses = predict(held, owners, 10)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels[test], guesses), 1)
    # As the paper does along the way: classes by one block of images, for the next.
    blocks = [slice(i, i + _BLOCK) for i in range(0, number - _BLOCK + 1, _BLOCK)]
    course = [
        float(np.mean(predict(counts[b], assign(counts[a], labels[shown[a]], 10), 10)
                      == labels[shown[b]]))
        for a, b in itertools.pairwise(blocks)
    ]  # fmt: skip
    rise = np.asarray(learned.rise)
    found = {
        "accuracy": float(np.mean(guesses == labels[test])),
        "known": float(np.mean(predict(mine, owners, 10) == labels[known])),
        "spikes": float(counts[-_BLOCK:].sum(1).mean()),
        "rise": float(rise.mean()),
    }
    weights = np.asarray(learned.weights)

    def picture() -> Any:
        return _draw(weights, owners, confusion, course, found, size)

    return Outcome(
        found,
        {
            "weights": weights,
            "rise": rise,
            "owners": owners,
            "confusion": confusion,
            "course": np.array(course),
            "counts": counts,
        },
        f"{neurons} neurons, {number} images to learn and {_HELD_OUT} others",
        number * _EACH,
        picture,
    )


def _draw(
    weights: np.ndarray, owners: np.ndarray, confusion: Any, course: Any, found: Any, size: int
) -> Any:
    """Weights of all neurons, ordered by class; confusions; accuracy while learning."""
    from .. import plot

    figure = plot.new_figure(11.0, 6.2)
    figure.suptitle(f"Digits without a teacher: {100 * found['accuracy']:.1f} % of new ones right")
    left, right = figure.subfigures(1, 2, width_ratios=(1.6, 1))
    order = np.argsort(owners, kind="stable")
    side = int(np.ceil(len(order) ** 0.5))
    # One picture of all fields, with a line of nothing between them.
    sheet = np.full((side * (size + 1) - 1, side * (size + 1) - 1), np.nan)
    for place, neuron in enumerate(order):
        y, x = (size + 1) * (place // side), (size + 1) * (place % side)
        field = weights[:, neuron].reshape(size, size)
        sheet[y : y + size, x : x + size] = field / max(field.max(), 1e-30)
    ax = left.subplots()
    ax.imshow(sheet, cmap="viridis", interpolation="nearest")
    ax.set_title("weights from the image, by neuron", fontsize="medium")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    top, bottom = right.subplots(2, 1, gridspec_kw={"height_ratios": (1.5, 1)})
    share = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    top.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    for i, j in np.argwhere(confusion > 0):
        shade = "white" if share[i, j] > 0.5 else "#444444"
        top.text(j, i, confusion[i, j], ha="center", va="center", fontsize=7, color=shade)
    top.set(xlabel="answer", ylabel="digit", xticks=range(10), yticks=range(10))
    bottom.plot(_BLOCK * (1.5 + np.arange(len(course))), 100 * np.array(course), "o-", ms=4)
    bottom.set(xlabel="images seen", ylabel="right (%)", ylim=(0, 100), xlim=(0, None))
    plot.open_frame(bottom)
    return figure


DIEHL_COOK = Entry(
    name="diehl_cook",
    title="digits learned without a teacher, by STDP and competition",
    source="Diehl and Cook (2015), doi:10.3389/fncom.2015.00099",
    size="100 excitatory and 100 inhibitory neurons, 64 pixels; 16 400 synapses, 6400 of them "
    "plastic",
    expected="each neuron comes to stand for one digit; with 100 neurons 82.9 % of new digits are "
    "recognised",
    variants={
        "digits": Variant(
            "Digits without a teacher",
            "constants and triplet rule of the paper's program; 8 x 8 digits of scikit-learn",
            reference={"paper, 28 x 28 pixels": {"": {"accuracy": 0.829}}},
        )
    },
    experiment=_experiment,
    python="bf.zoo.diehl_cook(images, neurons=100, key=key)",
    rows={
        "accuracy": ("new digits recognised", "{:.3f}"),
        "known": ("digits it has seen", "{:.3f}"),
        "spikes": ("spikes for an image", "{:.1f}"),
        "rise": ("rise of thresholds (mV)", "{:.1f}"),
    },
    duration=1297 * _EACH,
    dt=0.5,
    multiples={"the refractory period": 5 * ms},
    note="paper: 100 neurons, MNIST",
)
