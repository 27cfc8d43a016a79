"""Simulation as one pure function."""

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
from jax import lax

from .._custom_types import Key
from .._errors import check_key, count, describe, is_concrete, time_step, whole_steps
from .._model import AbstractModel, Clock
from ..event._prim import vary_like
from ..input import AbstractInput, Constant, as_input
from ._events import AbstractEvents
from ._finite import check_finite
from ._record import AbstractReducer, outputs
from ._result import Simulation, Snapshot


def simulate(
    model: AbstractModel,
    *,
    duration: float,
    dt: float,
    inputs: Any = None,
    state: Any = None,
    key: Key | None = None,
    record: Any = outputs,
    every: int = 1,
    checkpoint: bool | int = False,
) -> Simulation:
    r"""Simulate a model: one `lax.scan`, pure and traceable. `jit`, `vmap` and `grad` it.

    **Arguments:**

    - `model`: any [`brainfn.AbstractModel`][].
    - `duration`: how long, in ms; a whole number of steps.
    - `dt`: step size in ms.
    - `inputs`: what drives the model: a number (constant), an array with a leading axis of
        `duration / dt` steps, a function of the time in ms, an input of [`brainfn.input`][]
        (e.g. `Constant(array)` for one number per neuron), or a pytree of these (for a
        [`brainfn.Network`][] a dictionary by population).
    - `state`: where to start: the `state` of an earlier simulation, which is then continued to the
        same bits as if it had not stopped; or a state made by the model's `init`, at time zero. By
        default the model's initial state, drawn from `key`.
    - `key`: a JAX random key, needed if the initial state or the steps are random. The key of step
        $n$ is derived from `key` and $n$, so a continued run draws the same numbers.
    - `record`: what to keep: a function `(state, output) -> pytree`, where `state` is that after
        the step; a reducer such as [`brainfn.record.SpikeCount`][]; or a dictionary, list or tuple
        of these. By default the outputs of all steps.
    - `every`: keep only each `every`-th step, the last of each `every`. Reducers and
        [`brainfn.record.Spikes`][] see all steps.
    - `checkpoint`: for reverse mode: keep the state only at the ends of segments and compute the
        steps between again, which takes memory of $O(\sqrt{\text{steps}})$ for the states; a number
        sets the length of a segment in recorded steps. Values and gradients do not change.

    **Returns:** a [`brainfn.simulate.Simulation`][] with `ts`, `outputs` and `state`.

    **Raises:** `TypeError` or `ValueError` naming the argument before anything is computed; and,
    where the result is concrete, `FloatingPointError` if the state is not finite at the end, with
    the population and the first step concerned.
    """
    setup = set_up(model, duration, dt, inputs, state, key, record, every)
    n_steps, start, dt = setup.n_steps, setup.start, setup.dt
    segment = _segment(checkpoint, n_steps // every)
    arguments = (setup.model, start, setup.series, setup.fixed, key, record)
    options = (dt, n_steps, every, segment)
    concrete = all(is_concrete(x) for x in jtu.tree_leaves(arguments))
    if concrete:
        _check_memory(arguments, options)
    final, kept = _loop(*arguments, *options)
    done = start.step + (jnp.arange(n_steps // every, dtype=jnp.int32) + 1) * every - 1
    ts = done.astype(jnp.result_type(float)) * dt
    if concrete:
        check_finite(
            setup.model, start, final, setup.series, setup.fixed, key, dt, n_steps, make_step
        )
    return Simulation(ts=ts, outputs=kept, state=final)


class Setup(NamedTuple):
    """Checked arguments of a simulation, ready for `advance`."""

    model: AbstractModel
    start: Snapshot
    series: Any
    fixed: Any
    dt: float
    n_steps: int


def set_up(
    model: Any,
    duration: Any,
    dt: Any,
    inputs: Any,
    state: Any,
    key: Any,
    record: Any,
    every: Any,
    *,
    on_host: bool = False,
) -> Setup:
    """Check the arguments of a simulation, prepare the model and make its initial state.

    With `on_host` arrays that run along time stay where they are, to be cut later.
    """
    if not isinstance(model, AbstractModel):
        raise TypeError(
            f"`model` must be a brainfn model, got {type(model).__name__}. "
            "Try brainfn.Network or brainfn.neuron.LIF."
        )
    dt = time_step(dt)
    n_steps = whole_steps("duration", number("duration", duration), dt, minimum=1)
    every = count("every", every, minimum=1)
    if n_steps % every:
        raise ValueError(
            f"`every` must divide the number of steps, got every = {every} and {n_steps} steps."
        )
    if n_steps >= 2**31:
        raise ValueError(f"`duration` / `dt` must be below 2**31 steps, got {n_steps}.")
    _check_record(record)
    check_key(key)
    prepared = model.prepare(dt)
    given = state is not None
    if not given:
        state = prepared.init(key=None if key is None else jr.fold_in(key, _INIT))
    if not isinstance(state, Snapshot):
        state = Snapshot(state, jnp.zeros((), jnp.int32), dt)
    if given:
        _check_state(prepared, state, key, dt)
    if is_concrete(state.step) and int(state.step) + n_steps >= 2**31:
        raise ValueError(
            f"`duration`: {int(state.step)} steps were made and {n_steps} more are asked for, "
            "but steps are counted up to 2**31."
        )
    series, fixed = split_inputs(inputs, n_steps, on_host=on_host)
    return Setup(prepared, state, series, fixed, dt, n_steps)


# Steps fold their index (from 0) into the key; the initial state takes one that no step has.
_INIT = 2**31 - 1


def split_inputs(inputs: Any, n_steps: int, *, on_host: bool = False) -> tuple[Any, Any]:
    """Arrays that run along time, and everything else as [`brainfn.input.AbstractInput`][]."""

    def one(path: Any, value: Any) -> Any:
        name = "inputs" + jtu.keystr(path)
        is_array = isinstance(value, np.ndarray | jax.Array)
        if is_array and value.ndim > 0:
            if value.shape[0] != n_steps:
                raise ValueError(
                    f"`{name}` must have a leading time axis of {n_steps} steps, got shape "
                    f"{value.shape}. For one constant number per neuron use "
                    "brainfn.input.Constant(array)."
                )
            if value.dtype.kind not in "biuf" and not jnp.issubdtype(value.dtype, jnp.floating):
                raise TypeError(f"`{name}` must hold real numbers, got dtype {value.dtype}.")
            if not jnp.issubdtype(value.dtype, jnp.floating) and value.dtype != bool:
                value = value.astype(jnp.result_type(float))
            if not on_host:
                _check_values(name, value)
            return _Series(value if on_host else jnp.asarray(value))
        value = as_input(name, value)
        if isinstance(value, Constant):
            _check_values(name, value.value)
        return value

    def stop(x: Any) -> bool:
        return isinstance(x, AbstractInput)

    if inputs is None:
        return None, None
    tree = jtu.tree_map_with_path(one, inputs, is_leaf=stop)
    leaves, structure = jtu.tree_flatten(tree, is_leaf=lambda x: stop(x) or isinstance(x, _Series))
    series = [leaf.values if isinstance(leaf, _Series) else None for leaf in leaves]
    fixed = [None if isinstance(leaf, _Series) else leaf for leaf in leaves]
    return _Leaves(tuple(series), structure), _Leaves(tuple(fixed), structure)


def _check_values(name: str, value: Any) -> None:
    if is_concrete(value) and not np.all(np.isfinite(np.asarray(value))):
        raise ValueError(f"`{name}` must be finite, got {describe(np.asarray(value))}.")


class _Series(eqx.Module):
    values: Any


class _Leaves(eqx.Module):
    leaves: tuple[Any, ...]
    structure: Any = eqx.field(static=True)


def evaluate(series: Any, fixed: Any, clock: Clock) -> Any:
    """The inputs of one step: `series` is the present row of the arrays."""
    if fixed is None:
        return None
    leaves = [
        row if source is None else source(clock)
        for row, source in zip(series.leaves, fixed.leaves, strict=True)
    ]
    return jtu.tree_unflatten(fixed.structure, leaves)


def _is_constant(series: Any, fixed: Any) -> bool:
    return fixed is None or all(isinstance(leaf, Constant) for leaf in fixed.leaves)


def make_step(
    model: Any, state: Any, drive: Any, step: Any, key: Any, dt: float
) -> tuple[Any, Any]:
    """One step of a model, with the key of that step."""
    k = None if key is None else jr.fold_in(key, step)
    return model.step(state, drive, Clock(step, dt), key=k)


def _one(model: Any, start: Snapshot, series: Any, fixed: Any, key: Any, dt: float) -> Any:
    """`(state, step, row of the series) -> (state, output)`."""
    constant = None
    if _is_constant(series, fixed):
        constant = model.arrange_inputs(evaluate(series, fixed, Clock(start.step, dt)))

    def one(state: Any, step: Any, row: Any) -> tuple[Any, Any]:
        drive = constant
        if not _is_constant(series, fixed):
            drive = evaluate(row, fixed, Clock(step, dt))
        return make_step(model, state, drive, step, key, dt)

    return one


class Example(NamedTuple):
    """Shapes and dtypes of one step: state, output, and what each recorder keeps of them."""

    state: Any
    output: Any
    kept: tuple[Any, ...]


def examples(
    model: Any, start: Snapshot, series: Any, fixed: Any, key: Any, record: Any, dt: float
) -> Example:
    """What one step gives, without computing it."""
    recorders = jtu.tree_leaves(record, is_leaf=is_recorder)

    def first(model: Any, start: Any, series: Any, fixed: Any, key: Any) -> Example:
        row = jax.tree.map(lambda x: x[0], series)
        one = _one(model, start, series, fixed, key, dt)
        state, output = one(start.model_state, start.step, row)
        kept = [None if isinstance(r, AbstractReducer) else r(state, output) for r in recorders]
        return Example(state, output, tuple(kept))

    return eqx.filter_eval_shape(first, model, start, series, fixed, key)


def begin(record: Any, example: Example) -> tuple[Any, ...]:
    """The summaries of the reducers in `record` before the first step; `None` for the others."""
    recorders = jtu.tree_leaves(record, is_leaf=is_recorder)
    if not any(isinstance(r, AbstractReducer) for r in recorders):
        return (None,) * len(recorders)
    state, output = _zeros((example.state, example.output))
    return tuple(
        r.init(state, output) if isinstance(r, AbstractReducer) else None for r in recorders
    )


def finish(record: Any, summaries: tuple[Any, ...], kept: tuple[Any, ...]) -> Any:
    """What is returned in `outputs`: results of reducers, and what the other recorders kept."""
    recorders, structure = jtu.tree_flatten(record, is_leaf=is_recorder)
    results = [
        r.finish(s) if isinstance(r, AbstractReducer) else k
        for r, s, k in zip(recorders, summaries, kept, strict=True)
    ]
    return jtu.tree_unflatten(structure, results)


def advance(
    model: Any,
    start: Snapshot,
    summaries: tuple[Any, ...],
    series: Any,
    fixed: Any,
    key: Any,
    record: Any,
    example: Example,
    dt: float,
    n_steps: int,
    every: int,
    segment: int | None,
) -> tuple[Snapshot, tuple[Any, ...], tuple[Any, ...]]:
    """The loop: `n_steps` steps from `start`, to be traced.

    **Returns:** the end, the summaries of reducers, and what each other recorder kept.
    """
    one = _one(model, start, series, fixed, key, dt)
    recorders = jtu.tree_leaves(record, is_leaf=is_recorder)
    # Inside `jax.shard_map`, what goes around the loop varies like all that flows into it.
    everything = (model, start, summaries, series, fixed, key)

    def keep(state: Any, output: Any) -> tuple[Any, ...]:
        sparse = [not isinstance(r, AbstractReducer | AbstractEvents) for r in recorders]
        return tuple(
            r(state, output) if yes else None for r, yes in zip(recorders, sparse, strict=True)
        )

    def see(state: Any, output: Any) -> tuple[Any, ...]:
        return tuple(r(state, output) if isinstance(r, AbstractEvents) else None for r in recorders)

    def make(carry: Any, row: Any) -> tuple[Any, Any]:
        state, step, sums = carry
        state, output = one(state, step, row)
        clock = Clock(step, dt)
        sums = tuple(
            r.update(s, state, output, clock) if isinstance(r, AbstractReducer) else None
            for r, s in zip(recorders, sums, strict=True)
        )
        return (state, step + 1, sums), output

    def block(carry: Any, rows: Any) -> tuple[Any, Any]:
        if every == 1:
            carry, output = make(carry, rows)
            seen = see(carry[0], output)
        else:

            def inner(both: Any, row: Any) -> tuple[Any, Any]:
                carry, output = make(both[0], row)
                return (carry, output), see(carry[0], output)

            last = (carry, vary_like(_zeros(example.output), everything))
            (carry, output), seen = lax.scan(inner, last, rows, length=every)
        return carry, (keep(carry[0], output), seen)

    n_blocks = n_steps // every
    rows = series
    if every > 1:
        rows = jax.tree.map(lambda x: x.reshape(n_blocks, every, *x.shape[1:]), series)
    carry = vary_like((start.model_state, start.step, summaries), everything)
    if segment is None:
        carry, (kept, seen) = lax.scan(block, carry, rows, length=n_blocks)
    else:
        carry, (kept, seen) = _checkpointed(block, carry, rows, n_blocks, segment)
    if every > 1:
        seen = jax.tree.map(lambda x: x.reshape(n_steps, *x.shape[2:]), seen)
    state, step, summaries = carry
    kept = tuple(
        s if isinstance(r, AbstractEvents) else k
        for r, k, s in zip(recorders, kept, seen, strict=True)
    )
    return Snapshot(state, step, dt), summaries, kept


@eqx.filter_jit
def _loop(
    model: Any,
    start: Snapshot,
    series: Any,
    fixed: Any,
    key: Any,
    record: Any,
    dt: float,
    n_steps: int,
    every: int,
    segment: int | None,
) -> tuple[Snapshot, Any]:
    example = examples(model, start, series, fixed, key, record, dt)
    summaries = begin(record, example)
    arguments = (model, start, summaries, series, fixed, key, record, example)
    final, summaries, kept = advance(*arguments, dt, n_steps, every, segment)
    return final, finish(record, summaries, kept)


def _checkpointed(
    body: Callable[..., Any], carry: Any, rows: Any, length: int, segment: int
) -> tuple[Any, Any]:
    """`lax.scan` in segments of which reverse mode keeps only the first carry."""
    whole, rest = divmod(length, segment)

    def run(n: int) -> Callable[..., Any]:
        return jax.checkpoint(lambda c, xs: lax.scan(body, c, xs, length=n))

    cut = jax.tree.map(lambda x: x[: whole * segment], rows)
    cut = jax.tree.map(lambda x: x.reshape(whole, segment, *x.shape[1:]), cut)
    carry, kept = lax.scan(run(segment), carry, cut, length=whole)
    kept = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), kept)
    if rest:
        tail = jax.tree.map(lambda x: x[whole * segment :], rows)
        carry, more = run(rest)(carry, tail)
        kept = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), kept, more)
    return carry, kept


