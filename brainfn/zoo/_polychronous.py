"""The network of Izhikevich (2006): conduction delays and plasticity make polychronous groups."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .. import measure
from .._custom_types import Key, Parameter
from .._field import param
from .._model import Clock
from ..driver import simulate
from ..event import CSR, AbstractMatrix, ColumnIndex, on_post, on_pre
from ..input import AbstractInput
from ..network import Network, Projection
from ..plasticity import AbstractPlasticity
from ..record import SpikeCount, outputs
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Activity, Current, Instant
from ..units import Hz, ms
from ._entry import Entry, Outcome, Variant
from ._izhikevich import Programmed, gamma_peak
from ._statistics import rate

_SECTION, _LAST = 2000.0, 2000.0
_EXC, _INH, _EACH, _LONGEST = 800, 200, 100, 20


class SlowTraces(eqx.Module):
    """Traces of [`brainfn.zoo.SlowSTDP`][]: of arrivals, of postsynaptic spikes, and the derivative
    of each weight."""

    pre: Float[Array, " n_pre"]
    post: Float[Array, " n_post"]
    derivative: Float[Array, "..."]
    columns: ColumnIndex


class SlowSTDP(AbstractPlasticity[SlowTraces]):
    r"""STDP of nearest neighbours that changes weights once per interval.

    Pairs of spikes add to the derivative $d$ of a weight, $A_+ e^{-\Delta t / \tau}$ or
    $-A_- e^{-\Delta t / \tau}$; after each interval

    $$w \leftarrow \operatorname{clip}(w + d + d_0,\ 0,\ w_\max),\qquad d \leftarrow 0.9\,d$$

    **Arguments:**

    - `A_plus`, `A_minus`: in the unit of the weights; `tau`: in ms.
    - `drift`: $d_0$ in each interval; `keep`: by which $d$ is multiplied.
    - `interval`: in ms; `w_max`: in the unit of the weights.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    A_plus: Parameter = param(0.1, unit="mV/ms", sign="nonnegative")
    A_minus: Parameter = param(0.12, unit="mV/ms", sign="nonnegative")
    keep_trace: Parameter = param(0.95, unit="", sign="probability")
    drift: Parameter = param(0.01, unit="mV/ms")
    keep: Parameter = param(0.9, unit="", sign="probability")
    interval: Parameter = param(1000.0, unit="ms", sign="positive", shared=True)
    w_max: Parameter = param(10.0, unit="mV/ms", sign="positive")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> SlowTraces:
        del key
        assert isinstance(matrix, CSR)
        n_pre, n_post = matrix.shape
        dtype = matrix.vector_dtype
        zeros = jnp.zeros_like(matrix.data)
        columns = matrix.column_index()
        return SlowTraces(jnp.zeros(n_pre, dtype), jnp.zeros(n_post, dtype), zeros, columns)

    def step(
        self,
        traces: SlowTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[SlowTraces, AbstractMatrix]:
        del modulator, key
        # The trace of a spike is one at once, whatever it was, and falls by `keep_trace` per ms.
        fall = self.keep_trace**clock.dt
        arrived, fired = pre.signal.astype(bool), post.signal.astype(bool)
        x = jnp.where(arrived, jnp.ones_like(traces.pre), fall * traces.pre)
        y = traces.post
        slow = matrix.with_weight(traces.derivative)
        slow = on_pre(slow, pre.signal, -self.A_minus * y)

        def change(w: Any, d: Any) -> Any:
            return jnp.clip(w + self.drift + d, 0, self.w_max), self.keep * d

        # Between the two, since in the program a spike is detected at the beginning of the next ms.
        steps = jnp.round(self.interval / clock.dt).astype(jnp.int32)
        due = (clock.step + 1) % steps == 0
        weights, derivative = lax.cond(due, change, lambda w, d: (w, d), matrix.data, slow.data)
        slow = slow.with_weight(derivative)
        slow = on_post(slow, post.signal, self.A_plus * x, columns=traces.columns)
        y = jnp.where(fired, jnp.ones_like(y), fall * y)
        return SlowTraces(x, y, slow.data, traces.columns), matrix.with_weight(weights)


class RandomKick(AbstractInput[Any]):
    """One neuron, chosen anew in each step, gets `amplitude`."""

    amplitude: Parameter = param(unit="pA", positional=True)

    def init(self, size: int | None, *, key: Key | None = None) -> Any:
        del key
        return jnp.zeros(size or 0, bool)

    def step(self, state: Any, clock: Clock, *, key: Key | None = None) -> tuple[Any, Any]:
        del clock
        if key is None:
            raise ValueError("`key` is needed: RandomKick is random. Try key=jax.random.key(0).")
        chosen = jr.randint(key, (), 0, state.shape[0], jnp.int32)
        own = jnp.arange(state.shape[0], dtype=jnp.int32) == chosen
        return state, jnp.where(own, self.amplitude, jnp.zeros_like(self.amplitude))


def polychronous(
    *, key: Key, surrogate: AbstractSurrogate | None = ReluGrad()
) -> tuple[Network, RandomKick]:
    r"""A network of 1000 simple neurons with conduction delays up to 20 ms and STDP.

    Each of 800 excitatory neurons has 100 synapses of 6 mV/ms onto any neuron, five with each delay
    from 1 to 20 ms; each of 200 inhibitory ones 100 of -5 mV/ms onto excitatory neurons, after 1
    ms. Excitatory weights change by [`brainfn.zoo.SlowSTDP`][] between 0 and 10. In each ms one
    neuron is kicked. Use `dt=1.0`, as its program does.

    **Arguments:**

    - `key`: a JAX random key for the connections.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one.

    **Returns:** the network, with one population `"cells"` (the first 800 are excitatory), and its
    input for [`brainfn.simulate`][].

    !!! example

        ```python
        key = jax.random.key(0)
        network, kicks = bf.zoo.polychronous(key=key, surrogate=None)
        out = bf.simulate(network, inputs={"cells": kicks}, duration=5000.0, dt=1.0, key=key)
        ```

    ??? cite

        Izhikevich (2006), "Polychronization: computation with spikes", Neural Comput. 18:245-282,
        doi:10.1162/089976606775093882, with its program spnet.m.
    """
    n = _EXC + _INH
    excitatory = np.arange(n) < _EXC
    cells = Programmed(
        n,
        a=np.where(excitatory, 0.02, 0.1),
        d=np.where(excitatory, 8.0, 2.0),
        surrogate=surrogate,
    )
    k_exc, k_inh = jr.split(key)
    targets = np.asarray(jr.randint(k_exc, (_LONGEST, _EXC, _EACH // _LONGEST), 0, n))
    blocked = np.asarray(jr.randint(k_inh, (_INH, _EACH), 0, _EXC))
    joined = {"synapse": Instant(), "output": Current()}
    rule = SlowSTDP()
    projections = {
        f"exc {d + 1}": Projection(
            "cells",
            "cells",
            _rows(targets[d], 0, 6.0),
            delay=(d + 1) * ms,
            plasticity=rule,
            **joined,
        )
        for d in range(_LONGEST)
    }
    projections["inh"] = Projection(
        "cells", "cells", _rows(blocked, _EXC, -5.0), delay=1 * ms, **joined
    )
    return Network({"cells": cells}, projections), RandomKick(20.0)


def _rows(targets: np.ndarray, first: int, weight: float) -> CSR:
    """Some rows with equally many elements each, and none in the others."""
    n = _EXC + _INH
    rows, each = targets.shape
    indptr = np.clip(np.arange(n + 1) - first, 0, rows) * each
    indices = np.sort(targets, axis=1).reshape(-1)
    return CSR(weight, indices.astype(np.int32), indptr.astype(np.int32), shape=(n, n))


def _experiment(variant: str, *, scale: float, duration: float, dt: float, key: Key) -> Outcome:
    del variant
    if scale != 1 or dt != 1:
        raise ValueError("`scale` and `dt` of this network must be 1: its program has one size.")
    network, kicks = polychronous(key=key, surrogate=None)
    last = min(_LAST, duration)
    state: Any = None
    rates, out = [], None
    sections = [_SECTION] * int((duration - last) // _SECTION)
    for i, section in enumerate([*sections, last]):
        recorded = i == len(sections)
        out = simulate(
            network,
            inputs={"cells": kicks},
            duration=section,
            dt=dt,
            key=key,
            state=state,
            record=outputs if recorded else SpikeCount(),
        )
        state = out.state
        counts = np.asarray(out.outputs["cells"])
        counts = counts.sum(0) if recorded else counts
        rates.append([counts[:_EXC].mean() / section, counts[_EXC:].mean() / section])
    assert out is not None
    spikes = np.asarray(out.outputs["cells"])
    weights = state.model_state.weights
    learned = np.concatenate([np.asarray(weights[f"exc {d + 1}"]) for d in range(_LONGEST)])
    trains = {
        "exc": measure.from_dense(spikes[:, :_EXC], dt=dt),
        "inh": measure.from_dense(spikes[:, _EXC:], dt=dt),
    }
    found = {
        "rate_exc": rate(trains["exc"]),
        "rate_inh": rate(trains["inh"]),
        "gamma": gamma_peak(trains["exc"]),
        "weak": float(np.mean(learned < 1)),
        "strong": float(np.mean(learned > 9)),
    }

    def picture() -> Any:
        from .. import plot

        figure = plot.new_figure(11.0, 6.0)
        figure.suptitle("Delays and plasticity: Izhikevich (2006)")
        grid = figure.add_gridspec(2, 2, width_ratios=(1.7, 1))
        raster = figure.add_subplot(grid[:, 0])
        end = min(1000.0, last)
        plot.raster({k: measure.window(x, 0.0, end) for k, x in trains.items()}, ax=raster)
        raster.set_title("the last second")
        ax = figure.add_subplot(grid[0, 1])
        ax.hist(learned, bins=40, range=(0, 10), color="#D55E00")
        ax.set(xlabel="weight (mV/ms)", ylabel="synapses", title=f"after {duration / 1e3:g} s")
        ax = figure.add_subplot(grid[1, 1])
        ends = np.cumsum([*sections, last]) / 1e3
        for values, colour, name in zip(
            np.array(rates).T / Hz, ("#D55E00", "#0072B2"), ("exc", "inh"), strict=True
        ):
            ax.plot(ends, values, colour, label=name)
        ax.set(xlabel="time (s)", ylabel="rate (Hz)", ylim=(0, None))
        ax.legend(frameon=False)
        return figure

    return Outcome(
        found,
        {"weights": learned, "rates": np.array(rates), "spikes": spikes},
        "1000 neurons, 100 000 synapses",
        duration,
        picture,
    )


POLYCHRONOUS = Entry(
    name="polychronous",
    title="simple neurons with conduction delays and plasticity",
    source="Izhikevich (2006), doi:10.1162/089976606775093882, program spnet.m",
    size="1000 neurons, 100 000 synapses",
    expected="weights part into weak and strong ones; a slow rhythm becomes gamma rhythms",
    variants={"spnet.m": Variant("Polychronous groups", "the program of the paper, steps of 1 ms")},
    experiment=_experiment,
    python="bf.zoo.polychronous(key=key)",
    rows={
        "rate_exc": ("excitatory rate (Hz)", "{:.2f}"),
        "rate_inh": ("inhibitory rate (Hz)", "{:.2f}"),
        "gamma": ("gamma peak (Hz)", "{:.0f}"),
        "weak": ("weights below 1", "{:.2f}"),
        "strong": ("weights above 9", "{:.2f}"),
    },
    duration=120_000.0,
    dt=1.0,
    note="rates and rhythm: those of the last two seconds",
)
