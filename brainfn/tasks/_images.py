"""Classification of images with one spike per pixel: Fashion-MNIST and digits."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax

from .. import data, input, learn, nn, synapse
from ..data import Examples
from ..init import Normal
from ._entry import Prepared, Task, TaskVariant
from ._picture import pictures

_STEPS = 100
_TAU_MEMBRANE, _TAU_SYNAPSE = 10.0, 5.0
# SpyTorch adds the synaptic current to the membrane as it is and draws weights with standard
# deviation 0.666 / sqrt(n); in `nn.lif` a current I drives the membrane to I.
_GAIN = 1 / (1 - math.exp(-1 / _TAU_MEMBRANE))
_WEIGHT = 0.666 * _GAIN
_CLASSES = 10
_TEST_BATCH = 500


def latency_code(x: Any, steps: int = _STEPS) -> nn.Packed:
    """Spikes of images with brightness from 0 to 1, all pixels of an image in one axis."""
    flat = jnp.reshape(jnp.asarray(x), (jnp.shape(x)[0], -1))
    return nn.pack_steps(input.latency(flat, 20.0, threshold=0.2), steps)


def dense(
    n_in: int, hidden: int, classes: int = _CLASSES, *, recurrent: bool = False, key: Any
) -> nn.Chain:
    """One hidden layer of LIF neurons, and a readout of leaky integrators."""
    keys = jr.split(key)
    return nn.Chain(
        nn.Layer(
            n_in,
            nn.lif(hidden, tau=_TAU_MEMBRANE),
            weight=Normal(0.0, _WEIGHT / math.sqrt(n_in)),
            recurrent=Normal(0.0, 0.5 * _WEIGHT / math.sqrt(hidden)) if recurrent else None,
            synapse=synapse.Exponential(_TAU_SYNAPSE),
            key=keys[0],
        ),
        nn.Layer(
            hidden,
            nn.integrator(classes, tau=_TAU_MEMBRANE),
            weight=Normal(0.0, _WEIGHT / math.sqrt(hidden)),
            synapse=synapse.Exponential(_TAU_SYNAPSE),
            key=keys[1],
        ),
    )


def _network_loss(encode: Callable[[Any], Any], steps: int) -> Callable[..., Any]:
    """The loss of a chain: cross entropy of the highest membrane potentials."""

    def loss(net: Any, batch: Any) -> Any:
        response = jax.vmap(net)(encode(batch.x))
        each = jax.vmap(learn.cross_entropy)(response.output, batch.y)
        right = jax.vmap(learn.accuracy)(response.output, batch.y)
        first = next(t for t in response.totals if t is not None)
        return each.mean(), {"accuracy": right.mean(), "rate": first.mean() / steps}

    return loss


def _tester(loss: Callable[..., Any], test: Examples) -> Callable[[Any], dict[str, Any]]:
    """Loss and accuracy of a test set, in batches."""

    @eqx.filter_jit
    def one(model: Any, batch: Any) -> Any:
        value, more = loss(model, batch)
        return {"loss": value, "accuracy": more["accuracy"]}

    def evaluate(state: Any) -> dict[str, Any]:
        size = min(_TEST_BATCH, len(test.y))
        found = [
            ({k: float(v) for k, v in one(state.model, batch).items()}, len(batch.y))
            for batch in data.batches(test, size, keep_rest=True)
        ]
        n = sum(n for _, n in found)
        return {k: sum(f[k] * n for f, n in found) / n for k in ("loss", "accuracy")}

    return evaluate


def _prepare(
    net: Any,
    encode: Callable[[Any], Any],
    steps: int,
    examples: tuple[Examples, Examples],
    how: tuple[int, int],
    rate: float,
    key: Any,
    size: str,
) -> Prepared:
    """- `how`: examples in a batch, and number of epochs, over which Adam's `rate` falls to 0."""
    train, test = examples
    batch, epochs = how
    batches = data.batches(train, batch, key=key)
    loss = _network_loss(encode, steps)
    falling = optax.cosine_decay_schedule(rate, epochs * len(batches))
    step = learn.make_step(loss, optax.adam(falling))
    few = test.x[:200], test.y[:200]
    return Prepared(
        step=step,
        state=step.init(net),
        batches=batches,
        evaluate=_tester(loss, test),
        size=size,
        examples=len(train.y),
        picture=lambda done: pictures(done, encode, few, steps),
    )


