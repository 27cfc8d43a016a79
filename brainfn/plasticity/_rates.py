"""Plasticity of rate units."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._field import check_number, param
from .._model import Clock
from ..event import AbstractMatrix, ColumnIndex, on_post, on_pre
from ..synapse import Activity
from ._base import AbstractPlasticity
from ._traces import columns_of


class Oja(AbstractPlasticity[ColumnIndex | None]):
    r"""Oja's rule: Hebbian learning of rates that keeps the norm of the weights.

    $$\dot w_{ij} = \eta\, y_j (x_i - y_j w_{ij})$$

    $x$ are the arriving signals, $y$ the emitted ones. For linear units, $y = x^\top w$, the
    weights converge to the first principal component of $x$ with norm 1. A step is exact for
    constant $x$ and $y$. Only synapses onto units with $y_j \neq 0$ are touched.

    **Arguments:**

    - `eta`: learning rate $\eta$ in 1/ms, for dimensionless rates.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Oja (1982), "A simplified neuron model as a principal component analyzer", J. Math. Biol.
        15:267-273, doi:10.1007/BF00275687.
    """

    eta: Parameter = param(1e-3, unit="1/ms", sign="nonnegative", shared=True)

    def __check_init__(self):
        check_number(self, "eta")

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
        del modulator, key
        x, y = (s.signal.astype(matrix.vector_dtype) for s in (pre, post))
        lost = -jnp.expm1(-self.eta * clock.dt * y * y)
        matrix = on_post(matrix, lost, factor=-1.0, columns=traces)
        there = y != 0
        gained = jnp.where(there, lost / jnp.where(there, y, jnp.ones_like(y)), 0.0 * y)
        return traces, on_post(matrix, gained, x, columns=traces)


class BCMTraces(eqx.Module):
    """The thresholds of [`brainfn.plasticity.BCM`][], shape `(n_post,)`."""

    theta: Float[Array, " n_post"]


class BCM(AbstractPlasticity[BCMTraces]):
    r"""The rule of Bienenstock, Cooper and Munro: depression below and potentiation above a
    threshold that slides with the square of the rate.

    $$\dot w_{ij} = \eta\, x_i\, y_j (y_j - \theta_j),\qquad
    \tau_\theta\, \dot\theta_j = y_j^2 - \theta_j$$

    $x$ are the arriving signals, $y$ the emitted ones. A step holds both, uses the threshold before
    it, and is exact for the threshold. It is stable if the threshold moves faster than the weights;
    units become selective for one input pattern. Only synapses with $x_i \neq 0$ are touched.

    **Arguments:**

    - `eta`: learning rate $\eta$ in 1/ms, for dimensionless rates.
    - `tau_theta`: time constant of the threshold in ms.
    - `theta_init`: its initial value.
    - `w_min`, `w_max`: bounds of the weights; `None` for no bound.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Bienenstock, Cooper and Munro (1982), "Theory for the development of neuron selectivity:
        orientation specificity and binocular interaction in visual cortex", J. Neurosci. 2:32-48,
        doi:10.1523/JNEUROSCI.02-01-00032.1982; the threshold as in Intrator and Cooper (1992),
        "Objective function formulation of the BCM theory of visual cortical plasticity", Neural
        Netw. 5:3-17, doi:10.1016/S0893-6080(05)80003-6.
    """

    eta: Parameter = param(1e-4, unit="1/ms", sign="nonnegative", shared=True)
    tau_theta: Parameter = param(100.0, unit="ms", sign="positive")
    theta_init: Parameter = param(1.0, unit="", sign="nonnegative")
    w_min: Parameter | None = param(None, unit="", none=True)
    w_max: Parameter | None = param(None, unit="", none=True)

    def __check_init__(self):
        check_number(self, "eta")

    def init(self, matrix: AbstractMatrix, *, key: Key | None = None) -> BCMTraces:
        del key
        zero = jnp.zeros(matrix.shape[1], matrix.vector_dtype)
        return BCMTraces(zero + jnp.asarray(self.theta_init, zero.dtype))

    def step(
        self,
        traces: BCMTraces,
        matrix: AbstractMatrix,
        pre: Activity,
        post: Activity,
        modulator: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[BCMTraces, AbstractMatrix]:
        del modulator, key
        x, y = (s.signal.astype(matrix.vector_dtype) for s in (pre, post))
        change = self.eta * clock.dt * y * (y - traces.theta)
        matrix = on_pre(matrix, x, change, lower=self.w_min, upper=self.w_max)
        square = y * y
        theta = square + (traces.theta - square) * jnp.exp(-clock.dt / self.tau_theta)
        return BCMTraces(theta), matrix
