"""The fused step of LIF neurons with exponential receptors."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._model import Clock
from .._population import AbstractPopulation
from ..neuron import LIF, PreparedNeuron, SpikingState, Voltage
from ..solver import ExponentialEuler
from ..synapse import (
    AbstractOutput,
    AbstractReceptor,
    Conductance,
    Conducting,
    Current,
    Exponential,
)
from ._base import AbstractFusedStep
from ._lif_exponential import MAX_LAYERS, lif_step


class FusedLIF(AbstractFusedStep):
    """LIF neurons with exponential Euler, exponential receptors, currents and conductances: a very
    common model. The kernel is benchmarked in `tests/benchmarks/kernel.py`;
    `tests/test_network_fused.py` compares the two paths."""

    def accepts(
        self,
        model: AbstractPopulation,
        parts: Sequence[tuple[AbstractReceptor, AbstractOutput]],
        state: Any,
        layers: Sequence[Any],
        injected: Any,
    ) -> bool:
        if type(model) is not PreparedNeuron or model.compensated or callable(injected):
            return False
        cell = model.model
        if type(cell) is not LIF or cell.soft_reset:
            return False
        if type(cell.solver) is not ExponentialEuler:
            return False
        if len(parts) > MAX_LAYERS:
            return False
        numbers: list[Any] = [state.v, injected, cell.tau, cell.capacitance, cell.v_rest]
        numbers += [cell.v_threshold, cell.v_reset]
        for (synapse, output), layer in zip(parts, layers, strict=True):
            if type(synapse) is not Exponential:
                return False
            numbers += [layer.g, synapse.tau]
            if type(output) is Conductance:
                numbers.append(output.reversal)
            elif type(output) is not Current:
                return False
        shapes = {jnp.shape(x) for x in numbers}
        return (
            state.v.dtype in (np.float32, np.float64)
            and all(x.dtype == state.v.dtype for x in numbers)
            and shapes <= {(), state.v.shape}
        )

    def step(
        self,
        model: Any,
        parts: Sequence[tuple[Any, Any]],
        state: Any,
        layers: Sequence[Any],
        injected: Any,
        clock: Clock,
    ) -> tuple[Any, Any, tuple[Any, ...]]:
        cell, dt = model.model, clock.dt
        v, refractory, g, spikes = lif_step(
            state.v,
            state.refractory,
            tuple(layer.g for layer in layers),
            current=injected,
            leak=1 / cell.tau,
            gain=1 / cell.capacitance,
            v_rest=cell.v_rest,
            v_threshold=cell.v_threshold,
            v_reset=cell.v_reset,
            steps=jnp.round(cell.refractory * (1 / dt)).astype(jnp.int32),
            decay=tuple(jnp.exp(-dt / synapse.tau) for synapse, _ in parts),
            held=tuple(synapse.gain(cell.leak_rate(), dt) for synapse, _ in parts),
            reversal=tuple(
                output.reversal if type(output) is Conductance else None for _, output in parts
            ),
            dt=dt,
            spike_dtype=model.emits().dtype,
        )
        after = tuple(Conducting(x) for x in g)
        return SpikingState(Voltage(v), refractory), spikes, after
