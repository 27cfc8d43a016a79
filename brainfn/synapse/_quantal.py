"""Stochastic release of quanta."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Shaped

from .. import random
from .._custom_types import Key, Parameter
from .._errors import describe, is_concrete
from .._field import check_fields, param
from .._model import Clock
from ._base import AbstractRelease
from ._release import once


class Quanta(eqx.Module):
    """State of [`brainfn.synapse.Quantal`][]: the utilisation `u`, the sites that were `available`
    after the last spike, and the time `since` then in ms."""

    u: Float[Array, " n_pre"]
    available: Float[Array, " n_pre"]
    since: Float[Array, " n_pre"]


class Quantal(AbstractRelease[Quanta]):
    r"""Stochastic release from a number of sites, with facilitation and depletion.

    At a spike, $\Delta$ ms after the last one,

    $$u \leftarrow u + U (1 - u),\qquad
    a \leftarrow a + \mathrm{Bin}\bigl(N - a,\ 1 - e^{-\Delta/\tau_d}\bigr),\qquad
    \text{sent: } k = \mathrm{Bin}(a, u),\qquad a \leftarrow a - k$$

    and $u$ decays with $\tau_f$ in between: $a$ of $N$ sites hold a vesicle, each is released with
    probability $u$, and empty sites are filled again with the rate $1/\tau_d$. It is the stochastic
    form of [`brainfn.synapse.TsodyksMarkram`][]: the mean of what is sent is $N$ times as much. The
    weight is that of one quantum. All synapses of a neuron have the same draws; a run needs a
    `key`.

    Derivatives are those of the means of the draws, as if `k` were $a\,u$.

    **Arguments:**

    - `sites`: $N$, a whole number up to 100, of type float.
    - `U`: release probability at the first spike.
    - `tau_facilitation`, `tau_recovery`: $\tau_f$, $\tau_d$ in ms.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Fuhrmann, Segev, Markram and Tsodyks (2002), "Coding of temporal information by
        activity-dependent synapses", J. Neurophysiol. 87:140-148, doi:10.1152/jn.00258.2001;
        Loebel et al. (2009), "Multiquantal release underlies the distribution of synaptic
        efficacies in the neocortex", Front. Comput. Neurosci. 3:27,
        doi:10.3389/neuro.10.027.2009. The form of NEST's `quantal_stp_synapse`.
    """

    sites: Parameter = param(5.0, unit="", sign="positive", positional=True)
    U: Parameter = param(0.5, unit="", sign="probability")
    tau_facilitation: Parameter = param(20.0, unit="ms", sign="positive")
    tau_recovery: Parameter = param(800.0, unit="ms", sign="positive")

    def __check_init__(self):
        check_fields(self)
        if is_concrete(self.sites):
            sites = np.asarray(self.sites, np.float64)
            if np.any(sites != np.rint(sites)) or np.any(sites > 100):
                raise ValueError(f"`sites` must be whole numbers up to 100, got {describe(sites)}.")

    def init(self, size: int, *, key: Key | None = None) -> Quanta:
        del key
        zeros = jnp.zeros(size, self.U.dtype)
        return Quanta(zeros, jnp.broadcast_to(self.sites, (size,)), zeros)

    def release(
        self,
        state: Quanta,
        emitted: Shaped[Array, " n_pre"],
        pre: Any,
        clock: Clock,
        *,
        key: Key | None = None,
    ) -> tuple[Quanta, Float[Array, " n_pre"]]:
        del pre
        if key is None:
            raise ValueError(
                "`key` is needed: quantal release is random. Try key=jax.random.key(0)."
            )
        s = once(emitted, state.u.dtype)
        u = state.u * jnp.exp(-clock.dt / self.tau_facilitation)
        raised = u + self.U * (1 - u)
        since = state.since + clock.dt
        # Nothing is drawn where there is no spike.
        filled = -jnp.expm1(-since / self.tau_recovery)
        available = state.available + _drawn(key, 0, s, self.sites - state.available, filled)
        sent = _drawn(key, 1, s, available, raised)
        return Quanta(u + s * (raised - u), available - sent, since * (1 - s)), sent


def _drawn(key: Any, draw: int, s: Any, n: Any, p: Any) -> Float[Array, " n_pre"]:
    """Of `n` sites those with an event of probability `p`, where `s` is a spike; with the
    derivative of its mean."""
    mean = s * n * p
    number = random.binomial(random.fold_in(key, draw), n, jnp.where(s > 0, p, 0), n.shape[0])
    return lax.stop_gradient(number.astype(mean.dtype) - mean) + mean
