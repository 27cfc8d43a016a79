"""The base class of channels."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._field import AbstractPart


class Gate(eqx.Module):
    r"""The kinetics of a gate, $\dot x = r\,(x_\infty - x)$: its rate and its steady state.

    Made by [`brainfn.channel.alpha_beta`][] or [`brainfn.channel.inf_tau`][].
    """

    steady: Float[Array, "..."]
    rate: Float[Array, "..."]


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
    advance them exactly while the voltage is constant.

    ```python
    class MCurrent(bf.channel.AbstractChannel):
        g: Float[Array, "*size"] = bf.param(4.0, unit="nS", sign="nonnegative")
        reversal: Float[Array, "*size"] = bf.param(-90.0, unit="mV")

        def gates(self, v, ions):
            tau = 1000 / (3.3 * jnp.exp((v + 35) / 20) + jnp.exp(-(v + 35) / 20))
            return {"p": bf.channel.inf_tau(jax.nn.sigmoid((v + 35) / 10), tau)}

        def current(self, gates, v, ions):
            return self.g * gates["p"] * (v - self.reversal)
    ```

    Conductances are in nS and currents in pA in a point neuron; with conductances in mS/cm2,
    currents are in uA/cm2: the equations are the same.
    """

    @abc.abstractmethod
    def gates(self, v: Float[Array, "*size"], ions: dict[str, Any]) -> dict[str, Gate]:
        """The kinetics of each gate at membrane potentials `v` (mV); `{}` for a channel without
        gates.

        **Arguments:**

        - `v`: membrane potentials in mV, any shape; gates and the current have the same.
        - `ions`: [`brainfn.channel.Concentrations`][] by ion, such as `ions["ca"].inside` in mM.
        """

    @abc.abstractmethod
    def current(
        self,
        gates: dict[str, Float[Array, "*size"]],
        v: Float[Array, "*size"],
        ions: dict[str, Any],
    ) -> Float[Array, "*size"]:
        """The outward current through the channel; arguments as for the method `gates`, with the
        values of the gates in the dictionary `gates`."""

    def ion(self) -> str | None:
        """The ion, such as `"ca"`, whose concentration its current changes; `None` if it is not
        tracked."""
        return None
