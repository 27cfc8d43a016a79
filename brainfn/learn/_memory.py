"""Predicts the memory that a gradient needs."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu

from .._memory import check_memory


def gradient_memory(function: Any, *arguments: Any) -> int:
    """The bytes that the gradient of a function keeps from its forward pass; raises if they do not
    fit into memory.

    Reverse mode keeps what each step of a simulation computed until the backward pass has used it.
    This traces the function and adds up what is kept; nothing is computed or allocated.

    ```python
    def loss(weight):
        changed = eqx.tree_at(lambda n: n.projections["exc"].weight, net, weight)
        out = bf.simulate(changed, inputs=200*pA, duration=1*second, dt=0.1*ms, key=key)
        return jnp.mean(out.outputs["exc"])

    bf.learn.gradient_memory(loss, 6*nS)
    ```

    **Arguments:**

    - `function`: the function to be differentiated, such as a loss.
    - `arguments`: its arguments; arrays of floats in them are those to differentiate by.
      `jax.ShapeDtypeStruct` may stand for an array that has not been made.

    **Returns:** the bytes kept for the backward pass. The backward pass itself needs about as much
    as one step more.

    **Raises:** `MemoryError` if the bytes exceed the free memory of this machine (only where JAX
    computes on the CPU); `TypeError` if `function` is not a function.
    """
    if not callable(function):
        raise TypeError(
            f"`function` must be a function of the arguments, got {type(function).__name__}. "
            "Try bf.learn.gradient_memory(loss, parameters)."
        )

    arguments = jtu.tree_map(lambda x: jnp.asarray(x) if isinstance(x, float) else x, arguments)
    varied, fixed = eqx.partition(
        arguments, lambda x: eqx.is_inexact_array(x) or isinstance(x, jax.ShapeDtypeStruct)
    )

    def kept(varied: Any) -> list[Any]:
        _, backward = jax.vjp(lambda v: function(*eqx.combine(v, fixed)), varied)
        return jtu.tree_leaves(backward)

    needed = sum(x.size * x.dtype.itemsize for x in jax.eval_shape(kept, varied))
    if jax.default_backend() == "cpu":
        check_memory(
            needed,
            "function",
            "what its gradient keeps from the forward pass",
            "Try simulate(..., checkpoint=True), which keeps the states of only about the root of "
            "the steps; a shorter duration; or fewer neurons.",
        )
    return needed
