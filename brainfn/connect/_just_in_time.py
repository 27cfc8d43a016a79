"""Connections that are regenerated whenever they are used."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._custom_types import Key
from ..event import JIT
from ..init import Constant, Normal, Uniform
from ._check import check_key, check_synapses
from ._csr import check_weight
from ._degree import FixedInDegree, FixedOutDegree
from ._probability import FixedProbability
from ._rule import AbstractRule, Structure, check_sizes
from ._simple import AllToAll


class JustInTime(AbstractRule):
    r"""Connections that follow a rule and are not stored: each product regenerates them from a
    seed.

    A network of $10^6$ neurons with $10^9$ synapses needs no memory for them. The connections have
    the distribution of the rule, but are not the same as those that the rule itself draws, since
    they are drawn in another order. See [Just-in-time connectivity](../just_in_time.md).

    ```python
    rule = bf.connect.JustInTime(bf.connect.FixedProbability(0.02))
    projection = bf.Projection("exc", "inh", rule, weight=bf.init.Uniform(5*nS, 7*nS), ...)
    ```

    The weights follow a distribution too: one number, or a [`brainfn.init.Constant`][],
    [`brainfn.init.Uniform`][] or [`brainfn.init.Normal`][], whose parameters stay leaves of the
    network and have exact gradients: `net.projections["exc"].weight.low`.

    **Arguments:**

    - `rule`: [`brainfn.connect.FixedProbability`][], [`brainfn.connect.AllToAll`][], or
        [`brainfn.connect.FixedOutDegree`][] and [`brainfn.connect.FixedInDegree`][] with
        `multapses=False`.

    **Raises:** `TypeError` or `ValueError` for a rule that can't be made just in time.
    """

    rule: AbstractRule

    def __init__(self, rule: AbstractRule):
        if isinstance(rule, FixedOutDegree | FixedInDegree) and rule.multapses:
            name = type(rule).__name__
            raise ValueError(
                f"`rule`: just-in-time synapses do not repeat, got {name} with multapses. Try "
                f"{name}(k={rule.k}, multapses=False)."
            )
        if not isinstance(rule, FixedProbability | AllToAll | FixedOutDegree | FixedInDegree):
            raise TypeError(
                "`rule` must be FixedProbability, AllToAll, FixedOutDegree or FixedInDegree to be "
                f"made just in time, got {rule!r}. Give other rules without JustInTime."
            )
        self.rule = rule

    def matrix(
        self,
        n_pre: int,
        n_post: int,
        *,
        weight: Any,
        key: Key | None = None,
        diagonal: int | None = None,
        dtype: Any = None,
    ) -> JIT:
        """The connections as a matrix that is not stored, with the arguments of
        [`brainfn.connect.csr`][].

        **Returns:** a [`brainfn.event.JIT`][].

        **Raises:** `ValueError` or `TypeError`, naming the argument, for a missing key, and for
        weights that do not follow such a distribution.
        """
        options = self._options(n_pre, n_post, key, diagonal)
        initializer, dtype = check_weight(weight, dtype)
        if initializer is None:
            return JIT(_number(weight, dtype), **options)
        if isinstance(initializer, Constant | Uniform | Normal):
            values = {name: _number(x, dtype) for name, x in vars(initializer).items()}
            return JIT(type(initializer)(**values), **options)
        raise TypeError(
            "`weight` of just-in-time connections must be a number or init.Constant, init.Uniform "
            f"or init.Normal, got {weight!r}."
        )

    def build(
        self, n_pre: int, n_post: int, *, key: Key | None = None, diagonal: int | None = None
    ) -> Structure:
        """The same connections as a stored structure."""
        options = self._options(n_pre, n_post, key, diagonal)
        expected = self.expected(n_pre, n_post, diagonal=diagonal)
        if expected is not None:
            check_synapses("JustInTime", expected)
        rows = JIT(1.0, **options).tocsr()
        return rows.indices, rows.indptr

    def expected(
        self, n_pre: int, n_post: int, *, diagonal: int | None = None
    ) -> float | int | None:
        return self.rule.expected(n_pre, n_post, diagonal=diagonal)

    def _options(
        self, n_pre: int, n_post: int, key: Key | None, diagonal: int | None
    ) -> dict[str, Any]:
        n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
        key = check_key("JustInTime", key)
        rule: Any = self.rule
        law = {
            FixedProbability: lambda: {"probability": rule.p},
            AllToAll: lambda: {"probability": 1.0},
            FixedOutDegree: lambda: {"fan_out": rule.k},
            FixedInDegree: lambda: {"fan_in": rule.k},
        }[type(rule)]()
        return {
            "shape": (n_pre, n_post),
            "seed": jr.bits(key, (2,), jnp.uint32),
            "autapses": rule.autapses or diagonal is None,
            "diagonal": 0 if diagonal is None else diagonal,
            **law,
        }


def _number(value: Any, dtype: Any) -> jax.Array:
    if np.ndim(value) != 0:
        raise ValueError(
            "`weight` of just-in-time connections must be a distribution with one set of "
            f"parameters, got shape {np.shape(value)}."
        )
    return jnp.asarray(value, dtype)
