"""Argument checks of just-in-time matrices."""

import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._check import check_shape, concrete
from ._jit_pattern import Pattern

_INT32_MAX = np.iinfo(np.int32).max


def make_pattern(
    what: str,
    *,
    shape: Any,
    seed: Any,
    probability: Any,
    fan_out: Any,
    fan_in: Any,
    autapses: Any,
    diagonal: Any,
    origin: Any,
    extent: Any,
    orientation: Any,
) -> Pattern:
    """The pattern that the arguments of a just-in-time matrix describe; raises if they do not fit
    together."""
    if not isinstance(shape, tuple | list):
        raise TypeError(f"{what}: shape must be two integers (n_rows, n_cols), got {shape!r}.")
    shape = check_shape(shape, what)
    given = {"probability": probability, "fan_out": fan_out, "fan_in": fan_in}
    laws = [name for name, value in given.items() if value is not None]
    if len(laws) != 1:
        raise ValueError(
            f"{what}: give exactly one of probability, fan_out and fan_in, got "
            f"{' and '.join(laws) if laws else 'none'}. Try probability=0.1."
        )
    if orientation not in (None, "rows", "columns"):
        raise ValueError(
            f"{what}: orientation must be 'rows' or 'columns' (where events are cheap), got "
            f"{orientation!r}."
        )
    if not isinstance(autapses, bool | np.bool_):
        raise TypeError(f"{what}: autapses must be True or False, got {autapses!r}.")
    columns = orientation == "columns"
    if laws[0] != "probability":
        columns = laws[0] == "fan_in"
        natural = "columns" if columns else "rows"
        if orientation not in (None, natural):
            raise ValueError(
                f"{what}: orientation={orientation!r} can't be combined with {laws[0]}, whose "
                f"synapses are drawn along {natural}; leave orientation out."
            )
    place, start = _origin(origin, shape, what)
    along = 0 if columns else 1
    number = size = 0
    if laws[0] == "probability":
        probability = _probability(probability, what)
        if extent is not None:
            raise ValueError(f"{what}: extent goes with fan_out or fan_in, not with probability.")
    else:
        size = _extent(extent, start[along], shape[along], ("rows", "columns")[along], what)
        number = _whole(laws[0], given[laws[0]], what)
        most = size if autapses else max(size - 1, 0)
        if number < 0 or number > most:
            targets = "rows" if columns else "columns"
            less = "" if autapses else " less the autapse"
            raise ValueError(
                f"{what}: {laws[0]} must lie in [0, {most}] (there are {size} {targets}{less}), "
                f"got {number}; synapses do not repeat."
            )
    return Pattern(
        _seed(seed, what),
        place,
        shape,
        probability,
        number,
        size,
        columns,
        bool(autapses),
        _whole("diagonal", diagonal, what),
    )


