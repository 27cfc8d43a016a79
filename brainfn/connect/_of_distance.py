"""Weights and delays that are computed from who is connected to whom."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int32

from .._custom_types import Key, Parameter
from .._errors import empty_on_host, from_host, is_concrete
from .._field import AbstractPart, astype, param
from ..init import AbstractInitializer, draw
from ._kernel import AbstractKernel, length, of_targets
from ._positions import Offsets, Positions, check_positions, displacements
from ._rule import AbstractRule

# Values are computed in blocks of one of these lengths, so that few programs are compiled.
_SMALL, _BLOCK = 1024, 2**16


class AbstractOfSynapses(eqx.Module):
    """Weights or delays that are computed from the connections, as `weight=` or `delay=` of a
    [`brainfn.Projection`][] and of [`brainfn.connect.matrix`][].

    Subclass it and write `__call__`.
    """

    @abc.abstractmethod
    def __call__(
        self,
        rule: AbstractRule,
        i: Int32[np.ndarray, " nnz"],
        j: Int32[np.ndarray, " nnz"],
        dtype: DTypeLike,
        *,
        key: Key | None = None,
    ) -> Float[Array, " nnz"]:
        """One value for each synapse.

        **Arguments:**

        - `rule`: the rule that made the connections.
        - `i`, `j`: the source and the target of each synapse, in the order of what was built.
        - `dtype`: the floating-point dtype of the values.
        - `key`: a JAX key, for values that are random.
        """


class OfDistance(AbstractOfSynapses):
    r"""Weights or delays that depend on the distance between source and target.

    ```python
    sheet = bf.connect.grid((100, 100), spacing=10.0)
    bf.Projection(
        "exc",
        "exc",
        bf.connect.ByDistance(bf.connect.GaussianKernel(80.0, peak=0.3), sheet),
        weight=bf.connect.OfDistance(bf.connect.ExponentialKernel(100.0, peak=2 * nS)),
        delay=bf.connect.OfDistance(bf.connect.Conduction(velocity=300.0, latency=0.5)),
        ...
    )
    ```

    Delays are rounded to whole steps, at least one. Parameters of the function have derivatives
    where weights are made inside of what is differentiated, as with [`brainfn.connect.csr`][].

    **Arguments:**

    - `function`: takes distances in um, an array, and returns as many weights in nS or pA, or
        delays in ms; or a kernel, e.g. [`brainfn.connect.GaussianKernel`][].
    - `pre`, `post`: [`brainfn.connect.Positions`][] of source and target, needed if the rule has
        none, e.g. with [`brainfn.connect.FixedProbability`][]; `post` is `pre` by default.
    - `transform`: applied to the values, e.g. `jnp.sign`.
    - `factor`: an initializer of [`brainfn.init`][] that draws a factor for each synapse.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    function: Callable[[Any], Any]
    pre: Positions | None
    post: Positions | None
    transform: Callable[[Any], Any] | None
    factor: AbstractInitializer | None

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        pre: Positions | None = None,
        post: Positions | None = None,
        transform: Callable[[Any], Any] | None = None,
        factor: AbstractInitializer | None = None,
    ):
        for name, value in (("function", function), ("transform", transform)):
            if not callable(value) and not (name == "transform" and value is None):
                raise TypeError(
                    f"`{name}` of OfDistance must be a function or a kernel, got "
                    f"{type(value).__name__}: {value!r:.100}. Try `lambda d: 0.5 + d / 300.0`."
                )
        if factor is not None and not isinstance(factor, AbstractInitializer):
            raise TypeError(
                f"`factor` of OfDistance must be an initializer, got {type(factor).__name__}. Try "
                "bf.init.LogNormal(1.0, 0.2)."
            )
        if pre is None and post is not None:
            raise ValueError("`post` of OfDistance needs `pre`.")
        post = pre if post is None else post
        if pre is not None:
            check_positions("OfDistance", pre, post)
        self.function, self.transform, self.factor = function, transform, factor
        self.pre, self.post = pre, post

    def __call__(
        self,
        rule: AbstractRule,
        i: Int32[np.ndarray, " nnz"],
        j: Int32[np.ndarray, " nnz"],
        dtype: DTypeLike,
        *,
        key: Key | None = None,
    ) -> Float[Array, " nnz"]:
        function = astype(self.function, dtype)
        traced = not all(is_concrete(x) for x in jax.tree.leaves(function))
        if traced or i.size == 0:
            offset = jnp.asarray(self._offsets(rule, i, j), dtype)
            values = _values(function, self.transform, offset, jnp.asarray(j))
        else:
            values = self._on_host(function, rule, i, j, np.dtype(dtype))
        if self.factor is None:
            return values
        return values * draw(self.factor, i.size, dtype, key=key)

    def _offsets(
        self, rule: AbstractRule, i: Int32[np.ndarray, " some"], j: Int32[np.ndarray, " some"]
    ) -> Offsets:
        if self.pre is None or self.post is None:
            offsets = rule.offsets(i, j)
            if offsets is None:
                raise ValueError(
                    f"`pre` of OfDistance is missing: {type(rule).__name__} has no positions. Try "
                    "OfDistance(function, pre=positions, post=positions)."
                )
            return offsets
        for name, positions, index in (("pre", self.pre, i), ("post", self.post, j)):
            if index.size and index.max() >= positions.size:
                raise ValueError(
                    f"`{name}` of OfDistance has {positions.size} positions, but there are at "
                    f"least {index.max() + 1} neurons."
                )
        period, pre, post = self.pre.period, self.pre.on_host("pre"), self.post.on_host("post")
        return displacements(pre, post, period, i, j)

    def _on_host(
        self,
        function: Any,
        rule: AbstractRule,
        i: Int32[np.ndarray, " nnz"],
        j: Int32[np.ndarray, " nnz"],
        dtype: Any,
    ) -> Float[Array, " nnz"]:
        out = empty_on_host(i.size, dtype)
        block = _SMALL if i.size <= _SMALL else _BLOCK
        for start in range(0, i.size, block):
            part = slice(start, start + block)
            offset = self._offsets(rule, i[part], j[part]).astype(dtype)
            n = offset.shape[0]
            # The last block is filled up with its first synapse.
            fill = np.zeros(block - n, np.int64)
            whole = np.concatenate([np.arange(n), fill])
            offset, target = from_host(np.ascontiguousarray(offset[whole])), j[part][whole]
            values = _compiled(function, self.transform, offset, from_host(target))
            out[part] = np.asarray(values)[:n]
        return from_host(out)


