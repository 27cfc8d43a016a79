"""Plasticity of inhibitory synapses that balances excitation."""

from typing import Any

from .._custom_types import Key, Parameter
from .._field import check_below, param
from .._model import Clock
from ..event import AbstractMatrix, on_post, on_pre
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import PairTraces, decay, pair_traces


class InhibitorySTDP(AbstractPlasticity[PairTraces]):
    r"""Symmetric STDP of inhibitory synapses, which drives neurons towards a target rate.

    $$\text{arrival: } \Delta w = \eta\,(y - 2 \rho_0 \tau),\qquad
    \text{postsynaptic spike: } \Delta w = \eta\, x,\qquad
    \tau \dot x = -x,\quad \tau \dot y = -y$$

    An arrival increases $x$ by one, a postsynaptic spike $y$. Weights are positive numbers, as for
    conductances with a low reversal potential, and changed weights are clipped to their bounds. The
    cost is proportional to the number of spikes.

    **Arguments:**

    - `eta`: learning rate $\eta$, in the unit of the weights.
    - `rho`: target rate $\rho_0$ in 1/ms (`5*Hz`).
    - `tau`: time constant of the traces in ms.
    - `w_min`, `w_max`: bounds of the weights, in their unit.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Vogels, Sprekeler, Zenke, Clopath and Gerstner (2011), "Inhibitory plasticity balances
        excitation and inhibition in sensory pathways and memory networks", Science 334:1569-1573,
        doi:10.1126/science.1211095.
    """

    eta: Parameter = param(0.01, unit="nS or pA", sign="nonnegative")
    rho: Parameter = param(0.005, unit="1/ms", sign="nonnegative")
    tau: Parameter = param(20.0, unit="ms", sign="positive")
    w_min: Parameter = param(0.0, unit="nS or pA")
    w_max: Parameter = param(100.0, unit="nS or pA")

    def __check_init__(self):
        check_below(self, "w_min", "w_max", "nS or pA")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> PairTraces:
        del key
        return pair_traces(matrix)

    def step(
        self,
        traces: PairTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[PairTraces, AbstractMatrix]:
        del modulator, key
        arrived, fired = (s.signal.astype(traces.pre.dtype) for s in (pre, post))
        x = decay(traces.pre, self.tau, clock.dt) + arrived
        y = decay(traces.post, self.tau, clock.dt)
        depression = 2 * self.rho * self.tau
        bounds = {"lower": self.w_min, "upper": self.w_max}
        matrix = on_pre(matrix, pre.signal, self.eta * (y - depression), **bounds)
        matrix = on_post(matrix, post.signal, self.eta * x, columns=traces.columns, **bounds)
        return PairTraces(x, y + fired, traces.columns), matrix
