"""Networks that learn by FORCE: of rates (Sussillo and Abbott 2009), and of spiking neurons (Nicola
and Clopath 2017)."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from .._custom_types import Key
from .._errors import count
from ..connect import FixedProbability, csr
from ..event import CSR
from ..init import Normal, Uniform
from ..learn import RLS, Force
from ..neuron import LIF, Izhikevich2007
from ..nn import Layer, LiquidState
from ..rate import Tanh
from ..synapse import DualExponential
from ..units import ms, mV, nS, pA, pF
from ._entry import choose

NEURONS = ("lif", "izhikevich")
# In the papers 10 % of the pairs are connected.
_P = 0.1
_RISE, _DECAY = 2 * ms, 20 * ms


def sussillo_abbott(
    n: int = 1000,
    n_out: int = 1,
    *,
    gain: float = 1.5,
    feedback: float = 1.0,
    regularisation: float = 1.0,
    every: int = 2,
    key: Key,
) -> Force:
    r"""The random network of rates that learns to generate signals.

    $$\tau \dot x = -x + g J r + w_z z, \qquad r = \tanh x, \qquad z = \phi^T r$$

    With $g$ = 1.5 it is chaotic before learning. $\tau$ is 10 ms; use `dt=1*ms`, as in the paper.

    **Arguments:**

    - `n`, `n_out`: numbers of units and of signals.
    - `gain`: $g$; the entries of $J$ have variance $1/(pN)$, $p$ = 0.1.
    - `feedback`: $w_z$ is uniform between plus and minus this.
    - `regularisation`: $\lambda$ of [`brainfn.learn.RLS`][].
    - `every`: steps between corrections.
    - `key`: a JAX random key.

    **Returns:** a [`brainfn.learn.Force`][]: its inputs are the targets, shape `(n_out,)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Sussillo and Abbott (2009), "Generating coherent patterns of activity from chaotic neural
        networks", Neuron 63:544-557, doi:10.1016/j.neuron.2009.07.018.
    """
    n, n_out = count("n", n, minimum=10), count("n_out", n_out, minimum=1)
    recurrent_key, feedback_key = jr.split(key)
    law = Normal(0.0, gain / (_P * n) ** 0.5)
    layer = Layer(
        n_out,
        Tanh(n, tau=10 * ms, x_init=Normal(0.0, 0.5)),
        weight=Uniform(-feedback, feedback),
        recurrent=csr(FixedProbability(_P), n, n, weight=law, key=recurrent_key),
        key=feedback_key,
    )
    return Force(layer, RLS(n, n_out, regularisation=regularisation), every=every)


def nicola_clopath(
    neuron: str = "lif",
    n: int = 2000,
    n_out: int = 1,
    *,
    gain: float | None = None,
    feedback: float | None = None,
    regularisation: float | None = None,
    every: int | None = None,
    key: Key,
) -> Force:
    r"""The networks of spiking neurons that learn to generate signals.

    $$\omega = G \omega_0 + Q\, \eta\, \phi^T, \qquad z = \phi^T r$$

    with the spikes filtered by a double exponential of 2 and 20 ms, $r$, which also is the synaptic
    current. $\omega_0$ connects a tenth of the pairs with normally distributed weights, whose mean
    over the inputs of each neuron is zero; $\eta$ is uniform in (-1, 1). The static part is
    event-driven, the learned part has rank `n_out`.

    **Arguments:**

    - `neuron`: `"lif"` (use `dt=0.05*ms`) or `"izhikevich"` (`dt=0.04*ms`).
    - `n`, `n_out`: numbers of neurons and of signals.
    - `gain`, `feedback`: $G$ and $Q$ in the units of the authors' programs: 0.04 mV s and 10 mV
        (LIF), 5000 pA ms and 5000 pA (Izhikevich).
    - `regularisation`: $\lambda$ of [`brainfn.learn.RLS`][], for $r$ in units of one spike: 80
        (LIF), 200 (Izhikevich).
    - `every`: steps between corrections: 50 (LIF), 20 (Izhikevich).
    - `key`: a JAX random key.

    **Returns:** a [`brainfn.learn.Force`][]: its inputs are the targets, shape `(n_out,)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Nicola and Clopath (2017), "Supervised learning in spiking neural networks with FORCE
        training", Nat. Commun. 8:2208, doi:10.1038/s41467-017-01827-3, with the constants of the
        authors' programs, ModelDB 190565.
    """
    choose("neuron", neuron, dict.fromkeys(NEURONS))
    n, n_out = count("n", n, minimum=10), count("n_out", n_out, minimum=1)
    recurrent_key, feedback_key = jr.split(key)
    lif = neuron == "lif"
    # The authors' r has an area of 1 for a spike, in 1/s (LIF) or 1/ms (Izhikevich); here a spike
    # has the area of the decay time. Their regularisation, 1 / (5e-6 s) and 1/2, scales with r².
    unit = 1000 / _DECAY if lif else 1 / _DECAY
    gain = (0.04 if lif else 5000.0) if gain is None else gain
    feedback = (10.0 if lif else 5000.0) if feedback is None else feedback
    regularisation = (2e5 if lif else 0.5) / unit**2 if regularisation is None else regularisation
    every = (50 if lif else 20) if every is None else every
    trace = DualExponential(_RISE, _DECAY, normalize=False)
    reservoir = LiquidState(
        n_out,
        _lif(n) if lif else _izhikevich(n),
        weight=Uniform(-feedback, feedback),
        recurrent=_balanced(n, gain * unit / (n**0.5 * _P), recurrent_key),
        # The leaky neurons rest at threshold: their bias is part of the neuron.
        bias=0.0 if lif else 1000 * pA,
        synapse=trace,
        trace=trace,
        key=feedback_key,
    )
    return Force(reservoir, RLS(n, n_out, regularisation=regularisation), every=every)


def _lif(n: int) -> LIF:
    # A capacitance equal to the time constant: currents are in mV, as in the paper.
    return LIF(
        n,
        tau=10 * ms,
        capacitance=10.0,
        v_rest=-40 * mV,
        v_threshold=-40 * mV,
        v_reset=-65 * mV,
        refractory=2 * ms,
        # Some begin above threshold: without their spikes nothing would ever happen.
        v_init=Uniform(-65 * mV, 30 * mV),
        surrogate=None,
    )


def _izhikevich(n: int) -> Izhikevich2007:
    b, k = -2 * nS, 2.5
    return Izhikevich2007(
        n,
        capacitance=250 * pF,
        k=k,
        v_rest=-60 * mV,
        v_threshold=-60 * mV + 40 * mV - b / k,
        a=0.01,
        b=b,
        c=-65 * mV,
        d=200 * pA,
        v_peak=30 * mV,
        v_init=Uniform(-60 * mV, 30 * mV),
        u_init=0.0,
        surrogate=None,
    )


def _balanced(n: int, std: float, key: Key) -> CSR:
    """Random weights whose mean over the inputs of each neuron is zero."""
    matrix = csr(FixedProbability(_P), n, n, weight=Normal(0.0, std), key=key)
    targets, data = np.asarray(matrix.indices), np.asarray(matrix.data, np.float64)
    number = np.maximum(np.bincount(targets, minlength=n), 1)
    mean = np.bincount(targets, data, minlength=n) / number
    return matrix.with_weight(jnp.asarray(data - mean[targets], matrix.data.dtype))
