"""The delta synapse: a jump of the membrane potential."""

from typing import ClassVar

from jaxtyping import Array, Float

from ._base import AbstractOutput


class Delta(AbstractOutput):
    r"""A spike lets the membrane potential jump by the weight, in mV.

    $$v \leftarrow v + \sum_k w_k, \qquad k \text{ over what arrives in step } n$$

    The jump is made at the end of the step in which spikes arrive, after the membrane has been
    integrated and immediately before the threshold is tested: with leaky neurons this is exact. A
    neuron that is refractory ignores it. Use it with `synapse=Instant()`:

    ```python
    bf.Projection(
        "exc",
        "cells",
        bf.connect.FixedIndegree(1000),
        weight=0.1*mV,
        delay=1.5*ms,
        synapse=bf.synapse.Instant(),
        output=bf.synapse.Delta(),
    )
    ```

    With the same delay, a network has the same spikes as one of NEST's `iaf_psc_delta`.
    Integrate-and-fire neurons and [`brainfn.neuron.PointNeuron`][] support it; a network refuses it
    for populations that do not.

    ??? cite

        Brunel (2000), "Dynamics of sparsely connected networks of excitatory and inhibitory spiking
        neurons", J. Comput. Neurosci. 8:183-208, doi:10.1023/A:1008925309027; order of events of
        NEST's `iaf_psc_delta`.
    """

    jumps: ClassVar[bool] = True

    def __call__(
        self, g: Float[Array, " n_post"], v: Float[Array, " n_post"]
    ) -> Float[Array, " n_post"]:
        del v
        return g
