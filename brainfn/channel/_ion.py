"""Ions: what channels see of them, and how their concentration changes."""

import abc
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._field import AbstractPart, param
from ._reversal import Concentrations, nernst
from ._temperature import celsius


class AbstractIon(AbstractPart):
    """An ion, driven by the summed currents of the channels that it carries.

    A channel names its ion by [`brainfn.channel.AbstractChannel.ion`][]. The ion says what channels
    see: its concentrations, if it has any, and its reversal potential, if it gives one; without
    one, each channel uses its own `reversal`.

    The state of an ion is any pytree of arrays in the shape of the membrane potential: `None` for
    one that does not change.
    """

    @abc.abstractmethod
    def rest(self, like: Float[Array, "*size"]) -> Any:
        """The initial state, such as the concentration in mM, in the shape of `like`."""

    @abc.abstractmethod
    def change(self, inside: Any, current: Float[Array, "*size"]) -> Any:
        """The rate of change of the state `inside`, such as mM/ms; `current` is the total outward
        current through the channels that carry the ion."""

    @abc.abstractmethod
    def seen(self, inside: Any) -> Concentrations:
        """What channels see in the state `inside`."""


class FixedIon(AbstractIon):
    """An ion with a constant reversal potential: one number for all channels that it carries.

    **Arguments:**

    - `reversal`: reversal potential in mV.
    - `inside`: its concentration in mM, for channels that depend on it; or `None`.
    - `outside`: its concentration outside in mM, for permeable channels; or `None`.
    """

    reversal: Parameter = param(unit="mV", positional=True)
    inside: Parameter | None = param(None, unit="mM", sign="positive", none=True)
    outside: Parameter | None = param(None, unit="mM", sign="positive", none=True)

    def rest(self, like: Float[Array, "*size"]) -> None:
        del like

    def change(self, inside: None, current: Float[Array, "*size"]) -> None:
        del inside, current

    def seen(self, inside: None) -> Concentrations:
        del inside
        return Concentrations(self.inside, self.outside, self.reversal)


class NernstIon(AbstractIon):
    r"""An ion with constant concentrations, and the reversal potential that follows from them,
    $E = \frac{RT}{zF} \ln\frac{c_\mathrm{o}}{c_\mathrm{i}}$.

    ```python
    squid = {
        "na": bf.channel.NernstIon(inside=10.0, outside=140.0, temperature=6.3),
        "k": bf.channel.NernstIon(inside=54.4, outside=2.5, temperature=6.3),
    }
    ```

    **Arguments:**

    - `inside`, `outside`: concentrations in mM.
    - `valence`: $z$.
    - `temperature`: in degrees Celsius.

    ??? cite

        As [`brainfn.channel.Nernst`][].
    """

    inside: Parameter = param(unit="mM", sign="positive")
    outside: Parameter = param(unit="mM", sign="positive")
    valence: Parameter = param(1.0, unit="")
    temperature: Parameter = celsius(36.0)

    def rest(self, like: Float[Array, "*size"]) -> None:
        del like

    def change(self, inside: None, current: Float[Array, "*size"]) -> None:
        del inside, current

    def seen(self, inside: None) -> Concentrations:
        del inside
        reversal = nernst(self.inside, self.outside, self.valence, self.temperature)
        return Concentrations(self.inside, self.outside, reversal)


def filled(value: Parameter, like: Float[Array, "*size"]) -> Float[Array, "*size"]:
    """A parameter in the shape and dtype of `like`."""
    return jnp.broadcast_to(value, like.shape).astype(like.dtype)
