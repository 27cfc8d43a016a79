"""Hindmarsh-Rose neurons."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._field import param, size as size_field
from ..init import initial, start
from ..solver import Heun
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._smooth import AbstractSmoothNeuron


class Bursting(eqx.Module):
    """Variables of Hindmarsh-Rose neurons: the membrane potential `v`, the fast recovery `y` and
    the slow adaptation `z`."""

    v: Float[Array, " size"]
    y: Float[Array, " size"]
    z: Float[Array, " size"]


class HindmarshRose(AbstractSmoothNeuron[Bursting]):
    r"""Hindmarsh-Rose neurons: bursts in three polynomial equations.

    $$\tau \dot v = y - a v^3 + b v^2 - z + I,\quad \tau \dot y = c - d v^2 - y,\quad
    \tau \dot z = r\,\bigl(s\,(v - v_\mathrm{rest}) - z\bigr)$$

    All variables are dimensionless, and so is the current. The default values give rest at $I = 0$,
    periodic bursts at 2, irregular ones at 3.25, and regular spikes at 4. A spike is an upward
    crossing of `v_threshold`.

    **Arguments:**

    - `size`: number of neurons.
    - `a`, `b`, `c`, `d`: of the fast variables, dimensionless.
    - `r`, `s`: rate and strength of the adaptation, dimensionless; `v_rest`: where it vanishes.
    - `tau`: the unit of time in ms.
    - `v_threshold`: a spike is an upward crossing of this value.
    - `width`: one unit of distance for the surrogate.
    - `v_init`, `y_init`, `z_init`: initial values; by default the resting state at $I = 0$ and
        the default parameters.
    - `solver`: [`brainfn.solver.Heun`][] by default, of order 2: the equations are not stiff.
    - `surrogate`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Hindmarsh and Rose (1984), "A model of neuronal bursting using three coupled first order
        differential equations", Proc. R. Soc. Lond. B 221:87-102, doi:10.1098/rspb.1984.0024, with
        its values, but $r$ = 0.006, as in most later work, and $v_\mathrm{rest} = -8/5$.
    """

    size: int = size_field()
    a: Parameter = param(1.0, unit="")
    b: Parameter = param(3.0, unit="")
    c: Parameter = param(1.0, unit="")
    d: Parameter = param(5.0, unit="")
    r: Parameter = param(0.006, unit="", sign="nonnegative")
    s: Parameter = param(4.0, unit="")
    v_rest: Parameter = param(-1.6, unit="")
    tau: Parameter = param(1.0, unit="ms", sign="positive")
    v_threshold: Parameter = param(0.0, unit="")
    width: Parameter = param(1.0, unit="", sign="positive")
    v_init: Initial = initial(-1.6045)
    y_init: Initial = initial(-11.872)
    z_init: Initial = initial(-0.018)
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()

    def initial(self, key: Key | None) -> Bursting:
        inits = (self.v_init, self.y_init, self.z_init)
        return Bursting(*(start(x, jnp.zeros_like(self.tau), self.size, key) for x in inits))

    def vector_field(self, t: FloatScalarLike, y: Any, drive: AbstractDrive) -> Bursting:
        v = y.v
        dv = y.y - self.a * v**3 + self.b * v**2 - y.z + drive(t, v)
        dy = self.c - self.d * v**2 - y.y
        dz = self.r * (self.s * (v - self.v_rest) - y.z)
        return Bursting(dv / self.tau, dy / self.tau, dz / self.tau)
