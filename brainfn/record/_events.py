"""Recorders of events: compact on the device, decoded on the host."""

import abc
from typing import Any

import equinox as eqx


class AbstractEvents(eqx.Module):
    """Records sparse events in every step, regardless of `every=`.

    It is called in each step on the device and returns a compact, dense form, which
    [`brainfn.simulate`][] returns stacked along time. [`brainfn.run`][] decodes it on the host,
    chunk by chunk, into rows that are concatenated.
    """

    @abc.abstractmethod
    def __call__(self, state: Any, output: Any) -> Any:
        """The compact form of one step: its state and output."""

    @abc.abstractmethod
    def decode(self, kept: Any, first: int, output: Any) -> Any:
        """Rows of one chunk.

        **Arguments:**

        - `kept`: NumPy arrays: the returned values of the calls, stacked along a leading axis of
          steps.
        - `first`: index of the first of these steps.
        - `output`: shapes and dtypes of the model's output in one step.

        **Returns:** a pytree of NumPy arrays with a leading axis of any length.
        """

    @abc.abstractmethod
    def result(self, rows: Any, steps: tuple[int, int], dt: float, output: Any) -> Any:
        """The result returned in `outputs`.

        **Arguments:**

        - `rows`: the concatenated results of `decode` for all chunks.
        - `steps`: index of the first step, and of the last step plus one.
        - `dt`: step size in ms.
        - `output`: shapes and dtypes of the model's output in one step.
        """