def _fashion_mnist(
    *,
    batch: int = 256,
    epochs: int = 10,
    key: Any,
    path: Any = None,
    hidden: int = 100,
    recurrent: bool = False,
) -> Prepared:
    examples = data.fashion_mnist(path)
    k_net, k_data = jr.split(key)
    net = dense(784, hidden, recurrent=recurrent, key=k_net)
    size = f"784-{hidden}{' (recurrent)' if recurrent else ''}-10, {_STEPS} steps"
    # Adam's steps do not depend on the scale of gradients: as large relative to the weights as
    # 1e-3 with those of SpyTorch.
    return _prepare(
        net, latency_code, _STEPS, examples, (batch, epochs), 1e-3 * _GAIN, k_data, size
    )


_CONVOLUTION_STEPS = 4


def _fashion_mnist_convolution(
    *, batch: int = 128, epochs: int = 2, key: Any, path: Any = None
) -> Prepared:
    examples = data.fashion_mnist(path)
    k1, k2, k3, k_data = jr.split(key, 4)
    steps = _CONVOLUTION_STEPS
    net = nn.Chain(
        eqx.nn.Conv2d(1, 8, 5, key=k1),
        nn.Layer(None, nn.lif(8 * 24 * 24, tau=2.0)),
        eqx.nn.AvgPool2d(2, 2),
        eqx.nn.Conv2d(8, 16, 5, key=k2),
        nn.Layer(None, nn.lif(16 * 8 * 8, tau=2.0)),
        eqx.nn.AvgPool2d(2, 2),
        jnp.ravel,
        nn.Layer(256, nn.integrator(10, tau=2.0), key=k3),
    )

    def constant(x: Any) -> Any:
        x = jnp.asarray(x)[:, None, None]
        return jnp.broadcast_to(x, (x.shape[0], steps, *x.shape[2:]))

    size = f"8C5-P2-16C5-P2-10, {steps} steps"
    return _prepare(net, constant, steps, examples, (batch, epochs), 2e-3, k_data, size)


def _digits(
    *, batch: int = 64, epochs: int = 10, key: Any, path: Any = None, hidden: int = 64
) -> Prepared:
    if path is not None:
        raise ValueError("`path`: the digits come with scikit-learn, not from a folder.")
    k_net, k_data = jr.split(key)
    steps = 50
    net = dense(64, hidden, key=k_net)

    def encode(x: Any) -> nn.Packed:
        return latency_code(x, steps)

    size = f"64-{hidden}-10, {steps} steps"
    return _prepare(net, encode, steps, data.digits(), (batch, epochs), 6e-3 * _GAIN, k_data, size)


def _fashion(*, convolution: bool = False, **given: Any) -> Prepared:
    return (_fashion_mnist_convolution if convolution else _fashion_mnist)(**given)


_ROWS = {
    "test_accuracy": ("test accuracy", "{:.4f}"),
    "accuracy": ("training accuracy", "{:.4f}"),
    "test_loss": ("test loss", "{:.4f}"),
    "loss": ("training loss", "{:.4f}"),
    "rate": ("hidden spikes per step", "{:.4f}"),
}

FASHION_MNIST = Task(
    name="fashion-mnist",
    title="clothes in 28 x 28 pixels, one spike for each",
    source="Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747; network: SpyTorch, tutorial 2",
    variants={
        "100": TaskVariant(
            "784-100-10", "test accuracy 0.865 after 10 epochs",
            reference={"SpyTorch, 30 epochs": {"test_accuracy": 0.863, "accuracy": 0.912}},
        ),
        "256": TaskVariant("784-256-10", "not measured", {"hidden": 256}),
        "recurrent": TaskVariant(
            "784-128-10 with recurrent weights", "not measured",
            {"hidden": 128, "recurrent": True},
        ),
        "convolution": TaskVariant(
            "8C5-P2-16C5-P2-10, grey values as currents", "not measured",
            {"convolution": True},
        ),
    },
    build=_fashion,
    epochs=10,
    batch=256,
    rows=_ROWS,
)  # fmt: skip

DIGITS = Task(
    name="digits",
    title="handwritten digits in 8 x 8 pixels, one spike for each, in seconds",
    source="Alpaydin and Kaynak (1998), Kybernetika 34:369-374, as scikit-learn has them",
    variants={"64": TaskVariant("64-64-10", "test accuracy 0.88 after 10 epochs")},
    build=_digits,
    epochs=10,
    batch=64,
    rows=_ROWS,
)
