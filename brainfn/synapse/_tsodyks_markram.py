"""Short-term plasticity."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from .._custom_types import Key, Parameter
from .._field import param
from .._model import Clock
from ._base import AbstractRelease


class ShortTerm(eqx.Module):
    """State of [`brainfn.synapse.TsodyksMarkram`][]: the utilisation `u` and the resources `x`."""

    u: Float[Array, " n_pre"]
    x: Float[Array, " n_pre"]


class TsodyksMarkram(AbstractRelease[ShortTerm]):
    r"""Short-term facilitation and depression.

    $$\frac{du}{dt} = -\frac{u}{\tau_f},\qquad \frac{dx}{dt} = \frac{1 - x}{\tau_d}$$

    $$\text{spike}:\quad u \leftarrow u + U (1 - u),\quad \text{sent: } u\,x,\quad
    x \leftarrow x - u\,x$$

    The utilisation increases before it acts, so the first spike is sent with $u = U$; between
    spikes the update of both variables is exact. Silent neurons send zero.

    **Arguments:**

    - `U`: utilisation of the first spike, from 0 to 1.
    - `tau_facilitation`, `tau_recovery`: $\tau_f$, $\tau_d$ in ms.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Tsodyks, Pawelzik and Markram (1998), "Neural networks with dynamic synapses", Neural
        Computation 10:821-835, doi:10.1162/089976698300017502; in the form of NEST's
        `tsodyks2_synapse`. Defaults of a depressing synapse: Tsodyks and Markram (1997), PNAS
        94:719-723, doi:10.1073/pnas.94.2.719.
    """

    U: Parameter = param(0.5, unit="", sign="probability")
    tau_facilitation: Parameter = param(20.0, unit="ms", sign="positive")
    tau_recovery: Parameter = param(800.0, unit="ms", sign="positive")

    def init(self, size: int, *, key: Key | None = None) -> ShortTerm:
        del key
        dtype = self.U.dtype
        return ShortTerm(jnp.zeros(size, dtype), jnp.ones(size, dtype))

    def release(
        self,
        state: ShortTerm,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[ShortTerm, Float[Array, " n_pre"]]:
        del pre, key
        s = emitted.astype(state.u.dtype)
        u = state.u * jnp.exp(-clock.dt / self.tau_facilitation)
        x = 1 - (1 - state.x) * jnp.exp(-clock.dt / self.tau_recovery)
        raised = u + self.U * (1 - u)
        sent = s * (raised * x)
        return ShortTerm(u + s * (raised - u), x - sent), sent
