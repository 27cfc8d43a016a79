"""The weights of a projection apart from the structure of its matrices.

The weights of a projection are one leaf (or, for a just-in-time matrix, the law that they follow)
at a fixed place, `net.projections[name].weight`, whatever the format and the number of matrices.
This file is where the formats differ.
"""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._errors import is_concrete
from ..event import (
    CSR,
    AbstractMatrix,
    Dense,
    JITHomogeneous,
    JITNormal,
    JITUniform,
    OneToOne,
)
from ..init import AbstractInitializer, Normal, Uniform

_LAWS: dict[type, tuple[type, tuple[str, str]]] = {
    JITUniform: (Uniform, ("low", "high")),
    JITNormal: (Normal, ("mean", "std")),
}


def weight_of(matrix: AbstractMatrix) -> Any:
    """The weights of a matrix as the user sees them: an array, or the law of a just-in-time
    matrix as an initializer whose parameters are leaves."""
    if type(matrix) in _LAWS:
        law, names = _LAWS[type(matrix)]
        return law(**{name: getattr(matrix, name) for name in names})
    return matrix.data


def with_weight(matrix: AbstractMatrix, weight: Any) -> Any:
    """`matrix` with other weights, or with none (`weight=None`); its structure was checked when it
    was made."""
    names = ("data",)
    if isinstance(matrix, JITHomogeneous):
        names = ("weight",)
    elif type(matrix) in _LAWS:
        names = _LAWS[type(matrix)][1]
    values = [weight]
    if isinstance(weight, AbstractInitializer) or len(names) > 1:
        values = [None if weight is None else getattr(weight, name) for name in names]
    return eqx.tree_at(
        lambda m: [getattr(m, name) for name in names],
        matrix,
        values,
        is_leaf=lambda x: x is None,
    )


def weight_shape(matrix: AbstractMatrix) -> tuple[int, ...] | None:
    """The shape of the weights where each synapse has its own; `None` where they follow a law."""
    if is_law(matrix):
        return None
    if isinstance(matrix, Dense):
        return matrix.shape
    if isinstance(matrix, OneToOne):
        return matrix.shape[:1]
    indices: Any = matrix
    return indices.indices.shape


def is_law(matrix: Any) -> bool:
    """Whether `matrix` is made just in time, and never stored."""
    return isinstance(matrix, JITHomogeneous | JITUniform | JITNormal)


def count_synapses(matrix: AbstractMatrix) -> int:
    """How many synapses a matrix has; their mean number where they are drawn independently."""
    if not isinstance(matrix, JITHomogeneous | JITUniform | JITNormal):
        return math.prod(weight_shape(matrix) or ())
    pattern = matrix.pattern
    if pattern.probability is not None:
        return round(pattern.probability * math.prod(pattern.shape))
    streams, positions = pattern.shape[::-1] if pattern.columns else pattern.shape
    return round(pattern.number * streams * positions / max(pattern.extent, 1))


def split_columns(
    name: str, matrix: AbstractMatrix, bounds: Sequence[tuple[int, int]]
) -> list[AbstractMatrix]:
    """The column ranges `bounds` of a matrix, each as a matrix of its own."""
    if len(bounds) == 1 and bounds[0] == (0, matrix.shape[1]):
        return [matrix]
    if isinstance(matrix, JITHomogeneous | JITUniform | JITNormal):
        return [matrix.block(slice(None), slice(low, high)) for low, high in bounds]
    rows = matrix.tocsr()
    assert isinstance(rows, CSR)
    if not (is_concrete(rows.indices) and is_concrete(rows.indptr)):
        raise TypeError(
            f"the targets of projection {name!r} are stored apart, in {len(bounds)} places, and "
            "its connections are traced by JAX, so that they can't be sorted by target. Build the "
            "network outside of `jit`, or write a projection for each target."
        )
    indices, indptr = np.asarray(rows.indices), np.asarray(rows.indptr)
    out = []
    for low, high in bounds:
        keep = (indices >= low) & (indices < high)
        kept = np.concatenate([[0], np.cumsum(keep)])[indptr].astype(indptr.dtype)
        data = rows.data if rows.data.ndim == 0 else rows.data[np.flatnonzero(keep)]
        shape = (matrix.shape[0], high - low)
        out.append(CSR(data, indices[keep] - low, kept, shape=shape))
    return out


def join_weights(matrices: Sequence[AbstractMatrix]) -> Any:
    """The weights of matrices that `split_columns` made, as one leaf or law."""
    first = weight_of(matrices[0])
    if len(matrices) == 1 or is_law(matrices[0]) or first.ndim == 0:
        return first
    return jnp.concatenate([matrix.data for matrix in matrices])


def weighted(
    matrices: Sequence[AbstractMatrix], weight: Any, shape: tuple[int, ...] | None, what: str
) -> tuple[AbstractMatrix, ...]:
    """The matrices with their parts of the weights; `shape` is that of one for each synapse."""
    has_law = type(matrices[0]) in _LAWS
    if has_law != isinstance(weight, AbstractInitializer):
        expected = (
            "a law, of which one parameter may be replaced (weight.low)"
            if has_law
            else ("numbers; a law (an initializer) can only be given when the network is built")
        )
        raise TypeError(f"`weight` of {what} must be {expected}, got {type(weight).__name__}.")
    if has_law:
        return tuple(with_weight(matrix, weight) for matrix in matrices)
    weight = jnp.asarray(weight)
    allowed = ((),) if shape is None else ((), shape)
    if weight.shape not in allowed:
        raise ValueError(
            f"`weight` of {what} must have shape {' or '.join(map(str, allowed))}, got "
            f"{weight.shape}."
        )
    if weight.ndim == 0 or len(matrices) == 1:
        return tuple(with_weight(matrix, weight) for matrix in matrices)
    sizes = [count_synapses(matrix) for matrix in matrices]
    ends = np.cumsum(sizes).tolist()
    return tuple(
        with_weight(matrix, weight[start:stop])
        for matrix, start, stop in zip(matrices, [0, *ends], ends, strict=False)
    )
