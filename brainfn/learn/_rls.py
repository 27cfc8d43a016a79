"""Linear readouts that learn in each step: recursive least squares, and least mean squares."""

import abc
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._errors import is_concrete
from .._field import AbstractPart, check_number, flag, integer, param

State = TypeVar("State")


class AbstractOnlineReadout(AbstractPart, Generic[State]):
    r"""A linear readout $z = r W$ that learns from one example after the other.

    Everything is pure and can be used in `lax.scan`: the weights are part of the state.

    ```python
    readout = bf.learn.RLS(n_features, n_out)
    state, predicted = jax.lax.scan(lambda s, xy: readout.step(s, *xy), readout.init(), (x, y))
    state.weight                              # (n_features, n_out)
    ```

    A subclass defines `init`, whose state has a field `weight`, and `correct`.
    """

    n_features: eqx.AbstractVar[int]
    n_out: eqx.AbstractVar[int]

    @abc.abstractmethod
    def init(self) -> State:
        """The state before the first example, with zero weights."""

    @abc.abstractmethod
    def correct(
        self, state: State, features: Float[Array, " n_features"], error: Float[Array, " n_out"]
    ) -> State:
        """The state after an example.

        **Arguments:**

        - `features`: $r$.
        - `error`: prediction less target.
        """

    def predict(
        self, state: Any, features: Float[Array, "*batch n_features"]
    ) -> Float[Array, "*batch n_out"]:
        """The output for these features, $r W$."""
        return features @ state.weight

    def step(
        self, state: State, features: Float[Array, " n_features"], target: Float[Array, " n_out"]
    ) -> tuple[State, Float[Array, " n_out"]]:
        """Learn from one example.

        **Returns:** the state after it, and the prediction for it before it was learned.
        """
        predicted = self.predict(state, features)
        return self.correct(state, features, predicted - target), predicted


class RLSState(eqx.Module):
    """State of recursive least squares.

    - `weight`: $W$, shape `(n_features, n_out)`.
    - `inverse`: $P$, the inverse of the regularised correlations of the features, symmetric, shape
      `(n_features, n_features)`.
    """

    weight: Float[Array, "n_features n_out"]
    inverse: Float[Array, "n_features n_features"]


class RLS(AbstractOnlineReadout[RLSState]):
    r"""Recursive least squares.

    $$k = P r,\quad c = \frac{1}{\mu + r^T k},\quad W \leftarrow W - c\,k\,(r W - y),\quad
    P \leftarrow \frac{P - c\,k k^T}{\mu},\qquad P_0 = I / \lambda$$

    After each example the weights are those that minimise
    $\sum_n |r_n W - y_n|^2 + \lambda |W|^2$ over all examples so far (with $\mu = 1$), so the
    result is that of [`brainfn.learn.ridge`][] without intercept. All outputs share one $P$.

    $P$ is updated as $P - u u^T$ with $u = \sqrt{c}\,k$, so it stays symmetric bit for bit. In
    float32 keep $|r|^2 / \lambda$ below $10^6$: where it exceeds the 24 bits of a number, the first
    examples take the definiteness of $P$, and the weights diverge.

    **Arguments:**

    - `n_features`, `n_out`: numbers of features and of outputs.
    - `regularisation`: $\lambda$, in the units of squared features. Small values learn fast.
    - `forgetting`: $\mu$, at most 1: an example counts $\mu^n$ after $n$ others.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Haykin (2014), "Adaptive Filter Theory", 5th ed., chapter 10; as the learning rule of
        reservoirs: Sussillo and Abbott (2009), "Generating coherent patterns of activity from
        chaotic neural networks", Neuron 63:544-557, doi:10.1016/j.neuron.2009.07.018.
    """

    n_features: int = integer(positional=True, minimum=1)
    n_out: int = integer(positional=True, minimum=1)
    regularisation: Parameter = param(1.0, unit="", sign="positive", shared=True)
    forgetting: Parameter = param(1.0, unit="", sign="positive", shared=True)

    def __check_init__(self):
        check_number(self, "regularisation", "forgetting")
        if is_concrete(self.forgetting) and not np.asarray(self.forgetting) <= 1:
            raise ValueError(f"`forgetting` must be at most 1, got {self.forgetting}.")

    def init(self) -> RLSState:
        one = jnp.ones_like(self.regularisation)
        weight = jnp.zeros((self.n_features, self.n_out), one.dtype)
        return RLSState(weight, jnp.eye(self.n_features, dtype=one.dtype) / self.regularisation)

    def correct(
        self, state: RLSState, features: Float[Array, " n_features"], error: Float[Array, " n_out"]
    ) -> RLSState:
        k = state.inverse @ features
        c = 1 / (self.forgetting + features @ k)
        u = jnp.sqrt(c) * k
        inverse = (state.inverse - u[:, None] * u[None, :]) / self.forgetting
        return RLSState(state.weight - (c * k)[:, None] * error[None, :], inverse)


class LMSState(eqx.Module):
    """State of least mean squares: `weight`, shape `(n_features, n_out)`."""

    weight: Float[Array, "n_features n_out"]


class LMS(AbstractOnlineReadout[LMSState]):
    r"""Least mean squares: a gradient step for each example.

    $$W \leftarrow W - \eta\, r^T (r W - y)$$

    If `normalised`, $\eta$ is divided by $|r|^2$: then the error of the example itself shrinks by
    $1 - \eta$, and it is stable for $0 < \eta < 2$ whatever the features.

    **Arguments:**

    - `n_features`, `n_out`: numbers of features and of outputs.
    - `rate`: $\eta$.
    - `normalised`: whether the rate is relative to $|r|^2$.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Widrow and Hoff (1960), "Adaptive switching circuits", IRE WESCON Convention Record
        4:96-104; Haykin (2014), "Adaptive Filter Theory", 5th ed., chapters 6 and 7.
    """

    n_features: int = integer(positional=True, minimum=1)
    n_out: int = integer(positional=True, minimum=1)
    rate: Parameter = param(0.1, unit="", sign="positive", shared=True)
    normalised: bool = flag(True)

    def __check_init__(self):
        check_number(self, "rate")

    def init(self) -> LMSState:
        return LMSState(jnp.zeros((self.n_features, self.n_out), self.rate.dtype))

    def correct(
        self, state: LMSState, features: Float[Array, " n_features"], error: Float[Array, " n_out"]
    ) -> LMSState:
        rate = self.rate
        if self.normalised:
            # Features that are all zero change nothing, whatever the rate.
            power = features @ features
            rate = rate / jnp.where(power > 0, power, jnp.ones_like(power))
        return LMSState(state.weight - (rate * features)[:, None] * error[None, :])
