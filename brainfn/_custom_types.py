"""Type aliases shared by the whole package.

Dimension names used in annotations: `n_pre` and `n_post` for the two sides of a projection, `nnz`
for stored synapses, `time` for steps, `batch` for examples.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import (
    Array,
    ArrayLike,
    Bool,
    Float,
    Inexact,
    Int,
    Key as _Key,
    PyTree,
    Shaped,
    UInt32,
)

from .random import Streams

if TYPE_CHECKING:
    BoolScalarLike: TypeAlias = bool | Array | np.ndarray
    FloatScalarLike: TypeAlias = float | Array | np.ndarray
    IntScalarLike: TypeAlias = int | Array | np.ndarray
    RealScalarLike: TypeAlias = int | float | Array | np.ndarray
    FloatArrayLike: TypeAlias = float | Array | np.ndarray
    Key: TypeAlias = Array
    Parameter: TypeAlias = Any
else:
    BoolScalarLike = Bool[ArrayLike, ""]
    FloatScalarLike = Float[ArrayLike, ""]
    IntScalarLike = Int[ArrayLike, ""]
    RealScalarLike = Float[ArrayLike, ""] | Int[ArrayLike, ""]
    # A number or an array of numbers, as accepted for parameters and inputs.
    FloatArrayLike = Float[ArrayLike, "..."] | Int[ArrayLike, "..."]
    # A declared parameter: numbers are given, an array is kept, one number for all or one for each.
    Parameter = Float[Array, "..."]
    # A typed key (`jr.key`), a raw one (`jr.PRNGKey`), or those of merged populations.
    Key = _Key[Array, ""] | UInt32[Array, "_"] | Streams

# An initial value: a number, an array or an initializer, kept as an initializer or `None`.
Initial: TypeAlias = Any
# 0/1 in a float dtype (with a surrogate derivative) or bool (without one).
Spikes: TypeAlias = Float[Array, "..."] | Bool[Array, "..."]
# The state of a differential equation and its derivative: floating-point leaves.
Y: TypeAlias = PyTree[Inexact[ArrayLike, "..."]]
VF: TypeAlias = PyTree[Inexact[ArrayLike, "..."]]
Args: TypeAlias = PyTree[Any]
# Any pytree of arrays.
Arrays: TypeAlias = PyTree[Shaped[ArrayLike, "..."]]
