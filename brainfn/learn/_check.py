"""Detects gradients that vanish or are not finite."""

import warnings
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.tree_util as jtu

from .._errors import is_concrete
from ..input import AbstractSource
from ..network import Network


class SilentGradientWarning(UserWarning):
    """A gradient is exactly zero, so nothing would be learned."""


def check_gradient(gradient: Any) -> tuple[str, ...]:
    """Check that a gradient is finite and not exactly zero, after it has been computed.

    A surrogate with compact `support` gives a gradient of exactly zero to a layer in which no
    neuron came near threshold, and learning would stop unnoticed.

    ```python
    gradient = jax.jit(jax.grad(loss))(parameters)
    bf.learn.check_gradient(gradient)
    ```

    **Arguments:**

    - `gradient`: a pytree of concrete arrays, as `jax.grad` or `eqx.filter_grad` returns it. In one
      with the structure of a [`brainfn.Network`][], each population, projection and synapse is
      checked as a whole, and spike sources, which have no gradient, are skipped; elsewhere each
      array is checked.

    **Returns:** the names of the parts with a gradient of exactly zero.

    **Raises:** `FloatingPointError` naming the parts whose gradient is not finite; `TypeError`
    under a transformation such as `jax.jit`. Warns with [`brainfn.learn.SilentGradientWarning`][]
    of gradients of exactly zero.
    """
    if gradient is None or isinstance(gradient, str | FunctionType):
        raise TypeError(
            "`gradient` must be a pytree of arrays, as a function made by jax.grad returns it, got "
            f"{type(gradient).__name__}."
        )
    silent, wrong = [], []
    for name, part in _parts(gradient):
        leaves = [x for x in jtu.tree_leaves(part) if _is_number(x)]
        if not all(is_concrete(x) for x in leaves):
            raise TypeError(
                "`gradient` is traced by JAX: call check_gradient with the result of a jitted "
                "function, not inside of it."
            )
        if not leaves:
            continue
        if not all(bool(jnp.all(jnp.isfinite(x))) for x in leaves):
            wrong.append(name)
        elif not any(bool(jnp.any(x != 0)) for x in leaves):
            silent.append(name)
    if wrong:
        raise FloatingPointError(
            f"the gradient is not finite for {', '.join(wrong)}. Gradients through many steps of "
            "a recurrent network can grow without bound: try a narrower or lower surrogate, "
            "detach_reset=True or a shorter duration."
        )
    if silent:
        warnings.warn(
            f"the gradient is exactly zero for {', '.join(silent)}. Either the loss does not "
            "depend on it, or no neuron on the path was near threshold (see "
            "brainfn.learn.NearThreshold). Try larger weights or input, a surrogate with a wider "
            "support, or add brainfn.learn.SilencePenalty to the loss.",
            SilentGradientWarning,
            stacklevel=2,
        )
    return tuple(silent)


def _is_number(x: Any) -> bool:
    return isinstance(x, float) or (eqx.is_inexact_array(x) and x.size > 0)


def _parts(gradient: Any) -> Iterator[tuple[str, Any]]:
    """The checked parts, by names that a user knows."""

    def is_network(x: Any) -> bool:
        return isinstance(x, Network)

    for path, leaf in jtu.tree_leaves_with_path(gradient, is_leaf=is_network):
        if not is_network(leaf):
            yield f"gradient{jtu.keystr(path)}", leaf
            continue
        for name in leaf.layout.populations:
            if not isinstance(leaf.populations[name], AbstractSource):
                yield f"population {name!r}", leaf.populations[name]
        for name in leaf.layout.projections:
            yield f"projection {name!r}", leaf.pathways[name]
        for i, receptor in enumerate(leaf.receptors):
            of = [
                repr(name) for name in leaf.layout.projections if leaf.pathways[name].receptor == i
            ]
            yield f"synapse of {' and '.join(of)}", receptor
