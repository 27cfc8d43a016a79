"""Exponential integrate-and-fire neurons."""

from typing import Any

import diffrax as dfx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter, Spikes
from .._field import check_below, flag, param, size as size_field
from ..init import initial, start
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive
from ._integrate_and_fire import AbstractIntegrateAndFire, Voltage
from ._reset import reset


class ExpIF(AbstractIntegrateAndFire[Voltage]):
    r"""Exponential integrate-and-fire neurons.

    $$C \frac{dv}{dt} = -g_L (v - E_L) + g_L \Delta_T\, e^{(v - v_\mathrm{rheo})/\Delta_T}
    + I(t, v)$$

    $$v \ge v_\mathrm{peak}:\ \text{spike},\ v \leftarrow v_\mathrm{reset}$$

    [`brainfn.neuron.AdEx`][] without adaptation. The surrogate gets the distance from where $v$
    begins to diverge, $(v - v_\mathrm{rheo}) / (v_\mathrm{rheo} - E_L)$.

    **Arguments:**

    - `size`: number of neurons.
    - `capacitance`: $C$ in pF; `g_leak`: $g_L$ in nS; `v_rest`: $E_L$ in mV.
    - `v_rheobase`: $v_\mathrm{rheo}$ in mV; `slope`: $\Delta_T$ in mV, the sharpness of the onset.
    - `v_peak`, `v_reset` in mV: where a spike is cut off, and the value that $v$ is reset to.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`: initial membrane potential in mV; `v_rest` if not given.
    - `solver`, `surrogate`, `detach_reset`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Fourcaud-Trocme, Hansel, van Vreeswijk and Brunel (2003), "How spike generation mechanisms
        determine the neuronal response to fluctuating inputs", J. Neurosci. 23:11628-11640,
        doi:10.1523/JNEUROSCI.23-37-11628.2003, with its fit to the neuron of Wang and Buzsaki as
        defaults: 1 uF/cm2 and 0.1 mS/cm2 on 20 000 um2.
    """

    size: int = size_field()
    capacitance: Parameter = param(200.0, unit="pF", sign="positive")
    g_leak: Parameter = param(20.0, unit="nS", sign="positive")
    v_rest: Parameter = param(-65.0, unit="mV")
    v_rheobase: Parameter = param(-59.9, unit="mV")
    slope: Parameter = param(3.48, unit="mV", sign="positive")
    v_peak: Parameter = param(0.0, unit="mV")
    v_reset: Parameter = param(-68.0, unit="mV")
    refractory: Parameter = param(1.7, unit="ms", sign="nonnegative")
    v_init: Initial = initial()
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate()
    detach_reset: bool = flag(False)

    def __check_init__(self):
        check_below(self, "v_reset", "v_peak")
        check_below(self, "v_rest", "v_rheobase")
        check_below(self, "v_rheobase", "v_peak")

    def initial(self, key: Key | None) -> Voltage:
        return Voltage(start(self.v_init, self.v_rest, self.size, key))

    def vector_field(self, t: FloatScalarLike, y: Voltage, drive: AbstractDrive) -> Voltage:
        # Clipped above the peak, where the spike ends: the exponential must not overflow.
        v = jnp.minimum(y.v, self.v_peak)
        upswing = self.g_leak * self.slope * jnp.exp((v - self.v_rheobase) / self.slope)
        current = drive(t, y.v) - self.g_leak * (v - self.v_rest) + upswing
        return Voltage(current / self.capacitance)

    def distance(self, state: Any) -> Float[Array, " size"]:
        return (state.v - self.v_rheobase) / (self.v_rheobase - self.v_rest)

    def margin(self, y: Voltage) -> Float[Array, " size"]:
        return y.v - self.v_peak

    def on_spike(self, y: Voltage, spikes: Spikes) -> Voltage:
        return Voltage(reset(y.v, spikes, self.v_reset))
