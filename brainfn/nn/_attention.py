"""Attention between tokens of spikes."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from .._custom_types import Key
from .._errors import count
from .._model import Clock
from ._chain import in_order, unpacked
from ._layer import Layer
from ._neurons import lif
from ._timed import AbstractTimed, Response

_Advance = Callable[[int, Array], Array]


class SelfAttention(AbstractTimed[tuple[Any, ...]]):
    r"""Self-attention of spikes, without a softmax.

    $$Q, K, V = \mathrm{SN}(X W_Q),\ \mathrm{SN}(X W_K),\ \mathrm{SN}(X W_V), \qquad
    A = \mathrm{SN}(s\, Q K^\top V), \qquad Y = \mathrm{SN}(A W_O)$$

    SN are layers of neurons with a membrane of their own for each token and feature. Each step is
    one product of spikes: $Q K^\top$ counts the features that two tokens share, so nothing is
    negative and there is nothing to normalise. With several heads, features are divided among them.
    $(Q K^\top) V$ or $Q (K^\top V)$ is computed, whichever is less work.

    The input of a step has shape `(tokens, features)`, and so has the output. There is no
    normalisation of batches: add an `equinox.nn.LayerNorm` before it, or scale the weights.

    **Arguments:**

    - `tokens`, `features`: sizes of the input.
    - `heads`: number of heads, a divisor of `features`.
    - `scale`: $s$, a leaf; a number.
    - `neurons`: makes the neurons, `neurons(size)`; by default [`brainfn.nn.lif`][] with a time
        constant of 2 ms, which is 2 steps of 1 ms.
    - `gain`: weights are drawn from a normal distribution of standard deviation
        `gain / sqrt(features)`.
    - `key`: a JAX random key.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Z. Zhou, Y. Zhu, C. He, Y. Wang, S. Yan, Y. Tian, L. Yuan (2023), "Spikformer: when spiking
        neural network meets transformer", ICLR, arXiv:2209.15425, with its scale of 0.125 and time
        constant of 2 steps.
    """

    weight_in: Float[Array, "3 features features"]
    weight_out: Float[Array, "features features"]
    scale: Float[Array, ""]
    layers: tuple[Layer, Layer, Layer]
    heads: int = eqx.field(static=True)

    def __init__(
        self,
        tokens: Any,
        features: Any,
        *,
        heads: Any = 1,
        scale: Any = 0.125,
        neurons: Callable[[int], Any] | None = None,
        gain: float = 3.0,
        key: Key,
    ) -> None:
        tokens = count("tokens", tokens, minimum=1)
        features = count("features", features, minimum=1)
        heads = count("heads", heads, minimum=1)
        if features % heads:
            raise ValueError(f"`heads` must divide `features` = {features}, got {heads}.")
        made: Callable[[int], Any] = (lambda n: lif(n, tau=2.0)) if neurons is None else neurons
        a, b = jr.split(key)
        dtype, n = jnp.result_type(float), tokens * features
        sd = gain * features**-0.5
        self.weight_in = sd * jr.normal(a, (3, features, features), dtype)
        self.weight_out = sd * jr.normal(b, (features, features), dtype)
        self.scale = jnp.asarray(scale, dtype)
        self.layers = (Layer(None, made(3 * n)), Layer(None, made(n)), Layer(None, made(n)))
        self.heads = heads

    def prepare(self, dt: float) -> "SelfAttention":
        layers = tuple(layer.prepare(dt) for layer in self.layers)
        return eqx.tree_at(lambda m: m.layers, self, layers)

    def init(self, *, key: Key | None = None) -> tuple[Any, ...]:
        pairs = zip(self.layers, self._keys(key), strict=True)
        return tuple(layer.init(key=k) for layer, k in pairs)

    def step(
        self, state: tuple[Any, ...], inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[tuple[Any, ...], Array]:
        states, keys = list(state), self._keys(key)

        def advance(i: int, x: Array) -> Array:
            states[i], out = self.layers[i].step(state[i], x, clock, key=keys[i])
            return out

        out = self._attended(inputs, advance)
        return tuple(states), out

    def over_time(
        self, state: tuple[Any, ...], inputs: Any, dt: float, *, key: Key | None
    ) -> Response:
        """The totals are those of queries, keys and values; of what is attended to; and of the
        output."""
        states, totals, keys = list(state), [None] * 3, self._keys(key)

        def advance(i: int, x: Array) -> Array:
            out, (states[i],), (totals[i],) = in_order(
                self.layers[i : i + 1], state[i : i + 1], x, dt, keys[i : i + 1]
            )
            return out

        out = self._attended(unpacked(inputs), advance)
        return Response(out, tuple(states), tuple(totals))

    def _attended(self, inputs: Any, advance: _Advance) -> Array:
        """One step, or all of them: `...` are the axes before tokens and features."""
        features = self.weight_out.shape[0]
        tokens = self.layers[1].size // features
        if jnp.shape(inputs)[-2:] != (tokens, features):
            raise ValueError(
                f"`inputs` of attention must have shape ({tokens}, {features}) in each step, got "
                f"{jnp.shape(inputs)}."
            )
        x = jnp.asarray(inputs, self.weight_in.dtype)
        made = advance(0, jnp.einsum("...tf,kfg->...ktg", x, self.weight_in))
        made = made.reshape(*made.shape[:-1], self.heads, features // self.heads)
        q, k, v = (made[..., i, :, :, :] for i in range(3))
        if tokens <= features // self.heads:
            shared = jnp.einsum("...qhd,...khd->...hqk", q, k)
            mixed = jnp.einsum("...hqk,...khd->...qhd", shared, v)
        else:
            shared = jnp.einsum("...khd,...khe->...hde", k, v)
            mixed = jnp.einsum("...qhd,...hde->...qhe", q, shared)
        attended = advance(1, self.scale * mixed.reshape(x.shape))
        return advance(2, attended @ self.weight_out)

    def _keys(self, key: Key | None) -> list[Any]:
        return [None] * 3 if key is None else list(jr.split(key, 3))
