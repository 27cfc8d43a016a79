"""Slow plasticity that keeps rates in range, and several rules at once."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._field import check_below, check_number, param
from .._model import Clock
from ..event import AbstractMatrix, ColumnIndex, on_post
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import columns_of, decay


class ScalingTraces(eqx.Module):
    """Traces of [`brainfn.plasticity.SynapticScaling`][]: the `rate` of the postsynaptic neurons in
    1/ms, shape `(n_post,)`."""

    rate: Float[Array, " n_post"]
    columns: ColumnIndex | None


class SynapticScaling(AbstractPlasticity[ScalingTraces]):
    r"""Homeostatic scaling: all weights onto a neuron are multiplied so that it reaches its rate.

    $$\tau\, \dot w_{ij} = w_{ij} \left(1 - \frac{r_j}{r^*}\right),\qquad
    \tau_r\, \dot r_j = -r_j + \sum_k \delta(t - t_{jk})$$

    The estimate $r_j$ follows each spike; weights are multiplied once in each `interval`, by
    $\exp((1 - r_j/r^*)\,\mathrm{interval}/\tau)$, so that their ratios stay as they are. That costs
    one pass over all synapses in each interval, which divided by the steps of an interval is little
    beside the spikes. Combine it with other rules by [`brainfn.plasticity.Combined`][].

    **Arguments:**

    - `target`: the rate $r^*$ in 1/ms (`5*Hz`).
    - `tau`: time constant $\tau$ of the weights in ms; `tau_rate`: $\tau_r$ of the estimate in ms.
    - `rate_init`: initial value of the estimate in 1/ms; `target` if not given.
    - `interval`: time between multiplications in ms.
    - `w_min`, `w_max`: bounds of the weights, in their unit.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Turrigiano, Leslie, Desai, Rutherford and Nelson (1998), "Activity-dependent scaling of
        quantal amplitude in neocortical neurons", Nature 391:892-896, doi:10.1038/36103; the
        equation as in van Rossum, Bi and Turrigiano (2000), "Stable Hebbian learning from spike
        timing-dependent plasticity", J. Neurosci. 20:8812-8821,
        doi:10.1523/JNEUROSCI.20-23-08812.2000, without its integral term. The default time
        constants are much faster than in slices (hours).
    """

    target: Parameter = param(0.005, unit="1/ms", sign="positive")
    tau: Parameter = param(1e5, unit="ms", sign="positive")
    tau_rate: Parameter = param(1e4, unit="ms", sign="positive")
    rate_init: Parameter | None = param(None, unit="1/ms", sign="nonnegative", none=True)
    interval: Parameter = param(100.0, unit="ms", sign="positive", shared=True)
    w_min: Parameter = param(0.0, unit="nS or pA")
    w_max: Parameter = param(100.0, unit="nS or pA")

    def __check_init__(self):
        check_number(self, "interval")
        check_below(self, "w_min", "w_max", "nS or pA")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> ScalingTraces:
        del key
        zero = jnp.zeros(matrix.shape[1], matrix.vector_dtype)
        start = self.target if self.rate_init is None else self.rate_init
        return ScalingTraces(zero + jnp.asarray(start, zero.dtype), columns_of(matrix))

    def step(
        self,
        traces: ScalingTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[ScalingTraces, AbstractMatrix]:
        del pre, modulator, key
        fired = post.signal.astype(traces.rate.dtype)
        rate = decay(traces.rate, self.tau_rate, clock.dt) + fired / self.tau_rate
        steps = jnp.maximum(jnp.round(self.interval / clock.dt), 1).astype(jnp.int32)
        elapsed = steps.astype(rate.dtype) * clock.dt
        growth = jnp.expm1((1 - rate / self.target) * (elapsed / self.tau))
        now = (clock.step + 1) % steps == 0
        matrix = on_post(
            matrix,
            jnp.where(now, growth, jnp.zeros_like(growth)),
            factor=1.0,
            columns=traces.columns,
            lower=self.w_min,
            upper=self.w_max,
        )
        return ScalingTraces(rate, traces.columns), matrix


class Combined(AbstractPlasticity[tuple[Any, ...]]):
    """Several rules for the same weights, applied one after the other in each step.

    ```python
    bf.plasticity.Combined([bf.plasticity.STDP(), bf.plasticity.SynapticScaling()])
    ```

    **Arguments:**

    - `rules`: a list of rules. Those that update weights lazily
        ([`brainfn.plasticity.DopamineSTDP`][]) can't be combined with others.

    **Raises:** `TypeError` or `ValueError` naming the argument.
    """

    rules: tuple[AbstractPlasticity, ...] = eqx.field(converter=tuple)

    def __check_init__(self):
        if not self.rules:
            raise ValueError("`rules` must name at least one rule.")
        for rule in self.rules:
            if not isinstance(rule, AbstractPlasticity):
                raise TypeError(f"`rules` must hold plasticity rules, got {rule!r:.100}.")
            if type(rule).due is not AbstractPlasticity.due:
                raise ValueError(
                    f"`rules`: {type(rule).__name__} updates weights lazily; other rules would "
                    "change weights that are not up to date."
                )

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> tuple[Any, ...]:
        return tuple(rule.init(matrix, key=_own(key, i)) for i, rule in enumerate(self.rules))

    def step(
        self,
        traces: tuple[Any, ...],
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[tuple[Any, ...], AbstractMatrix]:
        new = []
        for i, (rule, own) in enumerate(zip(self.rules, traces, strict=True)):
            own, matrix = rule.step(own, matrix, pre, post, modulator, clock, key=_own(key, i))
            new.append(own)
        return tuple(new), matrix


def _own(key: Key | None, i: int) -> Key | None:
    return None if key is None else jr.fold_in(key, i)
