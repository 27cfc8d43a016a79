"""Delays of projections: one for all, one per presynaptic neuron, or one per synapse."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._custom_types import Key
from .._errors import describe, from_host, is_concrete, whole_steps
from .._field import Declared, as_parameter, check_parameter
from ..connect import AbstractOfSynapses, AbstractRule, known_pairs
from ..delay import Axonal, Synaptic
from ..event import CSR, AbstractMatrix
from ..init import AbstractInitializer, draw

if TYPE_CHECKING:
    from ._pathway import Pathway

# Synaptic delays are stored in two bytes.
_LONGEST = 65535
_UNSTORED = {
    "jit": "just-in-time ones. Leave JustInTime out",
    "all_to_all": "all-to-all ones. Try format='csr'",
}
_DELAY = Declared("ms", "nonnegative", False, False)


def check_delay(label: str, delay: Any) -> Any:
    """The `delay` of a projection: `None`, a float, an array, `Axonal` or `Synaptic`, or an
    initializer."""
    kinds = AbstractInitializer | AbstractOfSynapses | Axonal | Synaptic
    if delay is None or isinstance(delay, kinds):
        return delay
    value = as_parameter(delay)
    check_parameter(f"delay` of `{label}", value, _DELAY, None)
    # Under `jit` an array made of a number is traced, but the number itself is known.
    if not is_concrete(delay):
        raise TypeError(f"`delay` of {label} sets the length of a buffer, so it can't be traced.")
    # A Python float keeps all its digits, as it is converted to steps.
    return float(np.asarray(delay, np.float64)) if np.ndim(value) == 0 else value


def is_rounded(delay: Any, rule: AbstractRule | None) -> bool:
    """Whether delays are computed or come with the connections, so that they are rounded."""
    if delay is None:
        return rule is not None and rule.delays() is not None
    return isinstance(delay, AbstractInitializer | AbstractOfSynapses)


def build_delays(
    name: str,
    delay: Any,
    n_pre: int,
    matrix: AbstractMatrix,
    rule: AbstractRule | None,
    key: Key | None,
) -> tuple[float | None, Array | None, bool]:
    """Longest delay in ms, all delays if they differ, and whether these are synaptic."""
    own = rule.delays() if delay is None and rule is not None else None
    if isinstance(delay, float) or (delay is None and own is None):
        return delay, None, False
    values: Any
    arranged = is_rounded(delay, rule)
    if arranged:
        values, synaptic = _computed(name, delay, own, matrix, rule, key), True
    elif isinstance(delay, Axonal | Synaptic):
        values, synaptic = delay.values, isinstance(delay, Synaptic)
    else:
        values = delay
        synaptic = _is_synaptic(name, values, n_pre, matrix, rule)
    if synaptic:
        _check_stored(name, matrix, rule)
        expected, what = matrix.synapses, "synapse"
    else:
        expected, what = n_pre, "presynaptic neuron"
    if values.shape != (expected,):
        raise ValueError(
            f"`delay` of projection {name!r} must have one entry for each {what}, shape "
            f"({expected},), got {values.shape}."
        )
    if not is_concrete(values):
        raise TypeError(
            f"`delay` of projection {name!r} sets the length of a buffer, so it can't be traced. "
            "Build the network outside of `jit`."
        )
    longest = float(np.max(np.asarray(values), initial=0.0))
    if synaptic and rule is not None and not arranged:
        values = rule.arrange(values)
    elif synaptic and matrix.kind == "permuted":
        # Given by target, as the weights are, but connections with delays are stored by source.
        values = from_host(np.asarray(values)[np.asarray(matrix.structure[2])])
    return longest, values, synaptic


def _is_synaptic(
    name: str, delay: Array, n_pre: int, matrix: AbstractMatrix, rule: AbstractRule | None
) -> bool:
    n = matrix.synapses if matrix.weight_shape is not None else None
    fits = delay.shape == (n_pre,), delay.shape == (n,)
    if all(fits) and not _one_each(matrix, rule):
        raise ValueError(
            f"`delay` of projection {name!r} has shape {delay.shape}, which fits one for each "
            f"presynaptic neuron as well as one for each synapse. Specify which: "
            "bf.delay.Axonal(array) or bf.delay.Synaptic(array)."
        )
    if not any(fits):
        synapses = "" if n is None else f" or each of its {n} synapses"
        raise ValueError(
            f"`delay` of projection {name!r} must be a number, or have one entry for each of its "
            f"{n_pre} presynaptic neurons{synapses}, got shape {delay.shape}."
        )
    return not fits[0]


def _one_each(matrix: AbstractMatrix, rule: AbstractRule | None) -> bool:
    """Whether synapse `i` is the only one of row `i`, so that both interpretations are the same."""
    own = np.arange(matrix.synapses)
    if rule is not None and not np.array_equal(rule.arrange(own), own):
        return False
    rows = matrix.tocsr()
    assert isinstance(rows, CSR)
    return is_concrete(rows.indptr) and bool(np.all(np.diff(np.asarray(rows.indptr)) == 1))


def _check_stored(name: str, matrix: AbstractMatrix, rule: AbstractRule | None) -> None:
    if matrix.weight_shape is None:
        raise ValueError(
            f"`delay` of projection {name!r}: delays for each synapse need stored connections, "
            f"not {_UNSTORED[matrix.kind]}, or give one delay, or one for each presynaptic neuron."
        )
    if rule is not None and not isinstance(matrix, CSR):
        raise ValueError(
            f"`format` of projection {name!r} must be 'csr' for delays for each synapse, got "
            f"{type(matrix).__name__}. Leave `format` out."
        )


def _computed(
    name: str,
    delay: Any,
    own: Any,
    matrix: AbstractMatrix,
    rule: AbstractRule | None,
    key: Key | None,
) -> jax.Array:
    """Delays that are drawn or computed, or that come with the rule."""
    _check_stored(name, matrix, rule)
    dtype = jnp.result_type(float)
    if isinstance(delay, AbstractOfSynapses):
        if rule is None:
            raise ValueError(
                f"`delay` of projection {name!r}: {type(delay).__name__} needs a rule as "
                "`connect`, got a matrix. Try connect=bf.connect.FromScipy(matrix)."
            )
        assert isinstance(matrix, CSR)
        i, j = known_pairs(rule, matrix.indices, matrix.indptr)
        values = delay(rule, i, j, dtype, key=key)
    else:
        values = own if delay is None else draw(delay, matrix.synapses, dtype, key=key)
    if is_concrete(values) and not np.all(np.asarray(values) >= 0):
        raise ValueError(
            f"`delay` of projection {name!r} must not be negative, but its distribution gave "
            f"{describe(np.asarray(values))} ms. Try bf.init.TruncatedNormal or bf.init.Uniform."
        )
    return values


def delay_steps(name: str, pathway: "Pathway", dt: float) -> tuple[int, Any]:
    """The delay in steps: the longest, and one for each neuron or synapse if they differ.

    The longest is that of the present delays, which `eqx.tree_at` may have changed. If they are
    traced, it is the longest with which the network was built, and longer ones make the result NaN
    (see `poisoned`).
    """
    what = f"delay of projection {name!r}"
    delays = pathway.delays
    if delays is None:
        if pathway.delay is None:
            return 1, None
        return whole_steps(what, pathway.delay, dt, minimum=1), None
    if is_concrete(delays):
        host = np.asarray(delays)
        if not np.all(np.isfinite(host) & (host >= 0)):
            raise ValueError(f"`{what}` must be finite and not negative, got {describe(host)} ms.")
        if not pathway.drawn:
            for value in np.unique(host):
                whole_steps(what, float(value), dt, minimum=1)
        steps = np.maximum(np.rint(host.astype(np.float64) / dt), 1).astype(np.int32)
        longest = int(np.max(steps, initial=1))
    else:
        assert pathway.delay is not None
        longest = max(1, round(pathway.delay / dt))
        steps = jnp.maximum(jnp.round(delays * (1 / dt)).astype(jnp.int32), 1)
    if pathway.synaptic and longest > _LONGEST:
        raise ValueError(
            f"`delay` of projection {name!r}: synaptic delays are at most {_LONGEST} steps of "
            f"dt = {dt} ms, that is {_LONGEST * dt:g} ms, got {longest * dt:g} "
            "ms. Try a larger dt."
        )
    return longest, from_host(steps) if isinstance(steps, np.ndarray) else steps


def poisoned(weight: Any, steps: Any, longest: int) -> tuple[Any, Any]:
    """Delays clipped to the longest that the buffers hold, and weights that are NaN if one is
    longer: traced delays can't raise an error, but must not be silently wrong."""
    if is_concrete(steps):
        return weight, steps
    wrong = jnp.any(steps > longest)
    weight = jax.tree.map(lambda w: jnp.where(wrong, jnp.full_like(w, jnp.nan), w), weight)
    return weight, jnp.minimum(steps, longest)
