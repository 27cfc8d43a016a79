"""A gate that opens with the presynaptic membrane potential."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from .._custom_types import Key, Parameter
from .._field import param
from .._model import Clock
from ..solver import phi1
from ._base import AbstractRelease
from ._release import check_function, voltage


class Opening(eqx.Module):
    """State of [`brainfn.synapse.SigmoidGate`][]: the open fraction `s`."""

    s: Float[Array, " n_pre"]


class SigmoidGate(AbstractRelease[Opening]):
    r"""Graded release: transmitter is a sigmoid of the presynaptic potential, and opens a gate.

    $$\frac{ds}{dt} = \alpha\,F(v)\,(1 - s) - \beta\,s,\qquad
    F(v) = \frac{1}{1 + e^{-(v - \theta)/k}}$$

    For neurons whose action potentials are computed, such as [`brainfn.neuron.PointNeuron`][], and
    for those that release transmitter without them. The gate is sent in each step:
    `Projection(..., release=SigmoidGate(), synapse=Instant(), output=Conductance(-75.0))`. Over a
    step $v$ is taken as it is at its end: of order 1.

    **Arguments:**

    - `alpha`: rate of opening in 1/ms; `beta`: rate of closing in 1/ms.
    - `threshold`: $\theta$, where half of the transmitter is released, in mV.
    - `slope`: $k$ in mV.
    - `of`: maps the state of the presynaptic population to the potentials, shape `(n_pre,)`; its
        `v` by default.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Wang and Rinzel (1993), "Spindle rhythmicity in the reticularis thalami nucleus: synchrony
        among mutually inhibitory neurons", Neuroscience 53:899-904,
        doi:10.1016/0306-4522(93)90474-T; default values of the GABA~A~ synapses of Wang and Buzsaki
        (1996), "Gamma oscillation by synaptic inhibition in a hippocampal interneuronal network
        model", J. Neurosci. 16:6402-6413, doi:10.1523/JNEUROSCI.16-20-06402.1996.
    """

    graded: ClassVar[bool] = True
    alpha: Parameter = param(12.0, unit="1/ms", sign="nonnegative")
    beta: Parameter = param(0.1, unit="1/ms", sign="positive")
    threshold: Parameter = param(0.0, unit="mV")
    slope: Parameter = param(2.0, unit="mV", sign="positive")
    of: Callable[[Any], Any] = eqx.field(static=True, default=voltage, kw_only=True)

    def __check_init__(self):
        check_function(self.of)

    def init(self, size: int, *, key: Key | None = None) -> Opening:
        del key
        return Opening(jnp.zeros(size, self.beta.dtype))

    def release(
        self,
        state: Opening,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[Opening, Float[Array, " n_pre"]]:
        del emitted, key
        v = self.of(pre).astype(state.s.dtype)
        opening = self.alpha * jax.nn.sigmoid((v - self.threshold) / self.slope)
        rate = opening + self.beta
        s = state.s + clock.dt * phi1(-clock.dt * rate) * (opening - rate * state.s)
        return Opening(s), s
