"""The exponential receptor."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._field import param
from ..init import initial
from ..solver import phi1
from ._base import AbstractReceptor


class Conducting(eqx.Module):
    """State of receptors with one variable: `g` in nS (or pA), shape `(n_post,)`."""

    g: Float[Array, " n_post"]


class Exponential(AbstractReceptor[Conducting]):
    r"""A receptor that jumps by the weight at each spike and decays exponentially.

    $$\frac{dg}{dt} = -\frac{g}{\tau},\qquad \text{spike at } t_k:\ g \leftarrow g + w$$

    The decay over a step is exact: $g(t + \Delta t) = g(t)\,e^{-\Delta t/\tau}$.

    **Arguments:**

    - `tau`: decay time constant in ms, a number or one for each postsynaptic neuron.
    - `g_init`: initial value of `g` in nS (or pA): a number, an array of shape `(n_post,)` or an
        initializer of [`brainfn.init`][]. Zero by default.

    **Raises:** `ValueError` or `TypeError` naming the argument, e.g. if `tau` is not positive.

    ??? cite

        Destexhe, Mainen and Sejnowski (1998), "Kinetic models of synaptic transmission", in
        Koch and Segev (eds), Methods in Neuronal Modeling.
    """

    tau: Parameter = param(unit="ms", sign="positive", positional=True)
    g_init: Initial = initial()

    def init(self, size: int, *, key: Key | None = None) -> Conducting:
        if self.g_init is None:
            return Conducting(jnp.zeros(size, self.tau.dtype))
        return Conducting(self.g_init((size,), self.tau.dtype, key=key))

    def value(self, state: Conducting, t: FloatScalarLike) -> Float[Array, " n_post"]:
        if isinstance(t, float) and t == 0.0:  # solvers that evaluate only there
            return state.g
        return state.g * jnp.exp(-t / self.tau)

    def advance(self, state: Conducting, dt: float) -> Conducting:
        return Conducting(state.g * jnp.exp(-dt / self.tau))

    def held(self, state: Conducting, rate: Any, dt: float) -> Float[Array, " n_post"]:
        return state.g * self.gain(rate, dt)

    def gain(self, rate: Any, dt: float) -> Float[Array, " *n_post"]:
        r"""$\bar g / g(0)$, see [`brainfn.synapse.AbstractReceptor.held`][]: constant over the
        step, $e^{-r \Delta t}\,\varphi_1((r - 1/\tau)\Delta t)\,/\,\varphi_1(-r \Delta t)$."""
        rate = jnp.asarray(rate, self.tau.dtype)
        faster = (rate - 1 / self.tau) * dt
        return jnp.exp(-rate * dt) * phi1(faster) / phi1(-rate * dt)
