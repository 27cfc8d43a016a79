"""The step of LIF neurons and their synapses in one pass over memory.

XLA on CPU makes one kernel for each array that a step writes, and each reads its inputs from memory
again; this operator reads and writes every array once, and splits large populations between
threads. On two cores it makes the step of the COBA network 2 to 3 times faster
(`docs/benchmarks.md`). It computes what `LIF.step` with `ExponentialEuler` and
`Exponential.advance` compute, up to rounding; a test compares them. Derivatives never come here:
they are taken through those two.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..event._prim import Native, define
from ..solver import phi1

MAX_LAYERS = 16


def lif_step(
    v: Array,
    refractory: Array,
    g: tuple[Array, ...],
    *,
    current: Array,
    tau: Array,
    capacitance: Array,
    v_rest: Array,
    v_threshold: Array,
    v_reset: Array,
    steps: Array,
    decay: tuple[Array, ...],
    reversal: tuple[Array | None, ...],
    dt: float,
    spike_dtype: Any,
) -> tuple[Array, Array, tuple[Array, ...], Array]:
    """Integrate over one step, spike, reset, and let the synapses decay.

    **Arguments:**

    - `v`, `refractory`, `g`: membrane potentials (mV), steps left to rest (int32), and synaptic
        variables with the arrivals of this step, each of shape `(n,)`.
    - `current`, ...: parameters, scalars or of shape `(n,)`; `steps` is the refractory period in
        steps, `decay` the factor of each synaptic variable over a step, and `reversal` its reversal
        potential, or `None` where it is a current.

    **Returns:** `v`, `refractory`, `g` after the step, and the spikes.
    """
    kinds = tuple(int(e is not None) for e in reversal)
    parameters = (current, tau, capacitance, v_rest, v_threshold, v_reset, steps, *decay)
    reversals = tuple(e for e in reversal if e is not None)
    out = _lif(
        v, refractory, *g, *parameters, *reversals, kinds=kinds, dt=dt, spikes=str(spike_dtype)
    )
    return out[0], out[1], tuple(out[2:-1]), out[-1]


def _reference(v, refractory, *rest, kinds, dt, spikes):
    k = len(kinds)
    g, rest = rest[:k], rest[k:]
    current, tau, capacitance, v_rest, v_threshold, v_reset, steps = rest[:7]
    decay, reversals = rest[7 : 7 + k], iter(rest[7 + k :])
    rate, drive = 1 / tau, v_rest / tau + current / capacitance
    for x, is_conductance in zip(g, kinds, strict=True):
        drive = drive + x * (next(reversals) if is_conductance else 1) / capacitance
        rate = rate + (x / capacitance if is_conductance else 0)
    new = v + dt * phi1(-dt * rate) * (drive - rate * v)
    new = jnp.where(refractory > 0, v, new)
    fires = new >= v_threshold
    left = jnp.where(fires, steps, jnp.maximum(refractory - 1, 0))
    decayed = [x * d for x, d in zip(g, decay, strict=True)]
    return [jnp.where(fires, v_reset, new), left, *decayed, fires.astype(spikes)]


def _outputs(v, refractory, *rest, kinds, dt, spikes):
    del dt
    g = rest[: len(kinds)]
    same = [(x.shape, x.dtype) for x in (v, refractory, *g)]
    return [*same, (v.shape, np.dtype(spikes))]


def _native(v, *rest, kinds, dt, spikes):
    del rest, spikes
    if v.dtype not in (np.float32, np.float64) or v.ndim != 1:
        return None
    attributes = {"kinds": np.asarray(kinds, np.int64), "dt": np.float64(dt)}
    return Native("brainfn_lif", attributes, {i: i for i in range(2 + len(kinds))})


def _batch(operands, dims, *, kinds, dt, spikes):
    """Batches are more neurons: everything that differs is laid out side by side."""
    (size,) = {x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None}
    moved = [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(operands, dims, strict=True)]
    n = moved[0].shape[-1]

    def flatten(x, d):
        if d is None and x.ndim == 0:
            return x
        if d is None:
            x = jnp.broadcast_to(x, (size, n))
        elif x.ndim == 1:
            x = jnp.broadcast_to(x[:, None], (size, n))
        return x.reshape(size * n)

    flat = [flatten(x, d) for x, d in zip(moved, dims, strict=True)]
    out = _lif(*flat, kinds=kinds, dt=dt, spikes=spikes)
    return [x.reshape(size, n) for x in out], [0] * len(out)


_lif = define(
    "lif_step",
    reference=_reference,
    outputs=_outputs,
    native=_native,
    batch=_batch,
)
