"""Short-term plasticity with an active state."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from .._custom_types import Key, Parameter
from .._field import param
from .._model import Clock
from ..solver import phi1
from ._base import AbstractRelease
from ._release import once


class ThreeStates(eqx.Module):
    """State of [`brainfn.synapse.TsodyksUzielMarkram`][]: the utilisation `u`, and the active and
    inactive parts of the resources, `y` and `z`; the recovered part is `1 - y - z`."""

    u: Float[Array, " n_pre"]
    y: Float[Array, " n_pre"]
    z: Float[Array, " n_pre"]


class TsodyksUzielMarkram(AbstractRelease[ThreeStates]):
    r"""Short-term plasticity whose resources are recovered, active or inactive.

    $$\frac{dx}{dt} = \frac{z}{\tau_d},\qquad \frac{dy}{dt} = -\frac{y}{\tau_s},\qquad
    \frac{dz}{dt} = \frac{y}{\tau_s} - \frac{z}{\tau_d},\qquad \frac{du}{dt} = -\frac{u}{\tau_f}$$

    $$\text{spike}:\quad u \leftarrow u + U (1 - u),\quad \text{sent: } u\,x,\quad
    x \leftarrow x - u\,x,\quad y \leftarrow y + u\,x$$

    Resources recover only after they have been active, for $\tau_s$: the decay time constant of
    the synaptic current, so use `synapse=Exponential(tau_synaptic)` with it. With short $\tau_s$ it
    is [`brainfn.synapse.TsodyksMarkram`][]. The update is exact, and silent neurons send zero.

    **Arguments:**

    - `U`: utilisation of the first spike, from 0 to 1.
    - `tau_facilitation`, `tau_recovery`: $\tau_f$, $\tau_d$ in ms.
    - `tau_synaptic`: $\tau_s$ in ms.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Tsodyks, Uziel and Markram (2000), "Synchrony generation in recurrent networks with
        frequency-dependent synapses", J. Neurosci. 20:RC50,
        doi:10.1523/JNEUROSCI.20-01-j0003.2000; default values of excitatory synapses there. The
        form of NEST's `tsodyks_synapse`.
    """

    U: Parameter = param(0.5, unit="", sign="probability")
    tau_facilitation: Parameter = param(20.0, unit="ms", sign="positive")
    tau_recovery: Parameter = param(800.0, unit="ms", sign="positive")
    tau_synaptic: Parameter = param(3.0, unit="ms", sign="positive")

    def init(self, size: int, *, key: Key | None = None) -> ThreeStates:
        del key
        zeros = jnp.zeros(size, self.U.dtype)
        return ThreeStates(zeros, zeros, zeros)

    def release(
        self,
        state: ThreeStates,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[ThreeStates, Float[Array, " n_pre"]]:
        del pre, key
        s, dt = once(emitted, state.u.dtype), clock.dt
        u = state.u * jnp.exp(-dt / self.tau_facilitation)
        y = state.y * jnp.exp(-dt / self.tau_synaptic)
        # What became inactive in this step and did not recover; safe if both rates are equal.
        faster = (1 / self.tau_recovery - 1 / self.tau_synaptic) * dt
        came = state.y * (dt / self.tau_synaptic) * phi1(faster)
        z = (state.z + came) * jnp.exp(-dt / self.tau_recovery)
        raised = u + self.U * (1 - u)
        sent = s * raised * (1 - y - z)
        return ThreeStates(u + s * (raised - u), y + sent, z), sent
