"""Triplet spike-timing-dependent plasticity."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._field import check_below, flag, param
from .._model import Clock
from ..event import AbstractMatrix, ColumnIndex, on_post, on_pre
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import columns_of, decay, restarted, silent


class TripletTraces(eqx.Module):
    """Traces of [`brainfn.plasticity.TripletSTDP`][]: `pre` ($r_1$) and `pre_slow` ($r_2$) of shape
    `(n_pre,)`, `post` ($o_1$) and `post_slow` ($o_2$) of `(n_post,)`."""

    pre: Float[Array, " n_pre"]
    pre_slow: Float[Array, " n_pre"]
    post: Float[Array, " n_post"]
    post_slow: Float[Array, " n_post"]
    columns: ColumnIndex | None


class TripletSTDP(AbstractPlasticity[TripletTraces]):
    r"""STDP of triplets of spikes, which depends on the rate as well as on the times.

    $$\text{arrival: } \Delta w = -o_1 (A_2^- + A_3^-\, r_2^-),\qquad
    \text{postsynaptic spike: } \Delta w = r_1 (A_2^+ + A_3^+\, o_2^-)$$

    $$\tau_+ \dot r_1 = -r_1,\quad \tau_x \dot r_2 = -r_2,\quad \tau_- \dot o_1 = -o_1,\quad
    \tau_y \dot o_2 = -o_2$$

    An arrival increases $r_1$ and $r_2$ by one, a postsynaptic spike $o_1$ and $o_2$ (with
    `nearest` they are set to one); $r_2^-$ and $o_2^-$ are the values before that. Arrivals count
    before spikes of their step. Changed weights are clipped to their bounds. The cost is
    proportional to the number of spikes.

    **Arguments:**

    - `A2_plus`, `A3_plus`, `A2_minus`, `A3_minus`: amplitudes of pairs and triplets, in the unit of
        the weights.
    - `tau_plus`, `tau_x`, `tau_minus`, `tau_y`: time constants in ms.
    - `w_min`, `w_max`: bounds of the weights, in their unit.
    - `nearest`: whether only nearest spikes interact.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Pfister and Gerstner (2006), "Triplets of spikes in a model of spike timing-dependent
        plasticity", J. Neurosci. 26:9673-9682, doi:10.1523/JNEUROSCI.1425-06.2006; by default the
        full model fitted to visual cortex, all to all, for weights of order one.
    """

    A2_plus: Parameter = param(5e-10, unit="nS or pA", sign="nonnegative")
    A3_plus: Parameter = param(6.2e-3, unit="nS or pA", sign="nonnegative")
    A2_minus: Parameter = param(7e-3, unit="nS or pA", sign="nonnegative")
    A3_minus: Parameter = param(2.3e-4, unit="nS or pA", sign="nonnegative")
    tau_plus: Parameter = param(16.8, unit="ms", sign="positive")
    tau_x: Parameter = param(101.0, unit="ms", sign="positive")
    tau_minus: Parameter = param(33.7, unit="ms", sign="positive")
    tau_y: Parameter = param(125.0, unit="ms", sign="positive")
    w_min: Parameter = param(0.0, unit="nS or pA")
    w_max: Parameter = param(1.0, unit="nS or pA")
    nearest: bool = flag(False)

    def __check_init__(self):
        check_below(self, "w_min", "w_max", "nS or pA")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> TripletTraces:
        del key
        pre, post = silent(matrix)
        return TripletTraces(pre, pre, post, post, columns_of(matrix))

    def step(
        self,
        traces: TripletTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[TripletTraces, AbstractMatrix]:
        del modulator, key
        arrived, fired = (s.signal.astype(traces.pre.dtype) for s in (pre, post))
        dt, bounds = clock.dt, {"lower": self.w_min, "upper": self.w_max}
        r1, r2 = decay(traces.pre, self.tau_plus, dt), decay(traces.pre_slow, self.tau_x, dt)
        o1, o2 = decay(traces.post, self.tau_minus, dt), decay(traces.post_slow, self.tau_y, dt)
        matrix = on_pre(matrix, arrived * (self.A2_minus + self.A3_minus * r2), -o1, **bounds)
        r1, r2 = (self._spiked(r, arrived) for r in (r1, r2))
        amplitude = fired * (self.A2_plus + self.A3_plus * o2)
        matrix = on_post(matrix, amplitude, r1, columns=traces.columns, **bounds)
        o1, o2 = (self._spiked(o, fired) for o in (o1, o2))
        return TripletTraces(r1, r2, o1, o2, traces.columns), matrix

    def _spiked(self, x: Float[Array, " n"], spikes: Float[Array, " n"]) -> Float[Array, " n"]:
        return restarted(x, spikes) if self.nearest else x + spikes
