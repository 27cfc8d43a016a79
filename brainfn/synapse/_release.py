"""Releases without memory."""

from typing import Any

from jaxtyping import Array, Shaped

from .._custom_types import Key
from .._model import Clock
from ._base import AbstractRelease


class Spikes(AbstractRelease[None]):
    """What the population emits is sent as it is; the default of a projection."""

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
