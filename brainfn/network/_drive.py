"""The current into the neurons of a group."""

from typing import Any

import equinox as eqx

from ..synapse import AbstractLinearSynapse, AbstractOutput


class Drive(eqx.Module):
    """The current into the neurons of a group: what is injected and what their synapses give."""

    injected: Any
    synapses: tuple[tuple[AbstractLinearSynapse, AbstractOutput, Any], ...]

    def __call__(self, t: Any, v: Any) -> Any:
        current = self.injected
        for synapse, output, state in self.synapses:
            current = current + output(synapse.conductance(state, t), v)
        return current
