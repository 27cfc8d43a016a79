"""The base class of plasticity rules."""

import abc
from typing import Any, Generic, TypeVar

from jaxtyping import Array, Shaped

from .._custom_types import Key
from .._field import AbstractPart
from .._model import Clock
from ..event import AbstractMatrix
from ..synapse import Activity

Traces = TypeVar("Traces")


class AbstractPlasticity(AbstractPart, Generic[Traces]):
    r"""A plasticity rule: with it, the weights of a projection become part of the network's state.

    In step $n$ the signals that are due arrive, the neurons are advanced and emit, and then the
    rule is called: `pre.signal` is the signal that arrived in step $n$, `post.signal` the one
    emitted in it. The new weights act from step $n + 1$ on. Changes should go through
    [`brainfn.event.on_pre`][] and [`brainfn.event.on_post`][], which touch only the synapses of
    neurons that spike, and the parameters of the rule are leaves like any others.

    ```python
    class Hebb(bf.plasticity.AbstractPlasticity[None]):
        rate: Float[Array, ""] = bf.param(0.01, unit="nS", shared=True)

        def init(self, matrix, *, key=None):
            return None

        def step(self, traces, matrix, pre, post, modulator, clock, *, key=None):
            return None, bf.event.on_pre(matrix, pre.signal, self.rate * post.signal)
    ```
    """

    @abc.abstractmethod
    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> Traces:
        """The initial traces, a pytree of arrays.

        **Arguments:**

        - `matrix`: the connections with their initial weights, shape `(n_pre, n_post)`.
        - `key`: a random key.
        """

    def due(
        self,
        traces: Traces,
        matrix: AbstractMatrix,
        arriving: Shaped[Array, " n_pre"],
        clock: Clock,
    ) -> tuple[Traces, AbstractMatrix]:
        """Traces and weights with those of arriving neurons up to date; called before the arriving
        signals are multiplied with the weights. As it is here it changes nothing: only rules need
        it whose weights change without spikes and are computed when they are used.

        **Arguments:**

        - `traces`, `matrix`: as for `step`.
        - `arriving`: the signals that arrive in this step.
        - `clock`: as for `step`.
        """
        del arriving, clock
        return traces, matrix

    def current(self, traces: Traces, matrix: AbstractMatrix) -> AbstractMatrix:
        """All weights up to date. The state of a rule with `due` holds weights as of their last
        use; that of any other rule holds these."""
        del traces
        return matrix

    @abc.abstractmethod
    def step(
        self,
        traces: Traces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[Traces, AbstractMatrix]:
        """Traces and weights after a step.

        **Arguments:**

        - `traces`: the traces before the step.
        - `matrix`: the connections with their present weights, shape `(n_pre, n_post)`.
        - `pre`, `post`: the signals arriving at the synapses, and those that the postsynaptic
            neurons emit; see [`brainfn.synapse.Activity`][].
        - `modulator`: the signal of the population named by the projection's `modulator` in this
            step (dopamine, a reward), or `None`.
        - `clock`, `key`: as for the `step` of a model.

        **Returns:** the traces after the step, and `matrix` with the new weights (the same
        structure).
        """
