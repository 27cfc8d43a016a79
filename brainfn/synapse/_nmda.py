"""NMDA receptors: a gate that saturates, and the magnesium block."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from .._custom_types import Key, Parameter
from .._field import param
from .._model import Clock
from ..solver import phi1
from ._base import AbstractOutput, AbstractRelease


class GateState(eqx.Module):
    """State of [`brainfn.synapse.NMDAGate`][]: transmitter `x` and the open fraction `s`."""

    x: Float[Array, " n_pre"]
    s: Float[Array, " n_pre"]


class NMDAGate(AbstractRelease[GateState]):
    r"""The saturating gate of NMDA receptors, on the presynaptic side.

    $$\frac{dx}{dt} = -\frac{x}{\tau_\mathrm{rise}},\qquad
    \frac{ds}{dt} = -\frac{s}{\tau_\mathrm{decay}} + \alpha\,x\,(1 - s),\qquad
    \text{spike}:\ x \leftarrow x + 1$$

    The gate depends only on the presynaptic neuron, so it is computed once for each, and sent in
    each step: `Projection(..., release=NMDAGate(), synapse=Instant(), output=MagnesiumBlock())`.
    The update is exact for $x$, and for $s$ with $x$ replaced by its mean over the step: an error
    of order $\Delta t^2$.

    **Arguments:**

    - `tau_rise`, `tau_decay`: in ms; `alpha`: in 1/ms.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Wang (1999), "Synaptic basis of cortical persistent activity", J. Neurosci. 19:9587-9603,
        doi:10.1523/JNEUROSCI.19-21-09587.1999; values of Brunel and Wang (2001),
        doi:10.1023/A:1011204814320.
    """

    graded: ClassVar[bool] = True
    tau_rise: Parameter = param(2.0, unit="ms", sign="positive")
    tau_decay: Parameter = param(100.0, unit="ms", sign="positive")
    alpha: Parameter = param(0.5, unit="1/ms", sign="nonnegative")

    def init(self, size: int, *, key: Key | None = None) -> GateState:
        del key
        zeros = jnp.zeros(size, self.alpha.dtype)
        return GateState(zeros, zeros)

    def release(
        self,
        state: GateState,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[GateState, Float[Array, " n_pre"]]:
        del pre, key
        dt = clock.dt
        mean = state.x * phi1(-dt / self.tau_rise)
        opening = self.alpha * mean
        rate = opening + 1 / self.tau_decay
        s = state.s + dt * phi1(-dt * rate) * (opening - rate * state.s)
        x = state.x * jnp.exp(-dt / self.tau_rise) + emitted.astype(state.x.dtype)
        return GateState(x, s), s


class MagnesiumBlock(AbstractOutput):
    r"""A conductance that magnesium blocks at low voltages.

    $$I = \frac{g\,(E - v)}{1 + \frac{[\mathrm{Mg}]}{b}\,e^{-a v}}$$

    **Arguments:**

    - `reversal`: reversal potential $E$ in mV.
    - `magnesium`: extracellular concentration in mM.
    - `a`: steepness in 1/mV; `b`: the concentration for half block at 0 mV, in mM.

    The default values are those of Jahr and Stevens (1990), which Wang (1999, 2002) and Brunel and
    Wang (2001) use as well. [`brainfn.synapse.woodhull_block`][] makes it from the depth and the
    affinity of the site.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Jahr and Stevens (1990), "Voltage dependence of NMDA-activated macroscopic conductances
        predicted by single-channel kinetics", J. Neurosci. 10:3178-3182,
        doi:10.1523/JNEUROSCI.10-09-03178.1990.
    """

    reversal: Parameter = param(0.0, unit="mV", positional=True)
    magnesium: Parameter = param(1.0, unit="mM", sign="nonnegative")
    a: Parameter = param(0.062, unit="1/mV", sign="positive")
    b: Parameter = param(3.57, unit="mM", sign="positive")

    def __call__(
        self, g: Float[Array, " n_post"], v: Float[Array, " n_post"]
    ) -> Float[Array, " n_post"]:
        return g * (self.reversal - v) / (1 + self.magnesium / self.b * jnp.exp(-self.a * v))


def woodhull_block(
    depth: float, affinity: float, *, temperature: float = 35.0, **options: Any
) -> MagnesiumBlock:
    r"""A magnesium block at a site within the electric field of the membrane.

    $$I = \frac{g\,(E - v)}{1 + \frac{[\mathrm{Mg}]}{K_0}\,e^{-2 \delta F v / (R T)}}$$

    **Arguments:**

    - `depth`: $\delta$, the electrical distance of the site from outside, from 0 to 1.
    - `affinity`: $K_0$, the concentration for half block at 0 mV, in mM.
    - `temperature`: in degrees Celsius.
    - `options`: `reversal` and `magnesium` of [`brainfn.synapse.MagnesiumBlock`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Woodhull (1973), "Ionic blockage of sodium channels in nerve", J. Gen. Physiol. 61:687-708,
        doi:10.1085/jgp.61.6.687.
    """
    for name, value, low in (("depth", depth, 0.0), ("temperature", temperature, -273.15)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"`{name}` must be a Python number, got {type(value).__name__}.")
        if not low < value < math.inf:
            raise ValueError(f"`{name}` must be finite and above {low}, got {value}.")
    if depth > 1:
        raise ValueError(f"`depth` must be at most 1, got {depth}.")
    steepness = 2 * depth * _FARADAY / (_GAS * (temperature + 273.15)) * 1e-3
    return MagnesiumBlock(**options, a=steepness, b=affinity)


# CODATA 2018, exact since the redefinition of the SI: C/mol and J/(mol K).
_FARADAY, _GAS = 96485.33212331, 8.31446261815324
