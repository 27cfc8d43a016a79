r"""Which spikes carry a derivative: how the mask gets from the neuron to the synapse.

With a surrogate of compact support only neurons near their threshold have a spike derivative, and
the spike gradient $\bar s_i = \sum_j W_{ij} \bar y_j$ is of use only there. It is computed where
the spikes arrive, $d$ steps after the neuron was near its threshold or not, so the mask has to
travel with the spikes. It travels in a bit that they do not use: **in a delay line a neuron that
neither spikes nor has a derivative is a negative zero.**

- The marks are made, and read, in the rules of differentiation only. A simulation that is not
  differentiated computes nothing for them, and its state is what it was.
- Everything that copies floats copies them: ring buffers, delays for each neuron, `vmap`,
  checkpoints, snapshots; products with nonnegative numbers keep them too (short-term plasticity).
- They fail towards more work: whatever loses the sign, and every line that starts with zeros, says
  "needed", which is always right.

Only the line holds marked spikes; the outputs of a step are those of the neurons, as they are.
"""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool

from .._population import AbstractPopulation
from ..event import block_matvec


def has_marks(model: AbstractPopulation) -> bool:
    """Whether the spikes of `model` are marked when they are differentiated."""
    if not jnp.issubdtype(model.emits().dtype, jnp.floating):
        return False
    support = model.support
    return not (isinstance(support, float) and math.isinf(support))


def near_threshold(model: AbstractPopulation, state: Any) -> Bool[Array, " size"] | None:
    """Neurons whose spike may have a derivative, other than those that spiked in this very step;
    `None` for all of them."""
    distance = model.distance(state) if has_marks(model) else None
    if distance is None:
        return None
    # A neuron too many costs little and changes nothing; one that rounding leaves out would.
    bound = jnp.asarray(model.support, distance.dtype) * 1.0001
    return jnp.abs(distance) <= jnp.broadcast_to(bound, distance.shape)


@eqx.filter_custom_jvp
def mark(spikes: Any, model: Any, state: Any) -> Any:
    """The spikes of a step as the delay line takes them; `state` is that after the step."""
    del model, state
    return spikes


@mark.def_jvp
def _mark_jvp(primals: Any, tangents: Any) -> Any:
    spikes, model, state = primals
    near = near_threshold(model, state)
    if near is not None:
        spikes = jnp.where(near | (spikes != 0), spikes, jnp.asarray(-0.0, spikes.dtype))
    return spikes, tangents[0]


@eqx.filter_custom_jvp
def deliver(
    accumulators: Any, arrivals: Any, blocks: Any, marked: tuple[bool, ...], now: Any
) -> Any:
    """Accumulators with the signals that arrive added.

    **Arguments:**

    - `accumulators`: vectors of the receptors, and ring buffers.
    - `arrivals`: signals as they come from the delay lines, and `marked` which of them have marks.
    - `blocks`: the matrices with their places.
    - `now`: the step in which spikes were emitted that go into ring buffers.
    """
    del marked
    return block_matvec(accumulators, arrivals, blocks, now=now)


@deliver.def_jvp
def _deliver_jvp(primals: Any, tangents: Any) -> Any:
    _, arrivals, _, marked, now = primals
    needs = [~jnp.signbit(x) if yes else None for x, yes in zip(arrivals, marked, strict=True)]

    def masked(accumulators: Any, arrivals: Any, blocks: Any) -> Any:
        return block_matvec(accumulators, arrivals, blocks, needs, now)

    return eqx.filter_jvp(masked, primals[:3], tangents[:3])