def is_recorder(x: Any) -> bool:
    return isinstance(x, AbstractReducer) or callable(x)


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype) if isinstance(x, jax.ShapeDtypeStruct) else x, shapes
    )


def _segment(checkpoint: bool | int, n: int) -> int | None:
    if checkpoint is False:
        return None
    if checkpoint is True:
        return max(1, math.isqrt(n))
    return min(count("checkpoint", checkpoint, minimum=1), n)


def number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.generic):
        raise TypeError(
            f"`{name}` must be a Python number in ms (it sets the length of the loop), got "
            f"{type(value).__name__}."
        )
    result = float(value)
    if not (math.isfinite(result) and result > 0):
        raise ValueError(f"`{name}` must be positive and finite (in ms), got {value}.")
    return result


def _check_record(record: Any) -> None:
    for path, leaf in jtu.tree_leaves_with_path(record, is_leaf=is_recorder):
        if not is_recorder(leaf) or isinstance(leaf, type):
            hint = f" Try {leaf.__name__}()." if isinstance(leaf, type) else ""
            raise TypeError(
                f"`record{jtu.keystr(path)}` must be a function (state, output) -> pytree or a "
                f"reducer such as brainfn.record.SpikeCount(), got {leaf!r}.{hint}"
            )


def _check_state(model: AbstractModel, state: Snapshot, key: Any, dt: float) -> None:
    """Raise if `state` is not one that `model` could have made."""
    if state.dt != dt:
        raise ValueError(
            f"`dt` must be that of the simulation that `state` comes from, got {dt} and "
            f"{state.dt} ms. To start anew at time zero give state=state.model_state."
        )
    key = jr.key(0) if key is None else key
    own = eqx.filter_eval_shape(lambda m, k: m.init(key=k), model, key)
    if jtu.tree_structure(own) != jtu.tree_structure(state.model_state):
        raise TypeError(
            "`state` does not belong to this model: it has another structure than the model's "
            f"`init` makes, got {type(state.model_state).__name__}. Give the `state` of a "
            "simulation of the same model."
        )
    pairs = zip(jtu.tree_leaves_with_path(own), jtu.tree_leaves(state.model_state), strict=True)
    for (path, expected), given in pairs:
        if jnp.shape(expected) != jnp.shape(given):
            raise ValueError(
                f"`state{jtu.keystr(path)}` must have shape {jnp.shape(expected)}, got "
                f"{jnp.shape(given)}: it comes from another model, or from another `dt`."
            )


