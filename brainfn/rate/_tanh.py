"""The rate unit of random recurrent networks."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._field import float_dtype, param, size as size_field
from .._model import Clock
from .._population import AbstractPopulation
from ..event import materialize
from ..init import initial, start
from ..neuron import AbstractDrive, as_drive, solver
from ..solver import AbstractLocalSolver, integrate


class Rates(eqx.Module):
    """State of rate units: `x`, dimensionless, shape `(size,)`."""

    x: Float[Array, " size"]


class Tanh(AbstractPopulation[Rates, Any, Float[Array, " size"]]):
    r"""Rate units with a hyperbolic tangent.

    $$\tau\,\frac{dx}{dt} = -x + I(t),\qquad \text{emitted: } r = \tanh(\mathrm{gain}\cdot x)$$

    Inputs and weights are dimensionless; use `synapse=Instant(), output=Current()`.

    **Arguments:**

    - `size`: number of units.
    - `tau`: time constant in ms; `gain`: dimensionless.
    - `x_init`: initial value: a number, an array or an initializer; 0 by default.
    - `solver`: [`brainfn.solver.ExponentialEuler`][] by default.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Sompolinsky, Crisanti and Sommers (1988), "Chaos in random neural networks", Phys. Rev.
        Lett. 61:259-262, doi:10.1103/PhysRevLett.61.259.
    """

    size: int = size_field()
    tau: Parameter = param(10.0, unit="ms", sign="positive")
    gain: Parameter = param(1.0, unit="")
    x_init: Initial = initial(0.0)
    solver: dfx.AbstractSolver = solver()

    @property
    def elementwise(self) -> bool:
        return True

    def ports(self) -> dict[str, int]:
        return {"": self.size}

    def emits(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.size,), float_dtype(self))

    def init(self, *, key: Key | None = None) -> Rates:
        return Rates(start(self.x_init, jnp.zeros_like(self.tau), self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Rates, drive: AbstractDrive) -> Rates:
        """$dx/dt$ per ms."""
        return Rates((drive(t, y.x) - y.x) / self.tau)

    def step(
        self, state: Rates, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Rates, Float[Array, " size"]]:
        del key
        drive = as_drive(inputs, state.x)
        if isinstance(self.solver, AbstractLocalSolver) and self.solver.holds_inputs:
            drive = drive.held(1 / self.tau, clock.dt)
        new = materialize(integrate(self.solver, self.vector_field, state, clock.dt, drive))
        return new, jnp.tanh(self.gain * new.x)
