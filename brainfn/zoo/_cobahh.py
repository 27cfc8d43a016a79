"""The COBAHH benchmark: Vogels and Abbott's network with Hodgkin-Huxley neurons."""

from typing import Any

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import measure
from .._custom_types import Key
from .._field import astype
from ..connect import FixedProbability
from ..init import Normal
from ..network import Network, Projection
from ..neuron import DeadTime, traub_miles
from ..record import SpikeTrains
from ..solver import ExponentialMidpoint
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Conductance, Exponential
from ..units import ms, mV, nS
from ._entry import Entry, Figures, Variant, Window, check_scale
from ._statistics import mean_cv, rate, synchrony, windowed

# Means over three seeds; tests/oracle/cobahh_nest.py.
_REFERENCE = {
    "NEST 3.10": {
        "0-1000": {"rate_exc": 38.40, "rate_inh": 38.35, "cv": 2.041, "fano": 4.95},
        "200-1200": {"rate_exc": 38.34, "rate_inh": 38.50, "cv": 2.038, "fano": 3.94},
    }
}


def cobahh(
    *,
    scale: int | float = 1.0,
    key: Key,
    delay: float | None = None,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, Float[Array, ""]]:
    r"""3200 excitatory and 800 inhibitory Hodgkin-Huxley neurons: benchmark 3 of Brette et al.

    $$C \dot v = g_L (E_L - v) - I_\mathrm{Na} - I_\mathrm{K} + g_e (E_e - v) + g_i (E_i - v)$$

    with the channels of Traub and Miles ([`brainfn.neuron.traub_miles`][]), $C$ = 200 pF, synapses
    of 6 nS that decay with 5 ms towards 0 mV and of 67 nS that decay with 10 ms towards -80 mV, and
    connections with a probability of 0.02. It starts from random potentials and conductances and
    sustains itself. A spike is detected above -20 mV, if the last one is 3 ms ago
    ([`brainfn.neuron.DeadTime`][]); cells are integrated by
    [`brainfn.solver.ExponentialMidpoint`][], as a step of 0.1 ms of order one loses spikes.

    **Arguments:**

    - `scale`: number of neurons in units of 4000. Each neuron keeps 80 synapses.
    - `key`: a JAX random key for the connections.
    - `delay`: axonal delay in ms; `None` means one step.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one, which take less
        memory.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network and its drive, zero, the `inputs` of [`brainfn.simulate`][].

    **Raises:** `ValueError` for a `scale` out of range.

    ??? cite

        Brette et al. (2007), "Simulation of networks of spiking neurons: a review of tools and
        strategies", doi:10.1007/s10827-007-0038-6, appendix 2, benchmark 3; initial values of
        Brian's COBAHH example.
    """
    scale = check_scale(scale, 0.02, 8000, "80 neurons, all connected to all", "4000 neurons")
    dtype = jnp.result_type(float) if dtype is None else dtype
    sizes = {"exc": round(3200 * scale), "inh": round(800 * scale)}
    populations = {
        name: DeadTime(
            traub_miles(
                size,
                v_threshold=-20 * mV,
                v_init=Normal(-60.0, 5.0),
                solver=ExponentialMidpoint(),
                surrogate=surrogate,
            ),
            3 * ms,
        )
        for name, size in sizes.items()
    }
    rule = FixedProbability(min(1.0, 80 / sum(sizes.values())))
    projections = {
        name: Projection(
            name,
            list(sizes),
            rule,
            weight=weight,
            synapse=Exponential(tau, g_init=start),
            output=Conductance(reversal),
            delay=delay,
        )
        for name, weight, tau, start, reversal in (
            ("exc", 6 * nS, 5 * ms, Normal(40.0, 15.0), 0 * mV),
            ("inh", 67 * nS, 10 * ms, Normal(200.0, 120.0), -80 * mV),
        )
    }
    network = astype(Network(populations, projections, key=key), dtype)
    return network, jnp.zeros((), dtype)


def _figures(trains: dict[str, SpikeTrains], window: Window) -> Figures:
    seen = windowed(trains, ("exc", "inh"), window)
    both = measure.pool(list(seen.values()))
    return {
        "rate_exc": rate(seen["exc"]),
        "rate_inh": rate(seen["inh"]),
        "cv": mean_cv(both),
        "fano": synchrony(both),
    }


def _window(duration: float) -> Window:
    """That of the references if the run is long enough."""
    return (200.0, 1200.0) if duration >= 1200.0 else (0.0, min(duration, 1000.0))


def _facts(figures: Figures) -> list[str]:
    return [
        f"rate {figures['rate_exc']:.1f} Hz excitatory, {figures['rate_inh']:.1f} Hz inhibitory",
        f"CV {figures['cv']:.2f}",
    ]


def _build(variant: str, *, scale: float, key: Key, dt: float) -> tuple[Network, Any]:
    del variant, dt
    return cobahh(scale=scale, key=key, surrogate=None)


COBAHH = Entry(
    name="cobahh",
    title="excitatory and inhibitory Hodgkin-Huxley neurons, synapses are conductances",
    source="Brette et al. (2007), doi:10.1007/s10827-007-0038-6, benchmark 3",
    size="4000 neurons, 320 000 synapses",
    expected="irregular bursts that sustain themselves, at about 38 Hz",
    variants={
        "brian": Variant(
            "COBAHH",
            "Brette et al. (2007), benchmark 3; initial values of Brian's example",
            reference=_REFERENCE,
        )
    },
    build=_build,
    python="bf.zoo.cobahh(scale=1, key=key)",
    drawn={"exc": 2, "inh": 1},
    figures=_figures,
    rows={
        "rate_exc": ("excitatory rate (Hz)", "{:.2f}"),
        "rate_inh": ("inhibitory rate (Hz)", "{:.2f}"),
        "cv": ("CV of intervals", "{:.3f}"),
        "fano": ("synchrony (Fano factor, 2 ms)", "{:.2f}"),
    },
    window=_window,
    facts=_facts,
    duration=1200.0,
    note="others: means over seeds of 4000 neurons, dt 0.1 ms",
)
