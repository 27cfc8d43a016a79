"""Explicit axonal or synaptic delays, so that nothing has to be inferred from a shape."""

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from .._errors import describe, is_concrete
from .._field import as_parameter


class Axonal(eqx.Module):
    """One delay for each presynaptic neuron, in ms: a spike reaches all its targets at once.

    **Arguments:**

    - `values`: delays in ms, shape `(n_pre,)`.
    """

    values: Float[Array, " n_pre"] = eqx.field(converter=as_parameter)

    def __check_init__(self):
        _check("Axonal", self.values)


class Synaptic(eqx.Module):
    """One delay for each synapse, in ms.

    **Arguments:**

    - `values`: delays in ms, shape `(nnz,)`, by source and then by target, or in the order of
        the pairs of [`brainfn.connect.FromPairs`][].
    """

    values: Float[Array, " nnz"] = eqx.field(converter=as_parameter)

    def __check_init__(self):
        _check("Synaptic", self.values)


def _check(owner: str, values: Any) -> None:
    if not eqx.is_array(values) or values.ndim != 1:
        shape = np.shape(values) if eqx.is_array(values) else type(values).__name__
        raise ValueError(f"`values` of delay.{owner} must be an array with one axis, got {shape}.")
    if is_concrete(values):
        host = np.asarray(values)
        if not np.all(np.isfinite(host) & (host >= 0)):
            raise ValueError(
                f"`values` of delay.{owner} must be finite and not negative (in ms), got "
                f"{describe(host)}."
            )
