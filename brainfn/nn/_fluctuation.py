"""Weights with which neurons spike at a stated rate before they learn."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from .._custom_types import Key
from .._model import Clock
from ._layer import Layer


def fluctuation_driven(
    layer: Layer,
    rate_in: Float[ArrayLike, "..."],
    rate_out: float,
    *,
    dt: float = 1.0,
    steps: int = 1000,
    key: Key,
) -> Layer:
    r"""A layer whose weights are scaled so that its neurons spike at a stated rate.

    With inputs that are independent random spikes, $p_j$ per step, and neurons that spike with
    probability $q$ themselves, what arrives at neuron $i$ has in each step the mean and variance

    $$\mu_i = c \Big(\sum_j p_j W_{ji} + q \sum_k R_{ki}\Big), \qquad
    \sigma_i^2 = c^2 \Big(\sum_j p_j (1 - p_j) W_{ji}^2 + q (1 - q) \sum_k R_{ki}^2\Big)$$

    and is nearly normally distributed if it comes from many. The function finds the factor $c$ of
    all weights at which the response of the neurons to that, averaged over neurons, is the stated
    rate: a mean-field theory, whose response function is measured on the layer's own neurons and
    receptors, so that any can be used, at any `dt`. With weights whose mean is zero, the default of
    a layer, neurons are driven by fluctuations, spike irregularly, and most of them are near enough
    to their threshold to learn.

    ```python
    layer = bf.nn.Layer(784, bf.nn.lif(100), key=k1)
    layer = bf.nn.fluctuation_driven(layer, rate_in=5.0, rate_out=10.0, key=k2)
    ```

    **Arguments:**

    - `layer`: with array weights. Its bias stays.
    - `rate_in`: of each input in Hz, a number or an array of shape `(n_in,)`, such as the mean over
        examples.
    - `rate_out`: the mean rate of the neurons in Hz.
    - `dt`: step size in ms, that of the later runs.
    - `steps`: over which the rate is measured, after a fifth as many: more are more exact.
    - `key`: a JAX random key.

    **Returns:** a layer. The rate is exact up to the sampling error, about 1 %, and what inputs
    deviate from random spikes, and sums of few from normal distributions.

    **Raises:** `TypeError` or `ValueError` naming the argument; `ValueError` if no factor leads to
    that rate, as with a bias that is too strong, or weights whose mean is negative.

    ??? cite

        J. Rossbroich, J. Gygax, F. Zenke (2022), "Fluctuation-driven initialization for spiking
        neural network training", Neuromorph. Comput. Eng. 2:044016, doi:10.1088/2634-4386/ac97bb,
        who state the SD of the membrane instead of the rate.
    """
    if not isinstance(layer, Layer) or not isinstance(layer.weight, jax.Array):
        raise TypeError("`layer` must be a brainfn.nn.Layer with array weights.")
    if not (layer.recurrent is None or isinstance(layer.recurrent, jax.Array)):
        raise TypeError("`layer` must have recurrent weights in an array, or none.")
    weight, most = layer.weight, 1000.0 / dt
    p = jnp.asarray(rate_in, weight.dtype) / most
    if p.shape not in ((), (layer.n_in,)):
        raise ValueError(
            f"`rate_in` must be a number or have shape ({layer.n_in},), got {p.shape}."
        )
    if not (bool(jnp.all((p >= 0) & (p <= 1))) and bool(jnp.any((p > 0) & (p < 1)))):
        raise ValueError(f"`rate_in` must be above 0 and below {most} Hz, one spike in each step.")
    if not 0 < rate_out < most:
        raise ValueError(f"`rate_out` must be above 0 and below {most} Hz, got {rate_out}.")
    p = jnp.broadcast_to(p, weight.shape[:1])
    mean, variance = p @ weight, (p * (1 - p)) @ weight**2
    if layer.recurrent is not None:
        q = rate_out / most
        mean = mean + q * layer.recurrent.sum(axis=0)
        variance = variance + q * (1 - q) * (layer.recurrent**2).sum(axis=0)
    measured = _response(layer, mean, jnp.sqrt(variance), dt, steps, key)
    factor = _found(lambda c: float(measured(c)) * most, rate_out)

    def scaled(x: Any) -> Any:
        return None if x is None else x * factor

    weights = (scaled(layer.weight), scaled(layer.recurrent))
    return eqx.tree_at(
        lambda m: (m.weight, m.recurrent), layer, weights, is_leaf=lambda x: x is None
    )


def _response(
    layer: Layer, mean: Array, sd: Array, dt: float, steps: int, key: Key
) -> Callable[[float], Array]:
    """The mean number of spikes per step as a function of a factor of what arrives; the random
    numbers are the same for each."""
    copies = math.ceil(2000 / layer.size)
    drawn, begin = jr.split(key)
    prepared = layer.prepare(dt)

    @jax.jit
    def response(factor: Array) -> Array:
        def one(carry: Any, step: Array) -> Any:
            population, receptor, total = carry
            k = jr.fold_in(drawn, step)
            noise = jr.normal(k, (copies, *mean.shape), mean.dtype)
            keys = jr.split(jr.fold_in(k, 1), copies)

            def copy(population: Any, receptor: Any, noise: Array, key: Any) -> Any:
                arriving = factor * (mean + sd * noise)
                return prepared.local(population, receptor, arriving, Clock(step, dt), key)

            population, receptor, out = jax.vmap(copy)(population, receptor, noise, keys)
            counted = jnp.where(step >= steps // 5, out, jnp.zeros_like(out))
            return (population, receptor, total + counted.astype(mean.dtype).mean()), None

        state = jax.vmap(lambda k: prepared.init(key=k))(jr.split(begin, copies))
        carry = (state.population, state.receptor, jnp.zeros((), mean.dtype))
        whole = steps + steps // 5
        (_, _, total), _ = lax.scan(one, carry, jnp.arange(whole, dtype=jnp.int32))
        return total / steps

    return lambda c: response(jnp.asarray(c, mean.dtype))


def _found(rate: Callable[[float], float], target: float) -> float:
    """Where a rising function has the value `target`: by doubling, then by halving the interval."""
    low = high = 1.0
    below = rate(1.0) < target
    for _ in range(40):
        low, high = (high, 2 * high) if below else (low / 2, low)
        if (rate(high if below else low) < target) != below:
            break
    else:
        raise ValueError(f"`rate_out`: no factor of the weights leads to {target} Hz.")
    for _ in range(12):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if rate(middle) < target else (low, middle)
    return math.sqrt(low * high)
