"""The parts of a synapse: release, receptor and output; plasticity is in `brainfn.plasticity`."""

import abc
from typing import Any, ClassVar, Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from .._custom_types import FloatScalarLike, Key
from .._field import AbstractPart, replace
from .._model import Clock

State = TypeVar("State")


class AbstractRelease(AbstractPart, Generic[State]):
    r"""The presynaptic side: what a projection sends, with a state for each presynaptic neuron.

    In each step it maps the signal of the presynaptic population to one number per neuron, which
    enters the delay line. Zero means silent: products stay event-driven if most are zero.
    Projections from the same population with the same release object share its state.

    ```python
    class Halved(bf.synapse.AbstractRelease[None]):
        def init(self, size, *, key=None):
            return None

        def release(self, state, emitted, pre, clock, *, key=None):
            return None, 0.5 * emitted
    ```
    """

    # Whether it sends something while nothing is emitted: the delay line is then initially filled
    # with its first value instead of zeros.
    graded: ClassVar[bool] = False

    @abc.abstractmethod
    def init(self, size: int, *, key: Key | None = None) -> State:
        """The initial state: a pytree of arrays of shape `(size,)`, or `None`."""

    @abc.abstractmethod
    def release(
        self,
        state: State,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[State, Shaped[Array, " n_pre"]]:
        """The signal sent in this step.

        **Arguments:**

        - `state`: the state before the step.
        - `emitted`: the signal of the presynaptic population in this step, shape `(n_pre,)`.
        - `pre`: the state of the presynaptic population after the step.
        - `clock`, `key`: as for the `step` of a model.

        **Returns:** the state after the step, and the signal sent, shape `(n_pre,)`.
        """


class AbstractReceptor(AbstractPart, Generic[State]):
    r"""The postsynaptic side: the response to arriving signals over time, linear in the signals.

    **Weights.** A receptor with `normalize=True`, the default, makes the weight of a single spike
    the peak of its response, in nS or pA, whatever its shape. With `normalize=False` the area of
    the response is $w\tau$, that of an exponential which jumps by the weight and decays with the
    (decay) time constant: so the charge stays the same if the rise time changes. For
    [`brainfn.synapse.Exponential`][] both are the same.

    Because it is linear, all synapses of one kind onto one neuron share one state. Projections
    that hold the same receptor object (and the same output) share it; so do the targets of one.

    ```python
    class G(eqx.Module):
        g: Float[Array, " n_post"]

    class Exponential(bf.synapse.AbstractReceptor[G]):
        tau: Float[Array, "*n_post"] = bf.param(unit="ms", sign="positive", positional=True)

        def init(self, size, *, key=None):
            return G(jnp.zeros(size, self.tau.dtype))

        def value(self, state, t):
            return state.g * jnp.exp(-t / self.tau)

        def advance(self, state, dt):
            return G(self.value(state, dt))
    ```
    """

    # The state variable to which arriving signals are added.
    target: ClassVar[str] = "g"
    # Whether a signal has an effect after the step in which it arrives.
    memory: ClassVar[bool] = True

    @abc.abstractmethod
    def init(self, size: int, *, key: Key | None = None) -> State:
        """The initial state: a module of arrays of shape `(size,)`."""

    @abc.abstractmethod
    def value(self, state: State, t: FloatScalarLike) -> Float[Array, " n_post"]:
        """The conductance (nS) or current (pA) `t` ms after the beginning of the step, if nothing
        else arrives. It must be linear in the state."""

    @abc.abstractmethod
    def advance(self, state: State, dt: float) -> State:
        """`state` after `dt` ms without arrivals."""

    def held(self, state: State, rate: Any, dt: float) -> Float[Array, " n_post"]:
        r"""The constant that, over the step, has the same effect as `value` on a variable that
        decays with `rate`:

        $$\bar g = \frac{\int_0^{\Delta t} e^{-r (\Delta t - s)}\, g(s)\, ds}
        {\int_0^{\Delta t} e^{-r (\Delta t - s)}\, ds}$$

        By Gauss-Legendre quadrature with three nodes, whose relative error is of order
        $(\Delta t/\tau)^6$; a receptor may define the closed form instead.

        **Arguments:**

        - `state`: at the beginning of the step, including arrivals.
        - `rate`: $r$ in 1/ms, a number or one for each neuron.
        - `dt`: step size in ms.
        """
        total: Any = 0.0
        weights: Any = 0.0
        for node, weight in _GAUSS:
            t = 0.5 * dt * (1 + node)
            w = weight * jnp.exp(-jnp.asarray(rate) * (dt - t))
            total, weights = total + w * self.value(state, t), weights + w
        return total / weights

    def accumulator(self, state: State) -> Float[Array, " n_post"]:
        """The variable of `state` to which arriving signals are added."""
        return getattr(state, self.target)

    def arrive(self, state: State, arrived: Float[Array, " n_post"]) -> State:
        """`state` after signals arrived: `arrived` is `signals @ weights`, shape `(n_post,)`."""
        return self.with_accumulator(state, self.accumulator(state) + arrived)

    def with_accumulator(self, state: State, value: Float[Array, " n_post"]) -> State:
        """`state` with another value of the variable to which arriving signals are added."""
        return replace(state, **{self.target: value})


_GAUSS = ((-(0.6**0.5), 5 / 9), (0.0, 8 / 9), (0.6**0.5, 5 / 9))


class AbstractOutput(AbstractPart):
    """Turns the variable of a receptor and the membrane potential into a current.

    It may be nonlinear in both: receptors that saturate, such as [`brainfn.synapse.Hill`][].

    ```python
    class Rectified(bf.synapse.AbstractOutput):
        reversal: Float[Array, "*n_post"] = bf.param(0.0, unit="mV")

        def __call__(self, g, v):
            return g * jnp.maximum(self.reversal - v, 0)
    ```
    """

    # Whether it needs the sum of the weights onto each neuron, see `with_total`.
    uses_total: ClassVar[bool] = False
    # Whether its value is not a current but a jump of the membrane potential in mV.
    jumps: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(
        self, g: Float[Array, " n_post"], v: Float[Array, " n_post"]
    ) -> Float[Array, " n_post"]:
        """Current in pA for the variable `g` of the receptor at membrane potentials `v` (mV)."""

    def with_total(self, total: Float[Array, " n_post"]) -> "AbstractOutput":
        """The output with the sum of the weights onto each neuron; a network calls it before the
        loop if `uses_total`."""
        del total
        return self


class Activity(eqx.Module):
    """The activity on one side of a projection in one step, as seen by a plasticity rule.

    - `signal`: on the presynaptic side, the signal that arrives in this step, after the delay; on
      the postsynaptic side, the signal emitted in this step. Shape `(n,)`.
    - `state`: the state of the population after the step.
    """

    signal: Shaped[Array, " n"]
    state: Any
