"""The known fused steps."""

from collections.abc import Sequence
from typing import Any

from .._population import AbstractPopulation
from ..synapse import AbstractOutput, AbstractReceptor
from ._base import AbstractFusedStep
from ._lif import FusedLIF

_KNOWN: tuple[AbstractFusedStep, ...] = (FusedLIF(),)


def find(
    model: AbstractPopulation,
    parts: Sequence[tuple[AbstractReceptor, AbstractOutput]],
    state: Any,
    layers: Sequence[Any],
    injected: Any,
) -> AbstractFusedStep | None:
    """A fused step that accepts these, or `None`; arguments as for
    [`brainfn.kernel.AbstractFusedStep.accepts`][]."""
    for known in _KNOWN:
        if known.accepts(model, parts, state, layers, injected):
            return known
    return None
