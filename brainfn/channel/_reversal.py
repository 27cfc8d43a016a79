"""Reversal potentials of ions, and the current through a permeable membrane."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Parameter
from .._field import AbstractPart, flag, param
from ._linoid import linoid
from ._temperature import celsius

# CODATA 2018: J/(mol K) and C/mol.
GAS_CONSTANT = 8.31446261815324
FARADAY = 96485.33212331


class Concentrations(eqx.Module):
    """What channels see of an ion: the concentrations `inside` and `outside` in mM, and its
    `reversal` potential in mV; `None` where the ion does not give it."""

    inside: Float[Array, "..."] | None = None
    outside: Float[Array, "..."] | None = None
    reversal: Float[Array, "..."] | None = None


def thermal(temperature: Parameter) -> Parameter:
    """$RT/F$ in mV, the temperature in degrees Celsius."""
    return (temperature + 273.15) * (1e3 * GAS_CONSTANT / FARADAY)


def nernst(
    inside: Float[Array, "..."],
    outside: Float[Array, "..."],
    valence: FloatArrayLike,
    temperature: FloatArrayLike,
) -> Float[Array, "..."]:
    r"""The Nernst potential in mV, $E = \frac{RT}{zF} \ln\frac{c_\mathrm{o}}{c_\mathrm{i}}$.

    A concentration below 1e-12 mM, which a large step may reach, counts as 1e-12 mM.

    **Arguments:**

    - `inside`, `outside`: concentrations in mM.
    - `valence`: $z$, e.g. 2 for calcium.
    - `temperature`: in degrees Celsius.
    """
    least = jnp.asarray(1e-12, inside.dtype)
    ratio = jnp.maximum(outside, least) / jnp.maximum(inside, least)
    return thermal(jnp.asarray(temperature, inside.dtype)) / valence * jnp.log(ratio)


def ghk(
    v: Float[Array, "*size"],
    inside: Float[Array, "..."],
    outside: Float[Array, "..."] | None,
    valence: FloatArrayLike = 2.0,
    temperature: FloatArrayLike = 36.0,
) -> Float[Array, "*size"]:
    r"""The outward current of Goldman, Hodgkin and Katz per permeability,

    $$z F x\,\frac{c_\mathrm{i} - c_\mathrm{o} e^{-x}}{1 - e^{-x}}, \qquad x = \frac{z F v}{R T}.$$

    Times a permeability in cm/s it is in uA/cm2. Value and derivatives are right at $v = 0$.

    **Arguments:**

    - `v`: membrane potentials in mV.
    - `inside`, `outside`: concentrations in mM.
    - `valence`: $z$, by default that of calcium.
    - `temperature`: in degrees Celsius.

    **Raises:** `ValueError` if the ion gives no concentration outside.

    ??? cite

        Hodgkin and Katz (1949), "The effect of sodium ions on the electrical activity of the giant
        axon of the squid", J. Physiol. 108:37-77, doi:10.1113/jphysiol.1949.sp004310.
    """
    if outside is None:
        raise ValueError(
            "`ions`: a permeable channel needs the concentration outside. Give the ion "
            "reversal=brainfn.channel.Nernst(outside=2.0)."
        )
    x = valence * v / thermal(jnp.asarray(temperature, v.dtype))
    return valence * FARADAY * (inside * linoid(x, 1.0) - outside * linoid(-x, 1.0))


class AbstractReversal(AbstractPart):
    """Where the reversal potential of an ion with a changing concentration comes from."""

    @abc.abstractmethod
    def seen(self, inside: Float[Array, "*size"], start: Float[Array, "*size"]) -> Concentrations:
        """What channels see.

        **Arguments:**

        - `inside`: the concentration in mM.
        - `start`: that at the start of a run.
        """


class FixedReversal(AbstractReversal):
    """A reversal potential that does not change.

    **Arguments:**

    - `value`: in mV.
    """

    value: Parameter = param(unit="mV", positional=True)

    def seen(self, inside: Float[Array, "*size"], start: Float[Array, "*size"]) -> Concentrations:
        del start
        return Concentrations(inside, None, self.value)


class Nernst(AbstractReversal):
    r"""The Nernst potential, $E = \frac{RT}{zF} \ln\frac{c_\mathrm{o}}{c_\mathrm{i}}$.

    **Arguments:**

    - `outside`: $c_\mathrm{o}$ in mM.
    - `valence`: $z$.
    - `temperature`: in degrees Celsius.
    - `always`: whether $E$ follows the concentration; if not, it keeps the value from the start of
        a run.

    ??? cite

        Nernst (1889), "Die elektromotorische Wirksamkeit der Jonen", Z. Phys. Chem. 4:129-181,
        doi:10.1515/zpch-1889-0412. 2 mM calcium outside at 36 degrees: Destexhe, Contreras,
        Sejnowski and Steriade (1994), J. Neurophysiol. 72:803-818, doi:10.1152/jn.1994.72.2.803.
    """

    outside: Parameter = param(2.0, unit="mM", sign="positive")
    valence: Parameter = param(2.0, unit="")
    temperature: Parameter = celsius(36.0)
    always: bool = flag(True)

    def seen(self, inside: Float[Array, "*size"], start: Float[Array, "*size"]) -> Concentrations:
        at = inside if self.always else start
        reversal = nernst(at, self.outside, self.valence, self.temperature)
        return Concentrations(inside, self.outside, reversal)


def as_reversal(value: Any) -> Any:
    """A number as a fixed reversal potential."""
    if value is None or isinstance(value, AbstractReversal | type | str):
        return value
    return FixedReversal(value)
