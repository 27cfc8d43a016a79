"""Build a matrix of weights from a rule."""

import numbers
from typing import Any, cast

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int32, Shaped

from .._custom_types import Key
from .._errors import describe, is_concrete
from ..event import CSR
from ..init import AbstractInitializer, draw
from ._check import INT32_MAX, check_key, check_synapses
from ._of_distance import AbstractOfSynapses, sources
from ._rule import AbstractRule, check_sizes


def csr(
    rule: AbstractRule,
    n_pre: int,
    n_post: int,
    *,
    weight: AbstractInitializer | AbstractOfSynapses | Shaped[ArrayLike, "..."] | None = None,
    key: Key | None = None,
    diagonal: int | None = None,
    dtype: Any = None,
) -> CSR:
    r"""Connect two populations: a sparse matrix $W$ that acts as `spikes @ W`.

    ```python
    key = jax.random.key(0)
    W = bf.connect.csr(bf.connect.FixedProbability(0.02), 3200, 4000, weight=6*nS, key=key)
    current = spikes @ W
    ```

    **Arguments:**

    - `rule`: which neurons are connected.
    - `n_pre`, `n_post`: numbers of neurons; the matrix has shape `(n_pre, n_post)`.
    - `weight`: one number for all synapses, which is stored once; an array with one number for each
        synapse, `(nnz,)`, sorted by source and then by target (in the order of the pairs for
        [`brainfn.connect.FromPairs`][]); an initializer of [`brainfn.init`][], which draws one for
        each synapse; or [`brainfn.connect.OfDistance`][]. May be left out if the rule itself has
        weights, e.g. [`brainfn.connect.FromScipy`][].
    - `key`: a JAX key, which is split in two: for the connections and for the weights. Not needed
      if neither the rule nor the weights are random.
    - `diagonal`: the offset `o` if presynaptic neuron `i` is the same neuron as postsynaptic neuron
      `i + o`, which `autapses=False` needs to know; `None` if no neuron is in both populations.
    - `dtype`: dtype of the weights; by default that of an array of weights, or else JAX's default
      float dtype.

    **Returns:**

    A [`brainfn.event.CSR`][] with int32 indices.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, where the rule raises, and for weights of a
    wrong shape or that are not finite. `MemoryError`, before anything is allocated, for more
    synapses than fit into the memory that is free.
    """
    if not isinstance(rule, AbstractRule):
        raise TypeError(
            f"`rule` must be a connection rule, got {type(rule).__name__}: {rule!r}. "
            "Try `bf.connect.FixedProbability(0.02)`."
        )
    n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
    arranged = weight is None
    weight = own_weights(rule) if weight is None else weight
    initializer, dtype = check_weight(weight, dtype)
    expected = rule.expected(n_pre, n_post, diagonal=diagonal)
    # More than there are indices the rule itself refuses, and knows better why.
    if expected is not None and expected <= INT32_MAX:
        one = initializer is None and jnp.ndim(cast(ArrayLike, weight)) == 0
        check_synapses(type(rule).__name__, expected, weight=0 if one else dtype.itemsize)
    connection_key = weight_key = None
    if key is not None:
        check_key("csr", key)
        connection_key, weight_key = jr.split(key)
    indices, indptr = rule.build(n_pre, n_post, key=connection_key, diagonal=diagonal)
    if isinstance(initializer, AbstractOfSynapses):
        i, j = known_pairs(rule, indices, indptr)
        data = initializer(rule, i, j, dtype, key=weight_key)
    else:
        data = _data(weight, initializer, dtype, indices.shape, weight_key)
        data = data if data.ndim == 0 or arranged else rule.arrange(data)
    return CSR(data, indices, indptr, shape=(n_pre, n_post))


def own_weights(rule: AbstractRule) -> Shaped[Array, " nnz"]:
    """The weights that the rule itself has; raises if it has none."""
    weights = rule.weights()
    if weights is None:
        raise ValueError(
            f"`weight` is missing: {type(rule).__name__} says where synapses are, but not how "
            "strong. Try `weight=1.0` or `bf.init.Normal(1.0, 0.1)`."
        )
    return weights


def known_pairs(
    rule: AbstractRule, indices: Any, indptr: Any
) -> tuple[Int32[np.ndarray, " nnz"], Int32[np.ndarray, " nnz"]]:
    """Source and target of each synapse on the host."""
    if not (is_concrete(indices) and is_concrete(indptr)):
        raise TypeError(
            f"`rule`: the connections of {type(rule).__name__} are traced by JAX, but must be "
            "known here. Try to build them outside of `jit`."
        )
    return sources(indptr), np.asarray(indices)


def check_weight(
    weight: Any, dtype: Any
) -> tuple[AbstractInitializer | AbstractOfSynapses | None, Any]:
    """What makes the weights, if they are not given, and their dtype; raises for wrong weights."""
    given = weight.dtype if isinstance(weight, np.ndarray | jax.Array | np.generic) else None
    if dtype is None:
        inexact = given is not None and jnp.issubdtype(given, jnp.floating)
        dtype = given if inexact else jnp.result_type(float)
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"`dtype` must be a floating-point dtype, got {dtype}. Try `float32`.")
    if isinstance(weight, AbstractInitializer | AbstractOfSynapses):
        return weight, dtype
    if given is None and not _is_number(weight):
        raise TypeError(
            "`weight` must be a number, an array or an initializer, got "
            f"{type(weight).__name__}: {weight!r}. Try `weight=1.0` or `bf.init.Normal(1.0, 0.1)`."
        )
    if np.ndim(weight) > 1:
        raise ValueError(
            "`weight` must be one number or have shape (nnz,), one number for each synapse, got "
            f"shape {np.shape(weight)}. For a dense matrix try `bf.event.CSR.fromdense`."
        )
    if is_concrete(weight):
        host = np.asarray(weight)
        real = jnp.issubdtype(host.dtype, jnp.floating) or jnp.issubdtype(host.dtype, jnp.integer)
        if not real:
            raise TypeError(f"`weight` must hold real numbers, got dtype {host.dtype}.")
        if not np.all(np.isfinite(host)):
            raise ValueError(
                f"`weight` must be finite, got {describe(host)}. Check its units and divisions."
            )
    return None, dtype


def _is_number(x: Any) -> bool:
    return isinstance(x, numbers.Real) and not isinstance(x, bool)


def _data(
    weight: Any,
    initializer: AbstractInitializer | None,
    dtype: Any,
    shape: tuple[int, ...],
    key: Key | None,
) -> Float[Array, "*nnz"]:
    if initializer is not None:
        return draw(initializer, shape[0], dtype, key=key)
    if np.ndim(weight) == 1 and np.shape(weight) != shape:
        raise ValueError(
            f"`weight` must be one number or have shape {shape}, one number for each synapse, got "
            f"shape {np.shape(weight)}. Try one number, or an initializer such as "
            "`bf.init.Normal(1.0, 0.1)`, which fits any number of synapses."
        )
    return jnp.asarray(weight, dtype)
