"""Steps that are computed in one pass where a kernel for them exists."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._model import Clock
from ..event import materialize
from ..neuron import LIF, LIFState
from ..neuron._lif_kernel import MAX_LAYERS, lif_step
from ..solver import ExponentialEuler
from ..synapse import Conductance, Current, Exponential, ExponentialState
from ._drive import Drive
from ._projection import Receptor


def step_group(
    model: Any,
    receptors: Sequence[Receptor],
    state: Any,
    layers: Sequence[Any],
    injected: Any,
    clock: Clock,
    key: Any,
) -> tuple[Any, Any, tuple[Any, ...]]:
    """One step of the neurons of a group and of the synapses onto them.

    **Returns:** the state of the neurons, their spikes, and the states of the synapses.
    """
    if has_kernel(model, receptors, state, layers, injected):
        return _fused((model, tuple(receptors), state, tuple(layers), injected, clock))
    return _plain(model, receptors, state, layers, injected, clock, key)


def _plain(
    model: Any,
    receptors: Sequence[Receptor],
    state: Any,
    layers: Sequence[Any],
    injected: Any,
    clock: Clock,
    key: Any,
) -> tuple[Any, Any, tuple[Any, ...]]:
    terms = tuple(
        (receptor.synapse, receptor.output, layer)
        for receptor, layer in zip(receptors, layers, strict=True)
    )
    state, spikes = model.step(state, Drive(injected, terms), clock, key=key)
    # The neurons have read the synapses: now these may be overwritten in place.
    layers, spikes = materialize((tuple(layers), spikes))
    layers = tuple(
        receptor.synapse.advance(layer, clock.dt)
        for receptor, layer in zip(receptors, layers, strict=True)
    )
    return state, spikes, layers


def has_kernel(
    model: Any, receptors: Sequence[Receptor], state: Any, layers: Sequence[Any], injected: Any
) -> bool:
    """Whether the kernel of LIF neurons with exponential synapses computes this step."""
    # Concrete classes on purpose: this is the most used model there is. What the kernel brings is
    # in tests/benchmarks/kernel.py; tests/test_network_fused.py compares the two paths.
    if type(model) is not LIF or type(model.solver) is not ExponentialEuler:
        return False
    if len(layers) > MAX_LAYERS:
        return False
    synapses: list[Any] = [receptor.synapse for receptor in receptors]
    outputs: list[Any] = [receptor.output for receptor in receptors]
    if not all(type(synapse) is Exponential for synapse in synapses):
        return False
    if not all(type(output) in (Conductance, Current) for output in outputs):
        return False
    numbers: list[Any] = [state.v, injected, model.tau, model.capacitance, model.v_rest]
    numbers += [model.v_threshold, model.v_reset]
    numbers += [layer.g for layer in layers] + [synapse.tau for synapse in synapses]
    numbers += [output.reversal for output in outputs if type(output) is Conductance]
    shapes = {jnp.shape(x) for x in numbers}
    return (
        state.v.dtype in (np.float32, np.float64)
        and all(x.dtype == state.v.dtype for x in numbers)
        and shapes <= {(), state.v.shape}
    )


@eqx.filter_custom_jvp
def _fused(arguments: Any) -> Any:
    model, receptors, state, layers, injected, clock = arguments
    dt = clock.dt
    v, refractory, g, spikes = lif_step(
        state.v,
        state.refractory,
        tuple(layer.g for layer in layers),
        current=injected,
        leak=1 / model.tau,
        gain=1 / model.capacitance,
        v_rest=model.v_rest,
        v_threshold=model.v_threshold,
        v_reset=model.v_reset,
        steps=jnp.round(model.refractory * (1 / dt)).astype(jnp.int32),
        decay=tuple(jnp.exp(-dt / receptor.synapse.tau) for receptor in receptors),
        reversal=tuple(getattr(receptor.output, "reversal", None) for receptor in receptors),
        dt=dt,
        spike_dtype=model.spike_dtype,
    )
    return LIFState(v, refractory), spikes, tuple(ExponentialState(x) for x in g)


@_fused.def_jvp
def _fused_jvp(primals: Any, tangents: Any) -> Any:
    def plain(arguments: Any) -> Any:
        model, receptors, state, layers, injected, clock = arguments
        return _plain(model, receptors, state, layers, injected, clock, None)

    return eqx.filter_jvp(plain, primals, tangents)
