"""What all neurons have in common."""

import abc
from typing import Any

import equinox as eqx

from .._model import AbstractModel


class AbstractNeuron(AbstractModel):
    """A population of neurons of one kind.

    The `inputs` of its `step` are the current in pA: a scalar, one number for each neuron, or a
    function `(t, v) -> current`, where `t` is the time in ms since the beginning of the step and
    `v` the membrane potential in mV. Its output is the spikes, shape `(size,)`.

    A [`brainfn.Network`][] stores and steps populations of the same class and the same static
    fields as one array. This asks two things of a neuron: each array among its fields is a scalar
    or has one entry for each neuron, and each array of its state has one entry for each neuron.
    """

    size: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def spike_dtype(self) -> Any:
        """The dtype of the spikes: `bool`, or a float dtype if they carry a derivative."""


def as_drive(inputs: Any) -> Any:
    """`inputs` of a neuron as a function `(t, v) -> current` in pA."""
    if callable(inputs):
        return inputs
    return ConstantDrive(inputs)


class ConstantDrive(eqx.Module):
    """The same current over the whole step, whatever the membrane potential."""

    current: Any

    def __call__(self, t: Any, v: Any) -> Any:
        del t, v
        return self.current
