"""Ions whose concentration changes with the currents through channels."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._field import AbstractPart, param


class Concentrations(eqx.Module):
    """The concentrations of an ion that channels depend on: `inside` in mM."""

    inside: Float[Array, "*size"]


class AbstractIon(AbstractPart):
    """An ion with a dynamic concentration, driven by the summed currents of the channels that carry
    it.

    A channel names its ion with [`brainfn.channel.AbstractChannel.ion`][].
    """

    @abc.abstractmethod
    def rest(self, like: Float[Array, "*size"]) -> Float[Array, "*size"]:
        """The initial concentration in mM, in the shape of `like`."""

    @abc.abstractmethod
    def change(
        self, inside: Float[Array, "*size"], current: Float[Array, "*size"]
    ) -> Float[Array, "*size"]:
        """The rate of change of the concentration in mM/ms; `current` is the total outward current
        through the channels that carry the ion."""

    @abc.abstractmethod
    def seen(self, inside: Float[Array, "*size"]) -> Any:
        """The concentrations passed to channels."""


class CalciumPool(AbstractIon):
    r"""Calcium in a thin shell, with a pump that removes it.

    $$\frac{dC}{dt} = -k\,I_\mathrm{Ca} - \frac{C - C_\mathrm{rest}}{\tau}$$

    **Arguments:**

    - `gain`: $k$ in mM/ms per unit of current. For a shell of depth $d$ in um and currents in
        uA/cm2 it is $10 / (2 F d)$: 5.182e-5 for 1 um.
    - `tau`: time constant of the removal in ms.
    - `resting`: $C_\mathrm{rest}$ in mM.

    ??? cite

        Destexhe, Babloyantz and Sejnowski (1993), "Ionic mechanisms for intrinsic slow oscillations
        in thalamic relay neurons", Biophys. J. 65:1538-1552, doi:10.1016/S0006-3495(93)81190-1;
        without its rectification of the influx.
    """

    gain: Parameter = param(5.18213483e-5, unit="mM/ms per current", sign="nonnegative")
    tau: Parameter = param(5.0, unit="ms", sign="positive")
    resting: Parameter = param(2.4e-4, unit="mM", sign="positive")

    def rest(self, like: Float[Array, "*size"]) -> Float[Array, "*size"]:
        return jnp.broadcast_to(self.resting, like.shape).astype(like.dtype)

    def change(
        self, inside: Float[Array, "*size"], current: Float[Array, "*size"]
    ) -> Float[Array, "*size"]:
        return -self.gain * current - (inside - self.resting) / self.tau

    def seen(self, inside: Float[Array, "*size"]) -> Concentrations:
        return Concentrations(inside)
