"""Argument checks of rules, before anything is allocated."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from .._custom_types import Key
from .._errors import count, is_concrete
from .._memory import check_memory

INT32_MAX = 2**31 - 1
# Bytes of an index; and what is too little to ask how much memory is free.
_INDEX, _SMALL = 4, 2**24


def as_size(name: str, value: Any) -> int:
    """A number of neurons as a Python int that fits 32-bit indices."""
    if not is_concrete(value):
        raise TypeError(
            f"`{name}` is traced by JAX, expected a Python int, since it fixes shapes. "
            "Make it static."
        )
    number = count(name, value)
    if number >= INT32_MAX:
        raise ValueError(
            f"`{name}` must be less than {INT32_MAX}, since indices are 32-bit, got {number}. "
            "Split the population."
        )
    return number


def as_degree(name: str, value: Any) -> int:
    """A number of synapses for each neuron as a Python int."""
    if not is_concrete(value):
        raise TypeError(
            f"`{name}` is traced by JAX, expected a Python int, since it fixes shapes. "
            "Build the connections outside of `jit`, or make it static."
        )
    number = count(name, value)
    if number > INT32_MAX:
        raise ValueError(f"`{name}` must be at most {INT32_MAX}, got {number}.")
    return number


def as_flag(name: str, value: Any) -> bool:
    """A flag as a Python bool."""
    if not isinstance(value, bool):
        raise TypeError(
            f"`{name}` must be True or False, got {type(value).__name__}: {value!r}. "
            f"Try `{name}={'False' if value in (0, None) else 'True'}`."
        )
    return value


def as_probability(name: str, value: Any) -> float:
    """A probability as a Python float."""
    if not is_concrete(value):
        raise TypeError(
            f"`{name}` is traced by JAX, expected a Python number, since it decides "
            "how many synapses there are. Build the connections outside of `jit` and `vmap`."
        )
    try:
        if isinstance(value, bool | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"`{name}` must be a number in [0, 1], got {type(value).__name__}: {value!r}. "
            f"Try `{name}=0.02`."
        ) from None
    if math.isnan(number) or not 0.0 <= number <= 1.0:
        raise ValueError(
            f"`{name}` must be a probability in [0, 1], got {number}. To give a number of synapses "
            "for each neuron, try FixedInDegree(k) or FixedOutDegree(k)."
        )
    return number


def check_key(rule: str, key: Any) -> Key:
    """`key`; raises unless it is one JAX random key."""
    if key is None:
        raise ValueError(
            f"`key` is missing: {rule} draws random numbers and expected a JAX key. "
            "Try `key=jax.random.key(0)`."
        )
    if isinstance(key, jax.Array):
        typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        if (typed and key.shape == ()) or (key.dtype == jnp.uint32 and key.ndim == 1):
            return key
        got = f"an array of shape {key.shape} and dtype {key.dtype}"
    else:
        got = f"{type(key).__name__}: {key!r}"
    raise TypeError(f"`key` must be one JAX key, got {got}. Try `key=jax.random.key(0)`.")


def check_synapses(rule: str, expected: float | int, *, copies: int = 1, weight: int = 0) -> None:
    """Raises if there would be more synapses than 32-bit indices can count, or than fit into
    memory.

    **Arguments:**

    - `rule`: the name of the rule in the message.
    - `expected`: how many synapses there will be, or their mean number.
    - `copies`: of the indices, while they are made.
    - `weight`: bytes of the weight of each synapse.
    """
    if expected > INT32_MAX:
        raise ValueError(
            f"{rule} would make {expected:.6g} synapses; 32-bit indices count up to {INT32_MAX}. "
            "Try fewer synapses for each neuron, or split the population."
        )
    needed = int(expected * max(_INDEX * copies, _INDEX + weight))
    # Rules are drawn in the memory of the host, whatever device JAX computes on.
    if needed < _SMALL:
        return
    weights = " and weights" if weight else ""
    check_memory(
        needed,
        "rule",
        f"the {expected:.6g} synapses of {rule}, indices{weights},",
        "Try connections that are not stored, bf.connect.JustInTime(rule); fewer of them, e.g. "
        "bf.connect.FixedProbability(0.1); or, where most pairs are connected, a bf.event.Dense "
        "matrix of float32, which has no indices.",
    )


def as_diagonal(value: Any) -> int | None:
    """The offset of the diagonal as a Python int, or None for two disjoint populations."""
    if value is None:
        return None
    try:
        return count("diagonal", value, minimum=-INT32_MAX)
    except TypeError as e:
        raise TypeError(
            f"{e} Expected an offset o (presynaptic neuron i is postsynaptic neuron i + o), or "
            "None for two disjoint populations. Try `diagonal=0` for a population that connects to "
            "itself."
        ) from None
