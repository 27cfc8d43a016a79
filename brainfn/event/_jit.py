"""Just-in-time connectivity: matrices defined by a law and a seed, and never stored."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..init import AbstractInitializer, Constant, Normal, Uniform
from ._csr import CSR
from ._jit_check import make_pattern, parameters
from ._jit_pattern import Pattern
from ._jit_reference import HOMOGENEOUS, NORMAL, UNIFORM
from ._matrix import AbstractMatrix, unchecked
from ._reference import sum_dtype
from ._transpose import transpose_structure

_CODES = {Constant: HOMOGENEOUS, Uniform: UNIFORM, Normal: NORMAL}


class JIT(AbstractMatrix):
    r"""A random matrix that is never stored: it is defined by the distribution of its weights, the
    distribution of its synapses, and a seed.

    $$ W_{ij} = (\theta_0 + \theta_1 z_{ij}) \, B_{ij}, \qquad
       B_{ij} \sim \operatorname{Bernoulli}(p) $$

    or with an exact number of synapses in each row or column. With a single number as law,
    $\theta_1 = 0$; with [`brainfn.init.Uniform`][]
    $\theta = (\mathrm{low}, \mathrm{high} - \mathrm{low})$ and $z_{ij} \sim U[0, 1)$; with
    [`brainfn.init.Normal`][] $\theta = (\mathrm{mean}, \mathrm{std})$ and $z_{ij} \sim N(0, 1)$,
    whose tails end at 6.3.

    Every product regenerates the synapses from the seed, bit for bit the same in every orientation,
    batch and dtype and on every device; enlarging the matrix leaves the existing block unchanged.
    Differentiable in the vector and, exactly, in the parameters of the law, which are leaves:
    `matrix.weight.low`. With 16-bit parameters, weights and sums are float32. The specification is
    the page on just-in-time connectivity.
    """

    law: Any
    pattern: Pattern
    family: type[AbstractInitializer] = eqx.field(static=True)

    def __init__(
        self,
        law: Any,
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

        - `law`: one number, the weight of every synapse; or the distribution of the weights, a
          [`brainfn.init.Constant`][], [`brainfn.init.Uniform`][] or [`brainfn.init.Normal`][] of
          numbers.
        - `shape`: `(n_rows, n_cols)`, that is `(n_pre, n_post)`.
        - `seed`: an int of 64 bits, or a uint32 array `(2,)`; the same seed and law give the same
          matrix everywhere. From a JAX key: `jax.random.bits(key, (2,), "uint32")`.
        - `probability`: each synapse exists with this probability, independently of all others; or
        - `fan_out`: each row has exactly this many synapses, all to distinct columns; or
        - `fan_in`: each column has exactly this many synapses, all from distinct rows.
        - `autapses`: whether a synapse may lie on the diagonal.
        - `diagonal`: the diagonal lies where `column = row + diagonal`.
        - `origin`: row and column of the first element if this is a block of a larger matrix; may
          be traced (each device generates its own part).
        - `extent`: with `fan_out` (`fan_in`), how many columns (rows) the larger matrix has; by
          default it ends with this block.
        - `orientation`: with `probability`, `"rows"` to make events on rows cheap (`spikes @ W`),
          `"columns"` to make events on columns cheap. The two give different matrices with the same
          distribution.

        **Raises:** `ValueError` or `TypeError`, naming the argument, for anything that does not
        fit.
        """
        if isinstance(law, AbstractInitializer):
            if type(law) not in _CODES:
                raise TypeError(
                    "JIT: law must be a number or init.Constant, init.Uniform or init.Normal, got "
                    f"{law!r}. Try a CSR matrix for weights with other distributions."
                )
            self.family = type(law)
            values = parameters("JIT", **vars(law))
            self.law = values[0] if self.family is Constant else self.family(*values)
        else:
            self.family = Constant
            (self.law,) = parameters("JIT", law=law)
        self.pattern = make_pattern(
            "JIT",
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
        """The parameters in the form the kernels take: the weight, or offset and factor of $z$."""
        if isinstance(self.law, Uniform):
            low, high = (_wide(x) for x in (self.law.low, self.law.high))
            return jnp.stack([low, high - low])
        if isinstance(self.law, Normal):
            return jnp.stack([_wide(x) for x in (self.law.mean, self.law.std)])
        return _wide(self.law)

    @property
    def kind(self) -> str:
        return "jit"

    @property
    def structure(self) -> tuple[Array, ...]:
        return self.pattern.structure(_CODES[self.family])

    @property
    def extra(self) -> tuple[int, ...]:
        return self.pattern.extra(_CODES[self.family])

    def block(self, rows: Any, cols: Any) -> "JIT":
        """The part of the matrix at slices of rows and columns: the same synapses."""
        return self._at(self.pattern.block(rows, cols, "JIT"))

    @property
    def weight(self) -> Any:
        """The weight of every synapse, or the distribution of the weights."""
        return self.law

    @property
    def weight_shape(self) -> None:
        return None

    @property
    def synapses(self) -> int:
        return self.pattern.synapses_expected

    def with_weight(self, weight: Any) -> "JIT":
        """The same synapses, and the same $z$, under other parameters of the same kind of law;
        `None` for a structure without weights."""
        if isinstance(weight, Constant) and self.family is Constant:
            weight = weight.value
        number = weight is not None and not isinstance(weight, AbstractInitializer)
        if weight is not None and number != (self.family is Constant):
            raise TypeError(
                f"`weight` must be {'numbers' if self.family is Constant else self._expected()}, "
                f"got {type(weight).__name__}."
            )
        if weight is not None and not number:
            if type(weight) is not self.family:
                raise TypeError(f"`weight` must be {self._expected()}, got {weight!r}.")
            weight = self.family(**{k: _scalar(x) for k, x in vars(weight).items()})
        elif number:
            weight = _scalar(weight)
        return unchecked(JIT, law=weight, pattern=self.pattern, family=self.family)

    def _expected(self) -> str:
        return f"a law, init.{self.family.__name__}, of which parameters may be replaced"

    def split_columns(self, bounds: Sequence[tuple[int, int]]) -> list[AbstractMatrix]:
        return [self.block(slice(None), slice(low, high)) for low, high in bounds]

    def todense(self) -> Float[Array, "n_rows n_cols"]:
        """The product with the smaller identity: no larger than the dense matrix itself."""
        n_rows, n_cols = self.shape
        if n_rows <= n_cols:
            return jnp.eye(n_rows, dtype=bool) @ self
        return self @ jnp.eye(n_cols, dtype=bool)

    def tocsr(self) -> CSR:
        """As a `CSR`; only where seed and origin are known, that is outside `jax.jit`."""
        counts, positions, z = self.pattern.synapses(_CODES[self.family], "JIT")
        indptr = np.zeros(counts.size + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        if indptr[-1] <= np.iinfo(np.int32).max:
            indptr = indptr.astype(np.int32)
        data = self.data
        if self.family is not Constant:
            data = data[0] + data[1] * jnp.asarray(z, data.dtype)
        if not self.pattern.columns:
            return CSR(data, positions, indptr, shape=self.shape)
        indices, starts, order = transpose_structure(
            jnp.asarray(positions), jnp.asarray(indptr), self.shape[0]
        )
        assert order is not None
        return CSR(data if data.ndim == 0 else data[order], indices, starts, shape=self.shape)

    @property
    def T(self) -> "JIT":
        """The transposed matrix: the same synapses, made along the same axis."""
        return self._at(self.pattern.T)

    def _at(self, pattern: Pattern) -> "JIT":
        """The same weights at other synapses, without validation: parameters may be traced."""
        return unchecked(JIT, law=self.law, pattern=pattern, family=self.family)


def _wide(x: Any) -> jax.Array:
    x = jnp.asarray(x)
    return x.astype(sum_dtype(x))


def _scalar(x: Any) -> Any:
    """A new parameter as a scalar array; placeholders in a tree of axes or shapes are left
    unchanged."""
    if not eqx.is_array_like(x):
        return x
    if jnp.shape(x) != ():
        raise ValueError(f"`weight` must have shape (), got {jnp.shape(x)}.")
    return jnp.asarray(x)
