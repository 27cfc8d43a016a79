"""Kinetic schemes: states of a channel that turn into one another."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..solver import Coupled
from ._base import AbstractKinetics, Gates, Values

Rates = Mapping[tuple[str, str], Float[Array, "..."]]


class Scheme(AbstractKinetics):
    r"""The kinetics of a channel with several states: a master equation,

    $$\dot x_i = \sum_j \left(x_j\,q_{ji} - x_i\,q_{ij}\right), \qquad \sum_i x_i = 1,$$

    with a rate $q_{ij}$ in 1/ms for each transition. It has up to about six states. The first one
    mentioned is not stored: it is what the others leave of 1. In `current`, the others are given by
    name:

    ```python
    def gates(self, v, ions):
        opens, closes = 0.1 * jnp.exp((v + 30) / 10), 0.1 * jnp.exp(-(v + 30) / 10)
        rates = {("C", "O"): opens, ("O", "C"): closes, ("O", "I"): 0.02, ("I", "O"): 0.01}
        return {"x": bf.channel.Scheme(rates)}

    def opened(self, gates, v, ions):
        return gates["x"]["O"]
    ```

    Exponential solvers advance the states together, exactly while the rates are constant.

    **Arguments:**

    - `rates`: $q_{ij}$ by pairs of states `(from, to)`, numbers or arrays in the shape of the
        voltage; or a function of the gates of the channel that returns these, where the rates
        depend on other gates. In a steady state, each state must be left towards one before it,
        directly or through others after it.
    """

    rates: Any

    def at(self, gates: Gates) -> Rates:
        """The rates, given the other gates."""
        return self.rates(gates) if isinstance(self.rates, Callable) else self.rates

    def start(self, gates: Gates, like: Values) -> Coupled:
        steady = _steady(self.at(gates))
        return Coupled(
            {name: jnp.broadcast_to(steady[name], like.shape) for name in list(steady)[1:]}
        )

    def slope(self, value: Any, gates: Gates) -> Coupled:
        rates = self.at(gates)
        first, *others = _states(rates)
        x = {first: 1 - sum(value.values.values()), **value.values}
        slopes = {name: jnp.zeros_like(x[first]) for name in others}
        for (before, after), rate in rates.items():
            flow = rate * x[before]
            if before != first:
                slopes[before] = slopes[before] - flow
            if after != first:
                slopes[after] = slopes[after] + flow
        return Coupled(slopes)


def _states(rates: Rates) -> list[str]:
    """The states in the order in which they are mentioned."""
    return list(dict.fromkeys(name for pair in rates for name in pair))


def _steady(rates: Rates) -> dict[str, Any]:
    """The occupations that do not change.

    One state after the other is taken out, from the last to the second: Grassmann, Taksar and
    Heyman (1985), "Regenerative analysis and steady state distributions for Markov chains",
    Oper. Res. 33:1107-1116, doi:10.1287/opre.33.5.1107. Nothing is subtracted, so that no digit is
    lost.
    """
    states, flow = _states(rates), dict(rates)
    exits: dict[str, Any] = {}
    for k in range(len(states) - 1, 0, -1):
        last, left = states[k], states[:k]
        ways = [flow[last, j] for j in left if (last, j) in flow]
        if not ways:
            raise ValueError(
                f"`rates`: there must be a way out of state {last!r} towards one of {left}, got "
                f"{list(rates)}."
            )
        exits[last] = jnp.asarray(sum(ways[1:], ways[0]))
        some = jnp.where(exits[last] > 0, exits[last], jnp.ones_like(exits[last]))
        for i in left:
            for j in left:
                if i != j and (i, last) in flow and (last, j) in flow:
                    through = flow[i, last] * (flow[last, j] / some)
                    flow[i, j] = flow[i, j] + through if (i, j) in flow else through
    share: dict[str, Any] = {states[0]: jnp.ones_like(exits[states[1]])}
    for k, state in enumerate(states[1:], 1):
        ways = [share[i] * flow[i, state] for i in states[:k] if (i, state) in flow]
        into = sum(ways[1:], ways[0]) if ways else jnp.zeros_like(exits[state])
        total = exits[state] + into
        share = {name: x * (exits[state] / total) for name, x in share.items()}
        share[state] = into / total
    return share