def _values(
    function: Any, transform: Any, offset: Float[Array, "n dimensions"], j: Int32[Array, " n"]
) -> Float[Array, " n"]:
    if isinstance(function, AbstractKernel):
        values = of_targets(function, j)(offset)
    else:
        values = function(length(offset))
    values = values if transform is None else transform(values)
    if jnp.shape(values) not in ((), offset.shape[:1]):
        raise ValueError(
            f"`function` of OfDistance must return one value for each distance, shape "
            f"{offset.shape[:1]}, got {jnp.shape(values)}."
        )
    return jnp.broadcast_to(jnp.asarray(values, offset.dtype), offset.shape[:1])


@eqx.filter_jit
def _compiled(function: Any, transform: Any, offset: Any, j: Any) -> Any:
    return _values(function, transform, offset, j)


class Conduction(AbstractPart):
    r"""The delay of an axon that is as long as the distance.

    $$\Delta t(d) = t_0 + d / v$$

    **Arguments:**

    - `velocity`: $v$ in um/ms (mm/s); 300 is typical of unmyelinated cortical axons.
    - `latency`: $t_0$ in ms, of the synapse itself.

    ??? cite

        Girard, Hupé and Bullier (2001), "Feedforward and feedback connections between areas V1 and
        V2 of the monkey have similar rapid conduction velocities", doi:10.1152/jn.2001.85.3.1328
        (0.3 m/s for horizontal axons within an area).
    """

    velocity: Parameter = param(300.0, unit="um/ms", sign="positive")
    latency: Parameter = param(0.0, unit="ms", sign="nonnegative")

    def __call__(self, distance: Any) -> Any:
        return self.latency + distance / self.velocity


def sources(indptr: Any) -> Int32[np.ndarray, " nnz"]:
    """The source of each synapse."""
    starts = np.asarray(indptr)
    return np.repeat(np.arange(starts.size - 1, dtype=np.int32), np.diff(starts))
