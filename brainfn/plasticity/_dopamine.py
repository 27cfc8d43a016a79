"""Reward-modulated spike-timing-dependent plasticity."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._field import check_below, check_number, param
from .._model import Clock
from ..event import AbstractMatrix, Eligibility, accrue, current, eligibility
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import PairTraces, decay, pair_traces


class DopamineTraces(eqx.Module):
    """Traces of [`brainfn.plasticity.DopamineSTDP`][].

    - `pairs`: those of pairs of spikes.
    - `eligible`: the eligibility of each synapse, divided by the decay since the last restart.
    - `dopamine`: $d - d_0$ without the baseline, i.e. $d$.
    - `integral`: of the dopamine, weighted by that decay, since the restart.
    """

    pairs: PairTraces
    eligible: Eligibility
    dopamine: Float[Array, ""]
    integral: Float[Array, ""]


class DopamineSTDP(AbstractPlasticity[DopamineTraces]):
    r"""STDP that changes eligibility traces, which a modulator turns into changes of weights.

    $$\dot w = e\,(d - d_0),\qquad \dot e = -\frac{e}{\tau_e} + \mathrm{STDP}(t),\qquad
    \dot d = -\frac{d}{\tau_d} + \sum_k m_k\,\delta(t - t_k)$$

    STDP(t) increases $e$ by $A_+ x$ at a postsynaptic spike and decreases it by $A_- y$ at an
    arrival, with traces $x$, $y$ of all earlier spikes. The modulator is the population named by
    the projection's `modulator`: its signals in a step are added up to $m$, spikes or rewards.

    **Exact and lazy.** Between its spikes a synapse needs no work: with
    $G(t) = \int e^{-s/\tau_e} (d(s) - d_0)\,ds$, one number for all synapses, its weight grows by
    $e\,e^{t/\tau_e}\,\Delta G$. Weights are brought up to date when a spike arrives (before it is
    transmitted) or the postsynaptic neuron spikes, and clipped to their bounds then; in between,
    the state holds them as of that time, and `current(traces, matrix)` gives all of them as of now.
    The cost is proportional to the number of spikes, and once in each $\tau_e$ to the number of
    synapses, when $G$ starts again from zero.

    **Arguments:**

    - `A_plus`, `A_minus`: $A_+$, $A_-$, in the unit of the weights per ms.
    - `tau_plus`, `tau_minus`: time constants of STDP in ms.
    - `tau_eligibility`, `tau_dopamine`: $\tau_e$, $\tau_d$ in ms.
    - `baseline`: $d_0$, dimensionless.
    - `w_min`, `w_max`: bounds of the weights, in their unit.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Izhikevich (2007), "Solving the distal reward problem through linkage of STDP and dopamine
        signaling", Cereb. Cortex 17:2443-2452, doi:10.1093/cercor/bhl152. Weights between events as
        in Potjans, Morrison and Diesmann (2010), "Enabling functional neural circuit simulations
        with distributed computing of neuromodulated plasticity", Front. Comput. Neurosci. 4:141,
        doi:10.3389/fncom.2010.00141.
    """

    A_plus: Parameter = param(1e-3, unit="(nS or pA)/ms", sign="nonnegative")
    A_minus: Parameter = param(1.5e-3, unit="(nS or pA)/ms", sign="nonnegative")
    tau_plus: Parameter = param(20.0, unit="ms", sign="positive")
    tau_minus: Parameter = param(20.0, unit="ms", sign="positive")
    tau_eligibility: Parameter = param(1000.0, unit="ms", sign="positive", shared=True)
    tau_dopamine: Parameter = param(200.0, unit="ms", sign="positive", shared=True)
    baseline: Parameter = param(0.0, unit="", shared=True)
    w_min: Parameter = param(0.0, unit="nS or pA")
    w_max: Parameter = param(1.0, unit="nS or pA")

    def __check_init__(self):
        check_number(self, "tau_eligibility", "tau_dopamine", "baseline")
        check_below(self, "w_min", "w_max", "nS or pA")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> DopamineTraces:
        del key
        zero = jnp.zeros((), matrix.vector_dtype)
        return DopamineTraces(pair_traces(matrix), eligibility(matrix), zero, zero)

    def due(
        self,
        traces: DopamineTraces,
        matrix: AbstractMatrix,
        arriving: Array,
        clock: Clock,
    ) -> tuple[DopamineTraces, AbstractMatrix]:
        del clock
        return self._touch(traces, matrix, arriving)

    def current(self, traces: DopamineTraces, matrix: AbstractMatrix) -> AbstractMatrix:
        return current(matrix, traces.eligible, traces.integral, self.w_min, self.w_max)

    def step(
        self,
        traces: DopamineTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[DopamineTraces, AbstractMatrix]:
        del key
        if modulator is None:
            raise ValueError(
                "DopamineSTDP needs a modulator: name its population, "
                'Projection(..., modulator="dopamine").'
            )
        pairs, dtype, dt = traces.pairs, traces.integral.dtype, clock.dt
        arrived, fired = (s.signal.astype(dtype) for s in (pre, post))
        # Eligibility is stored divided by its decay since the last restart, so that it is constant
        # without spikes. A restart each time constant keeps all numbers of order one.
        tau_e, tau_d = self.tau_eligibility, self.tau_dopamine
        period = jnp.maximum(jnp.round(tau_e / dt), 1).astype(jnp.int32)
        elapsed = clock.step % period
        growth = jnp.exp(elapsed.astype(dtype) * dt / tau_e)
        x = decay(pairs.pre, self.tau_plus, dt) + arrived
        y = decay(pairs.post, self.tau_minus, dt)
        traces, matrix = self._touch(traces, matrix, arrived, -self.A_minus * y * growth)
        traces, matrix = self._touch(traces, matrix, fired, self.A_plus * x * growth, post=True)
        # The integral up to the next arrivals, and perhaps its restart.
        dopamine = traces.dopamine * jnp.exp(-dt / tau_d) + jnp.sum(modulator.astype(dtype))
        rate = 1 / tau_e + 1 / tau_d
        gained = dopamine * -jnp.expm1(-dt * rate) / rate
        gained = gained + self.baseline * tau_e * jnp.expm1(-dt / tau_e)
        pairs = PairTraces(x, y + fired, pairs.columns)
        traces = DopamineTraces(pairs, traces.eligible, dopamine, traces.integral + gained / growth)
        over = elapsed == period - 1
        keep = jnp.exp(-period.astype(dtype) * dt / tau_e)
        everywhere = jnp.broadcast_to(over, x.shape)
        restart = {"restart": jnp.zeros((), dtype), "keep": keep}
        traces, matrix = self._touch(traces, matrix, everywhere, **restart)
        integral = jnp.where(over, jnp.zeros((), dtype), traces.integral)
        return DopamineTraces(pairs, traces.eligible, dopamine, integral), matrix

    def _touch(
        self,
        traces: DopamineTraces,
        matrix: AbstractMatrix,
        active: Array,
        change: Any = 0.0,
        **how: Any,
    ) -> tuple[DopamineTraces, AbstractMatrix]:
        matrix, eligible = accrue(
            matrix,
            traces.eligible,
            active,
            change,
            columns=traces.pairs.columns,
            integral=traces.integral,
            lower=self.w_min,
            upper=self.w_max,
            **how,
        )
        return DopamineTraces(traces.pairs, eligible, traces.dopamine, traces.integral), matrix
