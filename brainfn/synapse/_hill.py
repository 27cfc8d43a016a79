"""Channels opened by a substance that accumulates on the postsynaptic side."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Parameter
from .._field import param
from ._base import AbstractOutput


class Hill(AbstractOutput):
    r"""A conductance that a substance opens and saturates: modulators, peptides, G-proteins.

    $$I = \bar g\,\frac{c^n}{c^n + K^n}\,(E - v)$$

    The variable $c$ of the receptor is a concentration, to which each spike adds its weight, in uM:
    with a receptor of hundreds of ms it is that of a neuromodulator, which all projections that
    share the receptor release, and which acts only after many spikes. It stays event-driven.

    ```python
    bf.Projection(
        "raphe",
        "cells",
        bf.connect.AllToAll(),
        weight=0.01,  # uM
        synapse=bf.synapse.DualExponential(100*ms, 2000*ms),
        output=bf.synapse.Hill(2*nS, -90*mV, half=1.0),
    )
    ```

    **Arguments:**

    - `conductance`: $\bar g$, with all channels open, in nS.
    - `reversal`: $E$ in mV.
    - `half`: $K$, the concentration that opens half of the channels, in uM.
    - `exponent`: $n$, dimensionless.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Hill (1910), "The possible effects of the aggregation of the molecules of haemoglobin on its
        dissociation curves", J. Physiol. 40:iv-vii; for channels opened by G-proteins Destexhe and
        Sejnowski (1995), "G protein activation kinetics and spillover of GABA may account for
        differences between inhibitory responses in the hippocampus and thalamus", PNAS
        92:9515-9519, doi:10.1073/pnas.92.21.9515.
    """

    conductance: Parameter = param(unit="nS", sign="nonnegative", positional=True)
    reversal: Parameter = param(unit="mV", positional=True)
    half: Parameter = param(1.0, unit="uM", sign="positive")
    exponent: Parameter = param(4.0, unit="", sign="positive")

    def __call__(
        self, g: Float[Array, " n_post"], v: Float[Array, " n_post"]
    ) -> Float[Array, " n_post"]:
        # As a sigmoid of the logarithm it neither overflows nor divides by zero.
        some = g > 0
        ratio = jnp.where(some, g, jnp.ones_like(g)) / self.half
        opened = jax.nn.sigmoid(self.exponent * jnp.log(ratio))
        opened = jnp.where(some, opened, jnp.zeros_like(opened))
        return self.conductance * opened * (self.reversal - v)
