"""The base class of populations."""

import abc
import math
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from ._custom_types import FloatArrayLike
from ._errors import nearest
from ._model import AbstractModel, Inputs, Output, State


class AbstractPopulation(AbstractModel[State, Inputs, Output]):
    """Anything that can be part of a [`brainfn.Network`][]: neurons, sources, rates, masses, cells.

    It has `size` units, and in each step emits one signal: spikes, or a rate.

    - Its `step` gets as `inputs` the drive of its ports: for a population with one port a function
      `(t, v) -> current` (or a number, an array of shape `(size,)`, or `None`); for one with
      several a dictionary of these by port; for a source the user's input, or `None`.
    - Its state is a pytree of arrays; if it is `elementwise`, each has a leading axis of `size`.

    **Merging.** Populations of one kind are stored and stepped as one array if they are declared
    `elementwise`: then unit $i$ of state and signal depends on entry $i$ of everything, each
    parameter declared by [`brainfn.param`][] is one number for all or has one entry for each unit,
    and random numbers are drawn by [`brainfn.random`][]. Other populations are stored separately.
    """

    size: eqx.AbstractVar[int]

    @abc.abstractmethod
    def emits(self) -> jax.ShapeDtypeStruct:
        """Shape and dtype of the signal: `(size,)`, `bool` for spikes without a derivative, a float
        dtype for 0/1 spikes with one and for rates."""

    @abc.abstractmethod
    def ports(self) -> dict[str, int]:
        """The ports where it can be driven, and the number of entries of each drive: `{}` for a
        source, `{"": size}` for a point neuron, named ports for cells with several compartments."""

    @property
    def elementwise(self) -> bool:
        """Whether the population may be stored as one array with others of its kind."""
        return False

    @property
    def jumps(self) -> bool:
        """Whether its `step` lets the membrane potential jump by `drive.jump(v)`: otherwise a
        network refuses [`brainfn.synapse.Delta`][] onto it."""
        return False

    @property
    def support(self) -> FloatArrayLike:
        """The derivative of a spike is exactly zero where `|distance| >= support`; `math.inf`, as
        here, if it never is or this is unknown. See [`brainfn.surrogate`][]."""
        return math.inf

    def distance(self, state: State) -> Float[Array, " size"] | None:
        """The distance of the units from threshold, in the units of their surrogate.

        A model that defines this and its `support` gets an event-driven spike gradient in a
        [`brainfn.Network`][]: the backward pass skips neurons that were not near threshold.

        **Arguments:**

        - `state`: the state after a step.

        **Returns:** the argument of the surrogate in that step, for each neuron that did not spike
        in it (arbitrary for those that did); `None`, as here, if unknown.
        """
        del state
        return None

    def input_size(self, name: str | None) -> int | None:
        ports: dict[str, Any] = self.ports()
        if name is None:
            return next(iter(ports.values()), self.size)
        if name not in ports:
            raise ValueError(
                f"`inputs`: there is no port {name!r}, only {list(ports)}.{nearest(name, ports)}"
            )
        return ports[name]