def physical_memory() -> int | None:
    """Bytes of memory of this machine, if the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):
        return None


def _check_memory(arguments: tuple[Any, ...], options: tuple[Any, ...]) -> None:
    """Raise if what is to be recorded can't fit into memory, before anything is allocated."""
    free = physical_memory()
    if jax.default_backend() != "cpu" or free is None:
        return
    leaves, structure = jtu.tree_flatten(arguments)
    signature = tuple((x.shape, x.dtype) if eqx.is_array(x) else x for x in leaves)
    known = (structure, signature, options)
    # Tracing takes longer than a short simulation, so each signature is looked at once.
    if known not in _recorded_bytes:
        _, kept = eqx.filter_eval_shape(_loop, *arguments, *options)
        _recorded_bytes[known] = sum(
            math.prod(x.shape) * x.dtype.itemsize
            for x in jtu.tree_leaves(kept)
            if isinstance(x, jax.ShapeDtypeStruct)
        )
    size = _recorded_bytes[known]
    if size > free:
        raise MemoryError(
            f"`record` would keep {size / 1e9:.1f} GB, but this machine has {free / 1e9:.1f} GB. "
            "Record less (e.g. record=brainfn.record.SpikeCount() or brainfn.record.packed_spikes),"
            " keep fewer steps with `every=`, or stream to disk with brainfn.run."
        )


_recorded_bytes: dict[Any, int] = {}
