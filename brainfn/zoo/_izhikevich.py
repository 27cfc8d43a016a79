"""The network of Izhikevich (2003), step by step as its program computes it."""

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax as dfx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float

from .. import measure, random
from .._custom_types import Initial, Key, Parameter
from .._field import flag, param, size as size_field
from .._model import Clock
from ..event import Dense
from ..init import initial, start
from ..input import AbstractInput
from ..network import Network, Projection
from ..neuron import AbstractIntegrateAndFire, Recovering, jump, reset, solver, surrogate
from ..record import SpikeTrains
from ..solver import AbstractLocalSolver
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Current, Instant
from ..units import Hz
from ._entry import Entry, Figures, Variant, Window
from ._statistics import rate, windowed


class HalfSteps(AbstractLocalSolver):
    """Two forward Euler steps of half the length for `v`, then one for `u`, as in Izhikevich's
    programs."""

    holds_inputs: ClassVar[bool] = True
    term_structure: ClassVar = dfx.ODETerm
    interpolation_cls: ClassVar[Callable[..., Any]] = dfx.LocalLinearInterpolation

    def order(self, terms: Any) -> int:
        del terms
        return 1

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Recovering,
        args: Any,
        solver_state: None,
        made_jump: Any,
    ) -> tuple[Recovering, None, dict[str, Any], None, Any]:
        del solver_state, made_jump
        h, y = t1 - t0, y0
        for _ in range(2):
            y = Recovering(y.v + h / 2 * terms.vf(t0, y, args).v, y.u)
        y = Recovering(y.v, y.u + h * terms.vf(t0, y, args).u)
        return y, None, {"y0": y0, "y1": y}, None, dfx.RESULTS.successful


class Programmed(AbstractIntegrateAndFire[Recovering]):
    """The neuron of Izhikevich's programs: that of [`brainfn.neuron.Izhikevich`][], but `v` is not
    clipped at the peak, so that `u` follows the overshoot of a spike."""

    size: int = size_field()
    a: Parameter = param(0.02, unit="1/ms")
    b: Parameter = param(0.2, unit="1/ms")
    c: Parameter = param(-65.0, unit="mV")
    d: Parameter = param(8.0, unit="mV/ms")
    refractory: Parameter = param(0.0, unit="ms", sign="nonnegative")
    v_init: Initial = initial(-65.0)
    solver: dfx.AbstractSolver = solver(HalfSteps)
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def initial(self, key: Key | None) -> Recovering:
        v = start(self.v_init, jnp.full_like(self.c, -65.0), self.size, key)
        return Recovering(v, self.b * v)

    def vector_field(self, t: Any, y: Recovering, drive: Any) -> Recovering:
        slope = (0.04 * y.v + 5) * y.v + 140 - y.u + drive(t, y.v)
        return Recovering(slope, self.a * (self.b * y.v - y.u))

    def margin(self, y: Recovering) -> Float[Array, " size"]:
        return y.v - 30

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v + 50) / 10

    def on_spike(self, y: Recovering, spikes: Any) -> Recovering:
        return Recovering(reset(y.v, spikes, self.c), jump(y.u, spikes, self.d))


def izhikevich2003(
    *,
    key: Key,
    surrogate: AbstractSurrogate | None = ReluGrad(),
) -> tuple[Network, dict[str, Any]]:
    r"""A network of 800 excitatory and 200 inhibitory simple neurons, all connected to all, each
    different, with thalamic noise.

    $$a, b, c, d = 0.02,\ 0.2,\ -65 + 15 r^2,\ 8 - 6 r^2\ \text{(excitatory)};\quad
    0.02 + 0.08 r,\ 0.25 - 0.05 r,\ -65,\ 2\ \text{(inhibitory)};\quad r \sim U(0, 1)$$

    Weights are $U(0, 0.5)$ and $-U(0, 1)$, the noise in each ms $5\,\xi$ and $2\,\xi$. The step of
    the program is 1 ms, in which $v$ takes two steps of 0.5 ms and then $u$ one: use `dt=1.0`. `v`
    is not clipped at the peak of a spike.

    **Arguments:**

    - `key`: a JAX random key for neurons and weights.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one.

    **Returns:** the network and its `inputs` for [`brainfn.simulate`][].

    !!! example

        ```python
        key = jax.random.key(0)
        network, inputs = bf.zoo.izhikevich2003(key=key)
        out = bf.simulate(network, inputs=inputs, duration=1000.0, dt=1.0, key=key)
        ```

    ??? cite

        Izhikevich (2003), "Simple model of spiking neurons", IEEE Trans. Neural Networks
        14:1569-1572, doi:10.1109/TNN.2003.820440, with its program net.m.
    """
    k_exc, k_inh, k_weights = jr.split(key, 3)
    r, q = np.asarray(jr.uniform(k_exc, (800,))), np.asarray(jr.uniform(k_inh, (200,)))
    populations = {
        "exc": Programmed(800, c=-65 + 15 * r**2, d=8 - 6 * r**2, surrogate=surrogate),
        "inh": Programmed(200, a=0.02 + 0.08 * q, b=0.25 - 0.05 * q, d=2.0, surrogate=surrogate),
    }
    weights = np.asarray(jr.uniform(k_weights, (1000, 1000)))
    joined = {"synapse": Instant(), "output": Current()}
    projections = {
        "exc": Projection("exc", ["exc", "inh"], Dense(0.5 * weights[:800]), **joined),
        "inh": Projection("inh", ["exc", "inh"], Dense(-weights[800:]), **joined),
    }
    inputs = {"exc": Thalamic(5.0), "inh": Thalamic(2.0)}
    return Network(populations, projections), inputs


