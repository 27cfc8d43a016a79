"""Neurons in the units of machine learning: threshold 1, rest 0, a current of 1 drives to 1."""

from .._custom_types import FloatArrayLike
from ..neuron import ALIF, LIF, LeakyIntegrator
from ..surrogate import AbstractSurrogate, FastSigmoid, Triangle


def lif(
    size: int,
    *,
    tau: FloatArrayLike = 20.0,
    refractory: FloatArrayLike = 0.0,
    soft_reset: bool = True,
    surrogate: AbstractSurrogate | None = None,
    detach_reset: bool = False,
) -> LIF:
    r"""Leaky integrate-and-fire neurons in units of their threshold.

    $$\tau \dot v = -v + I, \qquad v \ge 1:\ \text{spike},\ v \leftarrow v - 1$$

    [`brainfn.neuron.LIF`][] with threshold 1, rest and reset potential 0, and a capacitance of
    `tau`, so that a constant current $I$ drives the membrane to $v = I$.

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: membrane time constant in ms.
    - `refractory`: in ms.
    - `soft_reset`: whether a spike subtracts 1; otherwise it sets $v$ to 0.
    - `surrogate`: by default `FastSigmoid(25)`.
    - `detach_reset`: whether gradients exclude the path through the reset. With recurrent weights
        and long sequences keep it: without it gradients can grow without bound.

    ??? cite

        The surrogate is that of Zenke and Ganguli (2018), "SuperSpike: supervised learning in
        multilayer spiking neural networks", Neural Comput. 30:1514-1541,
        doi:10.1162/neco_a_01086, in the scaling of Zenke and Vogels (2021),
        doi:10.1162/neco_a_01367.
    """
    return LIF(
        size,
        tau=tau,
        capacitance=tau,
        v_rest=0.0,
        v_threshold=1.0,
        v_reset=0.0,
        refractory=refractory,
        soft_reset=soft_reset,
        surrogate=FastSigmoid(25.0) if surrogate is None else surrogate,
        detach_reset=detach_reset,
    )


def alif(
    size: int,
    *,
    tau: FloatArrayLike = 20.0,
    tau_adaptation: FloatArrayLike = 2000.0,
    beta: FloatArrayLike = 0.029,
    refractory: FloatArrayLike = 0.0,
    soft_reset: bool = True,
    surrogate: AbstractSurrogate | None = None,
    detach_reset: bool = False,
) -> ALIF:
    r"""Leaky integrate-and-fire neurons whose threshold rises at each spike, at rest 1.

    $$\tau \dot v = -v + I, \qquad \tau_a \dot a = -a, \qquad v \ge 1 + a:\ \text{spike},\
    v \leftarrow v - (1 + a),\ a \leftarrow a + \beta$$

    [`brainfn.neuron.ALIF`][] as [`brainfn.nn.lif`][] is [`brainfn.neuron.LIF`][]: a memory of
    `tau_adaptation`. Mixed with neurons without it, if `beta` is an array with zeros.

    **Arguments:**

    - `size`: number of neurons.
    - `tau`, `tau_adaptation`: time constants of membrane and threshold in ms.
    - `beta`: by which a spike raises the threshold, in units of the threshold at rest.
    - `refractory`: in ms.
    - `soft_reset`: whether a spike subtracts the threshold; otherwise it sets $v$ to 0.
    - `surrogate`: by default `Triangle(0.3)`.
    - `detach_reset`: as for [`brainfn.nn.lif`][].

    ??? cite

        Bellec et al. (2020), "A solution to the learning dilemma for recurrent networks of spiking
        neurons", Nat. Commun. 11:3625, doi:10.1038/s41467-020-17236-y: time constants, surrogate,
        and a jump of 0.0174 at a threshold of 0.6 for the accumulation of evidence.
    """
    return ALIF(
        size,
        tau=tau,
        capacitance=tau,
        v_rest=0.0,
        v_threshold=1.0,
        v_reset=0.0,
        b=beta,
        tau_a=tau_adaptation,
        refractory=refractory,
        soft_reset=soft_reset,
        surrogate=Triangle(0.3) if surrogate is None else surrogate,
        detach_reset=detach_reset,
    )


def integrator(size: int, *, tau: FloatArrayLike = 20.0) -> LeakyIntegrator:
    r"""Leaky integrators that a constant current $I$ drives to $v = I$: readouts.

    $$\tau \dot v = -v + I$$

    [`brainfn.neuron.LeakyIntegrator`][] with a capacitance of `tau`. Its outputs are the membrane
    potentials: reduce them over time as you like, `out.max(axis=0)`, `out.mean(axis=0)`, `out[-1]`.

    **Arguments:**

    - `size`: number of readouts.
    - `tau`: time constant in ms.
    """
    return LeakyIntegrator(size, tau=tau, capacitance=tau)
