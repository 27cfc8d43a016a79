"""FitzHugh-Nagumo neurons."""

import diffrax as dfx
import jax.numpy as jnp

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._field import param, size as size_field
from ..init import initial, start
from ..solver import Heun
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._smooth import AbstractSmoothNeuron, Recovery


class FitzHughNagumo(AbstractSmoothNeuron[Recovery]):
    r"""FitzHugh-Nagumo neurons: the squid axon reduced to a cubic and a line.

    $$\tau \frac{dv}{dt} = v - \frac{v^3}{3} - w + I, \qquad \tau_w \frac{dw}{dt} = v + a - b\,w$$

    All variables are dimensionless, and so is the current. With the default values a neuron is at
    rest at $I = 0$, fires repetitively for $I$ from 0.33 to 1.42, and is blocked above. A spike is
    an upward crossing of `v_threshold`.

    **Arguments:**

    - `size`: number of neurons.
    - `a`, `b`: of the recovery, dimensionless.
    - `tau`, `tau_w`: time constants of $v$ and $w$ in ms.
    - `v_threshold`: a spike is an upward crossing of this value.
    - `width`: one unit of distance for the surrogate.
    - `v_init`, `w_init`: initial values; by default the resting state at the default parameters.
    - `solver`: [`brainfn.solver.Heun`][] by default, of order 2: the equations are not stiff.
    - `surrogate`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        FitzHugh (1961), "Impulses and physiological states in theoretical models of nerve
        membrane", Biophys. J. 1:445-466, doi:10.1016/S0006-3495(61)86902-6, with its values and the
        sign of the membrane potential turned round; $\tau_w$ is $1/\phi$ with $\phi$ = 0.08.
        Nagumo, Arimoto and Yoshizawa (1962), "An active pulse transmission line simulating nerve
        axon", Proc. IRE 50:2061-2070, doi:10.1109/JRPROC.1962.288235.
    """

    size: int = size_field()
    a: Parameter = param(0.7, unit="")
    b: Parameter = param(0.8, unit="")
    tau: Parameter = param(1.0, unit="ms", sign="positive")
    tau_w: Parameter = param(12.5, unit="ms", sign="positive")
    v_threshold: Parameter = param(0.0, unit="")
    width: Parameter = param(1.0, unit="", sign="positive")
    v_init: Initial = initial(-1.1994)
    w_init: Initial = initial(-0.6243)
    solver: dfx.AbstractSolver = solver(Heun)
    surrogate: AbstractSurrogate | None = surrogate()

    def initial(self, key: Key | None) -> Recovery:
        zero = jnp.zeros_like(self.tau)
        v = start(self.v_init, zero, self.size, key)
        return Recovery(v, start(self.w_init, zero, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Recovery, drive: AbstractDrive) -> Recovery:
        slope = y.v - y.v**3 / 3 - y.w + drive(t, y.v)
        return Recovery(slope / self.tau, (y.v + self.a - self.b * y.w) / self.tau_w)
