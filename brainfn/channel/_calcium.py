"""Calcium that accumulates: shells with removal, pump and buffers."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Parameter
from .._field import flag, option, param
from ._ion import AbstractIon, filled
from ._reversal import FARADAY, AbstractReversal, Concentrations, as_reversal

Values = Float[Array, "*size"]


def shell_gain(depth: FloatArrayLike, free: FloatArrayLike = 1.0) -> Any:
    r"""The `gain` of calcium in a thin shell under the membrane, $10\,\gamma / (2 F d)$ in mM/ms
    per uA/cm2.

    **Arguments:**

    - `depth`: $d$ of the shell in um.
    - `free`: $\gamma$, the fraction of calcium that is not buffered.
    """
    return 10 * free / (2 * FARADAY * depth)


def reversal() -> Any:
    """The field of the reversal potential of an ion that accumulates."""
    return option(
        None,
        AbstractReversal,
        none=True,
        convert=as_reversal,
        hint="Try a number in mV, brainfn.channel.Nernst(), or None for that of the channels.",
    )


def gain() -> Any:
    """The field of the concentration per charge, for a shell of 1 um by default."""
    return param(5.18213483e-5, unit="mM/ms per current", sign="nonnegative")


def seen(ion: Any, inside: Values) -> Concentrations:
    """What channels see of an ion with a field `reversal` and a concentration at rest."""
    if ion.reversal is None:
        return Concentrations(inside)
    return ion.reversal.seen(inside, filled(ion.resting, inside))


class CalciumPool(AbstractIon):
    r"""Calcium in a thin shell, with a first-order removal.

    $$\frac{dC}{dt} = -k\,I_\mathrm{Ca} - \frac{C - C_\mathrm{rest}}{\tau}$$

    **Arguments:**

    - `gain`: $k$ in mM/ms per unit of current; [`brainfn.channel.shell_gain`][] computes it from
        the depth of the shell.
    - `tau`: time constant of the removal in ms.
    - `resting`: $C_\mathrm{rest}$ in mM, also the initial concentration.
    - `reversal`: the reversal potential of the channels that calcium carries: a number in mV,
        [`brainfn.channel.Nernst`][], or `None` for the `reversal` of each channel.
    - `inward`: whether only inward current changes the concentration.

    ??? cite

        Destexhe, Babloyantz and Sejnowski (1993), "Ionic mechanisms for intrinsic slow oscillations
        in thalamic relay neurons", Biophys. J. 65:1538-1552, doi:10.1016/S0006-3495(93)81190-1,
        with `inward=True`.
    """

    gain: Parameter = gain()
    tau: Parameter = param(5.0, unit="ms", sign="positive")
    resting: Parameter = param(2.4e-4, unit="mM", sign="positive")
    reversal: AbstractReversal | None = reversal()
    inward: bool = flag(False)

    def rest(self, like: Values) -> Values:
        return filled(self.resting, like)

    def change(self, inside: Values, current: Values) -> Values:
        influx = -self.gain * current
        if self.inward:
            influx = jnp.maximum(influx, 0)
        return influx - (inside - self.resting) / self.tau

    def seen(self, inside: Values) -> Concentrations:
        return seen(self, inside)


class CalciumPump(AbstractIon):
    r"""Calcium in a thin shell, removed by a pump that saturates and by a first-order process.

    $$\frac{dC}{dt} = -k\,I_\mathrm{Ca} - \frac{K_T\,C}{C + K_d}
    - \frac{C - C_\mathrm{rest}}{\tau}$$

    **Arguments:**

    - `gain`, `resting`, `reversal`: as for [`brainfn.channel.CalciumPool`][].
    - `pump`: $K_T$, the fastest removal by the pump in mM/ms.
    - `half`: $K_d$ in mM, where the pump removes half of that.
    - `tau`: time constant of the first-order removal in ms; so long by default that there is none.

    ??? cite

        Destexhe, Babloyantz and Sejnowski (1993), "Ionic mechanisms for intrinsic slow oscillations
        in thalamic relay neurons", Biophys. J. 65:1538-1552, doi:10.1016/S0006-3495(93)81190-1.
    """

    gain: Parameter = gain()
    pump: Parameter = param(1e-4, unit="mM/ms", sign="nonnegative")
    half: Parameter = param(1e-4, unit="mM", sign="positive")
    tau: Parameter = param(1e10, unit="ms", sign="positive")
    resting: Parameter = param(2.4e-4, unit="mM", sign="positive")
    reversal: AbstractReversal | None = reversal()

    def rest(self, like: Values) -> Values:
        return filled(self.resting, like)

    def change(self, inside: Values, current: Values) -> Values:
        pumped = self.pump * inside / (inside + self.half)
        return -self.gain * current - pumped - (inside - self.resting) / self.tau

    def seen(self, inside: Values) -> Concentrations:
        return seen(self, inside)


class Buffered(eqx.Module):
    """State of a [`brainfn.channel.BufferedCalcium`][]: calcium `inside` and `bound` to the buffer,
    both in mM."""

    inside: Float[Array, "*size"]
    bound: Float[Array, "*size"]


class BufferedCalcium(AbstractIon):
    r"""Calcium in a thin shell with a buffer, $\mathrm{Ca} + \mathrm{B} \rightleftharpoons
    \mathrm{CaB}$.

    $$\frac{dC}{dt} = -k\,I_\mathrm{Ca} - \frac{C - C_\mathrm{rest}}{\tau} - J, \qquad
    \frac{dB}{dt} = J = k_\mathrm{on}\,C\,(B_\mathrm{total} - B) - k_\mathrm{off}\,B$$

    The buffer starts in equilibrium.

    **Arguments:**

    - `gain`, `tau`, `resting`, `reversal`: as for [`brainfn.channel.CalciumPool`][].
    - `total`: $B_\mathrm{total}$ in mM.
    - `k_on`: rate of binding in 1/(mM ms).
    - `k_off`: rate of unbinding in 1/ms.

    ??? cite

        The law of mass action; as a model of calcium in neurons: Yamada, Koch and Adams (1989),
        "Multiple channels and calcium dynamics", in: Koch and Segev (eds.), Methods in Neuronal
        Modeling, MIT Press, 97-133, with 0.03 mM, 100 per mM and ms, and 0.1 per ms.
    """

    gain: Parameter = gain()
    tau: Parameter = param(5.0, unit="ms", sign="positive")
    resting: Parameter = param(2.4e-4, unit="mM", sign="positive")
    total: Parameter = param(0.03, unit="mM", sign="nonnegative")
    k_on: Parameter = param(100.0, unit="1/(mM ms)", sign="nonnegative")
    k_off: Parameter = param(0.1, unit="1/ms", sign="positive")
    reversal: AbstractReversal | None = reversal()

    def rest(self, like: Values) -> Buffered:
        inside = filled(self.resting, like)
        binding = self.k_on * inside
        return Buffered(inside, self.total * binding / (binding + self.k_off))

    def change(self, inside: Buffered, current: Values) -> Buffered:
        free = inside.inside
        bound = self.k_on * free * (self.total - inside.bound) - self.k_off * inside.bound
        removed = (free - self.resting) / self.tau
        return Buffered(-self.gain * current - removed - bound, bound)

    def seen(self, inside: Buffered) -> Concentrations:
        return seen(self, inside.inside)


class RapidlyBufferedCalcium(AbstractIon):
    r"""Calcium in a thin shell with a buffer that is always in equilibrium.

    $$\frac{dC}{dt} = \frac{-k\,I_\mathrm{Ca} - (C - C_\mathrm{rest})/\tau}{1 + \kappa}, \qquad
    \kappa = \frac{B_\mathrm{total}\,K_d}{(C + K_d)^2}$$

    **Arguments:**

    - `gain`, `tau`, `resting`, `reversal`: as for [`brainfn.channel.CalciumPool`][].
    - `total`: $B_\mathrm{total}$ in mM.
    - `half`: $K_d$ in mM, where half of the buffer is bound.

    ??? cite

        Wagner and Keizer (1994), "Effects of rapid buffers on Ca2+ diffusion and Ca2+
        oscillations", Biophys. J. 67:447-456, doi:10.1016/S0006-3495(94)80500-4. Defaults as for
        [`brainfn.channel.BufferedCalcium`][].
    """

    gain: Parameter = gain()
    tau: Parameter = param(5.0, unit="ms", sign="positive")
    resting: Parameter = param(2.4e-4, unit="mM", sign="positive")
    total: Parameter = param(0.03, unit="mM", sign="nonnegative")
    half: Parameter = param(1e-3, unit="mM", sign="positive")
    reversal: AbstractReversal | None = reversal()

    def rest(self, like: Values) -> Values:
        return filled(self.resting, like)

    def change(self, inside: Values, current: Values) -> Values:
        ratio = self.total * self.half / (inside + self.half) ** 2
        return (-self.gain * current - (inside - self.resting) / self.tau) / (1 + ratio)

    def seen(self, inside: Values) -> Concentrations:
        return seen(self, inside)


class CalciumTraub(AbstractIon):
    r"""Calcium in arbitrary units, $\dot C = -\phi\,I_\mathrm{Ca} - \beta\,C$, zero at rest.

    **Arguments:**

    - `gain`: $\phi$ per ms and unit of current (uA/cm2).
    - `decay`: $\beta$ in 1/ms.

    ??? cite

        Traub, Wong, Miles and Michelson (1991), "A model of a CA3 hippocampal pyramidal neuron
        incorporating voltage-clamp data on intrinsic conductances", J. Neurophysiol. 66:635-650,
        doi:10.1152/jn.1991.66.2.635, with the constants of Pinsky and Rinzel (1994), J. Comput.
        Neurosci. 1:39-60, doi:10.1007/BF00962717.
    """

    gain: Parameter = param(0.13, unit="1/ms per current", sign="nonnegative")
    decay: Parameter = param(0.075, unit="1/ms", sign="nonnegative")

    def rest(self, like: Values) -> Values:
        return jnp.zeros_like(like)

    def change(self, inside: Values, current: Values) -> Values:
        return -self.gain * current - self.decay * inside

    def seen(self, inside: Values) -> Concentrations:
        return Concentrations(inside)
