"""The interface of fused steps of neurons and their receptors."""

import abc
from collections.abc import Sequence
from typing import Any

import equinox as eqx

from .._model import Clock
from .._population import AbstractPopulation
from ..synapse import AbstractOutput, AbstractReceptor


class AbstractFusedStep(eqx.Module):
    """Computes the step of a group of neurons and of the receptors on them in one pass.

    A network asks the known implementations in turn whether they accept a group; otherwise it calls
    the parts one by one. Values must agree with those of the parts up to rounding. Derivatives are
    always taken through the parts.
    """

    @abc.abstractmethod
    def accepts(
        self,
        model: AbstractPopulation,
        parts: Sequence[tuple[AbstractReceptor, AbstractOutput]],
        state: Any,
        layers: Sequence[Any],
        injected: Any,
    ) -> bool:
        """Whether it computes this step.

        **Arguments:**

        - `model`: the prepared population.
        - `parts`: receptors and outputs that reach all of its neurons.
        - `state`, `layers`: states of the population and of the receptors.
        - `injected`: the current, a number or one for each neuron; or a function.
        """

    @abc.abstractmethod
    def step(
        self,
        model: AbstractPopulation,
        parts: Sequence[tuple[AbstractReceptor, AbstractOutput]],
        state: Any,
        layers: Sequence[Any],
        injected: Any,
        clock: Clock,
    ) -> tuple[Any, Any, tuple[Any, ...]]:
        """The state of the population after the step, its spikes, and the states of the receptors
        after it."""
