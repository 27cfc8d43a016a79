"""The contract of models, checked on any model."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .. import random
from .._errors import time_step
from .._field import check_model, with_arrays
from .._model import AbstractModel, Clock
from .._population import AbstractPopulation
from ._merge import concatenate, kind, merge
from ._state import take


def check(model: AbstractModel, dt: float = 0.1, *, steps: int = 50, inputs: Any = None) -> None:
    """Check that a model fulfils the contract on which every tool of brainfn relies.

    ```python
    bf.check(MyNeuron(3), dt=0.1)
    ```

    It checks that

    - the parameters of every part match their declarations;
    - `step` returns a state with the structure, shapes and dtypes of that from `init`, and the
      state is finite after `steps` steps;
    - the same key gives the same bits, compiled or not;
    - derivatives with respect to floating-point parameters are finite;

    and for a population that

    - it emits what `emits` declares: shape, dtype, and 0/1 for bool;
    - if it is declared `elementwise`, it behaves bit for bit the same when it is stored as one
      array with another of its kind, including initial state and noise.

    **Arguments:**

    - `model`: any model.
    - `dt`: step size in ms.
    - `steps`: number of steps.
    - `inputs`: its input in each step.

    **Raises:** `AssertionError` saying which rule is broken and how; `TypeError` or `ValueError`
    for wrong parameters.
    """
    if not isinstance(model, AbstractModel):
        raise TypeError(f"`model` must be a brainfn model, got {type(model).__name__}.")
    dt = time_step(dt)
    check_model(model)
    name = type(model).__name__
    prepared = with_arrays(model).prepare(dt)
    state = prepared.init(key=jr.key(0))
    run = _runner(dt, steps)
    end, signals = run(prepared, state, inputs, jr.key(1))
    _same_shape(name, state, end)
    for path, leaf in jtu.tree_leaves_with_path(end):
        if eqx.is_inexact_array(leaf) and not bool(jnp.all(jnp.isfinite(leaf))):
            raise AssertionError(
                f"{name}: the state is not finite after {steps} steps{jtu.keystr(path)}."
            )
    again, _ = run(prepared, state, inputs, jr.key(1))
    _equal(f"{name}: the same key must give the same bits", end, again)
    with jax.disable_jit():
        one = prepared.step(state, inputs, Clock(jnp.zeros((), jnp.int32), dt), key=jr.key(1))
    _same_shape(name, state, one[0])
    _check_gradients(name, prepared, state, inputs, dt)
    if isinstance(model, AbstractPopulation):
        _check_signal(name, prepared, signals)
        if model.elementwise:
            _check_merging(name, model, dt, run)


def _runner(dt: float, steps: int) -> Callable[..., Any]:
    @eqx.filter_jit
    def run(model: Any, state: Any, inputs: Any, key: Any) -> Any:
        def body(state: Any, n: Any) -> Any:
            state, output = model.step(state, inputs, Clock(n, dt), key=_folded(key, n))
            return state, output

        return jax.lax.scan(body, state, jnp.arange(steps, dtype=jnp.int32))

    return run


def _folded(key: Any, n: Any) -> Any:
    if isinstance(key, random.Streams):
        return random.Streams(jax.vmap(lambda k: jr.fold_in(k, n))(key.keys), key.sizes)
    return jr.fold_in(key, n)


def _same_shape(name: str, before: Any, after: Any) -> None:
    if jtu.tree_structure(before) != jtu.tree_structure(after):
        raise AssertionError(
            f"{name}: `step` must return a state with the structure of that from `init`, got "
            f"{jtu.tree_structure(after)} for {jtu.tree_structure(before)}."
        )
    pairs = zip(jtu.tree_leaves_with_path(before), jtu.tree_leaves(after), strict=True)
    for (path, x), y in pairs:
        if jnp.shape(x) != jnp.shape(y) or jnp.asarray(x).dtype != jnp.asarray(y).dtype:
            raise AssertionError(
                f"{name}: `step` must keep shapes and dtypes of the state: state{jtu.keystr(path)} "
                f"was {jnp.asarray(x).dtype}{list(jnp.shape(x))} and became "
                f"{jnp.asarray(y).dtype}{list(jnp.shape(y))}."
            )


def _equal(rule: str, a: Any, b: Any) -> None:
    pairs = zip(jtu.tree_leaves_with_path(a), jtu.tree_leaves(b), strict=True)
    for (path, x), y in pairs:
        if not np.array_equal(np.asarray(x), np.asarray(y), equal_nan=True):
            raise AssertionError(f"{rule}; {jtu.keystr(path) or 'it'} differs.")


def _check_signal(name: str, model: AbstractPopulation, signals: Any) -> None:
    said = model.emits()
    if not eqx.is_array(signals):
        raise AssertionError(f"{name}: `step` must emit an array, got {type(signals).__name__}.")
    if signals.shape[1:] != said.shape or signals.dtype != said.dtype:
        raise AssertionError(
            f"{name}: `emits` declares {said.dtype}{list(said.shape)}, but `step` emits "
            f"{signals.dtype}{list(signals.shape[1:])}."
        )


def _check_gradients(name: str, model: Any, state: Any, inputs: Any, dt: float) -> None:
    dynamic, static = eqx.partition((model, state), eqx.is_inexact_array)
    if not jtu.tree_leaves(dynamic):
        return

    def total(dynamic: Any) -> Any:
        m, s = eqx.combine(dynamic, static)
        clock = Clock(jnp.zeros((), jnp.int32), dt)
        new = m.step(s, inputs, clock, key=jr.key(1))
        floats = [x for x in jtu.tree_leaves(new) if eqx.is_inexact_array(x)]
        return sum((jnp.sum(x.astype(jnp.result_type(float))) for x in floats), jnp.zeros(()))

    for path, leaf in jtu.tree_leaves_with_path(jax.grad(total)(dynamic)):
        if not bool(jnp.all(jnp.isfinite(leaf))):
            raise AssertionError(
                f"{name}: the derivative of a step is not finite with respect to "
                f"{jtu.keystr(path)}."
            )


def _check_merging(name: str, model: AbstractPopulation, dt: float, run: Any) -> None:
    if kind(model, model.size) is None:
        return
    sizes = (model.size, model.size)
    key, names = jr.key(2), ("a", "b")
    both = with_arrays(merge([model, model], sizes)).prepare(dt)
    if both.size != sum(sizes):
        raise AssertionError(
            f"{name}: merged with another, it must have the size of both, {sum(sizes)}, got "
            f"{both.size}: a part of it keeps its own size."
        )
    together = both.init(key=random.streams(key, names, sizes))
    alone = with_arrays(model).prepare(dt)
    apart = [alone.init(key=random.streams(key, (n,), sizes[:1])) for n in names]
    _equal(
        f"{name} is declared elementwise, but its initial state depends on what it is stored "
        "with (does it use jax.random instead of brainfn.random?)",
        together,
        concatenate(apart),
    )
    end, signals = run(both, together, None, random.streams(key, names, sizes))
    for i, n in enumerate(names):
        own, mine = run(alone, apart[i], None, random.streams(key, (n,), sizes[:1]))
        rule = f"{name} is declared elementwise, but its steps depend on what it is stored with"
        _equal(rule, take(end, sum(sizes), i * model.size, model.size), own)
        _equal(rule, signals[:, i * model.size : (i + 1) * model.size], mine)
