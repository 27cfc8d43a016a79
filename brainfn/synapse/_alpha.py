"""Receptors with a finite rise time: alpha and dual exponential."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Key, Parameter
from .._field import flag, param
from ..solver import phi1
from ._base import AbstractReceptor


class Rising(eqx.Module):
    """State of receptors with a finite rise time, shape `(n_post,)` each.

    - `g`: the conductance (nS) or current (pA).
    - `h`: the auxiliary variable that drives `g`, in the unit of `g` per ms (alpha) or of `g` (dual
      exponential).
    """

    g: Float[Array, " n_post"]
    h: Float[Array, " n_post"]


class Alpha(AbstractReceptor[Rising]):
    r"""A receptor whose response to a spike is an alpha function with the weight as its peak.

    $$g(t) = w\,\frac{t}{\tau}\,e^{1 - t/\tau}$$

    $$\frac{dg}{dt} = -\frac{g}{\tau} + h,\qquad \frac{dh}{dt} = -\frac{h}{\tau},\qquad
    \text{spike}:\ h \leftarrow h + w\,\frac{e}{\tau}$$

    The update is exact. Weights are added to the state unscaled, in the unit of $h\tau/e$. Without
    `normalize` the factor $e$ is left out: the area of the response is $w\,\tau$, its peak $w/e$.

    **Arguments:**

    - `tau`: time to peak in ms, a number or one for each postsynaptic neuron.
    - `normalize`: whether the peak of the response is the weight.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Rall (1967), "Distinguishing theoretical synaptic potentials computed for different
        soma-dendritic distributions of synaptic input", J. Neurophysiol. 30:1138-1168,
        doi:10.1152/jn.1967.30.5.1138; normalised as NEST's `iaf_psc_alpha`.
    """

    target = "h"
    tau: Parameter = param(unit="ms", sign="positive", positional=True)
    normalize: bool = flag(True)

    def init(self, size: int, *, key: Key | None = None) -> Rising:
        del key
        zeros = jnp.zeros(size, self.tau.dtype)
        return Rising(zeros, zeros)

    # `h` holds the summed weights; the factor e / tau is applied where it drives `g`.
    def value(self, state: Rising, t: FloatScalarLike) -> Float[Array, " n_post"]:
        gain = jnp.e if self.normalize else 1.0
        return (state.g + state.h * (gain / self.tau) * t) * jnp.exp(-t / self.tau)

    def advance(self, state: Rising, dt: float) -> Rising:
        return Rising(self.value(state, dt), state.h * jnp.exp(-dt / self.tau))


class DualExponential(AbstractReceptor[Rising]):
    r"""A receptor that rises and decays exponentially.

    $$g(t) = w\,a\,\bigl(e^{-t/\tau_\mathrm{decay}} - e^{-t/\tau_\mathrm{rise}}\bigr)$$

    $$\frac{dg}{dt} = -\frac{g}{\tau_\mathrm{decay}} + \frac{c\,h}{\tau_\mathrm{rise}},\qquad
    \frac{dh}{dt} = -\frac{h}{\tau_\mathrm{rise}},\qquad \text{spike}:\ h \leftarrow h + w$$

    The update is exact, even if both time constants are equal: then it is an alpha function. With
    `normalize` the constant $c$ makes the peak of the response equal to the weight; without it
    $c = 1$, and the area of the response is $w\,\tau_\mathrm{decay}$.

    **Arguments:**

    - `tau_rise`, `tau_decay`: time constants in ms, numbers or one for each postsynaptic neuron.
    - `normalize`: whether the peak of the response is the weight.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Roth and van Rossum (2009), "Modeling synapses", in De Schutter (ed), Computational Modeling
        Methods for Neuroscientists, doi:10.7551/mitpress/9780262013277.003.0007.
    """

    target = "h"
    tau_rise: Parameter = param(unit="ms", sign="positive", positional=True)
    tau_decay: Parameter = param(unit="ms", sign="positive", positional=True)
    normalize: bool = flag(True)

    def init(self, size: int, *, key: Key | None = None) -> Rising:
        del key
        zeros = jnp.zeros(size, self.tau_decay.dtype)
        return Rising(zeros, zeros)

    def _response(self, t: Any) -> Array:
        r"""$\tfrac{1}{\tau_r}\int_0^t e^{-(t-s)/\tau_d} e^{-s/\tau_r} ds$, safe at equal taus."""
        faster = (1 / self.tau_decay - 1 / self.tau_rise) * t
        return jnp.exp(-t / self.tau_decay) * (t / self.tau_rise) * phi1(faster)

    def _gain(self) -> Array | float:
        if not self.normalize:
            return 1.0
        # The peak is at log(r) / (r - 1) rise times, r = tau_rise / tau_decay, written so that r =
        # 1 is not a special case: log(r) / (r - 1) = 1 / phi1(log r).
        ratio = self.tau_rise / self.tau_decay
        peak = self.tau_rise / phi1(jnp.log(ratio))
        return 1 / self._response(peak)

    def value(self, state: Rising, t: FloatScalarLike) -> Float[Array, " n_post"]:
        rising = state.h * (self._gain() * self._response(t))
        return state.g * jnp.exp(-t / self.tau_decay) + rising

    def advance(self, state: Rising, dt: float) -> Rising:
        return Rising(self.value(state, dt), state.h * jnp.exp(-dt / self.tau_rise))
