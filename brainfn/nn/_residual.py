"""Layers with a way around them."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array

from .._custom_types import Key
from .._errors import nearest
from .._model import Clock
from ._chain import Chain, unpacked
from ._timed import AbstractTimed, Response

_JOINED: dict[str, Callable[[Array, Array], Array]] = {
    "add": lambda x, f: x + f,
    "and": lambda x, f: x * f,
    "iand": lambda x, f: (1 - x) * f,
}


class Residual(AbstractTimed[tuple[Any, Any]]):
    r"""Layers with a way around them.

    $$y = g(h(x), f(x)), \qquad g_\mathrm{add} = x + f, \quad g_\mathrm{and} = x f, \quad
    g_\mathrm{iand} = (1 - x) f$$

    With spikes the joint is that of a spike-element-wise block: with `"add"` and layers that are
    silent, or `"iand"` and layers that always spike where their input does not, a block passes its
    input on, and gradients of deep networks neither vanish nor explode.

    **Arguments:**

    - `layers`: $f$, as for [`brainfn.nn.Chain`][]; their output has the shape of what goes around.
    - `join`: `"add"`, `"and"` or `"iand"`. Only `"add"` may emit more than 1.
    - `shortcut`: $h$, a layer or a chain, if shapes differ; `None` for the input itself.

    **Raises:** `TypeError` or `ValueError` naming the argument; `ValueError` at the first step if
    shapes differ.

    ??? cite

        W. Fang, Z. Yu, Y. Chen, T. Huang, T. Masquelier, Y. Tian (2021), "Deep residual learning in
        spiking neural networks", NeurIPS 34, arXiv:2102.04159.
    """

    inside: Chain
    around: Chain | None
    join: str = eqx.field(static=True)

    def __init__(self, *layers: Any, join: Any = "add", shortcut: Any = None) -> None:
        if join not in _JOINED:
            raise ValueError(
                f"`join` must be one of {list(_JOINED)}, got {join!r}.{nearest(str(join), _JOINED)}"
            )
        self.inside = _as_chain(*layers)
        self.around = None if shortcut is None else _as_chain(shortcut)
        self.join = join

    def prepare(self, dt: float) -> "Residual":
        around = None if self.around is None else self.around.prepare(dt)
        return Residual(self.inside.prepare(dt), join=self.join, shortcut=around)

    def init(self, *, key: Key | None = None) -> tuple[Any, Any]:
        a, b = _two(key)
        return self.inside.init(key=a), None if self.around is None else self.around.init(key=b)

    def step(
        self, state: tuple[Any, Any], inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[tuple[Any, Any], Array]:
        (inside, around), (a, b), x = state, _two(key), inputs
        inside, out = self.inside.step(inside, inputs, clock, key=a)
        if self.around is not None:
            around, x = self.around.step(around, inputs, clock, key=b)
        return (inside, around), self._joined(x, out)

    def over_time(
        self, state: tuple[Any, Any], inputs: Any, dt: float, *, key: Key | None
    ) -> Response:
        """The totals are those of the layers, and those of the shortcut if there is one."""
        (inside, around), (a, b) = state, _two(key)
        out, inside, totals = self.inside.over_time(inside, inputs, dt, key=a)
        if self.around is None:
            return Response(self._joined(unpacked(inputs), out), (inside, None), (totals, None))
        x, around, others = self.around.over_time(around, inputs, dt, key=b)
        return Response(self._joined(x, out), (inside, around), (totals, others))

    def _joined(self, x: Array, out: Array) -> Array:
        if jnp.shape(x) != out.shape:
            raise ValueError(
                f"the layers of a residual block make {out.shape} of {jnp.shape(x)}: they must "
                "keep the shape. Try shortcut=brainfn.nn.Layer(...)."
            )
        return _JOINED[self.join](jnp.asarray(x, out.dtype), out)


def _as_chain(*layers: Any) -> Chain:
    return layers[0] if len(layers) == 1 and isinstance(layers[0], Chain) else Chain(*layers)


def _two(key: Key | None) -> Any:
    return (None, None) if key is None else jr.split(key)
