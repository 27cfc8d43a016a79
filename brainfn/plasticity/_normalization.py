"""Competition of the synapses onto a neuron for a fixed sum of weights."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from .._custom_types import Key, Parameter
from .._field import check_number, param
from .._model import Clock
from ..event import AbstractMatrix, ColumnIndex, on_post
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import columns_of


class Normalization(AbstractPlasticity[ColumnIndex | None]):
    r"""All weights onto a neuron are divided by their sum, at regular times, so that synapses
    compete.

    $$w_{ij} \leftarrow w_{ij}\,\frac{W}{\sum_k w_{kj}}$$

    Their ratios stay as they are. It costs two passes over all synapses at the end of each
    interval, and nothing in between. Weights of a neuron whose sum is not positive are left alone;
    bounds of other rules do not hold for it. Combine it with other rules by
    [`brainfn.plasticity.Combined`][].

    **Arguments:**

    - `total`: the sum $W$, in the unit of the weights: one number, or one for each postsynaptic
        neuron.
    - `interval`: time between normalisations in ms, the first at its end.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        von der Malsburg (1973), "Self-organization of orientation sensitive cells in the striate
        cortex", Kybernetik 14:85-100, doi:10.1007/BF00288907; once per stimulus as in Diehl and
        Cook (2015), "Unsupervised learning of digit recognition using spike-timing-dependent
        plasticity", Front. Comput. Neurosci. 9:99, doi:10.3389/fncom.2015.00099.
    """

    total: Parameter = param(1.0, unit="nS or pA", sign="positive")
    interval: Parameter = param(500.0, unit="ms", sign="positive", shared=True)

    def __check_init__(self):
        check_number(self, "interval")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> ColumnIndex | None:
        del key
        return columns_of(matrix)

    def step(
        self,
        traces: ColumnIndex | None,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[ColumnIndex | None, AbstractMatrix]:
        del pre, post, modulator, key
        n_pre, n_post = matrix.shape
        steps = jnp.maximum(jnp.round(self.interval / clock.dt), 1).astype(jnp.int32)
        none = jnp.zeros(n_post, matrix.vector_dtype)

        def growth() -> Any:
            sums = jnp.ones(n_pre, none.dtype) @ matrix
            there = sums > 0
            return jnp.where(there, self.total / jnp.where(there, sums, 1 + none) - 1, none)

        # Sums only where they are needed; changes of zero touch no weight.
        growing = lax.cond((clock.step + 1) % steps == 0, growth, lambda: none)
        return traces, on_post(matrix, growing, factor=1.0, columns=traces)
