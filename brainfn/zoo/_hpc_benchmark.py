"""NEST's benchmark of supercomputers: a balanced random network with plastic synapses."""

import math
from typing import Any

import jax.numpy as jnp
from jax.typing import DTypeLike

from .. import measure
from .._custom_types import Key
from .._field import astype
from ..connect import FixedInDegree
from ..init import Normal
from ..input import PoissonArrivals
from ..network import Network, Projection
from ..neuron import LIF
from ..plasticity import PowerLawSTDP
from ..record import SpikeTrains
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import Alpha, Current
from ..units import ms, mV, pA, pF
from ._entry import Entry, Figures, Variant, Window, check_scale
from ._statistics import mean_cv, rate, synchrony, windowed

_SIZES = {"exc": 9000, "inh": 2250}
_TAU_M, _TAU_S, _CAPACITANCE, _THRESHOLD = 10 * ms, 0.32582722403722841 * ms, 250 * pF, 20 * mV
# An alpha current of this peak makes a postsynaptic potential of 0.14 mV.
_WEIGHT, _G, _ETA, _DELAY = 45.61 * pA, -5.0, 1.685, 1.5 * ms


def hpc_benchmark(
    *,
    scale: int | float = 1.0,
    key: Key,
    plastic: bool = True,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, dict[str, Any]]:
    r"""Excitatory and inhibitory neurons, 4 to 1, each with 9000 and 2250 synapses, of which those
    between excitatory neurons are plastic.

    $$C \dot v = -\frac{C}{\tau} v + I, \qquad
    \Delta w = \lambda \left(\frac{w}{w_0}\right)^{0.4} e^{-\Delta t / \tau_+} \text{ or }
    -\alpha \lambda \frac{w}{w_0} e^{-|\Delta t| / \tau_-}$$

    with $C$ = 250 pF, $\tau$ = 10 ms, threshold 20 mV, reset and rest 0 mV, 0.5 ms refractory,
    synaptic currents that are alpha functions, of postsynaptic potentials of 0.14 mV and -0.7 mV, a
    delay of 1.5 ms, and Poisson input of 1.685 times the rate that reaches the threshold by its
    mean. Pairs may be connected more than once, so the network can have fewer neurons than each has
    synapses; it is then synchronous. The script's criterion, a rate below 10 Hz, is meant for
    scales above 10.

    Delays are axonal here, dendritic for the plasticity of NEST.

    **Arguments:**

    - `scale`: number of neurons in units of 11 250. Each keeps its number of synapses.
    - `key`: a JAX random key for the connections.
    - `plastic`: whether synapses between excitatory neurons change.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one, which take less
        memory.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network, and its external input by population, the `inputs` of
    [`brainfn.simulate`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Morrison, Aertsen and Diesmann (2007), "Spike-timing-dependent plasticity in balanced random
        networks", Neural Comput. 19:1437-1467, doi:10.1162/neco.2007.19.6.1437; the constants are
        those of NEST's `hpc_benchmark.py`.
    """
    scale = check_scale(scale, 0.01, 16, "112 neurons", "11 250 neurons")
    if not isinstance(plastic, bool):
        raise TypeError(f"`plastic` must be True or False, got {plastic!r}.")
    dtype = jnp.result_type(float) if dtype is None else dtype
    populations = {
        name: LIF(
            round(scale * size),
            tau=_TAU_M,
            capacitance=_CAPACITANCE,
            v_rest=0 * mV,
            v_threshold=_THRESHOLD,
            v_reset=0 * mV,
            refractory=0.5 * ms,
            v_init=Normal(5.7, 7.2),
            surrogate=surrogate,
        )
        for name, size in _SIZES.items()
    }
    synapse, output = Alpha(_TAU_S), Current()
    projections = {
        f"{source}->{target}": Projection(
            source,
            target,
            FixedInDegree(_SIZES[source], autapses=False),
            weight=_WEIGHT if source == "exc" else _G * _WEIGHT,
            delay=_DELAY,
            synapse=synapse,
            output=output,
            plasticity=PowerLawSTDP() if plastic and source == target == "exc" else None,
        )
        for source in _SIZES
        for target in _SIZES
    }
    # An alpha function of peak 1 has the area e tau.
    charge = _WEIGHT * math.e * _TAU_S
    events = _ETA * _THRESHOLD * _CAPACITANCE / (_TAU_M * charge)
    inputs = {name: PoissonArrivals(events, _WEIGHT, into=f"exc->{name}") for name in _SIZES}
    network = astype(Network(populations, projections, key=key), dtype)
    return network, astype(inputs, dtype)


def _figures(trains: dict[str, SpikeTrains], window: Window) -> Figures:
    seen = windowed(trains, _SIZES, window)
    both = measure.pool(list(seen.values()))
    return {
        "rate_exc": rate(seen["exc"]),
        "rate_inh": rate(seen["inh"]),
        "cv": mean_cv(both),
        "fano": synchrony(both),
    }


def _window(duration: float) -> Window:
    """Without the first 50 ms, if there is more."""
    return (50.0, duration) if duration >= 100.0 else (0.0, duration)


def _facts(figures: Figures) -> list[str]:
    return [f"rate {figures['rate_exc']:.1f} Hz", f"CV {figures['cv']:.2f}"]


def _build(variant: str, *, scale: float, key: Key, dt: float) -> tuple[Network, Any]:
    del dt
    return hpc_benchmark(scale=scale, key=key, plastic=variant == "plastic", surrogate=None)


_MEAN_FIELD = {"mean field": {"": {"rate_exc": 8.68, "rate_inh": 8.68}}}

HPC_BENCHMARK = Entry(
    name="hpc",
    title="NEST's benchmark of supercomputers, with power-law STDP",
    source="Morrison, Aertsen and Diesmann (2007), doi:10.1162/neco.2007.19.6.1437; NEST's "
    "hpc_benchmark.py",
    size="11 250 neurons, 126 562 500 synapses, 81 000 000 of them plastic",
    expected="at scales above 10, irregular spikes below 10 Hz; synchronous at smaller ones",
    variants={
        "plastic": Variant("NEST's hpc_benchmark", "NEST's hpc_benchmark.py"),
        "static": Variant(
            "NEST's hpc_benchmark, static weights",
            "NEST's hpc_benchmark.py without its STDP",
            "8.68 Hz in a large network",
            _MEAN_FIELD,
        ),
    },
    build=_build,
    python="bf.zoo.hpc_benchmark(scale=0.1, key=key)",
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
    duration=250.0,
    scale=0.1,
    multiples={"the delay": _DELAY, "the refractory period": 0.5 * ms},
    v_threshold=_THRESHOLD,
    note="mean field: a network without correlations",
)