class Thalamic(AbstractInput[Any]):
    """A normal number for each neuron, drawn anew in each step, times `sigma`."""

    sigma: Parameter = param(unit="pA", sign="nonnegative", positional=True)

    def init(self, size: int | None, *, key: Key | None = None) -> Any:
        del key
        return jnp.zeros(size or 0, bool)  # its state says how many neurons there are

    def step(self, state: Any, clock: Clock, *, key: Key | None = None) -> tuple[Any, Any]:
        del clock
        return state, self.sigma * random.normal(key, state.shape[0], self.sigma.dtype)


def gamma_peak(trains: SpikeTrains) -> float:
    """The frequency in Hz, from 20 to 80, at which the number of spikes fluctuates most."""
    counts = measure.spike_counts(trains, max(1, round(1.0 / trains.dt)) * trains.dt)
    frequencies, power = measure.welch(
        counts.astype(float), dt=1.0, segment=float(min(256, counts.size))
    )
    frequencies = frequencies / Hz
    inside = (frequencies >= 20) & (frequencies <= 80)
    return float(frequencies[inside][np.argmax(power[inside])])


def _figures(trains: dict[str, SpikeTrains], window: Window) -> Figures:
    seen = windowed(trains, ("exc", "inh"), window)
    return {
        "rate_exc": rate(seen["exc"]),
        "rate_inh": rate(seen["inh"]),
        "gamma": gamma_peak(seen["exc"]),
    }


def _build(variant: str, *, scale: float, key: Key, dt: float) -> tuple[Network, dict[str, Any]]:
    del variant
    if scale != 1 or dt != 1:
        raise ValueError("`scale` and `dt` of this network must be 1: its program has one size.")
    return izhikevich2003(key=key, surrogate=None)


IZHIKEVICH2003 = Entry(
    name="izhikevich2003",
    title="simple neurons of all kinds, connected all to all, with thalamic noise",
    source="Izhikevich (2003), doi:10.1109/TNN.2003.820440, program net.m",
    size="1000 neurons, 1 000 000 synapses",
    expected="about 7.5 Hz, with alpha and gamma rhythms that come and go",
    variants={
        "net.m": Variant(
            "Simple neurons",
            "the program of the paper, in steps of 1 ms",
            reference={
                "net.m in NumPy": {"": {"rate_exc": 7.53, "rate_inh": 7.09, "gamma": 29.0}},
            },
        )
    },
    build=_build,
    python="bf.zoo.izhikevich2003(key=key)",
    drawn={"exc": 2, "inh": 1},
    figures=_figures,
    rows={
        "rate_exc": ("excitatory rate (Hz)", "{:.2f}"),
        "rate_inh": ("inhibitory rate (Hz)", "{:.2f}"),
        "gamma": ("gamma peak (Hz)", "{:.0f}"),
    },
    facts=lambda figures: [
        f"rate {figures['rate_exc']:.1f} Hz excitatory, {figures['rate_inh']:.1f} Hz inhibitory",
        f"gamma at {figures['gamma']:.0f} Hz",
    ],
    duration=2000.0,
    dt=1.0,
    note="others: means over three seeds of two seconds",
)
