"""The networks of Vogels and Abbott, in the variants distributed with simulators."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import measure
from .._custom_types import Key
from .._field import astype
from ..connect import AbstractRule, FixedInDegree, FixedProbability
from ..event import CSR
from ..init import AbstractInitializer, Normal, Uniform
from ..input import Poisson
from ..network import Network, Projection
from ..neuron import LIF
from ..record import SpikeTrains
from ..surrogate import AbstractSurrogate, ReluGrad
from ..synapse import AbstractOutput, Conductance, Current, Exponential
from ..units import Hz, ms, mV, nS, pA, pF
from ._entry import Entry, Figures, Variant, Window, check_scale, choose
from ._statistics import mean_cv, rate, synchrony, windowed


class VogelsAbbott(NamedTuple):
    """One variant of the Vogels-Abbott network: the parameters that differ between variants.

    - `title`: its name in words.
    - `source`: the script or paper from which the parameters are taken.
    - `conductance`: whether synapses are conductances (COBA) or currents (CUBA).
    - `v_rest`: resting potential in mV.
    - `drive`: constant current into every neuron in pA.
    - `weight_exc`, `weight_inh`: synaptic weights in nS (COBA) or pA (CUBA).
    - `v_init`: initial membrane potential in mV; an initializer or a number.
    - `g_exc_init`, `g_inh_init`: initial conductances in nS, or currents in pA.
    - `in_degree`: whether every neuron has exactly 64 + 16 inputs; otherwise each pair of neurons
      is connected with probability 0.02.
    - `kick`: whether 50 excitatory neurons get Poisson spikes of 300 Hz from 1 to 51 ms.
    - `reference`: results of other simulators, `{simulator: {window in ms: {figure: value}}}`:
        rates in Hz of the excitatory and inhibitory neurons (`rate_exc`, `rate_inh`), the mean CV
        of the interspike intervals of all neurons (`cv`), and the Fano factor of the number of
        spikes of all neurons in 2 ms (`fano`).
    """

    title: str
    source: str
    conductance: bool
    v_rest: float
    drive: float
    weight_exc: float
    weight_inh: float
    v_init: AbstractInitializer | float
    g_exc_init: AbstractInitializer | float = 0.0
    g_inh_init: AbstractInitializer | float = 0.0
    in_degree: bool = False
    kick: bool = False
    reference: Mapping[str, Mapping[str, Mapping[str, float]]] = {}


def _figures(rate_exc: float, rate_inh: float, cv: float, fano: float) -> dict[str, float]:
    return {"rate_exc": rate_exc, "rate_inh": rate_inh, "cv": cv, "fano": fano}


# Means over five seeds. Made by the scripts in tests/oracle; a test compares them with ours.
_CUBA_BRIAN = {
    "NEST 3.10": {
        "0-1000": _figures(5.82, 5.66, 0.521, 4.56),
        "200-1200": _figures(5.77, 5.60, 0.516, 3.76),
    },
    "Brian2 2.9": {
        "0-1000": _figures(5.66, 5.64, 0.524, 4.93),
        "200-1200": _figures(5.62, 5.59, 0.522, 4.11),
    },
}
_COBA_BRIAN1 = {
    "NEST 3.10": {
        "0-1000": _figures(19.26, 18.84, 1.493, 7.20),
        "200-1200": _figures(19.48, 19.06, 1.503, 5.92),
    },
    "Brian2 2.9": {
        "0-1000": _figures(19.01, 19.05, 1.538, 7.82),
        "200-1200": _figures(19.50, 19.43, 1.563, 6.10),
    },
}
_COBA_DRIVE = {
    "NEST 3.10": {
        "0-1000": _figures(20.76, 20.84, 1.541, 16.34),
        "200-1200": _figures(20.67, 20.74, 1.551, 5.64),
    },
    "Brian2 2.9": {
        "0-1000": _figures(21.33, 21.39, 1.593, 16.03),
        "200-1200": _figures(21.14, 21.26, 1.597, 5.80),
    },
}
_COBA_KICK = {
    "NEST 3.10": {
        "0-1000": _figures(13.58, 13.72, 1.395, 27.37),
        "200-1200": _figures(14.06, 14.14, 1.428, 10.18),
    },
}
_CUBA_NEST = {
    "NEST 3.10": {
        "0-1000": _figures(4.74, 4.75, 0.588, 877.75),
        "200-1200": _figures(4.00, 4.01, 0.587, 3.24),
    },
}

_coba = {
    "conductance": True,
    "v_rest": -60 * mV,
    "drive": 0 * pA,
    "weight_exc": 6 * nS,
    "weight_inh": 67 * nS,
}
_cuba = {"conductance": False, "v_rest": -49 * mV, "drive": 0 * pA, "weight_exc": 16.2 * pA}

VOGELS_ABBOTT: dict[str, VogelsAbbott] = {
    "coba-drive": VogelsAbbott(
        title="COBA with 20 mV drive",
        source="BrainPy's COBA examples: constant 200 pA (20 mV) into every neuron",
        v_init=Normal(-55.0, 2.0),
        reference=_COBA_DRIVE,
        **{**_coba, "drive": 200 * pA},
    ),
    "coba-brian1": VogelsAbbott(
        title="COBA of Brian 1",
        source="Brian 1's and Brian2's COBA example: random initial conductances, no drive",
        v_init=Normal(-65.0, 5.0),
        g_exc_init=Normal(40.0, 15.0),
        g_inh_init=Normal(200.0, 120.0),
        reference=_COBA_BRIAN1,
        **_coba,
    ),
    "coba-kick": VogelsAbbott(
        title="COBA with a kick",
        source="NEST's coba.py (Brette et al. 2007, benchmark 1), but all neurons start at -60 mV",
        reference=_COBA_KICK,
        v_init=-60 * mV,
        in_degree=True,
        kick=True,
        **_coba,
    ),
    "coba-nest": VogelsAbbott(
        title="COBA of NEST",
        source="NEST 3.10's coba.py as shipped: neurons start at -70 mV; activity often dies out",
        v_init=-70 * mV,
        in_degree=True,
        kick=True,
        **_coba,
    ),
    "cuba-brian": VogelsAbbott(
        title="CUBA of the paper and Brian",
        source="Brette et al. (2007), benchmark 2; Brian 1's and Brian2's CUBA example",
        weight_inh=-90 * pA,
        v_init=Uniform(-60.0, -50.0),
        reference=_CUBA_BRIAN,
        **_cuba,
    ),
    "cuba-nest": VogelsAbbott(
        title="CUBA of NEST",
        source="NEST 3.10's cuba.py as shipped: inhibition of 31 mV, all neurons start at -49 mV",
        reference=_CUBA_NEST,
        weight_inh=-139.5 * pA,
        v_init=-49 * mV,
        in_degree=True,
        kick=True,
        **_cuba,
    ),
}
"""The variants that [`brainfn.zoo.vogels_abbott`][] knows, by name."""

_KICKED = 50
# 64 * 4000 * 8000 excitatory synapses are just below 2**31.
_MAX_SCALE = 8000


def vogels_abbott(
    variant: str = "coba-drive",
    *,
    scale: int | float = 1.0,
    key: Key,
    delay: float | None = None,
    surrogate: AbstractSurrogate | None = ReluGrad(),
    dtype: DTypeLike | None = None,
) -> tuple[Network, Float[Array, ""]]:
    r"""A network of 3200 excitatory and 800 inhibitory leaky integrate-and-fire neurons.

    $$C \dot v = \frac{C}{\tau}(v_\mathrm{rest} - v) + I_\mathrm{exc} + I_\mathrm{inh} + I,\quad
    I_s = g_s (E_s - v)\ \text{(COBA) or } g_s\ \text{(CUBA)},\quad \dot g_s = -g_s / \tau_s$$

    with $C$ = 200 pF, $\tau$ = 20 ms, threshold -50 mV, reset -60 mV, 5 ms refractory,
    $\tau_\mathrm{exc}$ = 5 ms, $\tau_\mathrm{inh}$ = 10 ms, $E_\mathrm{exc}$ = 0 mV,
    $E_\mathrm{inh}$ = -80 mV. Published scripts under this name differ in drive, weights, initial
    values and connections, with rates from 0.4 to 21 Hz, so each variant is named by its source.

    **Arguments:**

    - `variant`: a key of `brainfn.zoo.VOGELS_ABBOTT`, e.g. `"coba-drive"` or `"cuba-brian"`.
    - `scale`: number of neurons in units of 4000. Each neuron keeps 80 synapses, so weights and
      activity do not change.
    - `key`: a JAX random key for the connections.
    - `delay`: axonal delay in ms; `None` means one step.
    - `surrogate`: the derivative of a spike; `None` for `bool` spikes without one, which take less
        memory.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    **Returns:** the network and its drive in pA, the `inputs` of [`brainfn.simulate`][].

    **Raises:** `ValueError` for an unknown variant (with the nearest name), and for a `scale` at
    which the network would have no neurons or fewer than 80 to connect to.

    !!! example

        ```python
        key = jax.random.key(0)
        network, drive = bf.zoo.vogels_abbott("coba-drive", key=key)
        out = bf.simulate(network, inputs=drive, duration=1000.0, dt=0.1, key=key)
        ```

    ??? cite

        Vogels and Abbott (2005), "Signal propagation and logic gating in networks of
        integrate-and-fire neurons", doi:10.1523/JNEUROSCI.3508-05.2005. Brette et al. (2007),
        "Simulation of networks of spiking neurons: a review of tools and strategies",
        doi:10.1007/s10827-007-0038-6, appendix 2, benchmarks 1 and 2.
    """
    chosen = choose("variant", variant, VOGELS_ABBOTT)
    n_exc, n_inh = _sizes(scale)
    dtype = jnp.result_type(float) if dtype is None else dtype

    def population(size: int) -> LIF:
        return LIF(
            size,
            tau=20 * ms,
            capacitance=200 * pF,
            v_rest=chosen.v_rest,
            v_threshold=-50 * mV,
            v_reset=-60 * mV,
            refractory=5 * ms,
            v_init=chosen.v_init,
            surrogate=surrogate,
        )

    def output(reversal: float) -> AbstractOutput:
        return Conductance(reversal) if chosen.conductance else Current()

    excite = {
        "synapse": Exponential(5 * ms, g_init=chosen.g_exc_init),
        "output": output(0 * mV),
        "delay": delay,
    }
    inhibit = {
        "synapse": Exponential(10 * ms, g_init=chosen.g_inh_init),
        "output": output(-80 * mV),
        "delay": delay,
    }
    exc_rule, inh_rule = _rules(chosen, n_exc + n_inh)
    both = ["exc", "inh"]
    populations: dict[str, Any] = {"exc": population(n_exc), "inh": population(n_inh)}
    projections = {
        "exc": Projection("exc", both, exc_rule, weight=chosen.weight_exc, **excite),
        "inh": Projection("inh", both, inh_rule, weight=chosen.weight_inh, **inhibit),
    }
    if chosen.kick:
        kicked = min(_KICKED, n_exc)
        populations["kick"] = Poisson(kicked, 300 * Hz, start=1 * ms, stop=51 * ms)
        first = CSR(
            chosen.weight_exc,
            np.arange(kicked, dtype=np.int32),
            np.arange(kicked + 1, dtype=np.int32),
            shape=(kicked, n_exc),
        )
        projections["kick"] = Projection("kick", "exc", first, **excite)
    network = astype(Network(populations, projections, key=key), dtype)
    return network, jnp.asarray(chosen.drive, dtype)


def _sizes(scale: int | float) -> tuple[int, int]:
    scale = check_scale(scale, 0.02, _MAX_SCALE, "80 neurons, all connected to all", "4000 neurons")
    return round(3200 * scale), round(800 * scale)


def _rules(variant: VogelsAbbott, size: int) -> tuple[AbstractRule, AbstractRule]:
    if variant.in_degree:
        return FixedInDegree(64), FixedInDegree(16)
    rule = FixedProbability(min(1.0, 80 / size))
    return rule, rule


def _figures_of(trains: dict[str, SpikeTrains], window: Window) -> Figures:
    """Rates, CV and synchrony in a window, as the references define them."""
    seen = windowed(trains, ("exc", "inh"), window)
    both = measure.pool(list(seen.values()))
    return _figures(rate(seen["exc"]), rate(seen["inh"]), mean_cv(both), synchrony(both))


def _window(duration: float) -> Window:
    """That of the references if the run is long enough."""
    return (200.0, 1200.0) if duration >= 1200.0 else (0.0, min(duration, 1000.0))


def _variant(chosen: VogelsAbbott) -> Variant:
    rates = [
        f"{simulator} {windows['200-1200']['rate_exc']:.1f} Hz"
        for simulator, windows in chosen.reference.items()
    ]
    expected = f"excitatory rate: {', '.join(rates)}" if rates else ""
    return Variant(chosen.title, chosen.source, expected, chosen.reference)


def _facts(figures: Figures) -> list[str]:
    return [
        f"rate {figures['rate_exc']:.1f} Hz excitatory, {figures['rate_inh']:.1f} Hz inhibitory",
        f"CV {figures['cv']:.2f}",
    ]


def _entry(name: str, title: str, expected: str) -> Entry:
    def build(variant: str, *, scale: float, key: Key, dt: float) -> tuple[Network, Any]:
        del dt
        return vogels_abbott(f"{name}-{variant}", scale=scale, key=key, surrogate=None)

    return Entry(
        name=name,
        title=title,
        source="Vogels and Abbott (2005), doi:10.1523/JNEUROSCI.3508-05.2005; "
        "Brette et al. (2007), doi:10.1007/s10827-007-0038-6",
        size="4000 neurons, 320 000 synapses",
        expected=expected,
        variants={
            whole.removeprefix(f"{name}-"): _variant(chosen)
            for whole, chosen in VOGELS_ABBOTT.items()
            if whole.startswith(f"{name}-")
        },
        build=build,
        python=f'bf.zoo.vogels_abbott("{name}-VARIANT", scale=1, key=key)',
        drawn={"exc": 2, "inh": 1},
        figures=_figures_of,
        rows={
            "rate_exc": ("excitatory rate (Hz)", "{:.2f}"),
            "rate_inh": ("inhibitory rate (Hz)", "{:.2f}"),
            "cv": ("CV of intervals", "{:.3f}"),
            "fano": ("synchrony (Fano factor, 2 ms)", "{:.2f}"),
        },
        window=_window,
        facts=_facts,
        multiples={"the refractory period": 5 * ms},
        v_threshold=-50 * mV,
        note="others: means over five seeds of 4000 neurons, dt 0.1 ms",
        scale_note="shared fluctuations add up: the Fano factor grows with the number of neurons",
    )


COBA = _entry(
    "coba",
    "excitatory and inhibitory neurons, synapses are conductances",
    "irregular bursts that sustain themselves, at about 20 Hz",
)
CUBA = _entry(
    "cuba",
    "excitatory and inhibitory neurons, synapses are currents",
    "irregular spikes that sustain themselves, at about 5.7 Hz",
)
