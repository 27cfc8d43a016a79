"""Pictures of a training: its course, and what the network does with one example."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import nn
from ..learn import Fit


def pictures(done: Fit, encode: Callable[[Any], Any], examples: Any, steps: int) -> Any:
    """Course of the training, confusions, and the spikes and readouts of one example.

    - `examples`: images and labels to test with.
    """
    from .. import plot

    x, y = examples
    net = done.state.model
    response = jax.jit(jax.vmap(net))(encode(x))
    outputs = np.asarray(response.output)
    guess = outputs.max(axis=1).argmax(axis=-1)
    shown = int(np.argmax(guess == y))  # the first that is right
    hidden = _hidden(net, jax.tree.map(lambda a: a[shown], encode(x)))
    figure = plot.new_figure(10.0, 7.0)
    axes = figure.subplots(2, 2)
    course(axes[0, 0], done.records)
    _confusion(axes[0, 1], guess, np.asarray(y))
    times, neurons = np.nonzero(hidden)
    ink = plot.ink(axes[1, 0])
    axes[1, 0].scatter(times, neurons, s=4, color=ink, linewidths=0)
    axes[1, 0].set(
        xlim=(0, steps), ylim=(0, hidden.shape[1]), xlabel="step", ylabel="hidden neuron",
        title="spikes of one example",
    )  # fmt: skip
    for k in range(outputs.shape[-1]):
        right = k == int(y[shown])
        colour = plot.colour("right", 0, axes[1, 1]) if right else plot.grey(axes[1, 1])
        axes[1, 1].plot(outputs[shown, :, k], color=colour, lw=2.0 if right else 0.8, zorder=right)
    axes[1, 1].set(xlim=(0, steps), xlabel="step", title="readouts, that of its class coloured")
    for ax in axes.flat:
        plot.open_frame(ax)
    return figure


def course(ax: Any, records: list[dict[str, Any]]) -> None:
    """Accuracies over epochs."""
    from .. import plot

    epochs = [r["epoch"] + 1 for r in records]
    for place, (name, label) in enumerate((("accuracy", "training"), ("test_accuracy", "test"))):
        values = [r[name] for r in records if name in r]
        if values:
            ax.plot(epochs, values, "o-", ms=3, label=label, color=plot.colour(label, place, ax))
    ax.set(xlabel="epoch", title="accuracy")
    ax.legend(frameon=False)


def _confusion(ax: Any, guess: Any, label: Any) -> None:
    n = int(max(guess.max(), label.max())) + 1
    counts = np.zeros((n, n))
    np.add.at(counts, (label, guess), 1)
    part = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(part, vmin=0, vmax=1, cmap="Greys")
    ax.set(xlabel="answer", ylabel="class", title=f"answers to {len(label)} test examples")
    ax.set_xticks(range(n))
    ax.set_yticks(range(n))


def _hidden(net: Any, x: Any) -> np.ndarray:
    """The spikes of the first layer of neurons for one example, one column each."""
    place = next(i for i, layer in enumerate(net) if isinstance(layer, nn.Layer))
    out = nn.Chain(*net.layers[: place + 1])(x).output
    return np.asarray(jnp.reshape(out, (out.shape[0], -1))) > 0
