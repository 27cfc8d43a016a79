"""The base classes of channels and of what moves their gates."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._field import AbstractPart, param

# Numbers in the shape of the membrane potential.
Values = Float[Array, "*size"]
# `Concentrations` by ion.
Ions = dict[str, Any]
# Gates by name: an array for each, and for a kinetic scheme a dictionary of its states.
Gates = dict[str, Any]


class AbstractKinetics(eqx.Module):
    """How a gate, or a few states that turn into one another, moves."""

    @abc.abstractmethod
    def start(self, gates: Gates, like: Values) -> Any:
        """The steady state in the shape of `like`; `gates` are those listed before it."""

    @abc.abstractmethod
    def slope(self, value: Any, gates: Gates) -> Any:
        """The rate of change per ms, in the structure of `value`; `gates` are all of the
        channel."""


class Gate(AbstractKinetics):
    r"""The kinetics of a gate, $\dot x = r\,(x_\infty - x)$: its rate and its steady state.

    Made by [`brainfn.channel.alpha_beta`][] or [`brainfn.channel.inf_tau`][].
    """

    steady: Float[Array, "..."]
    rate: Float[Array, "..."]

    def faster(self, factor: Parameter) -> "Gate":
        """The same gate with `factor` times its rate, e.g. [`brainfn.channel.speed`][]."""
        return Gate(self.steady, factor * self.rate)

    def start(self, gates: Gates, like: Values) -> Values:
        del gates
        return jnp.broadcast_to(self.steady, like.shape)

    def slope(self, value: Values, gates: Gates) -> Values:
        del gates
        return self.rate * (self.steady - value)


def alpha_beta(alpha: Float[Array, "..."], beta: Float[Array, "..."]) -> Gate:
    r"""A gate that opens with rate $\alpha$ and closes with rate $\beta$, both in 1/ms."""
    return Gate(alpha / (alpha + beta), alpha + beta)


def inf_tau(steady: Float[Array, "..."], tau: Float[Array, "..."]) -> Gate:
    r"""A gate that tends to `steady` with time constant `tau` in ms."""
    return Gate(steady, 1 / tau)


class AbstractChannel(AbstractPart):
    r"""An ion channel: voltage-dependent gates, and the current that they control.

    A channel has no size: it takes its shape from `v`, both in a point neuron and in a compartment.
    Its gates are linear in themselves and do not act on each other, so that exponential solvers
    advance them exactly while the voltage is constant. The states of a
    [`brainfn.channel.Scheme`][] act on each other, and are advanced together.

    Most channels are an [`brainfn.channel.AbstractOhmicChannel`][], which is shorter to write. This
    class is for any other dependence of the current on the voltage.

    ```python
    class CalciumPermeability(bf.channel.AbstractChannel):
        permeability: Any = bf.param(1e-4, unit="cm/s", sign="nonnegative")

        def gates(self, v, ions):
            return {"m": bf.channel.inf_tau(jax.nn.sigmoid((v + 20) / 5), jnp.ones_like(v))}

        def current(self, gates, v, ions):
            ca = ions["ca"]
            return self.permeability * gates["m"] ** 2 * bf.channel.ghk(v, ca.inside, ca.outside)

        def ion(self):
            return "ca"
    ```

    Conductances are in nS and currents in pA in a point neuron; with conductances in mS/cm2,
    currents are in uA/cm2: the equations are the same.
    """

    @abc.abstractmethod
    def gates(self, v: Values, ions: Ions) -> dict[str, Any]:
        """The kinetics of each gate at membrane potentials `v` (mV), a
        [`brainfn.channel.Gate`][] or [`brainfn.channel.Scheme`][]; `{}` for a channel without
        gates.

        **Arguments:**

        - `v`: membrane potentials in mV, any shape; gates and the current have the same.
        - `ions`: [`brainfn.channel.Concentrations`][] by ion, such as `ions["ca"].inside` in mM.
        """

    @abc.abstractmethod
    def current(self, gates: Gates, v: Values, ions: Ions) -> Values:
        """The outward current through the channel; arguments as for the method `gates`, with the
        values of the gates in the dictionary `gates`."""

    def ion(self) -> str | None:
        """The ion, such as `"ca"`, that carries its current, and whose concentration the current
        changes in a cell that tracks it; `None` for several ions."""
        return None

    def needs(self) -> tuple[str, ...]:
        """The ions that a cell must track for this channel; by default the one that carries its
        current."""
        carried = self.ion()
        return () if carried is None else (carried,)


class AbstractOhmicChannel(AbstractChannel):
    r"""A channel with a conductance, $I = g\,o\,(v - E)$, where $o$ is the open fraction.

    **The reversal potential** $E$ is that of the ion, if the cell tracks the ion named by `carries`
    and the ion gives one ([`brainfn.channel.FixedIon`][], [`brainfn.channel.Nernst`][]); otherwise
    it is `reversal` of the channel.

    ```python
    class MCurrent(bf.channel.AbstractOhmicChannel):
        g: Any = bf.param(4.0, unit="nS", sign="nonnegative")
        reversal: Any = bf.param(-90.0, unit="mV")
        carries: ClassVar = "k"

        def gates(self, v, ions):
            tau = 1000 / (3.3 * jnp.exp((v + 35) / 20) + jnp.exp(-(v + 35) / 20))
            return {"p": bf.channel.inf_tau(jax.nn.sigmoid((v + 35) / 10), tau)}

        def opened(self, gates, v, ions):
            return gates["p"]
    ```

    A class has the fields `g` and `reversal`, and the class variables

    - `carries`: the ion that carries its current, `"na"`, `"k"`, `"ca"`, or `None`;
    - `depends`: the ions whose concentrations it reads, such as `("ca",)`; `()` by default.
    """

    g: eqx.AbstractVar[Parameter]
    reversal: eqx.AbstractVar[Parameter]
    carries: eqx.AbstractClassVar[str | None]
    depends: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def opened(self, gates: Gates, v: Values, ions: Ions) -> Float[Array, "..."]:
        """The open fraction, such as $m^3 h$; arguments as for the method `current`."""

    def current(self, gates: Gates, v: Values, ions: Ions) -> Values:
        carried = ions.get(self.carries)
        own = carried is None or carried.reversal is None
        reversal = self.reversal if own else carried.reversal
        return self.g * self.opened(gates, v, ions) * (v - reversal)

    def ion(self) -> str | None:
        return self.carries

    def needs(self) -> tuple[str, ...]:
        return self.depends


def conductance(default: float) -> Any:
    """The field of a maximal conductance. The defaults are densities in mS/cm2."""
    return param(default, unit="nS", sign="nonnegative")


def millivolts(default: float) -> Any:
    """The field of a reversal potential, or of a shift of the voltage."""
    return param(default, unit="mV")
