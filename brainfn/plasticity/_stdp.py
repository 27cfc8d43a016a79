"""Pair-based spike-timing-dependent plasticity."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._errors import nearest
from .._field import check_below, param
from .._model import Clock
from ..event import AbstractMatrix, on_post, on_pre
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import PairTraces, decay, pair_traces, restarted

_PAIRINGS = ("all", "symmetric", "reduced")


class STDPTraces(eqx.Module):
    """Traces of [`brainfn.plasticity.STDP`][].

    - `pairs`: those of pairs, that of postsynaptic spikes as it is at the next arrivals.
    - `since_pre`, `since_post`: if only neighbours count, the time since the last arrival and the
        last spike, as decaying traces.
    """

    pairs: PairTraces
    since_pre: Float[Array, " n_pre"] | None
    since_post: Float[Array, " n_post"] | None


class STDP(AbstractPlasticity[STDPTraces]):
    r"""STDP of pairs of spikes: additive, multiplicative or in between, with hard bounds.

    $$\Delta w = A_+ \left(\frac{w_\max - w}{w_\max - w_\min}\right)^{\mu_+}
    e^{-(t_\mathrm{post} - t_\mathrm{pre})/\tau_+}\quad (t_\mathrm{pre} \le t_\mathrm{post}),$$

    $$\Delta w = -A_- \left(\frac{w - w_\min}{w_\max - w_\min}\right)^{\mu_-}
    e^{-(t_\mathrm{pre} - t_\mathrm{post})/\tau_-}\quad (t_\mathrm{post} < t_\mathrm{pre}),$$

    where $t_\mathrm{pre}$ is the time of arrival. With $\mu_\pm = 0$ (the default) the rule is
    additive, with $\mu_\pm = 1$ multiplicative: weights approach their bounds softly. A trace on
    each side holds the sum over earlier spikes: at an arrival, the weights of that presynaptic
    neuron decrease; at a postsynaptic spike, the weights onto that neuron increase, also by
    arrivals of the same step. Changed weights are clipped to their bounds. The cost is proportional
    to the number of spikes, not of synapses.

    **Pairing** (names of Morrison et al.): `"all"` pairs of spikes count; `"symmetric"`: each spike
    is paired with the last one on the other side; `"reduced"`: only pairs of neighbours, with no
    other spike of either neuron between them.

    On CUDA these updates have no kernel of their own yet: they run over all synapses there.

    **Arguments:**

    - `A_plus`, `A_minus`: $A_+$, $A_-$, in the unit of the weights.
    - `tau_plus`, `tau_minus`: time constants of the traces in ms.
    - `mu_plus`, `mu_minus`: $\mu_+$, $\mu_-$, dimensionless.
    - `w_min`, `w_max`: bounds of the weights, in their unit.
    - `pairing`: which pairs count, `"all"`, `"symmetric"` or `"reduced"`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Song, Miller and Abbott (2000), "Competitive Hebbian learning through spike-timing-dependent
        synaptic plasticity", Nature Neurosci. 3:919-926, doi:10.1038/78829, with the default
        constants; the powers as in Guetig, Aharonov, Rotter and Sompolinsky (2003), "Learning input
        correlations through nonlinear temporally asymmetric Hebbian plasticity", J. Neurosci.
        23:3697-3714, doi:10.1523/JNEUROSCI.23-09-03697.2003; traces and pairings as in Morrison,
        Diesmann and Gerstner (2008), "Phenomenological models of synaptic plasticity based on spike
        timing", Biol. Cybern. 98:459-478, doi:10.1007/s00422-008-0233-1.
    """

    A_plus: Parameter = param(0.01, unit="nS or pA", sign="nonnegative")
    A_minus: Parameter = param(0.0105, unit="nS or pA", sign="nonnegative")
    tau_plus: Parameter = param(20.0, unit="ms", sign="positive")
    tau_minus: Parameter = param(20.0, unit="ms", sign="positive")
    mu_plus: Parameter = param(0.0, unit="", sign="nonnegative")
    mu_minus: Parameter = param(0.0, unit="", sign="nonnegative")
    w_min: Parameter = param(0.0, unit="nS or pA")
    w_max: Parameter = param(1.0, unit="nS or pA")
    pairing: str = eqx.field(default="all", static=True, kw_only=True)

    def __check_init__(self):
        check_below(self, "w_min", "w_max", "nS or pA")
        if self.pairing not in _PAIRINGS:
            raise ValueError(
                f"`pairing` must be one of {list(_PAIRINGS)}, got {self.pairing!r}."
                + nearest(str(self.pairing), _PAIRINGS)
            )

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> STDPTraces:
        del key
        pairs = pair_traces(matrix)
        if self.pairing != "reduced":
            return STDPTraces(pairs, None, None)
        return STDPTraces(pairs, jnp.zeros_like(pairs.pre), jnp.zeros_like(pairs.post))

    def step(
        self,
        traces: STDPTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[STDPTraces, AbstractMatrix]:
        del modulator, key
        pairs, dt = traces.pairs, clock.dt
        arrived, fired = (s.signal.astype(pairs.pre.dtype) for s in (pre, post))
        x, y = decay(pairs.pre, self.tau_plus, dt), pairs.post
        x = x + arrived if self.pairing == "all" else restarted(x, arrived)
        newer_post = newer_pre = None
        since_pre, since_post = traces.since_pre, traces.since_post
        if since_pre is not None and since_post is not None:
            # An arrival counts as half a step earlier than a spike of its step.
            half = 0.5 * dt
            since_pre = decay(since_pre, self.tau_minus, dt)
            since_post = decay(since_post, self.tau_plus, dt)
            newer_post, newer_pre = (y, since_pre), (x, since_post)
            since_pre = restarted(since_pre, arrived, jnp.exp(-half / self.tau_minus))
            since_post = restarted(since_post, fired, jnp.exp(half / self.tau_plus))
        low, high = self.w_min, self.w_max
        span = high - low
        matrix = on_pre(
            matrix,
            pre.signal,
            y,
            scale=-self.A_minus / span**self.mu_minus,
            lower=low,
            upper=high,
            toward=low,
            power=self.mu_minus,
            newer=newer_post,
        )
        matrix = on_post(
            matrix,
            post.signal,
            x,
            scale=self.A_plus / span**self.mu_plus,
            columns=pairs.columns,
            lower=low,
            upper=high,
            toward=high,
            power=self.mu_plus,
            newer=newer_pre,
        )
        y = y + fired if self.pairing == "all" else restarted(y, fired)
        # For the arrivals of the next step, where it is used first.
        y = decay(y, self.tau_minus, dt)
        return STDPTraces(PairTraces(x, y, pairs.columns), since_pre, since_post), matrix


class PowerLawSTDP(AbstractPlasticity[PairTraces]):
    r"""STDP of all pairs of spikes whose potentiation is a power of the weight.

    $$\Delta w = A_+ \left(\frac{w}{w_0}\right)^{\mu} e^{-(t_\mathrm{post} - t_\mathrm{pre})/\tau_+}
    \ \ (t_\mathrm{pre} \le t_\mathrm{post}),\qquad
    \Delta w = -A_- \frac{w}{w_0}\,e^{-(t_\mathrm{pre} - t_\mathrm{post})/\tau_-}\ \
    (t_\mathrm{post} < t_\mathrm{pre})$$

    Weights stay positive and need no upper bound: depression grows faster with the weight than
    potentiation. Times, traces and cost are those of [`brainfn.plasticity.STDP`][].

    **Arguments:**

    - `A_plus`, `A_minus`: $A_+$, $A_-$, in the unit of the weights.
    - `tau_plus`, `tau_minus`: time constants of the traces in ms.
    - `mu`: $\mu$, dimensionless.
    - `w_ref`: $w_0$, in the unit of the weights.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Morrison, Aertsen and Diesmann (2007), "Spike-timing-dependent plasticity in balanced random
        networks", Neural Comput. 19:1437-1467, doi:10.1162/neco.2007.19.6.1437, with
        $\lambda = 0.1$, $\alpha = 0.0513$, $\mu = 0.4$ and $w_0$ = 1 pA.
    """

    A_plus: Parameter = param(0.1, unit="nS or pA", sign="nonnegative")
    A_minus: Parameter = param(0.00513, unit="nS or pA", sign="nonnegative")
    tau_plus: Parameter = param(15.0, unit="ms", sign="positive")
    tau_minus: Parameter = param(30.0, unit="ms", sign="positive")
    mu: Parameter = param(0.4, unit="", sign="nonnegative")
    w_ref: Parameter = param(1.0, unit="nS or pA", sign="positive")

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
        x = decay(traces.pre, self.tau_plus, clock.dt) + arrived
        y = decay(traces.post, self.tau_minus, clock.dt)
        matrix = on_pre(matrix, pre.signal, factor=-self.A_minus * y / self.w_ref, lower=0.0)
        matrix = on_post(
            matrix,
            post.signal,
            self.A_plus * x / self.w_ref**self.mu,
            columns=traces.columns,
            toward=0.0,
            power=self.mu,
        )
        return PairTraces(x, y + fired, traces.columns), matrix