def _whole(name: str, value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{what}: {name} must be a whole number (int), got {value!r}.")
    if abs(int(value)) > _INT32_MAX:
        raise ValueError(f"{what}: {name} must be below 2**31, got {value}.")
    return int(value)


def _probability(p: Any, what: str) -> float:
    if isinstance(p, bool) or not isinstance(p, numbers.Real | np.ndarray | jax.Array):
        raise TypeError(f"{what}: probability must be a number in [0, 1], got {p!r}.")
    if not isinstance(p, numbers.Real) and not (concrete(p) and np.ndim(p) == 0):
        raise TypeError(
            f"{what}: probability must be one Python number, known when the program is traced, got "
            f"{p!r}. Draw matrices with different probabilities separately."
        )
    p = float(p)
    if not 0.0 <= p <= 1.0:
        hint = f" Did you mean {p / 100:g} (per cent)?" if 1.0 < p <= 100.0 else ""
        raise ValueError(f"{what}: probability must lie in [0, 1], got {p}.{hint}")
    return p


def _seed(seed: Any, what: str) -> jax.Array:
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        if not 0 <= int(seed) < 1 << 64:
            raise ValueError(f"{what}: seed must lie in [0, 2**64), got {seed}.")
        words = [int(seed) & 0xFFFFFFFF, int(seed) >> 32]
        return jnp.asarray(np.asarray(words, np.uint32))
    got = repr(seed)
    if isinstance(seed, np.ndarray | jax.Array):
        if seed.dtype == np.uint32 and seed.shape == (2,):
            return jnp.asarray(seed)
        got = f"{seed.dtype} {seed.shape}"
    raise TypeError(
        f"{what}: seed must be an int or a uint32 array of shape (2,), got {got}. From a JAX key: "
        "jax.random.bits(key, (2,), 'uint32')."
    )


def _origin(origin: Any, shape: tuple[int, int], what: str) -> tuple[jax.Array, list[int | None]]:
    """As an array, and as Python integers if they are known."""
    if isinstance(origin, np.ndarray | jax.Array):
        if origin.shape != (2,) or not jnp.issubdtype(origin.dtype, jnp.integer):
            raise TypeError(
                f"{what}: origin must be two integers (row, column), got {origin.dtype} "
                f"{origin.shape}."
            )
        parts = list(origin)
    else:
        if not isinstance(origin, tuple | list) or len(origin) != 2:
            raise TypeError(f"{what}: origin must be two integers (row, column), got {origin!r}.")
        parts = list(origin)
    start: list[int | None] = []
    for x, n in zip(parts, shape, strict=True):
        if not (isinstance(x, int | np.integer) or _is_integer_scalar(x)):
            raise TypeError(f"{what}: origin must be two integers (row, column), got {origin!r}.")
        known = isinstance(x, int | np.integer) or concrete(x)
        if known and not 0 <= int(x) <= _INT32_MAX - n:
            raise ValueError(
                f"{what}: origin must not be negative and origin + shape must be below 2**31, got "
                f"origin={origin} for shape={shape}."
            )
        start.append(int(x) if known else None)
    return jnp.stack([jnp.asarray(x, np.int32) for x in parts]), start


def _is_integer_scalar(x: Any) -> bool:
    return (
        isinstance(x, np.ndarray | jax.Array)
        and x.shape == ()
        and bool(jnp.issubdtype(x.dtype, jnp.integer))
    )


def _extent(extent: Any, start: int | None, size: int, along: str, what: str) -> int:
    if extent is None:
        if start is None:
            raise ValueError(
                f"{what}: where origin is traced, extent must say how many {along} the whole "
                "matrix has."
            )
        return start + size
    extent = _whole("extent", extent, what)
    least = size + (start or 0)
    if extent < least:
        raise ValueError(
            f"{what}: extent must be at least {least}, the end of this block, got {extent}."
        )
    return extent


def parameters(what: str, **values: Any) -> list[jax.Array]:
    """Parameters of a weight law as scalars of one floating-point dtype; raises for anything
    else."""
    arrays = np.ndarray | jax.Array | np.generic
    typed = [x.dtype for x in values.values() if isinstance(x, arrays)]
    default = typed[0] if typed else jnp.result_type(float)
    out = []
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real | arrays):
            raise TypeError(f"{what}: {name} must be a number, got {value!r}.")
        x = jnp.asarray(value, None if isinstance(value, arrays) else default)
        if not jnp.issubdtype(x.dtype, jnp.floating) or x.dtype != default:
            raise TypeError(
                f"{what}: {' and '.join(values)} must be floating point and of one dtype, got "
                f"{name} of dtype {x.dtype}; convert with .astype."
            )
        if x.ndim != 0:
            raise ValueError(
                f"{what}: {name} must be one number for all synapses, got shape {x.shape}; use "
                "jax.vmap for several matrices."
            )
        if concrete(x) and not np.isfinite(np.asarray(x)):
            raise ValueError(f"{what}: {name} must be finite, got {x}.")
        out.append(x)
    return out
