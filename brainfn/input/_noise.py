"""Noise currents, and Poisson events delivered directly to receptors."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import random
from .._custom_types import Key, Parameter
from .._field import flag, param
from .._model import Clock
from ._arrival import Arrival
from ._base import AbstractInput


class OrnsteinUhlenbeck(AbstractInput[Float[Array, " size"]]):
    r"""Ornstein-Uhlenbeck noise, independent for each neuron.

    $$d\eta = \frac{\mu - \eta}{\tau}\,dt + \sigma \sqrt{\frac{2}{\tau}}\,dW$$

    It is stationary from the start, with mean $\mu$, standard deviation $\sigma$ and
    autocorrelation $\sigma^2 e^{-|t|/\tau}$. The update is exact,
    $\eta \leftarrow \mu + (\eta - \mu) e^{-\Delta t/\tau} + \sigma\sqrt{1 - e^{-2\Delta t/\tau}}\,
    \xi$; the value is held during the step.

    **Arguments:**

    - `sigma`: standard deviation, e.g. in pA; `tau`: correlation time in ms; `mean`: $\mu$.

    **Raises:** `ValueError` or `TypeError` naming the argument; if the number of driven neurons is
    unknown, or no `key` was given.

    ??? cite

        Uhlenbeck and Ornstein (1930), "On the theory of the Brownian motion", Phys. Rev.
        36:823-841, doi:10.1103/PhysRev.36.823; the exact step: Gillespie (1996), Phys. Rev. E
        54:2084-2091, doi:10.1103/PhysRevE.54.2084.
    """

    sigma: Parameter = param(unit="pA", sign="nonnegative", positional=True)
    tau: Parameter = param(unit="ms", sign="positive", positional=True)
    mean: Parameter = param(0.0, unit="pA")

    def init(self, size: int | None, *, key: Key | None = None) -> Float[Array, " size"]:
        size = _known(size, "OrnsteinUhlenbeck")
        xi = random.normal(_needed(key, "OrnsteinUhlenbeck"), size, self.sigma.dtype)
        return self.mean + self.sigma * xi

    def step(
        self, state: Float[Array, " size"], clock: Clock, *, key: Key | None = None
    ) -> tuple[Float[Array, " size"], Any]:
        key = _needed(key, "OrnsteinUhlenbeck")
        xi = random.normal(key, state.shape[0], state.dtype)
        return _relaxed(state, self.mean, self.sigma, self.tau, clock.dt, xi), state


class WhiteNoise(AbstractInput[Any]):
    r"""Gaussian white noise, independent for each neuron.

    $$I(t) = \mu + \sigma\,\xi(t), \qquad \langle \xi(t)\,\xi(t') \rangle = \delta(t - t')$$

    In a step the current is $\mu + \sigma\,\Delta W / \Delta t$ with $\Delta W \sim N(0, \Delta
    t)$, so that its integral is $\mu\,\Delta t + \sigma\,\Delta W$ whatever the step size. With
    `diffrax.Euler` as the solver of a neuron a step is that of Euler and Maruyama for $C\,dv =
    (\dots + \mu)\,dt + \sigma\,dW$; with [`brainfn.solver.Heun`][] that of the stochastic Heun
    method. A leaky membrane gets a standard deviation of $\sigma \sqrt{\tau / 2} / C$; with
    [`brainfn.solver.ExponentialEuler`][] its variance is too small by $\tanh(x)/x$ with $x = \Delta
    t / 2 \tau$, 2e-6 for steps of $\tau / 200$.

    Noise that depends on the potential is a product, `WhiteNoise(1.0) * (lambda t, v: ...)`: in the
    sense of Ito with `diffrax.Euler`, in that of Stratonovich with solvers of order 2 and the
    exponential ones. For Diffrax's stochastic solvers see [`brainfn.input.sde_terms`][].

    **Arguments:**

    - `sigma`: $\sigma$ in pA ms^1/2, one number or one for each neuron; a spectral density of
        $\sigma^2$ on both sides.
    - `mean`: $\mu$ in pA.

    **Raises:** `ValueError` or `TypeError` naming the argument; if the number of driven neurons is
    unknown, or no `key` was given.

    ??? cite

        Higham (2001), "An algorithmic introduction to numerical simulation of stochastic
        differential equations", SIAM Rev. 43:525-546, doi:10.1137/S0036144500378302; Kloeden and
        Platen (1992), "Numerical solution of stochastic differential equations",
        doi:10.1007/978-3-662-12616-5.
    """

    sigma: Parameter = param(unit="pA ms^1/2", sign="nonnegative", positional=True)
    mean: Parameter = param(0.0, unit="pA")

    # Its state is the number of neurons, which is needed for drawing.
    def init(self, size: int | None, *, key: Key | None = None) -> Any:
        _needed(key, "WhiteNoise")
        return jnp.zeros(_known(size, "WhiteNoise"), bool)

    def step(
        self, state: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Any, Float[Array, " size"]]:
        xi = random.normal(_needed(key, "WhiteNoise"), state.shape[0], self.sigma.dtype)
        return state, self.mean + self.sigma * clock.dt**-0.5 * xi


class PointConductance(AbstractInput[Float[Array, " size"]]):
    r"""A conductance that fluctuates like the summed synaptic bombardment of a neuron *in vivo*: an
    Ornstein-Uhlenbeck process, independent for each neuron.

    $$I(t, v) = \max(g(t), 0)\,(E - v), \qquad dg = \frac{g_0 - g}{\tau}\,dt
    + \sigma \sqrt{\frac{2}{\tau}}\,dW$$

    The process is that of [`brainfn.input.OrnsteinUhlenbeck`][], stationary and exact. It may
    become negative, which a conductance cannot: by default only its positive part acts, so that its
    mean is slightly above $g_0$ (by a factor of 2e-6 for $g_0 = 4 \sigma$, by 8 % for $g_0 =
    \sigma$).

    ```python
    # The neocortical neuron of Destexhe et al. (2001).
    inputs = bf.input.PointConductance(12.1, 3.0, 2.728, reversal=0.0)
    inputs += bf.input.PointConductance(57.3, 6.6, 10.49, reversal=-75.0)
    ```

    **Arguments:**

    - `mean`: $g_0$ in nS; `sigma`: its standard deviation in nS; `tau`: $\tau$ in ms; `reversal`:
        $E$ in mV. Each is one number or one for each neuron.
    - `clip`: whether negative values act as zero.

    **Raises:** `ValueError` or `TypeError` naming the argument; if the number of driven neurons is
    unknown, or no `key` was given.

    ??? cite

        Destexhe, Rudolph, Fellous and Sejnowski (2001), "Fluctuating synaptic conductances recreate
        in vivo-like activity in neocortical neurons", Neuroscience 107:13-24,
        doi:10.1016/S0306-4522(01)00344-X.
    """

    mean: Parameter = param(unit="nS", sign="nonnegative", positional=True)
    sigma: Parameter = param(unit="nS", sign="nonnegative", positional=True)
    tau: Parameter = param(unit="ms", sign="positive", positional=True)
    reversal: Parameter = param(unit="mV")
    clip: bool = flag(True)

    def init(self, size: int | None, *, key: Key | None = None) -> Float[Array, " size"]:
        size = _known(size, "PointConductance")
        xi = random.normal(_needed(key, "PointConductance"), size, self.sigma.dtype)
        return self.mean + self.sigma * xi

    def step(
        self, state: Float[Array, " size"], clock: Clock, *, key: Key | None = None
    ) -> tuple[Float[Array, " size"], "FixedConductance"]:
        xi = random.normal(_needed(key, "PointConductance"), state.shape[0], state.dtype)
        g = jnp.maximum(state, 0) if self.clip else state
        after = _relaxed(state, self.mean, self.sigma, self.tau, clock.dt, xi)
        return after, FixedConductance(g, self.reversal)


class FixedConductance(eqx.Module):
    """A conductance that is constant during a step: `(t, v) -> g * (reversal - v)`."""

    g: Float[Array, " size"]
    reversal: Float[Array, " *size"]

    def __call__(self, t: Any, v: Float[Array, " size"]) -> Float[Array, " size"]:
        del t
        return self.g * (self.reversal - v)


class PoissonArrivals(AbstractInput[None]):
    r"""Poisson events delivered directly to the receptor of a projection, independent for each
    neuron.

    In each step each neuron gets a Poisson number of events with mean $r\,\Delta t$ (not at most
    one), times `weight`: the effect of thousands of independent afferents, without simulating them.
    It acts in the step in which it is drawn.

    ```python
    inputs = {"exc": bf.input.PoissonArrivals(rate=8 * Hz * 1000, weight=0.5 * nS, into="exc")}
    ```

    **Arguments:**

    - `rate`: total rate of all afferents in 1/ms, a number or one for each neuron.
    - `weight`: weight of one event, in nS or pA.
    - `into`: name of the projection whose receptor receives it, in the population that is driven.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    rate: Parameter = param(unit="1/ms", sign="nonnegative", positional=True)
    weight: Parameter = param(unit="nS or pA", positional=True)
    into: str = eqx.field(static=True, kw_only=True)

    def __check_init__(self):
        if not isinstance(self.into, str):
            raise TypeError(f"`into` must be the name of a projection, got {self.into!r}.")

    # Its state is the number of neurons, which is needed for drawing.
    def init(self, size: int | None, *, key: Key | None = None) -> Any:
        _needed(key, "PoissonArrivals")
        return jnp.zeros(_known(size, "PoissonArrivals"), bool)

    def step(self, state: Any, clock: Clock, *, key: Key | None = None) -> tuple[Any, Arrival]:
        key = _needed(key, "PoissonArrivals")
        number = random.poisson(key, self.rate * clock.dt, state.shape[0])
        return state, Arrival(number.astype(self.weight.dtype) * self.weight, self.into)


def _relaxed(x: Any, mean: Any, sigma: Any, tau: Any, dt: float, xi: Any) -> Any:
    """The exact step of an Ornstein-Uhlenbeck process."""
    spread = sigma * jnp.sqrt(-jnp.expm1(-2 * dt / tau))
    return mean + (x - mean) * jnp.exp(-dt / tau) + spread * xi


def _known(size: int | None, name: str) -> int:
    if size is None:
        raise ValueError(
            f"`inputs`: {name} needs to know how many neurons it drives. Give a dictionary by "
            "population, e.g. inputs={'exc': ...}."
        )
    return size


def _needed(key: Any, name: str) -> Any:
    if key is None:
        raise ValueError(f"`key` is needed: {name} is random. Try key=jax.random.key(0).")
    return key
