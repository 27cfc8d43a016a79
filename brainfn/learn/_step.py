"""A training step from a loss and an optimiser."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import optax
from jaxtyping import Array, Int

from .._custom_types import Key
from .._errors import check_key
from .._population import AbstractPopulation
from ..synapse import AbstractOutput, AbstractReceptor


class TrainState(NamedTuple):
    """What changes in training.

    - `model`: the model with its present parameters.
    - `optimizer`: the state of the optimiser.
    - `key`: the random key, of which each step takes a part; `None` if the loss takes none.
    - `step`: the number of steps made.
    """

    model: Any
    optimizer: Any
    key: Any
    step: Int[Array, ""]


class Step(eqx.Module):
    """A compiled training step, made by [`brainfn.learn.make_step`][]:
    `step(state, batch) -> (state, record)`."""

    loss: Any = eqx.field(static=True)
    optimizer: optax.GradientTransformation = eqx.field(static=True)
    trainable: Any = eqx.field(static=True)

    def init(self, model: Any, *, key: Key | None = None) -> TrainState:
        """The state before the first step.

        **Arguments:**

        - `model`: any pytree; its arrays should be used for nothing else.
        - `key`: a JAX random key, if the loss takes one.

        **Raises:** `ValueError` if nothing in the model is trainable.
        """
        check_key(key)
        varied, _ = self._split(model)
        if not jtu.tree_leaves(varied):
            raise ValueError("`model` has no parameters that are trainable. Try another filter.")
        # A state that is saved and read again must not differ in dtypes that JAX leaves open.
        begin = TrainState(model, self.optimizer.init(varied), key, jnp.zeros((), jnp.int32))
        return jtu.tree_map(lambda x: jnp.asarray(x, x.dtype) if eqx.is_array(x) else x, begin)

    def __call__(self, state: TrainState, batch: Any) -> tuple[TrainState, dict[str, Array]]:
        return _advance(self, state, batch)

    def _split(self, model: Any) -> tuple[Any, Any]:
        chosen = weights(model) if self.trainable is None else self.trainable
        return eqx.partition(model, chosen)


@eqx.filter_jit
def _advance(step: Step, state: TrainState, batch: Any) -> Any:
    keys, after = (), state.key
    if state.key is not None:
        after, now = jr.split(state.key)
        keys = (now,)
    varied, fixed = step._split(state.model)

    def objective(varied: Any) -> Any:
        found = step.loss(eqx.combine(varied, fixed), batch, *keys)
        value, more = found if isinstance(found, tuple) else (found, {})
        return value, {"loss": value, **more}

    grads, record = jax.grad(objective, has_aux=True)(varied)
    # Optax raises numbers to integer arrays, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        updates, optimizer = step.optimizer.update(grads, state.optimizer, varied)
        model = eqx.combine(optax.apply_updates(varied, updates), fixed)
    return TrainState(model, optimizer, after, state.step + 1), record


def make_step(loss: Any, optimizer: Any, *, trainable: Any = None) -> Step:
    """A training step for [`brainfn.learn.fit`][] from a loss and an Optax optimiser.

    ```python
    def loss(net, batch):
        response = jax.vmap(net)(batch.x)
        value = jax.vmap(bf.learn.cross_entropy)(response.output, batch.y).mean()
        return value, {"rate": response.totals[0].mean() / 100}

    step = bf.learn.make_step(loss, optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3)))
    state = step.init(net)
    state, record = step(state, batch)
    ```

    **Arguments:**

    - `loss`: `loss(model, batch)`, or `loss(model, batch, key)` if the state has a key: a scalar,
        or a scalar and a dictionary of further scalars to record.
    - `optimizer`: of Optax; clip gradients there.
    - `trainable`: which leaves of the model are changed, a filter as for `equinox.partition`:
        `equinox.is_inexact_array` for all parameters, time constants and thresholds too, or a
        function of a leaf, or a tree of bools. By default [`brainfn.learn.weights`][].

    **Returns:** a function `step(state, batch) -> (state, record)`, compiled, with a method `init`;
    `record` has the loss as `"loss"`.

    **Raises:** `TypeError` for what is no function or no optimiser.
    """
    if not callable(loss):
        raise TypeError(f"`loss` must be a function, got {type(loss).__name__}.")
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            f"`optimizer` must be one of Optax, got {type(optimizer).__name__}. Try "
            "optax.adam(1e-3)."
        )
    return Step(loss, optimizer, trainable)


def weights(model: Any) -> Any:
    """Which leaves of a model are weights: the floating-point arrays that belong to no population,
    receptor or output.

    In layers of [`brainfn.nn`][] these are `weight`, `recurrent` and `bias`, and in those of
    `equinox.nn` all parameters. Time constants, thresholds and surrogates are not.

    **Returns:** a tree of bools for `equinox.partition`.
    """
    parts = (AbstractPopulation, AbstractReceptor, AbstractOutput)

    def chosen(x: Any) -> bool:
        return not isinstance(x, parts) and eqx.is_inexact_array(x)

    return jtu.tree_map(chosen, model, is_leaf=lambda x: isinstance(x, parts))
