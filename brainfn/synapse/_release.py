"""Releases: spikes unchanged, or a function of the presynaptic state."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from .._custom_types import Key
from .._model import Clock
from ._base import AbstractRelease


class Spikes(AbstractRelease[None]):
    """Sends the signal of the population unchanged; the default of a projection."""

    def init(self, size: int, *, key: Key | None = None) -> None:
        del size, key

    def release(
        self,
        state: None,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[None, Shaped[Array, " n_pre"]]:
        del state, pre, clock, key
        return None, emitted


class Graded(AbstractRelease[None]):
    """Sends a function of the presynaptic state in each step: a voltage, a rate, a gate.

    Delay lines are initially filled with the signal of the population's initial state. With
    [`brainfn.synapse.Instant`][] and [`brainfn.synapse.Diffusive`][] it is a gap junction, with
    [`brainfn.synapse.Current`][] a coupling of rates. The product is computed in each step, not
    only for spikes.

    **Arguments:**

    - `of`: maps the state of the presynaptic population to an array of shape `(n_pre,)`, e.g.
        `lambda state: state.v`; elementwise.
    """

    graded: ClassVar[bool] = True
    of: Callable[[Any], Any] = eqx.field(static=True)

    def __check_init__(self):
        check_function(self.of)

    def init(self, size: int, *, key: Key | None = None) -> None:
        del size, key

    def release(
        self,
        state: None,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[None, Shaped[Array, " n_pre"]]:
        del state, emitted, clock, key
        return None, self.of(pre)


def voltage(state: Any) -> Any:
    """The membrane potential in the state of a population; one function, so that releases which
    send it can be merged."""
    return state.v


def check_function(of: Any) -> None:
    if not callable(of):
        raise TypeError(
            f"`of` must be a function of the presynaptic state, got {type(of).__name__}. "
            "Try lambda state: state.v."
        )


def once(emitted: Shaped[Array, " n_pre"], dtype: Any) -> Float[Array, " n_pre"]:
    """Spikes as 0 or 1: several at once (counts) are as one."""
    spikes = emitted.astype(dtype)
    return jnp.where(spikes > 1, jnp.ones_like(spikes), spikes)
