"""Neurons that have no spike gradient because they never come near threshold."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from .._errors import count, parameter
from .._model import Clock
from ..network import Network, near_threshold
from ..neuron import AbstractNeuron
from ..record import AbstractReducer


class NearThresholdStatistics(NamedTuple):
    """The fraction of neurons of a population with a spike derivative.

    - `now`: the fraction that has one in a step, averaged over steps.
    - `ever`: the fraction that had one in at least one step; the others get no gradient through
      their spikes.
    """

    now: Float[Array, ""]
    ever: Float[Array, ""]


class NearThreshold(AbstractReducer):
    r"""Record the fraction of neurons within the support of their surrogate.

    $$ \frac{1}{T} \sum_n \frac{|\{i : |x_i[n]| < w\}|}{N} $$

    with the distance $x$ from threshold and the support $w$ of [`brainfn.surrogate`][]. It is a
    statistic without a gradient; a surrogate without compact support gives 1.

    ```python
    near = bf.learn.NearThreshold(net)
    out = bf.simulate(net, ..., record={"spikes": bf.record.outputs, "near": near})
    out.outputs["near"]["exc"].ever
    ```

    **Arguments:**

    - `model`: the [`brainfn.Network`][] or the neurons that are simulated.

    **Returns** (in `outputs`): a dictionary by population of
    [`brainfn.learn.NearThresholdStatistics`][], or one of them for a model that is a population.
    Populations whose spikes have no derivative at all (sources, `surrogate=None`) are left out.
    """

    populations: dict[str | None, Any]

    def __init__(self, model: Network | AbstractNeuron):
        neurons = _neurons(model)
        self.populations = {
            name: neuron
            for name, neuron in neurons.items()
            if jnp.issubdtype(neuron.emits().dtype, jnp.floating)
        }

    def init(self, state: Any, output: Any) -> Any:
        del state
        _check_model(self.populations, output)
        return {
            name: (jnp.zeros(()), jnp.zeros(neuron.size, bool), jnp.zeros((), jnp.int32))
            for name, neuron in self.populations.items()
        }

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        new = {}
        for name, neuron in self.populations.items():
            total, ever, n = summary[name]
            near = near_threshold(neuron, _part(state, name))
            near = jnp.ones_like(ever) if near is None else near | (_part(output, name) != 0)
            new[name] = total + jnp.mean(near.astype(total.dtype)), ever | near, n + 1
        return new

    def finish(self, summary: Any) -> Any:
        return _result(
            {
                name: NearThresholdStatistics(
                    now=total / n.astype(total.dtype), ever=jnp.mean(ever.astype(total.dtype))
                )
                for name, (total, ever, n) in summary.items()
            }
        )


class SilencePenalty(AbstractReducer):
    r"""A loss that pulls silent neurons towards their threshold.

    $$ L = \frac1N \sum_i [n_i < n_\mathrm{min}]\,
    \max\!\left(0,\, -m - \max_n x_i[n]\right)^2 $$

    where $n_i$ counts the spikes of neuron $i$ and $x_i$ is its distance from threshold in the
    units of its surrogate (0 at threshold, -1 at the reset potential). A lower bound on the rate
    that acts on the spikes has no gradient where no neuron is near threshold; this one acts on the
    membrane potential, at the time when it was closest to threshold, and needs no surrogate. It is
    zero once each neuron spikes often enough or has come within $m$ of its threshold.

    ```python
    record = {"spikes": bf.record.outputs, "silence": bf.learn.SilencePenalty(net)}
    out = bf.simulate(net, ..., record=record).outputs
    loss = task(out["spikes"]) + 0.1 * sum(out["silence"].values())
    ```

    It reaches the weights of projections whose presynaptic neurons spike, and the parameters of the
    neurons themselves.

    **Arguments:**

    - `model`: the [`brainfn.Network`][] or the neurons that are simulated.
    - `spikes`: neurons with fewer spikes than this count as silent, at least 1.
    - `margin`: $m \ge 0$, dimensionless. 0 pulls neurons to the threshold itself.

    **Returns** (in `outputs`): a dictionary by population of scalars, or a scalar for a model that
    is a population. Populations without a `distance` from threshold are left out.

    **Raises:** `TypeError` or `ValueError` naming the argument.

    ??? cite

        Lower bounds on activity are common with surrogate gradients: F. Zenke, T. P. Vogels (2021),
        "The remarkable robustness of surrogate gradient learning for instilling complex function in
        spiking neural networks", Neural Computation 33, 899-925, doi:10.1162/neco_a_01367. A sparse
        gradient can vanish entirely: N. Perez-Nieves, D. F. M. Goodman (2021), "Sparse spiking
        gradient descent", NeurIPS 34, arXiv 2105.08810.
    """

    populations: dict[str | None, Any]
    margin: Float[Array, ""]
    spikes: int = eqx.field(static=True)

    def __init__(
        self, model: Network | AbstractNeuron, *, spikes: int = 1, margin: FloatArrayLike = 0.0
    ):
        self.populations = _neurons(model)
        self.spikes = count("spikes", spikes, minimum=1)
        self.margin = parameter("margin", margin, unit="units of distance", nonnegative=True)

    def init(self, state: Any, output: Any) -> Any:
        _check_model(self.populations, output)
        summary = {}
        for name, neuron in self.populations.items():
            distance = neuron.distance(_part(state, name))
            if distance is not None:
                silent = jnp.zeros(_part(output, name).shape, jnp.int32)
                summary[name] = jnp.full_like(distance, -jnp.inf), silent
        return summary

    def update(self, summary: Any, state: Any, output: Any, clock: Clock) -> Any:
        del clock
        new = {}
        for name, (closest, n) in summary.items():
            distance = self.populations[name].distance(_part(state, name))
            spikes = _part(output, name).astype(bool).astype(jnp.int32)
            new[name] = jnp.maximum(closest, distance), n + spikes
        return new

    def finish(self, summary: Any) -> Any:
        losses = {}
        for name, (closest, n) in summary.items():
            short = jnp.maximum(-self.margin.astype(closest.dtype) - closest, 0)
            losses[name] = jnp.mean(jnp.where(n < self.spikes, short**2, jnp.zeros_like(short)))
        return _result(losses)


def _neurons(model: Any) -> dict[str | None, AbstractNeuron]:
    """The populations of neurons of a model; one without a name is the model itself."""
    if isinstance(model, Network):
        populations = {name: model.populations[name] for name in model.layout.populations}
        return {name: p for name, p in populations.items() if isinstance(p, AbstractNeuron)}
    if isinstance(model, AbstractNeuron):
        return {None: model}
    raise TypeError(
        f"`model` must be a brainfn.Network or neurons, got {type(model).__name__}. Try the model "
        "that is simulated."
    )


def _check_model(populations: dict[str | None, Any], output: Any) -> None:
    """Raises if `output` is not that of the model with these populations."""
    for name, neuron in populations.items():
        fits = isinstance(output, Mapping) == (name is not None)
        found = output.get(name) if name is not None and fits else output
        if not fits or getattr(found, "shape", None) != (neuron.size,):
            what = f"population {name!r} of {neuron.size} neurons" if name else "one population"
            raise ValueError(
                f"`model` is not the simulated model: it has {what}. Give the reducer the same "
                "model as brainfn.simulate."
            )


def _part(tree: Any, name: str | None) -> Any:
    return tree if name is None else tree[name]


def _result(found: dict[str | None, Any]) -> Any:
    return found.get(None, found)
