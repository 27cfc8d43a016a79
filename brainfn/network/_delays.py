"""Delays of projections: one, one for each pre neuron, or one for each synapse."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._custom_types import Key
from .._errors import describe, is_concrete, parameter, whole_steps
from ..event import CSR, AbstractMatrix
from ..init import AbstractInitializer
from ._weights import is_law

# Delays of synapses are stored in two bytes.
_LONGEST = 65535

if TYPE_CHECKING:
    from ._projection import Pathway


def check_delay(label: str, delay: Any) -> Any:
    """The `delay` of a projection: `None`, a float, an array of float64 or an initializer."""
    if delay is None or isinstance(delay, AbstractInitializer):
        return delay
    size = np.shape(delay)[0] if np.ndim(delay) == 1 else None
    host = parameter("delay", delay, unit="ms", nonnegative=True, size=size)
    if not is_concrete(host):
        raise TypeError(f"`delay` of {label} sets the length of a buffer, so it can't be traced.")
    return float(delay) if np.ndim(delay) == 0 else np.asarray(delay, np.float64)


def build_delays(
    name: str, delay: Any, n_pre: int, matrix: AbstractMatrix, key: Key | None
) -> tuple[float | None, Array | None, bool]:
    """Longest delay in ms, all of them where they differ, and whether these are of synapses."""
    drawn = isinstance(delay, AbstractInitializer)
    if delay is None or (not drawn and np.ndim(delay) == 0):
        return delay, None, False
    synaptic = drawn or np.shape(delay) != (n_pre,)
    host = _of_synapses(name, delay, n_pre, matrix, key) if synaptic else np.asarray(delay)
    return float(np.max(host, initial=0.0)), jnp.asarray(host), synaptic


def _of_synapses(
    name: str, delay: Any, n_pre: int, matrix: AbstractMatrix, key: Key | None
) -> np.ndarray:
    """The delays in ms, one for each synapse of `matrix`, row by row."""
    if is_law(matrix):
        raise ValueError(
            f"`delay` of projection {name!r}: delays for each synapse need connections that are "
            "stored, not made just in time. Leave JustInTime out, or give one delay, or one for "
            "each pre neuron."
        )
    rows = matrix.tocsr()
    assert isinstance(rows, CSR)
    if isinstance(delay, AbstractInitializer):
        delay = delay((rows.nnz,), jnp.result_type(float), key=key)
        if not is_concrete(delay):
            raise TypeError(
                f"`delay` of projection {name!r} sets the length of a buffer, so it can't be "
                "traced. Build the network outside of `jit`."
            )
        delay = np.asarray(delay)
        if not np.all(delay >= 0):
            raise ValueError(
                f"`delay` of projection {name!r} must not be negative, but its law gives "
                f"{describe(delay)} ms. Try bf.init.TruncatedNormal or bf.init.Uniform."
            )
    if delay.shape != (rows.nnz,):
        raise ValueError(
            f"`delay` of projection {name!r} must be a number, or have one entry for each of its "
            f"{n_pre} pre neurons or each of its {rows.nnz} synapses, got shape {delay.shape}."
        )
    return delay


def delay_steps(name: str, pathway: "Pathway", dt: float) -> tuple[int, Any]:
    """The delay in steps: the longest, and one for each pre neuron or synapse if they differ."""
    if pathway.delay is None:
        return 1, None
    what = f"delay of projection {name!r}"
    if pathway.drawn:
        longest = max(1, round(pathway.delay / dt))
    else:
        longest = whole_steps(what, pathway.delay, dt, minimum=1)
    if pathway.delays is None:
        return longest, None
    if is_concrete(pathway.delays) and not pathway.drawn:
        for value in np.unique(np.asarray(pathway.delays)):
            whole_steps(what, float(value), dt, minimum=1)
    if pathway.synaptic and longest > _LONGEST:
        raise ValueError(
            f"`delay` of projection {name!r}: delays of synapses are at most {_LONGEST} steps of "
            f"dt = {dt} ms, that is {_LONGEST * dt:g} ms, got {pathway.delay:g} "
            "ms. Try a larger dt."
        )
    steps = jnp.round(pathway.delays * (1 / dt)).astype(jnp.int32)
    return longest, jnp.clip(steps, 1, longest)
