r"""Which spikes carry a derivative: how the mask gets from the neuron to the synapse.

With a surrogate of compact support only neurons near their threshold have a spike derivative, and
the spike gradient $\bar s_i = \sum_j W_{ij} \bar y_j$ is needed only there. It is computed where
the spikes arrive, $d$ steps after the neuron was near its threshold or not, so the mask has to
travel with the spikes. It travels in a bit that they do not use: **in a delay line a neuron that
neither spikes nor has a derivative is a negative zero.**

- The marks are written and read only in the rules of differentiation. A simulation that is not
  differentiated computes nothing for them, and its state does not change.
- Everything that copies floats copies them: ring buffers, delays for each neuron, `vmap`,
  checkpoints, snapshots; products with nonnegative numbers keep them too (short-term plasticity).
- They fail towards more work: an operation that loses the sign, or a line that starts with zeros,
  marks "needed", which is always correct.

Only the line holds marked spikes; the outputs of a step are the unmarked signals of the neurons.
"""

import math
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from .._population import AbstractPopulation
from ..event import block_matvec, with_derivative


def has_marks(model: AbstractPopulation) -> bool:
    """Whether the spikes of `model` are marked when they are differentiated."""
    if not jnp.issubdtype(model.emits().dtype, jnp.floating):
        return False
    support = model.support
    return not (isinstance(support, float) and math.isinf(support))


def near_threshold(model: AbstractPopulation, state: Any) -> Bool[Array, " size"] | None:
    """Neurons whose spike may have a derivative, except those that spiked in this step; `None` for
    all of them."""
    distance = model.distance(state) if has_marks(model) else None
    if distance is None:
        return None
    # An extra neuron costs little and changes nothing; omitting one by rounding would change the
    # result.
    bound = jnp.asarray(model.support, distance.dtype) * 1.0001
    return jnp.abs(distance) <= jnp.broadcast_to(bound, distance.shape)


def _plain(spikes: Any, model: Any, state: Any) -> Any:
    del model, state
    return spikes


def _marked(spikes: Any, model: Any, state: Any) -> Any:
    near = near_threshold(model, lax.stop_gradient(state))
    if near is None:
        return spikes
    return _with_mark(spikes, ~(near | (spikes != 0)))


def _negative_zero(spikes: Any, far: Any) -> Any:
    return jnp.where(far, jnp.asarray(-0.0, spikes.dtype), spikes)


def _unchanged(arguments: Any, tangents: Any) -> Any:
    del arguments
    return tangents[0]


# A mark does not affect derivatives: those of a spike pass through it unchanged.
_with_mark = with_derivative(_negative_zero, tangent=_unchanged)
_mark = with_derivative(_plain, _marked)


def mark(spikes: Any, model: Any, state: Any) -> Any:
    """The spikes of a step as written to the delay line; `state` is that after the step."""
    return _mark(spikes, model, state) if has_marks(model) else spikes


def _summed(
    accumulators: Any, arrivals: Any, blocks: Any, marked: tuple[bool, ...], now: Any
) -> Any:
    del marked
    return block_matvec(accumulators, arrivals, blocks, now=now)


def _masked(
    accumulators: Any, arrivals: Any, blocks: Any, marked: tuple[bool, ...], now: Any
) -> Any:
    needs = [~jnp.signbit(x) if yes else None for x, yes in zip(arrivals, marked, strict=True)]
    return block_matvec(accumulators, arrivals, blocks, needs, now)


_deliver = with_derivative(_summed, _masked)


def deliver(
    accumulators: Any, arrivals: Any, blocks: Any, marked: tuple[bool, ...], now: Any
) -> Any:
    """Accumulators with the arriving signals added.

    **Arguments:**

    - `accumulators`: vectors of the receptors, and ring buffers.
    - `arrivals`: signals from the delay lines; `marked` says which of them carry marks.
    - `blocks`: the matrices with their places.
    - `now`: the step in which the spikes for ring buffers were emitted.
    """
    if not any(marked):
        return block_matvec(accumulators, arrivals, blocks, now=now)
    return _deliver(accumulators, arrivals, blocks, marked, now)
