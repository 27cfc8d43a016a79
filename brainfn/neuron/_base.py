"""What all neurons have in common."""

import abc
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from .._model import AbstractModel


class AbstractNeuron(AbstractModel):
    """A population of neurons of one kind.

    The `inputs` of its `step` are the current in pA: `None` for no current, a scalar, one number
    for each neuron, or a function `(t, v) -> current`, where `t` is the time in ms since the
    beginning of the step and `v` the membrane potential in mV. Its output is the spikes, shape
    `(size,)`.

    A [`brainfn.Network`][] stores and steps populations of the same class and the same static
    fields as one array. This asks two things of a neuron: each array among its fields is a scalar
    or has one entry for each neuron, and each array of its state has one entry for each neuron.
    """

    size: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def spike_dtype(self) -> Any:
        """The dtype of the spikes: `bool`, or a float dtype if they carry a derivative."""

    @property
    def support(self) -> FloatArrayLike:
        """The derivative of a spike is exactly zero where `|distance| >= support`; `math.inf`, as
        here, if it never is or nothing is known. See [`brainfn.surrogate`][]."""
        return math.inf

    def distance(self, state: Any) -> Float[Array, "..."] | None:
        """How far from threshold the neurons were, in the units of their surrogate.

        A model that says so together with its `support` gets an event-driven spike gradient in a
        [`brainfn.Network`][]: the backward pass skips neurons that were not near threshold.

        **Arguments:**

        - `state`: the state after a step.

        **Returns:** what the surrogate was given in that step, for each neuron that did not spike
        in it (anything for those that did); `None`, as here, if that is not known.
        """
        del state
        return None


def as_drive(inputs: Any, v: Float[Array, "..."]) -> Any:
    """`inputs` of neurons with membrane potentials `v` as a function `(t, v) -> current` in pA."""
    if callable(inputs):
        return inputs
    if inputs is None:
        return ConstantDrive(jnp.zeros((), v.dtype))
    if not eqx.is_array_like(inputs):
        raise TypeError(
            "`inputs` of a neuron must be a current in pA (a number or an array of shape "
            f"{v.shape}) or a function (t, v) -> current, got {type(inputs).__name__}."
        )
    if jnp.shape(inputs) not in ((), v.shape):
        raise ValueError(
            "`inputs` of a neuron must be one number or have one entry for each of the "
            f"{v.shape[0]} neurons in each step, got shape {jnp.shape(inputs)}."
        )
    return ConstantDrive(jnp.asarray(inputs, v.dtype))


class ConstantDrive(eqx.Module):
    """The same current over the whole step, whatever the membrane potential."""

    current: Any

    def __call__(self, t: Any, v: Any) -> Any:
        del t, v
        return self.current
