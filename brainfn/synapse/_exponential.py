"""The exponential synapse."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, Key
from .._errors import count, parameter
from ..init import AbstractInitializer, as_initializer
from ._base import AbstractLinearSynapse


class ExponentialState(eqx.Module):
    """State of [`brainfn.synapse.Exponential`][]: `g` in nS (or pA), shape `(n_post,)`."""

    g: Float[Array, "..."]


class Exponential(AbstractLinearSynapse):
    r"""A synapse that jumps by its weight at each spike and decays exponentially.

    $$\frac{dg}{dt} = -\frac{g}{\tau},\qquad \text{spike at } t_k:\ g \leftarrow g + w$$

    The decay over a step is exact: $g(t + \Delta t) = g(t)\,e^{-\Delta t/\tau}$.

    **Arguments:**

    - `tau`: decay time constant in ms, a scalar or one number for each post neuron.
    - `size`: number of post neurons; a network knows it and gives it itself.
    - `init`: initial value of `g` in nS (or pA): a number or an initializer of
        [`brainfn.init`][]. Zero by default.
    - `dtype`: by default JAX's default float dtype.

    **Raises:** `ValueError` or `TypeError` naming the argument, e.g. if `tau` is not positive.

    ??? cite

        Destexhe, Mainen and Sejnowski (1998), "Kinetic models of synaptic transmission", in
        Koch and Segev (eds), Methods in Neuronal Modeling.
    """

    tau: Float[Array, "..."] = eqx.field(metadata={"sign": "positive"})
    initial: AbstractInitializer = eqx.field(metadata={"initial": True})
    size: int | None = eqx.field(static=True)

    def __init__(
        self,
        tau: FloatArrayLike,
        *,
        size: int | None = None,
        init: AbstractInitializer | FloatArrayLike = 0.0,
        dtype: Any = None,
    ):
        self.size = None if size is None else count("size", size)
        self.tau = parameter("tau", tau, unit="ms", positive=True, size=_length(tau), dtype=dtype)
        if isinstance(init, AbstractInitializer):
            self.initial = init
        else:
            value = parameter("init", init, unit="nS", size=_length(init), dtype=dtype)
            self.initial = as_initializer(value)

    def init(self, *, key: Key | None = None, size: int | None = None) -> ExponentialState:
        size = self.size if size is None else size
        if size is None:
            raise ValueError(
                "`size` is not known: give it to the synapse, `Exponential(tau, size=...)`, or to "
                "`init(size=...)`."
            )
        return ExponentialState(g=self.initial((size,), self.tau.dtype, key=key))

    def accumulator(self, state: ExponentialState) -> Float[Array, "..."]:
        return state.g

    def with_accumulator(
        self, state: ExponentialState, value: Float[Array, "..."]
    ) -> ExponentialState:
        del state
        return ExponentialState(g=value)

    def conductance(self, state: ExponentialState, t: Any) -> Float[Array, "..."]:
        if isinstance(t, float) and t == 0.0:
            return state.g
        return state.g * jnp.exp(-t / self.tau)

    def advance(self, state: ExponentialState, dt: float) -> ExponentialState:
        return ExponentialState(g=state.g * jnp.exp(-dt / self.tau))


def _length(x: Any) -> int | None:
    shape = jnp.shape(x) if isinstance(x, jnp.ndarray) else getattr(x, "shape", ())
    return shape[0] if len(shape) == 1 else None
