"""Voltage-based plasticity."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._field import check_below, param
from .._model import Clock
from ..event import AbstractMatrix, ColumnIndex, on_post, on_pre
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import columns_of, decay, silent


class VoltageTraces(eqx.Module):
    r"""Traces of [`brainfn.plasticity.Clopath`][]: `pre` ($\bar x$) in 1/ms, shape `(n_pre,)`; the
    filtered voltages `u_minus` and `u_plus` in mV, shape `(n_post,)`."""

    pre: Float[Array, " n_pre"]
    u_minus: Float[Array, " n_post"]
    u_plus: Float[Array, " n_post"]
    columns: ColumnIndex | None


class Clopath(AbstractPlasticity[VoltageTraces]):
    r"""Plasticity that depends on the voltage of the postsynaptic neuron.

    $$\dot w = -A_\mathrm{LTD}\, X(t)\, [\bar u_- - \theta_-]_+
    + A_\mathrm{LTP}\, \bar x\, [u - \theta_+]_+ [\bar u_+ - \theta_-]_+$$

    $$\tau_- \dot{\bar u}_- = u - \bar u_-,\qquad \tau_+ \dot{\bar u}_+ = u - \bar u_+,\qquad
    \tau_x \dot{\bar x} = X - \bar x$$

    $X(t) = \sum_k \delta(t - t_k)$ are the arrivals, $u$ the membrane potential, held constant over
    a step in the filters, which start at `u_init`. Depression uses $\bar u_-$ before the voltage of
    the step, potentiation $u$ and $\bar u_+$ after it. Changed weights are clipped to their bounds.
    The cost is proportional to the number of arrivals, and for potentiation to the number of steps
    that neurons spend above $\theta_+$.

    Potentiation needs the shape of the spike. Where a neuron is reset in the step of its spike, as
    integrate-and-fire neurons are, `v_spike` is the voltage that counts for that step.

    **Arguments:**

    - `A_LTD`: in the unit of the weights per mV; `A_LTP`: in their unit per mV², for $\bar x$ in
        1/ms and time in ms.
    - `theta_minus`, `theta_plus`: thresholds in mV.
    - `tau_minus`, `tau_plus`, `tau_x`: time constants in ms.
    - `u_init`: initial values of the filtered voltages in mV.
    - `v_spike`: the voltage of a neuron that spikes, in mV, for that step; `None`: as it is.
    - `w_min`, `w_max`: bounds of the weights, in their unit.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Clopath, Büsing, Vasilaki and Gerstner (2010), "Connectivity reflects coding: a model of
        voltage-based STDP with homeostasis", Nature Neurosci. 13:344-352, doi:10.1038/nn.2479, with
        its parameters of visual cortex, and a constant amplitude of depression.
    """

    A_LTD: Parameter = param(14e-5, unit="nS/mV or pA/mV", sign="nonnegative")
    A_LTP: Parameter = param(8e-5, unit="nS/mV2 or pA/mV2", sign="nonnegative")
    theta_minus: Parameter = param(-70.6, unit="mV")
    theta_plus: Parameter = param(-45.3, unit="mV")
    tau_minus: Parameter = param(10.0, unit="ms", sign="positive")
    tau_plus: Parameter = param(7.0, unit="ms", sign="positive")
    tau_x: Parameter = param(15.0, unit="ms", sign="positive")
    u_init: Parameter = param(-70.6, unit="mV")
    v_spike: Parameter | None = param(None, unit="mV", none=True)
    w_min: Parameter = param(0.0, unit="nS or pA")
    w_max: Parameter = param(1.0, unit="nS or pA")

    def __check_init__(self):
        check_below(self, "w_min", "w_max", "nS or pA")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> VoltageTraces:
        del key
        pre, post = silent(matrix)
        u = post + jnp.asarray(self.u_init, post.dtype)
        return VoltageTraces(pre, u, u, columns_of(matrix))

    def step(
        self,
        traces: VoltageTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[VoltageTraces, AbstractMatrix]:
        del modulator, key
        dtype, dt = traces.pre.dtype, clock.dt
        bounds = {"lower": self.w_min, "upper": self.w_max}
        u = self._voltage(post).astype(dtype)
        low = jnp.maximum(traces.u_minus - self.theta_minus, 0)
        matrix = on_pre(matrix, pre.signal, -self.A_LTD * low, **bounds)
        x = decay(traces.pre, self.tau_x, dt) + pre.signal.astype(dtype) / self.tau_x
        u_minus = u + decay(traces.u_minus - u, self.tau_minus, dt)
        u_plus = u + decay(traces.u_plus - u, self.tau_plus, dt)
        high = jnp.maximum(u - self.theta_plus, 0) * jnp.maximum(u_plus - self.theta_minus, 0)
        matrix = on_post(matrix, high, self.A_LTP * dt * x, columns=traces.columns, **bounds)
        return VoltageTraces(x, u_minus, u_plus, traces.columns), matrix

    def _voltage(self, post: Activity) -> Float[Array, " n_post"]:
        try:
            v = post.state.v
        except AttributeError:
            raise TypeError(
                "Clopath needs postsynaptic neurons with a voltage `v` in their state, got a "
                f"{type(post.state).__name__}."
            ) from None
        return v if self.v_spike is None else jnp.where(post.signal.astype(bool), self.v_spike, v)
