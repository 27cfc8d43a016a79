"""Recorders of events: compact on the device, decoded on the host."""

import abc
from typing import Any

import equinox as eqx


class AbstractEvents(eqx.Module):
    """Records something sparse in every step, also where `every=` keeps fewer.

    A call is made in each step on the device and returns a compact, dense form. This is what
    [`brainfn.simulate`][] gives back, stacked along time. [`brainfn.run`][] decodes it on the host,
    chunk by chunk, into rows that are put one after the other.
    """

    @abc.abstractmethod
    def __call__(self, state: Any, output: Any) -> Any:
        """The compact form of one step: its state and output."""

    @abc.abstractmethod
    def decode(self, kept: Any, first: int, output: Any) -> Any:
        """Rows of one chunk.

        **Arguments:**

        - `kept`: NumPy arrays: what calls returned, stacked along a leading axis of steps.
        - `first`: index of the first of these steps.
        - `output`: shapes and dtypes of the model's output in one step.

        **Returns:** a pytree of NumPy arrays with a leading axis of any length.
        """

    @abc.abstractmethod
    def result(self, rows: Any, steps: tuple[int, int], dt: float, output: Any) -> Any:
        """What is returned in `outputs`.

        **Arguments:**

        - `rows`: what `decode` returned for all chunks, one after the other.
        - `steps`: index of the first step and of the one after the last.
        - `dt`: step size in ms.
        - `output`: shapes and dtypes of the model's output in one step.
        """
