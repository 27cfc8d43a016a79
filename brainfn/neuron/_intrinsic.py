"""Intrinsic plasticity: neurons that adapt their excitability to a target rate."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike, FloatScalarLike, Key, Parameter, Spikes
from .._field import check_fields, float_dtype, option, param, replace
from .._model import Clock
from ._base import AbstractNeuron
from ._drive import AbstractDrive, as_drive


class IntrinsicState(eqx.Module):
    """State of [`brainfn.neuron.Intrinsic`][]: that of the `neuron`, and the spikes that it is
    behind its target, `missing`, shape `(size,)`."""

    neuron: Any
    missing: Float[Array, " size"]

    @property
    def v(self) -> Float[Array, " size"]:
        """Membrane potential in mV."""
        return self.neuron.v


class _Biased(AbstractDrive):
    """A drive and a constant current."""

    drive: AbstractDrive
    bias: Float[Array, " size"]

    def __call__(self, t: FloatScalarLike, v: Float[Array, " size"]) -> Float[Array, " *size"]:
        return self.drive(t, v) + self.bias

    def held(self, rate: Any, dt: float) -> "_Biased":
        return _Biased(self.drive.held(rate, dt), self.bias)

    def jump(self, v: Float[Array, " size"]) -> Float[Array, " size"] | None:
        return self.drive.jump(v)


class Intrinsic(AbstractNeuron[IntrinsicState]):
    r"""Neurons of any kind with intrinsic plasticity: their excitability adapts to a target rate.

    $$I_\mathrm{bias} = \eta\,m,\qquad \dot m = r^* - \sum_k \delta(t - t_k)$$

    A current is added to the input that grows while the neuron is silent and falls by $\eta$ at
    each spike; for a leaky membrane this is the same as a threshold that moves the other way. The
    only stationary rate is $r^*$.

    ```python
    bf.neuron.Intrinsic(bf.neuron.LIF(100), target=5 * Hz, eta=1.0)
    ```

    **Arguments:**

    - `neuron`: the neurons.
    - `target`: target rate $r^*$ in 1/ms (`5*Hz`).
    - `eta`: the current by which a spike lowers the bias, in pA (or the unit of the neuron's
        input). Small values make the adaptation slow.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Desai, Rutherford and Turrigiano (1999), "Plasticity in the intrinsic excitability of
        cortical pyramidal neurons", Nature Neurosci. 2:515-520, doi:10.1038/9165; the linear rule
        is the simplest that has the target rate as its only fixed point.
    """

    neuron: AbstractNeuron = option(cls=AbstractNeuron, positional=True)
    target: Parameter = param(0.005, unit="1/ms", sign="positive")
    eta: Parameter = param(1.0, unit="pA", sign="nonnegative")

    def __check_init__(self):
        check_fields(self, self.size)

    @property
    def size(self) -> int:
        return self.neuron.size

    @property
    def elementwise(self) -> bool:
        return self.neuron.elementwise

    @property
    def jumps(self) -> bool:
        return self.neuron.jumps

    @property
    def support(self) -> FloatArrayLike:
        return self.neuron.support

    def distance(self, state: IntrinsicState) -> Float[Array, " size"] | None:
        return self.neuron.distance(state.neuron)

    def emits(self) -> jax.ShapeDtypeStruct:
        return self.neuron.emits()

    def prepare(self, dt: float) -> "Intrinsic":
        return replace(self, neuron=self.neuron.prepare(dt))

    def init(self, *, key: Key | None = None) -> IntrinsicState:
        zeros = jnp.zeros(self.size, float_dtype(self.neuron))
        return IntrinsicState(self.neuron.init(key=key), zeros)

    def step(
        self, state: IntrinsicState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[IntrinsicState, Spikes]:
        missing = state.missing
        drive = _Biased(as_drive(inputs, missing), self.eta * missing)
        new, spikes = self.neuron.step(state.neuron, drive, clock, key=key)
        fired = spikes.astype(missing.dtype)
        missing = missing + (self.target * clock.dt - fired)
        return IntrinsicState(new, missing), spikes
