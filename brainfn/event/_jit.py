"""Just-in-time connectivity: matrices that are a law and a seed, and are never stored."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..init import AbstractInitializer, Normal, Uniform
from ._check import concrete
from ._csr import CSR
from ._jit_check import make_pattern, parameters
from ._jit_pattern import Pattern
from ._jit_reference import HOMOGENEOUS, NORMAL, UNIFORM
from ._matrix import AbstractMatrix, unchecked
from ._transpose import transpose_structure


class JITHomogeneous(AbstractMatrix):
    r"""A random matrix that is never stored, whose synapses all have the same weight.

    $$ W_{ij} = w \, B_{ij}, \qquad B_{ij} \sim \operatorname{Bernoulli}(p) $$

    or with an exact number of synapses in each row or column. Every product makes the synapses
    anew from the seed, the same bits in every orientation, batch and dtype and on every device;
    growing the matrix leaves the existing block as it was. Differentiable in the vector and in
    `weight`. The specification is the page on just-in-time connectivity.
    """

    weight: Float[Array, ""]
    pattern: Pattern

    def __init__(
        self,
        weight: Any,
        *,
        shape: Any,
        seed: Any,
        probability: Any = None,
        fan_out: Any = None,
        fan_in: Any = None,
        autapses: Any = True,
        diagonal: Any = 0,
        origin: Any = (0, 0),
        extent: Any = None,
        orientation: Any = None,
    ):
        """**Arguments:**

        - `weight`: one number, the weight of every synapse.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.
        - `seed`: an int of 64 bits, or a uint32 array `(2,)`; the same seed and law give the same
          matrix everywhere. From a JAX key: `jax.random.bits(key, (2,), "uint32")`.
        - `probability`: each synapse exists with this probability, independently of all others; or
        - `fan_out`: each row has exactly this many synapses, no two to the same column; or
        - `fan_in`: each column has exactly this many synapses, no two from the same row.
        - `autapses`: whether a synapse may lie on the diagonal.
        - `diagonal`: where `column = row + diagonal` the diagonal lies.
        - `origin`: row and column of the first element where this is a block of a larger matrix;
          may be traced (a device makes its own part).
        - `extent`: with `fan_out` (`fan_in`), how many columns (rows) the larger matrix has; by
          default it ends with this block.
        - `orientation`: with `probability`, `"rows"` where events on rows are cheap (`spikes @ W`),
          `"columns"` where events on columns are. Different matrices of the same law.

        Raises `ValueError` or `TypeError`, naming the argument, for anything that does not fit.
        """
        (self.weight,) = parameters("JITHomogeneous", weight=weight)
        self.pattern = make_pattern(
            "JITHomogeneous",
            shape=shape,
            seed=seed,
            probability=probability,
            fan_out=fan_out,
            fan_in=fan_in,
            autapses=autapses,
            diagonal=diagonal,
            origin=origin,
            extent=extent,
            orientation=orientation,
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.pattern.shape

    @property
    def data(self) -> Float[Array, "..."]:
        """The weight."""
        return self.weight

    @property
    def kind(self) -> str:
        return "jit"

    @property
    def structure(self) -> tuple[Array, ...]:
        return self.pattern.structure(HOMOGENEOUS)

    @property
    def extra(self) -> tuple[int, ...]:
        return self.pattern.extra(HOMOGENEOUS)

    def block(self, rows: Any, cols: Any) -> "JITHomogeneous":
        """The part of the matrix at slices of rows and columns: the same synapses."""
        return _with(self, self.pattern.block(rows, cols, "JITHomogeneous"))

    @property
    def weight_shape(self) -> None:
        return None

    @property
    def synapses(self) -> int:
        return self.pattern.synapses_expected

    def with_weight(self, weight: Any) -> "JITHomogeneous":
        return _with_law(self, weight, ("weight",))

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list[AbstractMatrix]:
        return [self.block(slice(None), slice(low, high)) for low, high in bounds]

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return _dense(self)

    def tocsr(self) -> CSR:
        """As a `CSR`; only where seed and origin are known, that is outside `jax.jit`."""
        return _csr(self, HOMOGENEOUS)

    @property
    def T(self) -> "JITHomogeneous":
        """The transposed matrix: the same synapses, made along the same axis."""
        return _with(self, self.pattern.T)


class JITUniform(AbstractMatrix):
    r"""A random matrix that is never stored, with uniformly distributed weights.

    $$ W_{ij} = \bigl(l + (h - l) \, u_{ij}\bigr) \, B_{ij}, \qquad u_{ij} \sim U[0, 1) $$

    Otherwise as [`brainfn.event.JITHomogeneous`][]. Differentiable in the vector and, exactly, in
    `low` and `high`.
    """

    low: Float[Array, ""]
    high: Float[Array, ""]
    pattern: Pattern

    def __init__(
        self,
        low: Any,
        high: Any,
        *,
        shape: Any,
        seed: Any,
        probability: Any = None,
        fan_out: Any = None,
        fan_in: Any = None,
        autapses: Any = True,
        diagonal: Any = 0,
        origin: Any = (0, 0),
        extent: Any = None,
        orientation: Any = None,
    ):
        """**Arguments:**

        - `low`, `high`: numbers, the bounds of the weights.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.
        - `seed`: an int of 64 bits, or a uint32 array `(2,)`; the same seed and law give the same
          matrix everywhere. From a JAX key: `jax.random.bits(key, (2,), "uint32")`.
        - `probability`: each synapse exists with this probability, independently of all others; or
        - `fan_out`: each row has exactly this many synapses, no two to the same column; or
        - `fan_in`: each column has exactly this many synapses, no two from the same row.
        - `autapses`: whether a synapse may lie on the diagonal.
        - `diagonal`: where `column = row + diagonal` the diagonal lies.
        - `origin`: row and column of the first element where this is a block of a larger matrix;
          may be traced (a device makes its own part).
        - `extent`: with `fan_out` (`fan_in`), how many columns (rows) the larger matrix has; by
          default it ends with this block.
        - `orientation`: with `probability`, `"rows"` where events on rows are cheap (`spikes @ W`),
          `"columns"` where events on columns are. Different matrices of the same law.

        Raises `ValueError` or `TypeError`, naming the argument, for anything that does not fit.
        """
        self.low, self.high = parameters("JITUniform", low=low, high=high)
        if concrete(self.low) and concrete(self.high) and self.low > self.high:
            raise ValueError(
                f"JITUniform: low must not exceed high, got low={self.low} and high={self.high}; "
                "swap them."
            )
        self.pattern = make_pattern(
            "JITUniform",
            shape=shape,
            seed=seed,
            probability=probability,
            fan_out=fan_out,
            fan_in=fan_in,
            autapses=autapses,
            diagonal=diagonal,
            origin=origin,
            extent=extent,
            orientation=orientation,
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.pattern.shape

    @property
    def data(self) -> Float[Array, "..."]:
        """Lowest weight and width of the distribution."""
        return jnp.stack([self.low, self.high - self.low])

    @property
    def kind(self) -> str:
        return "jit"

    @property
    def structure(self) -> tuple[Array, ...]:
        return self.pattern.structure(UNIFORM)

    @property
    def extra(self) -> tuple[int, ...]:
        return self.pattern.extra(UNIFORM)

    def block(self, rows: Any, cols: Any) -> "JITUniform":
        """The part of the matrix at slices of rows and columns: the same synapses."""
        return _with(self, self.pattern.block(rows, cols, "JITUniform"))

    @property
    def weight_shape(self) -> None:
        return None

    @property
    def synapses(self) -> int:
        return self.pattern.synapses_expected

    @property
    def weight(self) -> Uniform:
        """The law of the weights."""
        return Uniform(self.low, self.high)

    def with_weight(self, weight: Any) -> "JITUniform":
        return _with_law(self, weight, ("low", "high"))

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list[AbstractMatrix]:
        return [self.block(slice(None), slice(low, high)) for low, high in bounds]

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return _dense(self)

    def tocsr(self) -> CSR:
        """As a `CSR`; only where seed and origin are known, that is outside `jax.jit`."""
        return _csr(self, UNIFORM)

    @property
    def T(self) -> "JITUniform":
        """The transposed matrix: the same synapses, made along the same axis."""
        return _with(self, self.pattern.T)


class JITNormal(AbstractMatrix):
    r"""A random matrix that is never stored, with normally distributed weights.

    $$ W_{ij} = (\mu + \sigma z_{ij}) \, B_{ij}, \qquad z_{ij} \sim N(0, 1) $$

    Otherwise as [`brainfn.event.JITHomogeneous`][]. Differentiable in the vector and, exactly, in
    `mean` and `std`. The tails of $z$ end at 6.3.
    """

    mean: Float[Array, ""]
    std: Float[Array, ""]
    pattern: Pattern

    def __init__(
        self,
        mean: Any,
        std: Any,
        *,
        shape: Any,
        seed: Any,
        probability: Any = None,
        fan_out: Any = None,
        fan_in: Any = None,
        autapses: Any = True,
        diagonal: Any = 0,
        origin: Any = (0, 0),
        extent: Any = None,
        orientation: Any = None,
    ):
        """**Arguments:**

        - `mean`, `std`: numbers, mean and standard deviation of the weights.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.
        - `seed`: an int of 64 bits, or a uint32 array `(2,)`; the same seed and law give the same
          matrix everywhere. From a JAX key: `jax.random.bits(key, (2,), "uint32")`.
        - `probability`: each synapse exists with this probability, independently of all others; or
        - `fan_out`: each row has exactly this many synapses, no two to the same column; or
        - `fan_in`: each column has exactly this many synapses, no two from the same row.
        - `autapses`: whether a synapse may lie on the diagonal.
        - `diagonal`: where `column = row + diagonal` the diagonal lies.
        - `origin`: row and column of the first element where this is a block of a larger matrix;
          may be traced (a device makes its own part).
        - `extent`: with `fan_out` (`fan_in`), how many columns (rows) the larger matrix has; by
          default it ends with this block.
        - `orientation`: with `probability`, `"rows"` where events on rows are cheap (`spikes @ W`),
          `"columns"` where events on columns are. Different matrices of the same law.

        Raises `ValueError` or `TypeError`, naming the argument, for anything that does not fit.
        """
        self.mean, self.std = parameters("JITNormal", mean=mean, std=std)
        if concrete(self.std) and self.std < 0:
            raise ValueError(f"JITNormal: std must not be negative, got {self.std}.")
        self.pattern = make_pattern(
            "JITNormal",
            shape=shape,
            seed=seed,
            probability=probability,
            fan_out=fan_out,
            fan_in=fan_in,
            autapses=autapses,
            diagonal=diagonal,
            origin=origin,
            extent=extent,
            orientation=orientation,
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.pattern.shape

    @property
    def data(self) -> Float[Array, "..."]:
        """Mean and standard deviation."""
        return jnp.stack([self.mean, self.std])

    @property
    def kind(self) -> str:
        return "jit"

    @property
    def structure(self) -> tuple[Array, ...]:
        return self.pattern.structure(NORMAL)

    @property
    def extra(self) -> tuple[int, ...]:
        return self.pattern.extra(NORMAL)

    def block(self, rows: Any, cols: Any) -> "JITNormal":
        """The part of the matrix at slices of rows and columns: the same synapses."""
        return _with(self, self.pattern.block(rows, cols, "JITNormal"))

    @property
    def weight_shape(self) -> None:
        return None

    @property
    def synapses(self) -> int:
        return self.pattern.synapses_expected

    @property
    def weight(self) -> Normal:
        """The law of the weights."""
        return Normal(self.mean, self.std)

    def with_weight(self, weight: Any) -> "JITNormal":
        return _with_law(self, weight, ("mean", "std"))

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list[AbstractMatrix]:
        return [self.block(slice(None), slice(low, high)) for low, high in bounds]

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        return _dense(self)

    def tocsr(self) -> CSR:
        """As a `CSR`; only where seed and origin are known, that is outside `jax.jit`."""
        return _csr(self, NORMAL)

    @property
    def T(self) -> "JITNormal":
        """The transposed matrix: the same synapses, made along the same axis."""
        return _with(self, self.pattern.T)


def _with(matrix, pattern: Pattern):
    """The same weights at other synapses, without validation: parameters may be traced."""
    return eqx.tree_at(lambda m: m.pattern, matrix, pattern)


def _with_law(matrix: Any, weight: Any, names: tuple[str, ...]) -> Any:
    """`matrix` with another weight, or law of weights; `None` for a structure without."""
    law = len(names) > 1
    if weight is not None and isinstance(weight, AbstractInitializer) != law:
        expected = (
            "a law, of which one parameter may be replaced (weight.low)" if law else "numbers"
        )
        raise TypeError(f"`weight` must be {expected}, got {type(weight).__name__}.")
    values = [weight if weight is None or not law else getattr(weight, name) for name in names]
    if weight is not None:
        values = [jnp.asarray(value) for value in values]
        for value in values:
            if value.ndim:
                raise ValueError(f"`weight` must have shape (), got {value.shape}.")
    return unchecked(type(matrix), pattern=matrix.pattern, **dict(zip(names, values, strict=True)))


def _dense(matrix: AbstractMatrix) -> jax.Array:
    """The product with the smaller identity: no larger than the dense matrix itself."""
    n_rows, n_cols = matrix.shape
    if n_rows <= n_cols:
        return jnp.eye(n_rows, dtype=bool) @ matrix
    return matrix @ jnp.eye(n_cols, dtype=bool)


def _csr(matrix, law: int) -> CSR:
    pattern = matrix.pattern
    counts, positions, z = pattern.synapses(law, type(matrix).__name__)
    indptr = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    if indptr[-1] <= np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    theta = matrix.data
    data = theta if law == HOMOGENEOUS else theta[0] + theta[1] * jnp.asarray(z, theta.dtype)
    if not pattern.columns:
        return CSR(data, positions, indptr, shape=matrix.shape)
    indices, starts, order = transpose_structure(
        jnp.asarray(positions), jnp.asarray(indptr), matrix.shape[0]
    )
    assert order is not None
    return CSR(data if data.ndim == 0 else data[order], indices, starts, shape=matrix.shape)
