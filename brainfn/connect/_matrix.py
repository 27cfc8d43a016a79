"""Build a matrix of weights from a rule, in any format."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Shaped

from .._custom_types import Key
from .._errors import from_host, is_concrete
from .._memory import check_memory
from ..event import CSR, AbstractMatrix, AllToAll, Dense, FixedFanin, FixedFanout
from ..init import AbstractInitializer
from ._csr import check_weight, csr, known_pairs
from ._just_in_time import JustInTime
from ._of_distance import AbstractOfSynapses
from ._rule import AbstractRule, check_sizes
from ._simple import AllToAll as AllPairs

FORMATS = ("csr", "fixed_fanout", "fixed_fanin", "dense", "all_to_all", "jit")


def matrix(
    rule: AbstractRule,
    n_pre: int,
    n_post: int,
    *,
    weight: AbstractInitializer | AbstractOfSynapses | Shaped[ArrayLike, "..."] | None = None,
    key: Key | None = None,
    diagonal: int | None = None,
    dtype: Any = None,
    format: str | None = None,  # noqa: A002
) -> AbstractMatrix:
    r"""Connect two populations: a matrix $W$ that acts as `spikes @ W`.

    All formats hold the same connections with the same weights for the same key, except `"jit"`,
    whose connections only have the same distribution.

    | format | class | for |
    |---|---|---|
    | `"csr"` | [`brainfn.event.CSR`][] | any rule |
    | `"fixed_fanout"` | [`brainfn.event.FixedFanout`][] | as many synapses from each source |
    | `"fixed_fanin"` | [`brainfn.event.FixedFanin`][] | as many synapses onto each target |
    | `"dense"` | [`brainfn.event.Dense`][] | most pairs connected; weights of a pair are added up, and are zero where there is no synapse |
    | `"all_to_all"` | [`brainfn.event.AllToAll`][] | [`brainfn.connect.AllToAll`][] with one weight: nothing is stored, and products cost $O(N)$ |
    | `"jit"` | [`brainfn.event.JIT`][] | what [`brainfn.connect.JustInTime`][] can regenerate |

    **Arguments:** `rule` to `dtype` as for [`brainfn.connect.csr`][].

    - `format`: how the connections are stored; by default `"csr"`, `"all_to_all"` for
        [`brainfn.connect.AllToAll`][] with one number as weight, and `"jit"` for a
        [`brainfn.connect.JustInTime`][] rule.

    **Raises:** as [`brainfn.connect.csr`][], and naming `format` where the connections can't be
    stored so.
    """  # noqa: E501
    format = check_format("format", rule, format, weight)  # noqa: A001
    options = {"weight": weight, "key": key, "diagonal": diagonal, "dtype": dtype}
    if format == "jit":
        rule = rule if isinstance(rule, JustInTime) else JustInTime(rule)
        if weight is None:
            raise ValueError("`weight` of just-in-time connections is missing, e.g. `weight=1.0`.")
        return rule.matrix(n_pre, n_post, **options)
    if format == "all_to_all":
        assert isinstance(rule, AllPairs)
        return _all_to_all(rule, n_pre, n_post, weight, diagonal, dtype)
    rows = csr(rule, n_pre, n_post, **options)
    if format == "csr":
        return rows
    i, j = known_pairs(rule, rows.indices, rows.indptr)
    if format == "dense":
        return _dense(rule, rows, i, j)
    if format == "fixed_fanout":
        k = _number(rule, format, np.diff(np.asarray(rows.indptr)), "source", "FixedOutDegree")
        data = rows.data if rows.data.ndim == 0 else rows.data.reshape(n_pre, k)
        return FixedFanout(data, from_host(j.reshape(n_pre, k)), shape=rows.shape)
    k = _number(rule, format, np.bincount(j, minlength=n_post), "target", "FixedInDegree")
    order = np.argsort(j, kind="stable")
    data = rows.data if rows.data.ndim == 0 else _take(rows.data, order).reshape(n_post, k)
    return FixedFanin(data, from_host(i[order].reshape(n_post, k)), shape=rows.shape)


def check_format(name: str, rule: AbstractRule, format: Any, weight: Any) -> str:  # noqa: A002
    """The format, or the default of the rule and its weights; raises if they do not go
    together."""
    just_in_time, everyone = isinstance(rule, JustInTime), isinstance(rule, AllPairs)
    if format is None:
        if everyone and is_one_number(weight):
            return "all_to_all"
        return "jit" if just_in_time else "csr"
    if format not in FORMATS:
        raise ValueError(f"`{name}` must be one of {list(FORMATS)} or None, got {format!r}.")
    if just_in_time and format != "jit":
        raise ValueError(
            f"`{name}` must be 'jit' for JustInTime connections, got {format!r}. Give the rule "
            "without JustInTime."
        )
    if format == "all_to_all" and not everyone:
        raise ValueError(
            f"`{name}` 'all_to_all' is for the rule AllToAll, got {type(rule).__name__}. "
            "Try format='csr'."
        )
    if format == "all_to_all" and not is_one_number(weight):
        raise ValueError(
            f"`{name}` 'all_to_all' needs one number as `weight`, got "
            f"{type(weight).__name__}. Try format='dense'."
        )
    return format


def is_one_number(weight: Any) -> bool:
    """Whether all synapses have the same weight, by its shape."""
    return eqx.is_array_like(weight) and np.ndim(weight) == 0


def _all_to_all(
    rule: AllPairs, n_pre: int, n_post: int, weight: Any, diagonal: int | None, dtype: Any
) -> AllToAll:
    n_pre, n_post, diagonal = check_sizes(n_pre, n_post, diagonal)
    _, dtype = check_weight(weight, dtype)
    own = None if rule.autapses else diagonal
    return AllToAll(jnp.asarray(weight, dtype), shape=(n_pre, n_post), diagonal=own)


def _number(rule: AbstractRule, format: str, counts: Any, side: str, other: str) -> int:  # noqa: A002
    """The number of synapses that all neurons on one side have; raises if they differ."""
    low, high = (int(counts.min()), int(counts.max())) if counts.size else (0, 0)
    if low != high:
        raise ValueError(
            f"`format` {format!r} needs as many synapses for each {side}, but with "
            f"{type(rule).__name__} they have from {low} to {high}. Try format='csr', or {other}."
        )
    return low


def _take(data: Any, order: np.ndarray) -> Any:
    return from_host(np.asarray(data)[order]) if is_concrete(data) else data[order]


def _dense(rule: AbstractRule, rows: CSR, i: np.ndarray, j: np.ndarray) -> Dense:
    needed = rows.shape[0] * rows.shape[1] * rows.dtype.itemsize
    what = f"a dense matrix of shape {rows.shape} for {type(rule).__name__}"
    check_memory(needed, "format", what, "Try format='csr'.")
    if not is_concrete(rows.data):
        return Dense(jnp.zeros(rows.shape, rows.dtype).at[i, j].add(rows.data))
    full = np.zeros(rows.shape, rows.dtype)
    np.add.at(full, (i, j), np.asarray(rows.data))
    return Dense(from_host(full))
