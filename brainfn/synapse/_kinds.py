"""Well-known synapses by name: the parts of a projection, with published values."""

from typing import Any

from .._custom_types import FloatArrayLike
from ._instant import Instant
from ._kinetic import GABAB, TwoState
from ._nmda import MagnesiumBlock
from ._output import Conductance, Diffusive
from ._release import Graded, voltage


def ampa(reversal: FloatArrayLike = 0.0) -> dict[str, Any]:
    r"""Kinetic AMPA synapses: $\alpha$ = 1.1 /(mM ms), $\beta$ = 0.19 /ms, 1 mM for 1 ms.

    ```python
    bf.Projection("a", "b", bf.connect.FixedProbability(0.1), weight=0.5*nS, **bf.synapse.ampa())
    ```

    Projections that are given the same dictionary share one receptor.

    **Arguments:**

    - `reversal`: in mV.

    **Returns:** the arguments `release`, `synapse` and `output` of [`brainfn.Projection`][]. The
    weight is the conductance with all receptors open, in nS.

    ??? cite

        Destexhe, Mainen and Sejnowski (1998), "Kinetic models of synaptic transmission", in Koch
        and Segev (eds), Methods in Neuronal Modeling.
    """
    return _two_state(TwoState(alpha=1.1, beta=0.19), Conductance(reversal))


def gaba_a(reversal: FloatArrayLike = -80.0) -> dict[str, Any]:
    r"""Kinetic GABA~A~ synapses: $\alpha$ = 5 /(mM ms), $\beta$ = 0.18 /ms, 1 mM for 1 ms.

    Arguments and returned value as for [`brainfn.synapse.ampa`][].

    ??? cite

        Destexhe, Mainen and Sejnowski (1998), "Kinetic models of synaptic transmission", in Koch
        and Segev (eds), Methods in Neuronal Modeling.
    """
    return _two_state(TwoState(alpha=5.0, beta=0.18), Conductance(reversal))


def nmda(reversal: FloatArrayLike = 0.0, magnesium: FloatArrayLike = 1.0) -> dict[str, Any]:
    r"""Kinetic NMDA synapses: $\alpha$ = 0.072 /(mM ms), $\beta$ = 0.0066 /ms, 1 mM for 1 ms, with
    the magnesium block of Jahr and Stevens (1990).

    **Arguments:**

    - `reversal`: in mV.
    - `magnesium`: extracellular concentration in mM.

    **Returns:** as [`brainfn.synapse.ampa`][].

    ??? cite

        Destexhe, Mainen and Sejnowski (1998), "Kinetic models of synaptic transmission", in Koch
        and Segev (eds), Methods in Neuronal Modeling.
    """
    output = MagnesiumBlock(reversal, magnesium=magnesium)
    return _two_state(TwoState(alpha=0.072, beta=0.0066), output)


def gaba_b(reversal: FloatArrayLike = -95.0) -> dict[str, Any]:
    r"""Kinetic GABA~B~ synapses, see [`brainfn.synapse.GABAB`][].

    Arguments and returned value as for [`brainfn.synapse.ampa`][].

    ??? cite

        Destexhe, Mainen and Sejnowski (1998), "Kinetic models of synaptic transmission", in Koch
        and Segev (eds), Methods in Neuronal Modeling.
    """
    return {"release": GABAB(), "synapse": Instant(), "output": Conductance(reversal)}


def gap_junction() -> dict[str, Any]:
    r"""Electrical synapses: $I_j = \sum_i w_{ij} (v_i - v_j)$, weights in nS.

    ```python
    gap = bf.synapse.gap_junction()
    bf.Projection("a", "b", bf.event.Dense(w), **gap)
    bf.Projection("b", "a", bf.event.Dense(w.T), **gap)
    ```

    One projection is one direction: a junction that conducts both ways needs the transposed weights
    in the other, and within one population a symmetric matrix. Neurons see the potentials at the
    end of the step before: with `dt` the error is of order 1.

    **Returns:** the arguments `release`, `synapse` and `output` of [`brainfn.Projection`][], for
    populations whose state has a `v`.

    ??? cite

        Bennett and Zukin (2004), "Electrical coupling and neuronal synchronization in the mammalian
        brain", Neuron 41:495-511, doi:10.1016/S0896-6273(04)00043-1.
    """
    return {"release": Graded(voltage), "synapse": Instant(), "output": Diffusive()}


def _two_state(release: TwoState, output: Any) -> dict[str, Any]:
    return {"release": release, "synapse": release.receptor(), "output": output}
