"""The step of LIF neurons and their synapses in one pass over memory.

XLA on CPU makes one kernel for each array that a step writes, and each reads its inputs from memory
again; this operator reads and writes every array once, and splits large populations between
threads. On two cores the speedup of a step of the COBA network is 1.1 to 1.2 with 4000 neurons, 1.5
with 40 000, and 0.9, a slowdown, with 400 000 (`docs/benchmarks.md`). It computes the same as
`LIF.step` with `ExponentialEuler` and `Exponential`, up to rounding; a test compares them. It is
never differentiated: derivatives are taken through those two.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..event import Native, define_primitive
from ..solver import phi1

MAX_LAYERS = 16


def lif_step(
    v: Array,
    refractory: Array,
    g: tuple[Array, ...],
    *,
    current: Array,
    leak: Array,
    gain: Array,
    v_rest: Array,
    v_threshold: Array,
    v_reset: Array,
    steps: Array,
    decay: tuple[Array, ...],
    held: tuple[Array, ...],
    reversal: tuple[Array | None, ...],
    dt: float,
    spike_dtype: Any,
) -> tuple[Array, Array, tuple[Array, ...], Array]:
    """Integrate over one step, spike, reset, and let the synapses decay.

    **Arguments:**

    - `v`, `refractory`, `g`: membrane potentials (mV), refractory steps remaining (int32), and
        synaptic variables including the arrivals of this step, each of shape `(n,)`.
    - `current`, ...: parameters, scalars or of shape `(n,)`; `leak` is 1 / tau in 1/ms and `gain` 1
        / capacitance in 1/pF, computed once before the loop; `steps` is the refractory period in
        steps, `decay` the decay factor of each synaptic variable over a step, `held` that of its
        mean effect ([`brainfn.synapse.AbstractReceptor.held`][]), and `reversal` its reversal
        potential, or `None` if it is a current.

    **Returns:** `v`, `refractory`, `g` after the step, and the spikes.
    """
    kinds = tuple(int(e is not None) for e in reversal)
    parameters = (current, leak, gain, v_rest, v_threshold, v_reset, steps, *decay, *held)
    parameters += tuple(e for e in reversal if e is not None)
    out = _lif(
        v,
        refractory,
        *g,
        *parameters,
        kinds=kinds,
        codes=tuple(min(jnp.ndim(x), 1) for x in parameters),
        dt=dt,
        spikes=str(spike_dtype),
    )
    return out[0], out[1], tuple(out[2:-1]), out[-1]


# The state has shape (n,), or (batch, n) under `vmap`. The code of a parameter says which of the
# two dimensions it has: 1 for n, 2 for batch. So nothing shared by a batch is copied.
_NEURONS, _BATCH = 1, 2


def _expand(x, code, ndim):
    """A parameter that broadcasts against a state of `ndim` dimensions."""
    if ndim == 1:
        return x
    if not code & _NEURONS:
        x = x[..., None]
    return x if code & _BATCH else x[None]


def _reference(v, refractory, *rest, kinds, codes, dt, spikes):
    k = len(kinds)
    g, rest = rest[:k], [_expand(x, c, v.ndim) for x, c in zip(rest[k:], codes, strict=True)]
    current, leak, gain, v_rest, v_threshold, v_reset, steps = rest[:7]
    decay, held, reversals = rest[7 : 7 + k], rest[7 + k : 7 + 2 * k], iter(rest[7 + 2 * k :])
    rate, drive = leak, v_rest * leak + current * gain
    for x, h, is_conductance in zip(g, held, kinds, strict=True):
        x = x * h
        drive = drive + x * gain * (next(reversals) if is_conductance else 1)
        rate = rate + (x * gain if is_conductance else 0)
    new = v + dt * phi1(-dt * rate) * (drive - rate * v)
    new = jnp.where(refractory > 0, v, new)
    fires = new >= v_threshold
    left = jnp.where(fires, steps, jnp.maximum(refractory - 1, 0))
    decayed = [x * d for x, d in zip(g, decay, strict=True)]
    return [jnp.where(fires, v_reset, new), left, *decayed, fires.astype(spikes)]


def _outputs(v, refractory, *rest, kinds, codes, dt, spikes):
    del dt, codes
    g = rest[: len(kinds)]
    same = [(x.shape, x.dtype) for x in (v, refractory, *g)]
    return [*same, (v.shape, np.dtype(spikes))]


def _native(v, *rest, kinds, codes, dt, spikes):
    del rest, spikes
    if v.dtype not in (np.float32, np.float64):
        return None
    attributes = {
        "kinds": np.asarray(kinds, np.int64),
        "codes": np.asarray(codes, np.int64),
        "dt": np.float64(dt),
    }
    return Native("brainfn_lif", attributes, {i: i for i in range(2 + len(kinds))})


def _batch(operands, dims, *, kinds, codes, dt, spikes):
    """The new batch dimension is merged with an existing one."""
    (size,) = {x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None}
    *batch, n = operands[0].shape if dims[0] is None else _rest_of(operands[0], dims[0])
    k = 2 + len(kinds)
    flat, new_codes = [], []
    of_state = _NEURONS | (_BATCH if batch else 0)
    for x, d, code in zip(operands, dims, (of_state,) * k + tuple(codes), strict=True):
        is_state = len(flat) < k
        if d is None and not is_state and not code & _BATCH:
            flat.append(x)  # shared by the whole batch, not copied
            new_codes.append(code)
            continue
        x = x[None] if d is None else jnp.moveaxis(x, d, 0)
        core = (n,) if code & _NEURONS else ()
        if batch and not code & _BATCH:
            x = x[:, None]
        x = jnp.broadcast_to(x, (size, *batch, *core))
        flat.append(x.reshape(-1, *core) if batch else x)
        new_codes.append(code | _BATCH)
    out = _lif(*flat, kinds=kinds, codes=tuple(new_codes[k:]), dt=dt, spikes=spikes)
    return [x.reshape(size, *batch, n) for x in out], [0] * len(out)


def _rest_of(x, d):
    return tuple(s for i, s in enumerate(x.shape) if i != d)


_lif = define_primitive(
    "lif_step",
    reference=_reference,
    outputs=_outputs,
    native=_native,
    batch=_batch,
    splits=True,
)
