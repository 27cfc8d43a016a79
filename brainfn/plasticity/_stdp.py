"""Pair-based spike-timing-dependent plasticity."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._field import check_below, param
from .._model import Clock
from ..event import CSR, AbstractMatrix, ColumnIndex, FixedFanout, on_post, on_pre
from ..synapse import Activity
from ._base import AbstractPlasticity


class PairTraces(eqx.Module):
    """Traces of [`brainfn.plasticity.STDP`][]: `pre` of shape `(n_pre,)`, `post` of `(n_post,)`.

    `columns` holds the positions of the weights onto each postsynaptic neuron, for matrices stored
    by rows.
    """

    pre: Float[Array, " n_pre"]
    post: Float[Array, " n_post"]
    columns: ColumnIndex | None


class STDP(AbstractPlasticity[PairTraces]):
    r"""Additive STDP with all pairs of spikes.

    $$\Delta w = A_+\,e^{-(t_\mathrm{post} - t_\mathrm{pre})/\tau_+}\ \ (t_\mathrm{pre} \le
    t_\mathrm{post}),\qquad
    \Delta w = -A_-\,e^{-(t_\mathrm{pre} - t_\mathrm{post})/\tau_-}\ \ (t_\mathrm{post} <
    t_\mathrm{pre}),$$

    where $t_\mathrm{pre}$ is the time of arrival. Two traces hold the sums over all earlier spikes:
    at an arrival, the weights of that presynaptic neuron decrease by $A_-$ times the postsynaptic
    trace; at a postsynaptic spike, the weights onto that neuron increase by $A_+$ times the
    presynaptic trace, including arrivals of the same step. Changed weights are clipped to their
    bounds. The cost is proportional to the number of spikes, not of synapses.

    **Arguments:**

    - `A_plus`, `A_minus`: $A_+$, $A_-$, in the unit of the weights.
    - `tau_plus`, `tau_minus`: time constants of the traces in ms.
    - `w_min`, `w_max`: bounds of the weights, in their unit.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Song, Miller and Abbott (2000), "Competitive Hebbian learning through spike-timing-dependent
        synaptic plasticity", Nature Neurosci. 3:919-926, doi:10.1038/78829; the traces as in
        Morrison, Diesmann and Gerstner (2008), doi:10.1007/s00422-008-0233-1.
    """

    A_plus: Parameter = param(0.01, unit="nS or pA", sign="nonnegative")
    A_minus: Parameter = param(0.0105, unit="nS or pA", sign="nonnegative")
    tau_plus: Parameter = param(20.0, unit="ms", sign="positive")
    tau_minus: Parameter = param(20.0, unit="ms", sign="positive")
    w_min: Parameter = param(0.0, unit="nS or pA")
    w_max: Parameter = param(1.0, unit="nS or pA")

    def __check_init__(self):
        check_below(self, "w_min", "w_max", "nS or pA")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> PairTraces:
        del key
        n_pre, n_post = matrix.shape
        stored_by_rows = isinstance(matrix, CSR | FixedFanout)
        return PairTraces(
            jnp.zeros(n_pre, matrix.vector_dtype),
            jnp.zeros(n_post, matrix.vector_dtype),
            matrix.column_index() if stored_by_rows else None,
        )

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
        dtype = traces.pre.dtype
        arrived, fired = pre.signal.astype(dtype), post.signal.astype(dtype)
        x = traces.pre * jnp.exp(-clock.dt / self.tau_plus) + arrived
        y = traces.post * jnp.exp(-clock.dt / self.tau_minus)
        low, high = self.w_min, self.w_max
        matrix = on_pre(matrix, pre.signal, -self.A_minus * y, lower=low, upper=high)
        matrix = on_post(
            matrix,
            post.signal,
            self.A_plus * x,
            columns=traces.columns,
            lower=low,
            upper=high,
        )
        return PairTraces(x, y + fired, traces.columns), matrix
